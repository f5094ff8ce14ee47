//! Answers of Alertmanager, and what a failed call means.

use jiff::Timestamp;
use reqwest::{Response, StatusCode, Url, header};
use serde::Deserialize;

use super::super::{Silence, SilencesError, SilencesErrorKind};
use crate::{
    language::Bilingual,
    text::{one_line, shorten_chars},
};

/// The characters of a server's text that an error quotes.
const QUOTED_CHARS: usize = 200;

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

pub(super) fn error(kind: SilencesErrorKind, en: impl Into<String>, zh: impl Into<String>) -> SilencesError {
    SilencesError { kind, reason: Bilingual::new(en.into(), zh.into()) }
}

/// The error of an answer with another status than 2xx. `text` is its body without secrets.
pub(super) fn refusal(response: &Response, text: &str) -> SilencesError {
    let status = response.status();
    let number = status.as_u16();
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => error(
            SilencesErrorKind::Refused,
            format!(
                "Alertmanager refuses the relay's credentials (HTTP {number}); correct bearer_token or basic_auth of alertmanager"
            ),
            format!(
                "Alertmanager 拒绝了relay的凭据（HTTP {number}），请修正 alertmanager 的 bearer_token 或 basic_auth"
            ),
        ),
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => error(
            SilencesErrorKind::Refused,
            format!("there is no Alertmanager API v2 at this URL (HTTP {number}); correct alertmanager.url"),
            format!("该地址没有 Alertmanager API v2（HTTP {number}），请修正 alertmanager.url"),
        ),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => error(
            SilencesErrorKind::NotDone,
            format!("Alertmanager is overloaded (HTTP {number})"),
            format!("Alertmanager 过载（HTTP {number}）"),
        ),
        _ if status.is_redirection() => {
            let origin = redirect_origin(response);
            let to = origin.map(|origin| format!(" to {origin}")).unwrap_or_default();
            error(
                SilencesErrorKind::Refused,
                format!(
                    "Alertmanager redirects{to} (HTTP {number}); write the final URL in alertmanager.url"
                ),
                format!("Alertmanager 返回重定向{to}（HTTP {number}），请在 alertmanager.url 中写最终地址"),
            )
        }
        _ if status.is_client_error() => {
            let quoted = quoted(text);
            error(
                SilencesErrorKind::Refused,
                format!("Alertmanager refuses the silence (HTTP {number}){quoted}"),
                format!("Alertmanager 拒绝了该静默（HTTP {number}）{quoted}"),
            )
        }
        // A proxy may answer so after it has passed the request on.
        _ => {
            let quoted = quoted(text);
            error(
                SilencesErrorKind::Unknown,
                format!("Alertmanager failed (HTTP {number}){quoted}; look into its log"),
                format!("Alertmanager 出错（HTTP {number}）{quoted}，请查看其日志"),
            )
        }
    }
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

#[derive(Deserialize)]
struct ListedSilence {
    id: String,
    #[serde(default)]
    comment: String,
    #[serde(rename = "endsAt")]
    ends_at: String,
    status: ListedStatus,
}

#[derive(Deserialize)]
struct ListedStatus {
    state: String,
}

/// The silence with `marker` in its comment that has not expired. `None` if the answer is not a list of silences.
pub(super) fn marked_silence(body: &[u8], marker: &str) -> Option<Option<Silence>> {
    let silences: Vec<ListedSilence> = serde_json::from_slice(body).ok()?;
    let is_marked =
        |silence: &ListedSilence| silence.status.state != "expired" && silence.comment.contains(marker);
    let Some(found) = silences.into_iter().find(is_marked) else { return Some(None) };
    let ends_at: Timestamp = found.ends_at.parse().ok()?;
    Some(Some(Silence { id: found.id, ends_at }))
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
                {{"id":"b","comment":"y [press 7]","endsAt":"2026-11-21T17:00:00.5+08:00","status":{{"state":"{state}"}}}}]"#
            )
        };
        let found = marked_silence(body("pending").as_bytes(), "[press 7]").unwrap().unwrap();
        assert_eq!((found.id.as_str(), found.ends_at.to_string().as_str()), ("b", "2026-11-21T09:00:00.5Z"));
        assert_eq!(marked_silence(body("expired").as_bytes(), "[press 7]"), Some(None));
        assert_eq!(marked_silence(b"<html>", "[press 7]"), None);
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
