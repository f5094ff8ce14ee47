//! The identity of a notification: its group key and its deduplication key.

use std::time::Duration;

use super::receiver::Receiver;
use crate::{
    alertmanager::{Alert, Payload},
    outbox::{Dedupe, Key},
};

/// The group key. Alertmanager and Grafana always send one; for other senders, the group labels are used.
pub(super) fn group_key(payload: &Payload) -> String {
    if payload.group_key.is_empty() {
        format!("{:?}", payload.group_labels)
    } else {
        payload.group_key.clone()
    }
}

pub(super) fn dedupe(receiver: &Receiver, payload: &Payload, window: Duration) -> Dedupe {
    let mut alerts: Vec<String> = payload.alerts.iter().map(alert_identity).collect();
    alerts.sort_unstable();
    let group_key = group_key(payload);
    let truncated = payload.truncated_alerts.to_string();
    let group = [receiver.name.0.as_str(), group_key.as_str(), truncated.as_str()];
    let parts = group.into_iter().chain(alerts.iter().map(String::as_str)).map(str::as_bytes);
    Dedupe { key: Key::of(parts), source: payload.external_url.clone(), window }
}

fn alert_identity(alert: &Alert) -> String {
    let Alert { fingerprint, labels, status, starts_at, .. } = alert;
    if fingerprint.is_empty() {
        format!("{labels:?}\n{status}\n{starts_at}")
    } else {
        format!("{fingerprint}\n{status}\n{starts_at}")
    }
}
