//! Single calls of WeCom's API, without any knowledge of token caches.

use reqwest::{Response, Url, header};
use tokio::time::Instant;
use tracing::debug;

use super::{
    http::{SetupError, describe, http_client},
    settings::ClientSettings,
};
use crate::{
    secret::Secret,
    text::prefix,
    wecom::{
        Api, ApiError, Outcome, TransportError, TransportErrorKind, WecomError,
        endpoint::ProxyUrl,
        reply::{self, ApiReply, InvalidReply, TokenGrant},
        token::Token,
    },
};

/// A usual reply has some hundred bytes. It has some ten thousand when WeCom lists a thousand invalid recipients.
const MAX_REPLY_BYTES: usize = 64 * 1024;
/// The most bytes that are kept of an `errmsg` and of the details of a transport error.
const MAX_DETAIL_BYTES: usize = 500;

/// Makes single calls for one app.
#[derive(Debug)]
pub(super) struct Caller {
    http: reqwest::Client,
    settings: ClientSettings,
    send_url: Url,
    /// Texts that must not appear in an error, besides the token.
    secrets: Vec<Secret>,
}

/// A call without a usable reply.
pub(super) struct CallError {
    pub(super) kind: TransportErrorKind,
    pub(super) detail: String,
    /// WeCom surely did not get the request.
    pub(super) not_sent: bool,
}

