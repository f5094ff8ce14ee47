//! The identity of a notification: its group key and its deduplication key.

use std::{collections::BTreeMap, time::Duration};

use super::receiver::Receiver;
use crate::{
    alertmanager::{Alert, Payload},
    outbox::{Dedupe, Key},
};

/// The group key. Alertmanager and Grafana always send one. For other senders it is made of the labels of the group,
/// else of the alert's name, so that events of different alerts do not wait for each other.
pub(super) fn group_key(payload: &Payload) -> String {
    const NAME: &str = "alertname";
    if !payload.group_key.is_empty() {
        return payload.group_key.clone();
    }
    let mut labels: BTreeMap<&String, &String> = payload.group_labels.iter().collect();
    if labels.is_empty() {
        labels.extend(payload.common_labels.iter().filter(|(name, _)| *name == NAME));
    }
    format!("{labels:?}")
}

pub(super) fn dedupe(receiver: &Receiver, payload: &Payload, window: Duration) -> Dedupe {
    let mut alerts: Vec<String> = payload.alerts.iter().map(alert_identity).collect();
    alerts.sort_unstable();
    let group_key = group_key(payload);
    let truncated = payload.truncated_alerts.to_string();
    let group = [receiver.name.0.as_str(), group_key.as_str(), truncated.as_str()];
    let parts = group.into_iter().chain(alerts.iter().map(String::as_str)).map(str::as_bytes);
    Dedupe { key: Key::of(parts), window }
}

/// The alert, its status and its beginning. Nothing else is compared, because the members of a cluster may render
/// annotations differently.
///
/// Without a beginning, two events with the same labels differ in their texts only, so these are compared, too.
fn alert_identity(alert: &Alert) -> String {
    let Alert { fingerprint, labels, annotations, status, starts_at, extra, .. } = alert;
    let mut identity = if fingerprint.is_empty() { format!("{labels:?}") } else { fingerprint.clone() };
    identity.push_str(&format!("\n{status}\n{starts_at}"));
    if !alert.has_start() {
        identity.push_str(&format!("\n{labels:?}\n{annotations:?}\n{extra:?}"));
    }
    identity
}
