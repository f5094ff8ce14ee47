//! Answers of Alertmanager, and what a failed call means.

use reqwest::{Response, StatusCode, Url, header};
use serde::Deserialize;

use super::super::{SilencesError, SilencesErrorKind, failures};
use crate::{
    language::Bilingual,
    text::{one_line, shorten_chars},
};

/// The characters of a server's text that an error quotes.
const QUOTED_CHARS: usize = 200;

/// For members: another server answers.
const NO_ALERTMANAGER: Bilingual<&str> = Bilingual {
    en: "the relay finds no Alertmanager at the configured address",
    zh: "relay 配置的地址上没有 Alertmanager",
};

/// The bytes of a body up to a bound.
pub(super) struct Body {
    pub(super) bytes: Vec<u8>,
    /// False if the body is longer.
    pub(super) is_whole: bool,
}

pub(super) async fn read(response: &mut Response, max_bytes: usize) -> Result<Body, reqwest::Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > max_bytes {
            return Ok(Body { bytes, is_whole: false });
        }
    }
    Ok(Body { bytes, is_whole: true })
}

/// The error of an answer of `url` with another status than 2xx. `text` is its body without secrets.
pub(super) fn refusal(url: String, response: &Response, text: &str) -> SilencesError {
    let status = response.status();
    let number = status.as_u16().to_string();
    let number = number.as_str();
    let (kind, reason, detail) = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => (
            SilencesErrorKind::Refused,
            Bilingual::new(
                "Alertmanager does not accept the relay's credentials",
                "Alertmanager 不接受 relay 的凭据",
            ),
            failures::CREDENTIALS.fill(&[number]),
        ),
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            (SilencesErrorKind::Refused, NO_ALERTMANAGER, failures::NO_API.fill(&[number]))
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => (
            SilencesErrorKind::NotDone,
            Bilingual::new("Alertmanager is overloaded", "Alertmanager 过载"),
            failures::OVERLOADED.fill(&[number]),
        ),
        _ if status.is_redirection() => {
            let detail = match redirect_origin(response) {
                Some(origin) => failures::REDIRECTS_TO.fill(&[&origin, number]),
                None => failures::REDIRECTS.fill(&[number]),
            };
            (SilencesErrorKind::Refused, NO_ALERTMANAGER, detail)
        }
        _ if status.is_client_error() => (
            SilencesErrorKind::Refused,
            Bilingual::new("Alertmanager refuses this silence", "Alertmanager 拒绝了该静默"),
            failures::REFUSED.fill(&[number, &quoted(text)]),
        ),
        // A proxy may answer so after it has passed the request on.
        _ => (
            SilencesErrorKind::Unknown,
            Bilingual::new("Alertmanager has an internal error", "Alertmanager 内部出错"),
            failures::FAILED.fill(&[number, &quoted(text)]),
        ),
    };
    SilencesError { kind, reason, url, detail }
}

/// The answer of another server at `url`.
pub(super) fn foreign(url: String, kind: SilencesErrorKind) -> SilencesError {
    let detail = failures::FOREIGN.fill(&[]);
    SilencesError { kind, reason: NO_ALERTMANAGER, url, detail }
}

fn quoted(text: &str) -> String {
    // Alertmanager answers with a JSON text.
    let plain: Option<String> = serde_json::from_str(text).ok();
    let line = one_line(plain.as_deref().unwrap_or(text));
    if line.is_empty() { String::new() } else { format!(": {}", shorten_chars(&line, QUOTED_CHARS)) }
}

/// Path and query are left out, because they may repeat those of the request.
fn redirect_origin(response: &Response) -> Option<String> {
    let location = response.headers().get(header::LOCATION)?.to_str().ok()?;
    Some(Url::parse(location).ok()?.origin().ascii_serialization())
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(super) struct ListedSilence {
    pub(super) id: String,
    #[serde(default)]
    pub(super) comment: String,
    #[serde(rename = "endsAt")]
    pub(super) ends_at: String,
    status: ListedStatus,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
struct ListedStatus {
    state: String,
}

/// The silences that have not expired. `None` if the answer is not a list of silences.
pub(super) fn silences_in_force(body: &[u8]) -> Option<Vec<ListedSilence>> {
    let mut silences: Vec<ListedSilence> = serde_json::from_slice(body).ok()?;
    silences.retain(|silence| silence.status.state != "expired");
    Some(silences)
}

#[derive(Deserialize)]
struct Created {
    /// Grafana writes the same key.
    #[serde(rename = "silenceID", alias = "id")]
    silence_id: String,
}

pub(super) fn created_id(body: &[u8]) -> Option<String> {
    let created: Created = serde_json::from_slice(body).ok()?;
    Some(created.silence_id).filter(|id| !id.is_empty())
}

/// The number of alerts in an answer.
pub(super) fn alert_count(body: &[u8]) -> Option<usize> {
    let alerts: Vec<serde::de::IgnoredAny> = serde_json::from_slice(body).ok()?;
    Some(alerts.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expired_silence_is_not_found() {
        let body = |state: &str| {
            format!(
                r#"[{{"id":"a","comment":"x","endsAt":"2026-11-21T09:00:00Z","status":{{"state":"active"}}}},
                {{"id":"b","comment":"y","endsAt":"2026-11-21T17:00:00.5+08:00","status":{{"state":"{state}"}}}}]"#
            )
        };
        let listed = |state: &str| {
            let silences = silences_in_force(body(state).as_bytes()).unwrap();
            silences
                .into_iter()
                .map(|silence| format!("{} {}", silence.id, silence.ends_at))
                .collect::<Vec<_>>()
        };
        assert_eq!(listed("pending"), ["a 2026-11-21T09:00:00Z", "b 2026-11-21T17:00:00.5+08:00"]);
        assert_eq!(listed("expired"), ["a 2026-11-21T09:00:00Z"]);
        assert_eq!(silences_in_force(b"<html>"), None);
    }

    #[test]
    fn the_answers_of_alertmanager_and_grafana_are_read() {
        assert_eq!(created_id(br#"{"silenceID":"4b1f"}"#).as_deref(), Some("4b1f"));
        assert_eq!(created_id(br#"{"id":"4b1f","message":"silence created"}"#).as_deref(), Some("4b1f"));
        assert_eq!(created_id(br#"{"silenceID":""}"#), None);
        assert_eq!(
            (alert_count(b"[]"), alert_count(b"[{},{}]"), alert_count(b"{}")),
            (Some(0), Some(2), None)
        );
    }

    #[test]
    fn a_quoted_text_is_one_short_line() {
        assert_eq!(quoted("\"bad matcher\\nformat\""), ": bad matcher format");
        assert_eq!(quoted(" \n"), "");
        assert_eq!(quoted(&"x".repeat(999)).chars().count(), QUOTED_CHARS + 2);
    }
}
