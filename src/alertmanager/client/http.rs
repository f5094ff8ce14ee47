//! The calls of Alertmanager's API v2.

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use reqwest::{RequestBuilder, Url, header};
use serde_json::json;

use super::{
    super::{Matchers, NewSilence, Silence, Silences, SilencesError, SilencesErrorKind, failures},
    answer::{self, Body, ListedSilence},
    filter::filters,
    server_status::ServerStatus,
    settings::{AlertmanagerSettings, Credentials},
};
use crate::{
    http_client::{HttpClientSettings, SetupError, describe, http_client, tls_error},
    language::Bilingual,
    secret::Secret,
};

/// All silences with the same matchers, each with some 500 bytes.
const MAX_BODY_BYTES: usize = 8 << 20;
/// A list of alerts is read up to this size. A longer one has alerts.
const MAX_ALERTS_BYTES: usize = 1 << 20;

/// Alertmanager, or Grafana's Alertmanager.
#[derive(Debug)]
pub struct AlertmanagerClient {
    http: reqwest::Client,
    settings: AlertmanagerSettings,
    /// No text of an answer shows these.
    secrets: Vec<Secret>,
}

impl AlertmanagerClient {
    /// # Errors
    /// [`SetupError`] when TLS cannot be set up.
    pub fn new(settings: AlertmanagerSettings) -> Result<Self, SetupError> {
        let http = http_client(HttpClientSettings {
            extra_roots: &settings.extra_roots,
            proxy_url: None,
            connect_timeout: settings.timeout,
            call_timeout: settings.timeout,
        })?;
        let secrets = match &settings.credentials {
            Credentials::None => Vec::new(),
            Credentials::Bearer(token) => vec![token.clone()],
            Credentials::Basic { username, password } => {
                let pair = format!("{username}:{}", password.expose());
                vec![password.clone(), Secret::new(STANDARD.encode(pair))]
            }
        };
        Ok(Self { http, settings, secrets })
    }

    /// The address, for logs.
    pub fn url(&self) -> String {
        self.settings.url.to_string()
    }

    /// The state of the server. Grafana says less than Alertmanager.
    ///
    /// # Errors
    /// [`SilencesError`] when it does not answer.
    pub async fn status(&self) -> Result<ServerStatus, SilencesError> {
        let body = self.get(self.settings.url.call("status"), MAX_BODY_BYTES).await?;
        ServerStatus::parse(&body.bytes).ok_or_else(|| self.foreign(SilencesErrorKind::NotDone))
    }

    async fn get(&self, url: Url, max_bytes: usize) -> Result<Body, SilencesError> {
        let answer = self.call(self.http.get(url), max_bytes).await;
        // A call that only reads has surely created nothing.
        answer.map_err(|error| match error.kind {
            SilencesErrorKind::Unknown => SilencesError { kind: SilencesErrorKind::NotDone, ..error },
            SilencesErrorKind::Refused | SilencesErrorKind::NotDone => error,
        })
    }

    /// The body of a 2xx answer.
    async fn call(&self, request: RequestBuilder, max_bytes: usize) -> Result<Body, SilencesError> {
        let request = match &self.settings.credentials {
            Credentials::None => request,
            Credentials::Bearer(token) => request.bearer_auth(token.expose()),
            Credentials::Basic { username, password } => {
                request.basic_auth(username, Some(password.expose()))
            }
        };
        let mut response = request.send().await.map_err(|error| self.transport_error(error))?;
        let is_success = response.status().is_success();
        let body = answer::read(&mut response, if is_success { max_bytes } else { 4096 }).await;
        tracing::debug!(status = response.status().as_u16(), "Alertmanager answered");
        if is_success {
            return body.map_err(|error| self.transport_error(error));
        }
        let bytes = body.map(|body| body.bytes).unwrap_or_default();
        Err(answer::refusal(self.url(), &response, &self.redacted(&String::from_utf8_lossy(&bytes))))
    }

