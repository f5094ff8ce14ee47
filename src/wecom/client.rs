//! WeCom over HTTPS: the [`WeCom`] port on `gettoken` and `message/send`.
//!
//! Promises:
//! - [`Outcome::NotSent`] is said only when the message was surely not taken: no connection came about, there was no
//!   token, or a server answered 3xx or 4xx, which WeCom's application never does. All else without WeCom's word is
//!   [`Outcome::Unknown`], a stale pooled connection too;
//! - one [`Message`] is one body, byte for byte, also when it is sent again with a renewed token;
//! - a secret or token travels in the URL to WeCom, and nowhere else: bodies that are not WeCom's and the paths of
//!   redirects are not repeated, and what is repeated is searched for them.
//!
//! Redirects are not followed (a POST would become a GET), HTTP retries are off (the outbox decides), and no proxy is
//! taken from the environment. `reqwest::Response::json` was rejected: it reads without a bound.

mod probe;

use std::{error::Error as _, sync::Arc, time::Duration};

use reqwest::{Method, Response, Url, header};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use tokio::time::Instant;
use tracing::debug;

use super::{
    Api, ApiError, Message, Outcome, TransportError, TransportErrorKind, WeCom,
    endpoint::{ApiUrl, ProxyUrl},
    errcode,
    message::{self, AgentId, Answer, Grant, NotWecom},
    token::{Failure, Token, TokenCache, TokenCaches},
};
pub use probe::{Certificate, Reached, Stage, Unreached};

use crate::{metrics::Refreshes, secret::Secret, text::prefix};

/// How long name lookup, TCP, the proxy and TLS may take together.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one call may take, connecting included.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// WeCom's replies have some hundred bytes, and up to some ten thousand when a thousand recipients are missed.
const MAX_REPLY_BYTES: usize = 64 * 1024;
/// Below the usual keep-alive of servers, so that a pooled connection is rarely stale when it is used.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// The most bytes that are kept of an `errmsg`, and of what is known of a fault.
const MAX_DETAIL_BYTES: usize = 500;

/// One app of one corp, and the way to WeCom.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    /// The corp's ID.
    pub corp_id: String,
    /// The app's number.
    pub agent_id: AgentId,
    /// The app's secret.
    pub api_secret: Secret,
    /// Where WeCom's API is.
    pub api_url: ApiUrl,
    /// Through what it is reached; `None` is directly, whatever the environment says.
    pub proxy_url: Option<ProxyUrl>,
    /// Usually [`CONNECT_TIMEOUT`]; at most half of `call_timeout` is used, so that there is time left for an answer.
    pub connect_timeout: Duration,
    /// Usually [`CALL_TIMEOUT`].
    pub call_timeout: Duration,
}

/// Why a client cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("set up the HTTP client: {0}")]
pub struct SetupError(String);

/// Sends as one app. Clones share connections and token.
#[derive(Debug, Clone)]
pub struct Client {
    caller: Arc<Caller>,
    tokens: Arc<TokenCache>,
    refreshes: Refreshes,
}

impl Client {
    /// A client that shares the token with the other clients of `caches` that have the same corp and secret.
    ///
    /// # Errors
    /// [`SetupError`] when TLS or the proxy cannot be set up.
    pub fn new(settings: ClientSettings, caches: &TokenCaches) -> Result<Self, SetupError> {
        let tokens = caches.cache(&settings.api_url, &settings.corp_id, &settings.api_secret);
        let (http, secrets) = (http_client(&settings)?, secrets(&settings));
        let caller = Arc::new(Caller { http, settings, secrets });
        Ok(Self { caller, tokens, refreshes: Refreshes::default() })
    }

    /// The same client, which counts its calls of `gettoken`.
    pub fn counting(&self, refreshes: Refreshes) -> Self {
        Self { refreshes, ..self.clone() }
    }

    /// Gets an access token, or finds the current one: whether corp and secret are accepted.
    ///
    /// # Errors
    /// [`Failure`] when there is none.
    pub async fn token(&self) -> Result<Token, Failure> {
        let (caller, refreshes) = (Arc::clone(&self.caller), self.refreshes.clone());
        let fetch = || async move {
            let granted = caller.get_token().await;
            match &granted {
                Ok(_) => refreshes.ok.inc(),
                Err(Failure::Refused(_)) => refreshes.refused.inc(),
                Err(Failure::TransportError(_)) => refreshes.failed.inc(),
            };
            granted
        };
        self.tokens.token(fetch).await
    }
}

