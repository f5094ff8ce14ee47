//! The reasons why a body is not a payload, in words for its sender.

use std::{fmt, str};

use serde_json::value::RawValue;

use super::raw::{Fields, Items, Kind, kind};

/// The reason why a body is not an Alertmanager payload. The sender reads the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    #[error("the body is empty: send Alertmanager's webhook payload, a JSON object with `alerts`")]
    Empty,
    #[error(
        "the body is not UTF-8: byte {at} is invalid; is the body compressed? send it as plain JSON or with gzip"
    )]
    NotUtf8 {
        /// The offset of the first invalid byte.
        at: usize,
    },
    #[error("the JSON ends before it is complete, at line {line}, column {column}: was the body cut off?")]
    Truncated {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    #[error(
        "the body is {found}, not JSON: send Alertmanager's webhook payload, a JSON object with `alerts`"
    )]
    OtherFormat { found: &'static str },
    #[error("the body is not JSON: {detail}")]
    NotJson {
        /// The mistake, with line and column.
        detail: String,
    },
    #[error(
        "this looks like the body of Alertmanager's own /api/v2/alerts, to which Prometheus pushes: point Prometheus \
         at Alertmanager, and `webhook_configs` of Alertmanager at this relay"
    )]
    PrometheusPush,
    #[error(
        "this looks like an answer of Alertmanager's or Prometheus' API: send Alertmanager's webhook payload, a JSON \
         object with `alerts`"
    )]
    ApiAnswer,
    #[error(
        "this looks like a single alert: send Alertmanager's webhook payload, a JSON object with a list `alerts`"
    )]
    SingleAlert,
    #[error(
        "this looks like a message for a group robot of WeCom, DingTalk or Feishu: this relay takes Alertmanager's webhook payload and \
         writes the message itself"
    )]
    RobotMessage,
    #[error(
        "this looks like a message for Slack: this relay takes Alertmanager's webhook payload; use a receiver with \
         `webhook_configs`"
    )]
    SlackMessage,
    #[error(
        "the JSON object has no `alerts`, so it is not Alertmanager's webhook payload (it has {fields}): is a custom \
         payload configured?"
    )]
    NoAlerts { fields: String },
    #[error("the body is {found}, not Alertmanager's webhook payload, a JSON object with `alerts`")]
    NotAnObject { found: &'static str },
}

/// Finds out what `body` is. `json` is the body after all possible corrections.
pub(super) fn diagnose(body: &[u8], json: &str) -> PayloadError {
    let text = json.trim();
    if text.is_empty() {
        return PayloadError::Empty;
    }
    let value = match serde_json::from_str::<&RawValue>(json) {
        Ok(value) => value,
        Err(error) => return diagnose_text(body, text, &error),
    };
    match kind(value) {
        Kind::Object => diagnose_object(value),
        Kind::Array if is_list_of_alerts(value) => PayloadError::PrometheusPush,
        Kind::Array => PayloadError::NotAnObject { found: "a JSON array" },
        Kind::Text => PayloadError::NotAnObject { found: "a JSON string" },
        Kind::Bool => PayloadError::NotAnObject { found: "a JSON boolean" },
        Kind::Number => PayloadError::NotAnObject { found: "a number" },
        Kind::Null => PayloadError::NotAnObject { found: "`null`" },
    }
}

fn diagnose_text(body: &[u8], text: &str, error: &serde_json::Error) -> PayloadError {
    if is_multipart(body) {
        return PayloadError::OtherFormat { found: "a form with files" };
    }
    if let Some(found) = other_format(text) {
        return PayloadError::OtherFormat { found };
    }
    if let Err(error) = str::from_utf8(body)
        && !text.starts_with(['{', '['])
    {
        return PayloadError::NotUtf8 { at: error.valid_up_to() };
    }
    if error.is_eof() {
        return PayloadError::Truncated { line: error.line(), column: error.column() };
    }
    PayloadError::NotJson { detail: error.to_string() }
}

/// Looks at the body itself, because a correction makes a word of the boundary.
fn is_multipart(body: &[u8]) -> bool {
    const START: usize = 200;
    let start = String::from_utf8_lossy(body.get(..body.len().min(START)).unwrap_or_default());
    start.starts_with("--") && start.to_lowercase().contains("\ncontent-disposition:")
}

/// A well-known format other than JSON, from its first characters.
fn other_format(text: &str) -> Option<&'static str> {
    let start: String = text.chars().take(100).collect::<String>().to_lowercase();
    let has_name_before = |separator| start.split_once(separator).is_some_and(|(name, _)| is_name(name));
    if start.starts_with("<!doctype html") || start.starts_with("<html") {
        Some("an HTML page")
    } else if start.starts_with('<') {
        Some("XML")
    } else if start.starts_with("{'") {
        Some("a Python dictionary")
    } else if start.starts_with("---")
        || has_name_before(": ")
        || has_name_before(":\n")
        || start.starts_with("- ")
    {
        Some("YAML")
    } else if has_name_before("=") {
        Some("form data")
    } else {
        None
    }
}

/// True if a key of YAML or of form data may be `text`.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-.%".contains(c))
}

fn diagnose_object(object: &RawValue) -> PayloadError {
    let Ok(fields) = Fields::of(object.get()) else {
        return PayloadError::NoAlerts { fields: String::new() };
    };
    let is_status = |word: &str| fields.get("status").is_some_and(|status| status.get() == word);
    if fields.has("msgtype") || fields.has("msg_type") {
        PayloadError::RobotMessage
    } else if fields.has("data") && (is_status("\"success\"") || is_status("\"error\"")) {
        PayloadError::ApiAnswer
    } else if fields.has("labels") || fields.has("startsAt") {
        PayloadError::SingleAlert
    } else if fields.has("attachments") || fields.has("text") {
        PayloadError::SlackMessage
    } else {
        PayloadError::NoAlerts { fields: Names(&fields).to_string() }
    }
}

fn is_list_of_alerts(array: &RawValue) -> bool {
    let first = Items::of(array.get()).ok().and_then(|items| items.list.first().copied());
    let fields = first.and_then(|first| Fields::of(first.get()).ok());
    fields.is_some_and(|fields| fields.has("labels") || fields.has("startsAt"))
}

/// The names of an object's fields. They are shown quoted and escaped, because the text is logged.
struct Names<'f, 'a>(&'f Fields<'a>);

impl fmt::Display for Names<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 8;
        let fields = &self.0.list;
        if fields.is_empty() {
            return f.write_str("no fields");
        }
        let short = |name: &str| format!("{:?}", name.chars().take(40).collect::<String>());
        let shown: Vec<String> = fields.iter().take(SHOWN).map(|field| short(&field.name)).collect();
        f.write_str(&shown.join(", "))?;
        if fields.len() > SHOWN { write!(f, " and {} more", fields.len() - SHOWN) } else { Ok(()) }
    }
}
