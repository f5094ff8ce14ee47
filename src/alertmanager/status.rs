//! The status of alerts, in the words of different senders.
//!
//! Templates compare a status with `firing` and `resolved`, so every alert gets one of these two words. An alert with
//! an unknown word counts as firing. The sender's word stays visible as an annotation.

use jiff::Timestamp;

use super::{
    payload::{Alert, Payload},
    repairs::{Repair, Repairs},
    time,
};

const FIRING: &str = "firing";
const RESOLVED: &str = "resolved";
/// Words of other senders for an alert that is over.
const RESOLVED_WORDS: [&str; 11] = [
    RESOLVED,
    "ok",
    "normal",
    "inactive",
    "recovered",
    "recovery",
    "closed",
    "cleared",
    "恢复",
    "已恢复",
    "正常",
];

/// `resolved` if `sent` is known to mean that the alert is over, else `firing`.
pub(super) fn word(sent: &str) -> &'static str {
    let is_resolved = RESOLVED_WORDS.contains(&sent.trim().to_lowercase().as_str());
    if is_resolved { RESOLVED } else { FIRING }
}

/// Gives the payload and each alert the status `firing` or `resolved`.
pub(super) fn normalize(payload: &mut Payload, now: Timestamp, repairs: &mut Repairs) {
    let sent = payload.status.trim();
    let group_status = (!sent.is_empty()).then(|| word(sent));
    for alert in &mut payload.alerts {
        if !matches!(alert.status.as_str(), FIRING | RESOLVED) {
            repairs.add(Repair::Status);
            normalize_alert(alert, group_status, now);
        }
    }
    if !matches!(payload.status.as_str(), FIRING | RESOLVED) {
        repairs.add(Repair::Status);
        let alerts_status = if payload.alerts.iter().any(Alert::is_firing) { FIRING } else { RESOLVED };
        let status = if payload.alerts.is_empty() { group_status.unwrap_or(FIRING) } else { alerts_status };
        payload.status = status.to_owned();
    }
}

fn normalize_alert(alert: &mut Alert, group_status: Option<&'static str>, now: Timestamp) {
    const ANNOTATION: &str = "status";
    let sent = std::mem::take(&mut alert.status);
    let sent = sent.trim();
    if sent.is_empty() {
        let own_status = if has_ended(&alert.ends_at, now) { RESOLVED } else { FIRING };
        alert.status = group_status.unwrap_or(own_status).to_owned();
        return;
    }
    alert.status = word(sent).to_owned();
    if !sent.eq_ignore_ascii_case(&alert.status) && !alert.annotations.contains_key(ANNOTATION) {
        alert.annotations.insert(ANNOTATION.to_owned(), sent.to_owned());
    }
}

fn has_ended(ends_at: &str, now: Timestamp) -> bool {
    !time::is_zero(ends_at) && ends_at.parse::<Timestamp>().is_ok_and(|end| end <= now)
}
