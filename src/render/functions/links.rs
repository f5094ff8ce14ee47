//! Links to pages of Alertmanager or Grafana.

use tera::{Error, Kwargs, Map, State, TeraResult, Value, value::Key};

use crate::{
    alertmanager::Payload,
    render::{markdown, render_context},
    text::{go_query_escape, percent_encode},
};

/// The longest address of a link. A longer one would take the room of several alerts.
pub(super) const MAX_LINK_BYTES: usize = 500;

/// A page with the alerts of this notification; empty without an `externalURL`. A name of a receiver or an
/// `externalURL` that makes the link too long for a message is left out.
pub(in crate::render) fn alerts_url(payload: &Payload) -> String {
    let base = payload.external_url.trim_end_matches('/');
    if base.is_empty() {
        return String::new();
    }
    let pages = if is_grafana(payload) {
        vec![format!("{base}/alerting/list")]
    } else {
        let all = format!("{base}/#/alerts");
        vec![format!("{all}?receiver={}", go_query_escape(&payload.receiver)), all]
    };
    let is_short = |url: &String| url.len().max(markdown::url(url).len()) <= MAX_LINK_BYTES;
    pages.into_iter().find(is_short).unwrap_or_default()
}

fn is_grafana(payload: &Payload) -> bool {
    payload.version == "1" || payload.extra.contains_key("orgId")
}

/// A page that silences the alert: its own `silenceURL`, which Grafana sends, or Alertmanager's form with all its
/// labels.
pub(super) fn silence_url(alert: &Map, _: Kwargs, _: &State<'_>) -> TeraResult<String> {
    silence_link(alert)
}

/// [`silence_url`] without Tera's arguments.
pub(super) fn silence_link(alert: &Map) -> TeraResult<String> {
    let field = |name: &'static str| alert.get(&Key::Str(name));
    if let Some(url) = field("silenceURL").and_then(Value::as_str).filter(|url| !url.is_empty()) {
        return Ok(url.to_owned());
    }
    let labels = field("labels").and_then(Value::as_map);
    let labels = labels.ok_or_else(|| Error::message("`silence_url` needs an alert, which has `labels`"))?;
    let matchers: Vec<String> =
        labels.iter().filter_map(|(name, value)| matcher(name.as_str()?, value)).collect();
    render_context::with(|context| {
        let base = context.external_url.trim_end_matches('/');
        if base.is_empty() {
            return String::new();
        }
        let filter = format!("{{{}}}", matchers.join(","));
        format!("{base}/#/silences/new?filter={}", percent_encode(&filter))
    })
}

/// `name="value"` as Alertmanager reads it. A name with other characters than Prometheus' classic ones is quoted.
fn matcher(name: &str, value: &Value) -> Option<String> {
    let value = quoted(value.as_str()?);
    let is_classic = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    Some(if is_classic { format!("{name}={value}") } else { format!("{}={value}", quoted(name)) })
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}