impl WeCom for Client {
    async fn send(&self, message: &Message) -> Outcome {
        let body = || message::request_body(self.caller.settings.agent_id, message);
        let token = match self.token().await {
            Ok(token) => token,
            Err(failure) => return failure.into(),
        };
        let outcome = self.caller.send(&token, body()).await;
        if !matches!(&outcome, Outcome::Rejected(refusal) if errcode::is_token_refused(refusal)) {
            return outcome;
        }
        self.tokens.invalidate(&token);
        match self.token().await {
            Ok(token) => self.caller.send(&token, body()).await,
            Err(failure) => failure.into(),
        }
    }
}

impl From<Failure> for Outcome {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusal) => Self::Rejected(refusal),
            Failure::TransportError(fault) => Self::NotSent(fault),
        }
    }
}

/// Makes single calls.
#[derive(Debug)]
struct Caller {
    http: reqwest::Client,
    settings: ClientSettings,
    /// What is never to be repeated, beside the token.
    secrets: Vec<Secret>,
}

/// A call without a usable answer, and whether it surely did not reach WeCom.
struct CallError {
    kind: TransportErrorKind,
    detail: String,
    unsent: bool,
}

impl Caller {
    async fn get_token(&self) -> Result<Grant, Failure> {
        let api = Api::GetToken;
        let mut url = self.settings.api_url.call(api.name());
        let secret = self.settings.api_secret.expose();
        url.query_pairs_mut().append_pair("corpid", &self.settings.corp_id).append_pair("corpsecret", secret);
        let reply = self.call(api, Method::GET, url, None).await;
        match reply.and_then(|body| message::token_reply(&body).map_err(|error| foreign(error, &body))) {
            Ok(Answer::Done(grant)) => Ok(grant),
            Ok(Answer::Refused { errcode, errmsg }) => {
                Err(Failure::Refused(ApiError { api, errcode, errmsg: self.quotable(errmsg, None) }))
            }
            Err(broken) => Err(Failure::TransportError(self.fault(api, broken, None))),
        }
    }

    async fn send(&self, token: &Token, body: String) -> Outcome {
        let api = Api::MessageSend;
        let mut url = self.settings.api_url.call(api.name());
        url.query_pairs_mut().append_pair("access_token", token.secret().expose());
        let reply = self.call(api, Method::POST, url, Some(body)).await;
        match reply.and_then(|body| message::send_reply(&body).map_err(|error| foreign(error, &body))) {
            Ok(Answer::Done(receipt)) => Outcome::Accepted(receipt),
            Ok(Answer::Refused { errcode, errmsg }) => {
                Outcome::Rejected(ApiError { api, errcode, errmsg: self.quotable(errmsg, Some(token)) })
            }
            Err(broken) if broken.unsent => Outcome::NotSent(self.fault(api, broken, Some(token))),
            Err(broken) => Outcome::Unknown(self.fault(api, broken, Some(token))),
        }
    }

    /// The body of a 200 answer.
    async fn call(
        &self,
        api: Api,
        method: Method,
        url: Url,
        body: Option<String>,
    ) -> Result<Vec<u8>, CallError> {
        let started_at = Instant::now();
        let mut request = self.http.request(method, url);
        if let Some(body) = body {
            request = request.header(header::CONTENT_TYPE, "application/json").body(body);
        }
        let response = request.send().await.map_err(broken)?;
        let status = response.status().as_u16();
        let duration_ms = u64::try_from(started_at.elapsed().as_millis()).unwrap_or(u64::MAX);
        debug!(api = api.name(), status, duration_ms, "WeCom answered");
        if status != 200 {
            return Err(bad_status(&response));
        }
        read(response, MAX_REPLY_BYTES).await
    }

    fn fault(&self, api: Api, broken: CallError, token: Option<&Token>) -> TransportError {
        let detail = self.quotable(broken.detail, token);
        debug!(api = api.name(), kind = ?broken.kind, detail, "there is no answer of WeCom");
        TransportError { api, kind: broken.kind, detail }
    }

    /// `text` without the secrets of this call, should it repeat one, and then at most [`MAX_DETAIL_BYTES`] of it: the
    /// other way around, half of a secret at the border would be found no more.
    fn quotable(&self, text: String, token: Option<&Token>) -> String {
        let secrets = self.secrets.iter().chain(token.map(Token::secret));
        let text = secrets.fold(text, |text, secret| text.replace(secret.expose(), "[secret]"));
        prefix(&text, MAX_DETAIL_BYTES).to_owned()
    }
}