impl Caller {
    pub(super) fn new(settings: ClientSettings) -> Result<Self, SetupError> {
        let http = http_client(&settings)?;
        let send_url = settings.api_url.call(Api::MessageSend.name());
        let secrets = secrets(&settings);
        Ok(Self { http, settings, send_url, secrets })
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
        match body.and_then(|body| reply::token_reply(&body).map_err(|error| invalid_reply(error, &body))) {
            Ok(ApiReply::Success(grant)) => Ok(grant),
            Ok(ApiReply::Error { errcode, errmsg }) => {
                Err(WecomError::Rejected(ApiError { api, errcode, errmsg: self.redact(errmsg, None) }))
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
        match body.and_then(|body| reply::send_reply(&body).map_err(|error| invalid_reply(error, &body))) {
            Ok(ApiReply::Success(receipt)) => Outcome::Accepted(receipt),
            Ok(ApiReply::Error { errcode, errmsg }) => {
                Outcome::Rejected(ApiError { api, errcode, errmsg: self.redact(errmsg, Some(token)) })
            }
            Err(error) if error.not_sent => Outcome::NotSent(self.transport_error(api, error, Some(token))),
            Err(error) => Outcome::Unknown(self.transport_error(api, error, Some(token))),
        }
    }

    pub(super) async fn get(&self, url: Url) -> Result<Response, reqwest::Error> {
        self.http.get(url).send().await
    }

    /// The body of a 200 response.
    async fn call(&self, api: Api, request: reqwest::RequestBuilder) -> Result<Vec<u8>, CallError> {
        let started_at = Instant::now();
        let response = request.send().await.map_err(CallError::from)?;
        let status = response.status().as_u16();
        let duration_ms = u64::try_from(started_at.elapsed().as_millis()).unwrap_or(u64::MAX);
        debug!(api = api.name(), status, duration_ms, "WeCom answered");
        read_body(response, MAX_REPLY_BYTES).await
    }

    pub(super) fn transport_error(
        &self,
        api: Api,
        error: CallError,
        token: Option<&Token>,
    ) -> TransportError {
        let detail = self.redact(error.detail, token);
        debug!(api = api.name(), kind = ?error.kind, detail, "no reply from WeCom");
        TransportError { api, kind: error.kind, detail }
    }

    /// Replaces the secrets of this call in `text`, then cuts it to [`MAX_DETAIL_BYTES`]. The cut comes last, because
    /// half of a secret at the cut would not be found.
    pub(super) fn redact(&self, text: String, token: Option<&Token>) -> String {
        let secrets = self.secrets.iter().chain(token.map(Token::secret));
        let text = secrets.fold(text, |text, secret| text.replace(secret.expose(), "[secret]"));
        prefix(&text, MAX_DETAIL_BYTES).to_owned()
    }
}

/// The app's secret, plain and as a URL contains it, and the proxy's password.
fn secrets(settings: &ClientSettings) -> Vec<Secret> {
    let mut url = settings.api_url.call("");
    url.query_pairs_mut().append_key_only(settings.api_secret.expose());
    let encoded = Secret::new(url.query().unwrap_or_default());
    let password = settings.proxy_url.as_ref().and_then(ProxyUrl::password);
    let secrets = [Some(settings.api_secret.clone()), Some(encoded), password];
    secrets.into_iter().flatten().filter(|secret| !secret.is_empty()).collect()
}

/// The body of a 200 response with at most `max_bytes`.
pub(super) async fn read_body(mut response: Response, max_bytes: usize) -> Result<Vec<u8>, CallError> {
    if response.status().as_u16() != 200 {
        return Err(unexpected_status(&response));
    }
    let mut body = Vec::new();
    loop {
        let chunk = match response.chunk().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => return Ok(body),
            // The server has begun to answer, so it has the request.
            Err(error) => return Err(CallError { not_sent: false, ..CallError::from(error) }),
        };
        body.extend_from_slice(&chunk);
        if body.len() > max_bytes {
            let detail = format!("a reply of more than {max_bytes} bytes");
            return Err(CallError { kind: TransportErrorKind::InvalidReply, detail, not_sent: false });
        }
    }
}

pub(super) fn invalid_reply(error: InvalidReply, body: &[u8]) -> CallError {
    let detail = format!("a reply of {} bytes that is not WeCom's: {error}", body.len());
    CallError { kind: TransportErrorKind::InvalidReply, detail, not_sent: false }
}

fn unexpected_status(response: &Response) -> CallError {
    let status = response.status().as_u16();
    let mut detail = format!("HTTP {status}");
    if let Some(origin) = redirect_origin(response) {
        detail.push_str(&format!(", a redirect to {origin}"));
    }
    CallError { kind: TransportErrorKind::Status(status), detail, not_sent: (300..=499).contains(&status) }
}

/// The origin of a redirect's target. Path and query are left out, because they repeat those of the request.
fn redirect_origin(response: &Response) -> Option<String> {
    let location = response.headers().get(header::LOCATION)?.to_str().ok()?;
    let url = Url::parse(location).ok()?;
    Some(url.origin().ascii_serialization())
}

impl From<reqwest::Error> for CallError {
    fn from(error: reqwest::Error) -> Self {
        // A connect that timed out is both. `Connect` wins, because then the request was surely not sent.
        let (kind, not_sent) = if error.is_connect() || error.is_builder() {
            (TransportErrorKind::Connect, true)
        } else if error.is_timeout() {
            (TransportErrorKind::Timeout, false)
        } else {
            (TransportErrorKind::Lost, false)
        };
        Self { kind, detail: describe(error), not_sent }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wecom::{
        client::{CALL_TIMEOUT, CONNECT_TIMEOUT},
        endpoint::ApiUrl,
        message::AgentId,
    };

    #[test]
    fn a_secret_at_the_cut_is_not_kept_in_part() {
        let settings = ClientSettings {
            corp_id: "ww1234567890abcdef".to_owned(),
            agent_id: AgentId(1),
            api_secret: Secret::new("verysecret0123456789"),
            api_url: ApiUrl::parse("https://qyapi.weixin.qq.com").unwrap(),
            proxy_url: None,
            connect_timeout: CONNECT_TIMEOUT,
            call_timeout: CALL_TIMEOUT,
        };
        let caller = Caller::new(settings).unwrap();
        for filled in MAX_DETAIL_BYTES - 20..=MAX_DETAIL_BYTES {
            let errmsg = format!("{}verysecret0123456789", "x".repeat(filled));
            let reply = format!(r#"{{"errcode":40001,"errmsg":"{errmsg}"}}"#);
            let Ok(ApiReply::Error { errmsg, .. }) = reply::send_reply(reply.as_bytes()) else {
                unreachable!("{reply}")
            };
            let kept = caller.redact(errmsg, None);
            assert!(kept.len() <= MAX_DETAIL_BYTES);
            assert!(!kept.contains("xv"), "{filled}: {kept}");
        }
    }
}
