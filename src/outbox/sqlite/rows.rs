//! Between the port's values and columns. A stored value that no version of this program writes is damage, and
//! said so; it is never replaced by a guess.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::Row;

use super::error::{Done, Failure};
use crate::{
    outbox::{AlertRef, Key, Kind, State, Status},
    wecom::{Content, InvalidRecipients, Recipients},
};

pub(super) fn ms(at: Timestamp) -> i64 {
    at.as_millisecond()
}

pub(super) fn span_ms(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

pub(super) fn time(ms: i64) -> Done<Timestamp> {
    Timestamp::from_millisecond(ms).map_err(|_| Failure::unreadable("a time", ms))
}

pub(super) fn span(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

pub(super) fn state_number(state: State) -> i64 {
    match state {
        State::Queued => 0,
        State::Ready => 1,
        State::InFlight => 2,
        State::Folded => 3,
        State::Delivered => 4,
        State::Dead => 5,
        State::Discarded => 6,
    }
}

pub(super) fn state(number: i64) -> Done<State> {
    let state = State::ALL.into_iter().find(|state| state_number(*state) == number);
    state.ok_or_else(|| Failure::unreadable("a state", number))
}

pub(super) fn kind_number(kind: Kind) -> i64 {
    match kind {
        Kind::Alert => 0,
        Kind::Digest => 1,
        Kind::Notice => 2,
    }
}

pub(super) fn kind(number: i64) -> Done<Kind> {
    let kind =
        [Kind::Alert, Kind::Digest, Kind::Notice].into_iter().find(|kind| kind_number(*kind) == number);
    kind.ok_or_else(|| Failure::unreadable("a kind", number))
}

pub(super) fn status_number(status: Status) -> i64 {
    match status {
        Status::Firing => 0,
        Status::Resolved => 1,
    }
}

pub(super) fn status(number: i64) -> Done<Status> {
    match number {
        0 => Ok(Status::Firing),
        1 => Ok(Status::Resolved),
        other => Err(Failure::unreadable("a status", other)),
    }
}

pub(super) fn content(msgtype: &str, text: String) -> Done<Content> {
    Content::stored(msgtype, text).ok_or_else(|| Failure::unreadable("a message of type", msgtype))
}

/// `touser`, `toparty` and `totag` as they are stored.
#[derive(Debug)]
pub(super) struct To(String, String, String);

impl To {
    /// Reads three columns from `first` on.
    pub(super) fn read(row: &Row<'_>, first: usize) -> rusqlite::Result<Self> {
        Ok(Self(row.get(first)?, row.get(first + 1)?, row.get(first + 2)?))
    }

    pub(super) fn recipients(&self) -> Done<Recipients> {
        let Self(users, parties, tags) = self;
        if [users, parties, tags].iter().all(|ids| ids.is_empty()) {
            return Ok(Recipients::Nobody);
        }
        Recipients::parse(users, parties, tags).map_err(|_| Failure::unreadable("recipients", "empty"))
    }
}

/// A key as an integer: an index of them is half as large. Two that are taken for one do no harm where this is used:
/// lanes that share their order, and a duplicate check that is left out.
pub(super) fn short(Key(bytes): Key) -> i64 {
    let mut short = [0; 8];
    short.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    i64::from_le_bytes(short)
}

/// What WeCom takes for the same message when it comes again: other orders of the same recipients too, which at
/// worst leaves out a check.
pub(super) fn body_hash(sender: &str, recipients: &Recipients, content: &Content) -> Key {
    let recipients = recipients.canonical();
    Key::of([sender, content.msgtype(), content.text(), &recipients].map(str::as_bytes))
}

pub(super) fn alerts(alerts: &[AlertRef]) -> Done<String> {
    let list: Vec<_> = alerts.iter().map(|alert| (&alert.fingerprint, status_number(alert.status))).collect();
    serde_json::to_string(&list).map_err(|error| Failure::unreadable("alerts", error))
}

/// Those who were passed over, as a line for people.
pub(super) fn missed(missed: &InvalidRecipients) -> String {
    let kinds = [
        ("user", &missed.users),
        ("party", &missed.parties),
        ("tag", &missed.tags),
        ("without licence", &missed.unlicensed),
    ];
    let named = kinds.into_iter().filter(|(_, ids)| !ids.is_empty());
    named.map(|(kind, ids)| format!("{kind} {}", ids.join("|"))).collect::<Vec<_>>().join(", ")
}