/// The app's secret, plain and as it stands in a URL, and the proxy's password.
fn secrets(settings: &ClientSettings) -> Vec<Secret> {
    let mut url = settings.api_url.call("");
    url.query_pairs_mut().append_key_only(settings.api_secret.expose());
    let encoded = Secret::new(url.query().unwrap_or_default());
    let password = settings.proxy_url.as_ref().and_then(ProxyUrl::password);
    let secrets = [Some(settings.api_secret.clone()), Some(encoded), password];
    secrets.into_iter().flatten().filter(|secret| !secret.is_empty()).collect()
}

async fn read(mut response: Response, max_bytes: usize) -> Result<Vec<u8>, CallError> {
    let mut body = Vec::new();
    // Whatever breaks from here on, the request was taken.
    while let Some(chunk) =
        response.chunk().await.map_err(|error| CallError { unsent: false, ..broken(error) })?
    {
        body.extend_from_slice(&chunk);
        if body.len() > max_bytes {
            let detail = format!("a reply of more than {max_bytes} bytes");
            return Err(CallError { kind: TransportErrorKind::NotWecom, detail, unsent: false });
        }
    }
    Ok(body)
}

fn foreign(error: NotWecom, body: &[u8]) -> CallError {
    let detail = format!("a reply of {} bytes that is not WeCom's: {error}", body.len());
    CallError { kind: TransportErrorKind::NotWecom, detail, unsent: false }
}

fn bad_status(response: &Response) -> CallError {
    let status = response.status().as_u16();
    let mut detail = format!("HTTP {status}");
    if let Some(origin) = redirect_origin(response) {
        detail.push_str(&format!(", a redirect to {origin}"));
    }
    CallError { kind: TransportErrorKind::Status(status), detail, unsent: (300..=499).contains(&status) }
}

/// Where a redirect leads to, without path and query: they repeat those of the request.
fn redirect_origin(response: &Response) -> Option<String> {
    let location = response.headers().get(header::LOCATION)?.to_str().ok()?;
    let url = Url::parse(location).ok()?;
    Some(url.origin().ascii_serialization())
}

fn broken(error: reqwest::Error) -> CallError {
    // A connect that timed out is both, and a connect is what it is.
    let (kind, unsent) = if error.is_connect() || error.is_builder() {
        (TransportErrorKind::Connect, true)
    } else if error.is_timeout() {
        (TransportErrorKind::Timeout, false)
    } else {
        (TransportErrorKind::Lost, false)
    };
    CallError { kind, detail: causes(error), unsent }
}

/// The error and its causes, without the URL.
fn causes(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that sets time-outs, roots, proxy and redirects"
)]
fn http_client(settings: &ClientSettings) -> Result<reqwest::Client, SetupError> {
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls_config()?)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        .connect_timeout(settings.connect_timeout.min(settings.call_timeout / 2))
        .timeout(settings.call_timeout)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .tcp_nodelay(true)
        .user_agent(concat!("wecom-relay/", env!("CARGO_PKG_VERSION")));
    if let Some(proxy_url) = &settings.proxy_url {
        let proxy = reqwest::Proxy::all(proxy_url.expose()).map_err(|error| SetupError(causes(error)))?;
        builder = builder.proxy(proxy);
    }
    builder.build().map_err(|error| SetupError(causes(error)))
}

/// The bundled roots and an explicit provider: neither the system's store nor a process-wide default is needed.
///
/// # Errors
/// [`SetupError`], never in practice.
pub fn tls_config() -> Result<ClientConfig, SetupError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| SetupError(error.to_string()))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_at_the_border_of_what_is_kept_is_not_kept_in_part() {
        let settings = ClientSettings {
            corp_id: "ww1234567890abcdef".to_owned(),
            agent_id: AgentId(1),
            api_secret: Secret::new("verysecret0123456789"),
            api_url: ApiUrl::parse("https://qyapi.weixin.qq.com").unwrap(),
            proxy_url: None,
            connect_timeout: CONNECT_TIMEOUT,
            call_timeout: CALL_TIMEOUT,
        };
        let client = Client::new(settings, &TokenCaches::default()).unwrap();
        for filled in MAX_DETAIL_BYTES - 20..=MAX_DETAIL_BYTES {
            let errmsg = format!("{}verysecret0123456789", "x".repeat(filled));
            let reply = format!(r#"{{"errcode":40001,"errmsg":"{errmsg}"}}"#);
            let Ok(Answer::Refused { errmsg, .. }) = message::send_reply(reply.as_bytes()) else {
                unreachable!("{reply}")
            };
            let kept = client.caller.quotable(errmsg, None);
            assert!(kept.len() <= MAX_DETAIL_BYTES);
            assert!(!kept.contains("xv"), "{filled}: {kept}");
        }
    }
}
