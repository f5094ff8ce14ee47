//! Deliveries as JSON. Empty fields are present too, so that scripts can rely on them.

use serde::Serialize;

use super::text::moment;
use crate::outbox::{self, Kind, Status};

#[derive(Debug, Serialize)]
pub(super) struct Listed<'a> {
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
    attempts: u32,
    part: u16,
    parts: u16,
    digest: Option<i64>,
    summary: &'a str,
    reason: &'a str,
}

#[derive(Debug, Serialize)]
pub(super) struct Detail<'a> {
    #[serde(flatten)]
    listed: Listed<'a>,
    group_key: &'a str,
    touser: String,
    toparty: String,
    totag: String,
    msgtype: &'static str,
    content: &'a str,
    msgid: &'a str,
    missed: &'a str,
    unconfirmed_since: Option<String>,
    history: Vec<Attempt<'a>>,
}

#[derive(Debug, Serialize)]
struct Attempt<'a> {
    started_at: String,
    duration_ms: u64,
    errcode: Option<i64>,
    detail: &'a str,
    counted: bool,
}

impl<'a> From<&'a outbox::Listed> for Listed<'a> {
    fn from(listed: &'a outbox::Listed) -> Self {
        Self {
            id: listed.id.0,
            notification: listed.notification.0,
            kind: kind(listed.kind),
            state: listed.state.name(),
            receiver: &listed.receiver.0,
            app: &listed.sender.0,
            status: status(listed.status),
            accepted_at: moment(listed.accepted_at),
            due_at: listed.due_at.map(moment),
            settled_at: listed.settled_at.map(moment),
            attempts: listed.attempts,
            part: listed.part.number,
            parts: listed.part.total,
            digest: listed.digest.map(|digest| digest.0),
            summary: &listed.summary,
            reason: &listed.reason,
        }
    }
}

impl<'a> From<&'a outbox::Detail> for Detail<'a> {
    fn from(detail: &'a outbox::Detail) -> Self {
        let attempt = |attempt: &'a outbox::Attempt| Attempt {
            started_at: moment(attempt.started_at),
            duration_ms: u64::try_from(attempt.duration.as_millis()).unwrap_or(u64::MAX),
            errcode: attempt.errcode,
            detail: &attempt.detail,
            counted: attempt.counted,
        };
        Self {
            listed: Listed::from(&detail.listed),
            group_key: &detail.group_key,
            touser: detail.recipients.touser(),
            toparty: detail.recipients.toparty(),
            totag: detail.recipients.totag(),
            msgtype: detail.content.msgtype(),
            content: detail.content.text(),
            msgid: &detail.msgid,
            missed: &detail.invalid_recipients,
            unconfirmed_since: detail.unconfirmed_since.map(moment),
            history: detail.attempts.iter().map(attempt).collect(),
        }
    }
}

pub(super) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Alert => "alert",
        Kind::Digest => "digest",
        Kind::Notice => "notice",
    }
}

pub(super) fn status(status: Status) -> &'static str {
    match status {
        Status::Firing => "firing",
        Status::Resolved => "resolved",
    }
}
