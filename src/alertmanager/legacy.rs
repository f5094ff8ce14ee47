//! The webhook of Grafana's legacy alerting (dashboard alerts, up to version 10):
//!
//! ```json
//! {"title":"[Alerting] CPU","ruleName":"CPU","ruleId":11,"state":"alerting","message":"CPU is high",
//!  "evalMatches":[{"value":93.2,"metric":"web-1","tags":null}],"ruleUrl":"http://grafana/d/x?panelId=2","tags":{}}
//! ```
//!
//! It becomes one alert. The group key has only the rule, so that `ok` resolves what `alerting` began.

use serde_json::Value;

use super::{
    payload::{Alert, Extra, Payload},
    raw::Field,
    status,
};

/// The version that Grafana sends, for its links.
const VERSION: &str = "1";

pub(super) fn is_legacy(fields: &[Field<'_>]) -> bool {
    let has = |name: &str| fields.iter().any(|field| field.name == name);
    has("state") && (has("ruleName") || has("ruleUrl") || has("evalMatches"))
}

/// Fills `payload` from its unknown fields. It has no others, because only the current format has known fields.
pub(super) fn convert(payload: &mut Payload) {
    let extra = &payload.extra;
    let rule = Some(text(extra, "ruleName")).filter(|name| !name.is_empty());
    let rule = rule.unwrap_or_else(|| text(extra, "title"));
    let state = text(extra, "state");
    let mut alert = Alert {
        status: status::word(&state).to_owned(),
        generator_url: text(extra, "ruleUrl"),
        ..Alert::default()
    };
    if let Some(Value::Object(tags)) = extra.get("tags") {
        for (name, value) in tags {
            alert.labels.insert(name.clone(), plain(value));
        }
    }
    alert.labels.insert("alertname".to_owned(), rule.clone());
    let url = &alert.generator_url;
    let base = url.find("/d/").or_else(|| url.find("/dashboard/")).and_then(|at| url.get(..at));
    payload.external_url = base.unwrap_or_default().to_owned();
    let values = Some(values(extra)).filter(|values| !values.is_empty());
    let message = Some(text(extra, "message")).filter(|message| !message.is_empty());
    let state = Some(state).filter(|state| !matches!(state.as_str(), "alerting" | "ok"));
    for (name, value) in [("message", message), ("state", state), ("values", values)] {
        if let Some(value) = value {
            alert.annotations.insert(name.to_owned(), value);
        }
    }
    payload.group_key = format!("grafana:{}/{}:{rule}", text(extra, "orgId"), text(extra, "ruleId"));
    payload.group_labels.insert("alertname".to_owned(), rule);
    payload.common_labels = alert.labels.clone();
    payload.common_annotations = alert.annotations.clone();
    payload.status.clone_from(&alert.status);
    payload.version = VERSION.to_owned();
    payload.alerts.push(alert);
}

/// Lists the measured values, such as `web-1 = 93.2, web-2 = 95`.
fn values(extra: &Extra) -> String {
    const SHOWN: usize = 20;
    let Some(Value::Array(matches)) = extra.get("evalMatches") else { return String::new() };
    let mut values = Vec::new();
    for found in matches.iter().take(SHOWN) {
        let field = |name| found.get(name).map(plain).unwrap_or_default();
        values.push(format!("{} = {}", field("metric"), field("value")));
    }
    values.join(", ")
}

fn text(extra: &Extra, name: &str) -> String {
    extra.get(name).map(plain).unwrap_or_default()
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