    fn redacted(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| secret.hide_in(&text))
    }

    fn transport_error(&self, failed: reqwest::Error) -> SilencesError {
        let is_connect = failed.is_connect() || failed.is_builder();
        let is_timeout = failed.is_timeout();
        let is_certificate = matches!(tls_error(&failed), Some(rustls::Error::InvalidCertificate(_)));
        let detail = self.redacted(&describe(failed));
        let kind = if is_connect { SilencesErrorKind::NotDone } else { SilencesErrorKind::Unknown };
        let (reason, detail) = if is_timeout {
            let secs = self.settings.timeout.as_secs_f64().to_string();
            (
                Bilingual::new("Alertmanager does not respond", "Alertmanager 没有响应"),
                failures::TIMED_OUT.fill(&[&secs]),
            )
        } else if is_certificate {
            (
                Bilingual::new("the certificate of Alertmanager is not trusted", "Alertmanager 的证书不可信"),
                failures::UNTRUSTED.fill(&[&detail]),
            )
        } else if is_connect {
            (
                Bilingual::new("Alertmanager cannot be reached", "无法连接 Alertmanager"),
                failures::UNREACHABLE.fill(&[&detail]),
            )
        } else {
            (
                Bilingual::new("the connection to Alertmanager was lost", "与 Alertmanager 的连接中断"),
                failures::LOST.fill(&[&detail]),
            )
        };
        SilencesError { kind, reason, url: self.url(), detail }
    }

    /// The silences with exactly these matchers that have not expired.
    async fn in_force(&self, matchers: &Matchers) -> Result<Vec<ListedSilence>, SilencesError> {
        let mut url = self.settings.url.call("silences");
        for filter in filters(matchers) {
            url.query_pairs_mut().append_pair("filter", &filter);
        }
        let body = self.get(url, MAX_BODY_BYTES).await?;
        let listed = if body.is_whole { answer::silences_in_force(&body.bytes) } else { None };
        listed.ok_or_else(|| self.foreign(SilencesErrorKind::NotDone))
    }

    fn foreign(&self, kind: SilencesErrorKind) -> SilencesError {
        answer::foreign(self.url(), kind)
    }
}

impl Silences for AlertmanagerClient {
    async fn find(&self, matchers: &Matchers, marker: &str) -> Result<Option<Silence>, SilencesError> {
        let found =
            self.in_force(matchers).await?.into_iter().find(|silence| silence.comment.contains(marker));
        let Some(ListedSilence { id, ends_at, .. }) = found else { return Ok(None) };
        let ends_at = ends_at.parse().map_err(|_| self.foreign(SilencesErrorKind::NotDone))?;
        Ok(Some(Silence { id, ends_at }))
    }

    async fn is_in_force(&self, matchers: &Matchers, id: &str) -> Result<bool, SilencesError> {
        Ok(self.in_force(matchers).await?.iter().any(|silence| silence.id == id))
    }

    async fn create(&self, silence: &NewSilence) -> Result<String, SilencesError> {
        let matchers = silence.matchers.iter();
        let matchers = matchers
            .map(|(name, value)| json!({ "name": name, "value": value, "isRegex": false, "isEqual": true }));
        let body = json!({
            "matchers": matchers.collect::<Vec<_>>(),
            "startsAt": silence.starts_at.to_string(),
            "endsAt": silence.ends_at.to_string(),
            "createdBy": silence.created_by,
            "comment": silence.comment,
        });
        let request = self.http.post(self.settings.url.call("silences"));
        let request = request.header(header::CONTENT_TYPE, "application/json").body(body.to_string());
        let body = self.call(request, MAX_BODY_BYTES).await?;
        answer::created_id(&body.bytes).ok_or_else(|| self.foreign(SilencesErrorKind::Unknown))
    }

    async fn has_alerts(&self, labels: &Matchers) -> Result<bool, SilencesError> {
        let mut url = self.settings.url.call("alerts");
        for state in ["active", "silenced", "inhibited", "unprocessed"] {
            url.query_pairs_mut().append_pair(state, "true");
        }
        for filter in filters(labels) {
            url.query_pairs_mut().append_pair("filter", &filter);
        }
        let body = self.get(url, MAX_ALERTS_BYTES).await?;
        if !body.is_whole && body.bytes.starts_with(b"[{") {
            return Ok(true);
        }
        let count =
            answer::alert_count(&body.bytes).ok_or_else(|| self.foreign(SilencesErrorKind::NotDone))?;
        Ok(count > 0)
    }

    async fn started_at(&self) -> Result<Option<Timestamp>, SilencesError> {
        Ok(self.status().await?.started_at)
    }
}
