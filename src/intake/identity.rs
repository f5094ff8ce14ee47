//! By what a notification is known: its group, and its copies.

use std::time::Duration;

use super::Receiver;
use crate::{
    alertmanager::{Alert, Payload},
    outbox::{AlertRef, Dedupe, Key, Status},
};

pub(super) fn alert_ref(alert: &Alert) -> AlertRef {
    let status = if alert.is_resolved() { Status::Resolved } else { Status::Firing };
    AlertRef { fingerprint: alert.fingerprint.clone(), status }
}

/// The group's key; Alertmanager and Grafana always send one, and others are grouped by their labels.
pub(super) fn group_key(payload: &Payload) -> String {
    if payload.group_key.is_empty() {
        format!("{:?}", payload.group_labels)
    } else {
        payload.group_key.clone()
    }
}

pub(super) fn dedupe(receiver: &Receiver, payload: &Payload, window: Duration) -> Dedupe {
    let mut alerts: Vec<String> = payload
        .alerts
        .iter()
        .map(|alert| {
            let identity = if alert.fingerprint.is_empty() {
                format!("{:?}", alert.labels)
            } else {
                alert.fingerprint.clone()
            };
            format!("{identity}\n{}\n{}", alert.status, alert.starts_at)
        })
        .collect();
    alerts.sort_unstable();
    let group_key = group_key(payload);
    let truncated = payload.truncated_alerts.to_string();
    let parts = [receiver.name.0.as_str(), group_key.as_str(), truncated.as_str()];
    let parts = parts.into_iter().chain(alerts.iter().map(String::as_str)).map(str::as_bytes);
    Dedupe { key: Key::of(parts), source: payload.external_url.clone(), window }
}
