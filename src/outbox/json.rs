//! Deliveries as JSON, for the command line and the API of the console. Empty fields are present too, so that scripts can
//! rely on them.

use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

use super::{Kind, PressRecord, Status};

#[derive(Debug, Serialize)]
pub struct ListedJson<'a> {
    id: i64,
    notification: i64,
    kind: &'static str,
    state: &'static str,
    receiver: &'a str,
    app: &'a str,
    status: &'static str,
    accepted_at: String,
    due_at: Option<String>,
    settled_at: Option<String>,
    recalled_at: Option<String>,
    attempts: u32,
    part: u16,
    parts: u16,
    digest: Option<i64>,
    summary: &'a str,
    reason: &'a str,
}

#[derive(Debug, Serialize)]
pub struct DetailJson<'a> {
    #[serde(flatten)]
    listed: ListedJson<'a>,
    group_key: &'a str,
    touser: String,
    toparty: String,
    totag: String,
    msgtype: &'static str,
    content: String,
    msgid: &'a str,
    missed: &'a str,
    unconfirmed_since: Option<String>,
    history: Vec<AttemptJson<'a>>,
    presses: Vec<PressJson<'a>>,
}

/// A press of a button of the card that a delivery sent.
#[derive(Debug, Serialize)]
struct PressJson<'a> {
    user: &'a str,
    button: &'a str,
    pressed_at: String,
    accepted_at: String,
    last_failure: Option<&'a str>,
    result: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct AttemptJson<'a> {
    started_at: String,
    duration_ms: u64,
    errcode: Option<i64>,
    detail: &'a str,
    counted: bool,
}

impl<'a> ListedJson<'a> {
    /// `listed` with times in `zone`.
    pub fn new(listed: &'a super::Listed, zone: &TimeZone) -> Self {
        let moment = |at| rfc3339(at, zone);
        Self {
            id: listed.id.0,
            notification: listed.notification.0,
            kind: kind_name(listed.kind),
            state: listed.state.name(),
            receiver: &listed.receiver.0,
            app: &listed.sender.0,
            status: status_name(listed.status),
            accepted_at: moment(listed.accepted_at),
            due_at: listed.due_at.map(moment),
            settled_at: listed.settled_at.map(moment),
            recalled_at: listed.recalled_at.map(moment),
            attempts: listed.attempts,
            part: listed.part.number,
            parts: listed.part.total,
            digest: listed.digest.map(|digest| digest.0),
            summary: &listed.summary,
            reason: &listed.reason,
        }
    }
}

impl<'a> DetailJson<'a> {
    /// `detail` and the presses of its card, with times in `zone`.
    pub fn new(detail: &'a super::Detail, presses: &'a [PressRecord], zone: &TimeZone) -> Self {
        let attempt = |attempt: &'a super::Attempt| AttemptJson {
            started_at: rfc3339(attempt.started_at, zone),
            duration_ms: u64::try_from(attempt.duration.as_millis()).unwrap_or(u64::MAX),
            errcode: attempt.errcode,
            detail: &attempt.detail,
            counted: attempt.counted,
        };
        let press = |press: &'a PressRecord| PressJson {
            user: &press.user,
            button: &press.button,
            pressed_at: rfc3339(press.pressed_at, zone),
            accepted_at: rfc3339(press.accepted_at, zone),
            last_failure: press.last_failure.as_deref(),
            result: press.result.as_deref(),
        };
        Self {
            listed: ListedJson::new(&detail.listed, zone),
            group_key: &detail.group_key,
            touser: detail.recipients.touser(),
            toparty: detail.recipients.toparty(),
            totag: detail.recipients.totag(),
            msgtype: detail.content.msgtype(),
            content: detail.content.without_code().text().to_owned(),
            msgid: &detail.msgid,
            missed: &detail.invalid_recipients,
            unconfirmed_since: detail.unconfirmed_since.map(|at| rfc3339(at, zone)),
            history: detail.attempts.iter().map(attempt).collect(),
            presses: presses.iter().map(press).collect(),
        }
    }
}

/// RFC 3339 with whole seconds.
pub fn rfc3339(at: Timestamp, zone: &TimeZone) -> String {
    let local = at.to_zoned(zone.clone());
    match local.offset().is_zero() {
        true => format!("{at:.0}"),
        false => local.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
    }
}

pub fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Alert => "alert",
        Kind::Digest => "digest",
        Kind::Notice => "notice",
    }
}

pub fn status_name(status: Status) -> &'static str {
    match status {
        Status::Firing => "firing",
        Status::Resolved => "resolved",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_the_offset_of_its_zone() {
        let at: Timestamp = "2026-11-21T08:00:00.5Z".parse().unwrap();
        assert_eq!(rfc3339(at, &TimeZone::UTC), "2026-11-21T08:00:00Z");
        assert_eq!(rfc3339(at, &TimeZone::get("Asia/Shanghai").unwrap()), "2026-11-21T16:00:00+08:00");
    }
}
