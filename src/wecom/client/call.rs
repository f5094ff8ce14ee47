//! Single calls of WeCom's API, without any knowledge of token caches.

use reqwest::{Response, Url, header};
use tokio::time::Instant;
use tracing::debug;

use super::{
    body::read_body,
    error::CallError,
    http::{SetupError, http_client},
    redact::Redactor,
    settings::ClientSettings,
};
use crate::wecom::{
    Api, ApiError, Errcode, Outcome, TransportError, WecomError,
    reply::{self, ApiReply, TokenGrant},
    token::Token,
};

/// A usual reply has some hundred bytes. It has some ten thousand when WeCom lists a thousand invalid recipients.
const MAX_REPLY_BYTES: usize = 64 * 1024;

/// Makes single calls for one app.
#[derive(Debug)]
pub(super) struct Caller {
    http: reqwest::Client,
    settings: ClientSettings,
    send_url: Url,
    redactor: Redactor,
}

impl Caller {
    pub(super) fn new(settings: ClientSettings) -> Result<Self, SetupError> {
        let http = http_client(&settings)?;
        let send_url = settings.api_url.call(Api::MessageSend.name());
        let redactor = Redactor::new(&settings);
        Ok(Self { http, settings, send_url, redactor })
    }

    pub(super) fn settings(&self) -> &ClientSettings {
        &self.settings
    }

    pub(super) async fn get_token(&self) -> Result<TokenGrant, WecomError> {
        let api = Api::GetToken;
        let mut url = self.settings.api_url.call(api.name());
        let secret = self.settings.api_secret.expose();
        url.query_pairs_mut().append_pair("corpid", &self.settings.corp_id).append_pair("corpsecret", secret);
        let body = self.call(api, self.http.get(url)).await;
        match body.and_then(|body| {
            reply::token_reply(&body).map_err(|error| CallError::foreign_reply(error, &body))
        }) {
            Ok(ApiReply::Success(grant)) => Ok(grant),
            Ok(ApiReply::Error { errcode, errmsg }) => {
                Err(WecomError::Rejected(self.api_error(api, errcode, &errmsg, None)))
            }
            Err(error) => Err(WecomError::Transport(self.transport_error(api, error, None))),
        }
    }

    pub(super) async fn send(&self, token: &Token, body: String) -> Outcome {
        let api = Api::MessageSend;
        let mut url = self.send_url.clone();
        url.query_pairs_mut().append_pair("access_token", token.secret().expose());
        let request = self.http.post(url).header(header::CONTENT_TYPE, "application/json").body(body);
        let body = self.call(api, request).await;
        match body
            .and_then(|body| reply::send_reply(&body).map_err(|error| CallError::foreign_reply(error, &body)))
        {
            Ok(ApiReply::Success(receipt)) => Outcome::Accepted(self.redactor.receipt(receipt, token)),
            Ok(ApiReply::Error { errcode, errmsg }) => {
                Outcome::Rejected(self.api_error(api, errcode, &errmsg, Some(token)))
            }
            Err(error) if error.not_sent => Outcome::NotSent(self.transport_error(api, error, Some(token))),
            Err(error) => Outcome::Unknown(self.transport_error(api, error, Some(token))),
        }
    }

    pub(super) async fn get(&self, url: Url) -> Result<Response, reqwest::Error> {
        self.http.get(url).send().await
    }

    /// The body of a 2xx response.
    async fn call(&self, api: Api, request: reqwest::RequestBuilder) -> Result<Vec<u8>, CallError> {
        let started_at = Instant::now();
        let response = request.send().await.map_err(CallError::from)?;
        let status = response.status().as_u16();
        let duration_ms = u64::try_from(started_at.elapsed().as_millis()).unwrap_or(u64::MAX);
        debug!(api = api.name(), status, duration_ms, "WeCom answered");
        read_body(api, response, MAX_REPLY_BYTES).await
    }

    pub(super) fn transport_error(
        &self,
        api: Api,
        error: CallError,
        token: Option<&Token>,
    ) -> TransportError {
        let detail = self.redactor.detail(&error.detail, token);
        debug!(api = api.name(), kind = ?error.kind, detail, "no reply from WeCom");
        TransportError { api, kind: error.kind, detail }
    }

    pub(super) fn api_error(
        &self,
        api: Api,
        errcode: Errcode,
        errmsg: &str,
        token: Option<&Token>,
    ) -> ApiError {
        ApiError { api, errcode, errmsg: self.redactor.detail(errmsg, token) }
    }
}
