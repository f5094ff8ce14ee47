//! An alert for a notification without alerts, so that every template shows what is known about its group.

use super::payload::{Alert, Payload};

/// The fields of Grafana with the text of its message.
const TEXTS: [&str; 2] = ["title", "message"];

/// Adds an alert with the labels, annotations and texts of `payload`, if it has no alerts and any of these.
pub(super) fn add(payload: &mut Payload) {
    if !payload.alerts.is_empty() {
        return;
    }
    let mut alert = Alert {
        status: payload.status.clone(),
        labels: payload.group_labels.iter().chain(&payload.common_labels).map(owned).collect(),
        annotations: payload.common_annotations.clone(),
        ..Alert::default()
    };
    for name in TEXTS {
        let text = payload.extra.get(name).and_then(serde_json::Value::as_str).unwrap_or_default();
        if !text.trim().is_empty() && !alert.annotations.contains_key(name) {
            alert.annotations.insert(name.to_owned(), text.to_owned());
        }
    }
    if !alert.labels.is_empty() || !alert.annotations.is_empty() {
        payload.alerts.push(alert);
    }
}

fn owned((name, value): (&String, &String)) -> (String, String) {
    (name.clone(), value.clone())
}
