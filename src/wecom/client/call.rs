//! Single calls of WeCom's API, without any knowledge of token caches.

use reqwest::{Response, Url, header};
use tokio::time::Instant;
use tracing::debug;

use super::{
    body::read_body,
    error::CallError,
    redact::Redactor,
    settings::{AppSettings, Connection},
};
use crate::http_client::{HttpClientSettings, SetupError, http_client};
use crate::secret::Secret;
use crate::wecom::{
    Api, ApiError, Errcode, Outcome, TransportError, WecomError,
    endpoint::ProxyUrl,
    reply::{self, ApiReply, TokenGrant},
    token::Token,
};

/// A usual reply has some hundred bytes. It has some ten thousand when WeCom lists a thousand invalid recipients.
const MAX_REPLY_BYTES: usize = 64 * 1024;

/// Makes single calls for one sender.
#[derive(Debug)]
pub(super) struct Caller {
    http: reqwest::Client,
    connection: Connection,
    redactor: Redactor,
}

impl Caller {
    /// `secret` is that of the sender. No text of a reply shows it.
    pub(super) fn new(connection: Connection, secret: &Secret) -> Result<Self, SetupError> {
        let http = http_client(HttpClientSettings {
            extra_roots: &connection.extra_roots,
            proxy_url: connection.proxy_url.as_ref().map(ProxyUrl::expose),
            connect_timeout: connection.connect_timeout,
            call_timeout: connection.call_timeout,
        })?;
        let redactor = Redactor::new(secret, connection.proxy_url.as_ref());
        Ok(Self { http, connection, redactor })
    }

    pub(super) fn has_proxy(&self) -> bool {
        self.connection.proxy_url.is_some()
    }

    /// The URL of a call with one parameter, such as the access token.
    pub(super) fn url(&self, api: Api, parameter: (&str, &str)) -> Url {
        let mut url = self.url_without_parameters(api);
        url.query_pairs_mut().append_pair(parameter.0, parameter.1);
        url
    }

    pub(super) fn url_without_parameters(&self, api: Api) -> Url {
        self.connection.api_url.call(api.name())
    }

    pub(super) async fn get_token(&self, app: &AppSettings) -> Result<TokenGrant, WecomError> {
        let api = Api::GetToken;
        let mut url = self.url(api, ("corpid", &app.corp_id));
        url.query_pairs_mut().append_pair("corpsecret", app.api_secret.expose());
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

    /// Posts a message to `url`, which has the `token` if there is one.
    pub(super) async fn send(&self, api: Api, url: Url, body: String, token: Option<&Token>) -> Outcome {
        let body = self.call(api, self.post(url, body)).await;
        match body
            .and_then(|body| reply::send_reply(&body).map_err(|error| CallError::foreign_reply(error, &body)))
        {
            Ok(ApiReply::Success(receipt)) => Outcome::Accepted(self.redactor.receipt(receipt, token)),
            Ok(ApiReply::Error { errcode, errmsg }) => {
                Outcome::Rejected(self.api_error(api, errcode, &errmsg, token))
            }
            Err(error) if error.not_sent => Outcome::NotSent(self.transport_error(api, error, token)),
            Err(error) => Outcome::Unknown(self.transport_error(api, error, token)),
        }
    }

    pub(super) fn post(&self, url: Url, body: String) -> reqwest::RequestBuilder {
        self.http.post(url).header(header::CONTENT_TYPE, "application/json").body(body)
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
