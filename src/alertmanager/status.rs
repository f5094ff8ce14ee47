//! The status of alerts, in the words of different senders.
//!
//! Templates compare a status with `firing` and `resolved`, so every alert gets one of these two words. A word that is
//! not known to mean that the alert is over fires. The sender's word stays visible as an annotation.

use jiff::Timestamp;

use super::{
    payload::{Alert, Payload},
    repairs::{Repair, Repairs},
    time,
};

const FIRING: &str = "firing";
const RESOLVED: &str = "resolved";
/// Words of other senders for an alert that is over.
const OVER: [&str; 11] = [
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
    let is_over = OVER.contains(&sent.trim().to_lowercase().as_str());
    if is_over { RESOLVED } else { FIRING }
}

/// Gives the payload and each alert the status `firing` or `resolved`.
pub(super) fn settle(payload: &mut Payload, now: Timestamp, repairs: &mut Repairs) {
    let sent = payload.status.trim();
    let of_all = (!sent.is_empty()).then(|| word(sent));
    for alert in &mut payload.alerts {
        if !matches!(alert.status.as_str(), FIRING | RESOLVED) {
            repairs.add(Repair::Status);
            settle_alert(alert, of_all, now);
        }
    }
    if !matches!(payload.status.as_str(), FIRING | RESOLVED) {
        repairs.add(Repair::Status);
        let of_alerts = if payload.alerts.iter().any(Alert::is_firing) { FIRING } else { RESOLVED };
        let settled = if payload.alerts.is_empty() { of_all.unwrap_or(FIRING) } else { of_alerts };
        payload.status = settled.to_owned();
    }
}

fn settle_alert(alert: &mut Alert, of_all: Option<&'static str>, now: Timestamp) {
    const ANNOTATION: &str = "status";
    let sent = std::mem::take(&mut alert.status);
    let sent = sent.trim();
    if sent.is_empty() {
        let by_end = if has_ended(&alert.ends_at, now) { RESOLVED } else { FIRING };
        alert.status = of_all.unwrap_or(by_end).to_owned();
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
