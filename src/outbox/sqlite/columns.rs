//! Converts between values of the port and columns. A stored value that no version of this program writes is reported as
//! damage and never replaced by a guess.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::Row;

use super::error::{EngineError, EngineResult};
use crate::{
    outbox::{Destination, Key, Kind, Part, State, Status},
    wecom::{Content, InvalidRecipients, Recipients},
};

pub(super) fn millis(at: Timestamp) -> i64 {
    at.as_millisecond()
}

pub(super) fn duration_millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

pub(super) fn duration(millis: i64) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

pub(super) fn timestamp(millis: i64) -> EngineResult<Timestamp> {
    Timestamp::from_millisecond(millis).map_err(|_| EngineError::unreadable("a time", millis))
}

pub(super) fn time_column(row: &Row<'_>, column: &str) -> EngineResult<Timestamp> {
    timestamp(row.get(column)?)
}

pub(super) fn optional_time_column(row: &Row<'_>, column: &str) -> EngineResult<Option<Timestamp>> {
    row.get::<_, Option<i64>>(column)?.map(timestamp).transpose()
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

pub(super) fn state_column(row: &Row<'_>) -> EngineResult<State> {
    let number: i64 = row.get("state")?;
    let state = State::ALL.into_iter().find(|state| state_number(*state) == number);
    state.ok_or_else(|| EngineError::unreadable("a state", number))
}

pub(super) fn kind_number(kind: Kind) -> i64 {
    match kind {
        Kind::Alert => 0,
        Kind::Digest => 1,
        Kind::Notice => 2,
    }
}

pub(super) fn kind_column(row: &Row<'_>) -> EngineResult<Kind> {
    match row.get("kind")? {
        0 => Ok(Kind::Alert),
        1 => Ok(Kind::Digest),
        2 => Ok(Kind::Notice),
        other => Err(EngineError::unreadable("a kind", other)),
    }
}

pub(super) fn status_number(status: Status) -> i64 {
    match status {
        Status::Firing => 0,
        Status::Resolved => 1,
    }
}

pub(super) fn status_column(row: &Row<'_>) -> EngineResult<Status> {
    match row.get("status")? {
        0 => Ok(Status::Firing),
        1 => Ok(Status::Resolved),
        other => Err(EngineError::unreadable("a status", other)),
    }
}

pub(super) fn part_columns(row: &Row<'_>) -> EngineResult<Part> {
    Ok(Part { number: row.get("part_number")?, of: row.get("part_of")? })
}

pub(super) fn destination_column(row: &Row<'_>) -> EngineResult<Destination> {
    Ok(Destination(Key(row.get("destination")?)))
}

pub(super) fn content_columns(row: &Row<'_>) -> EngineResult<Content> {
    let msgtype: String = row.get("msgtype")?;
    Content::stored(&msgtype, row.get("content")?)
        .ok_or_else(|| EngineError::unreadable("a message type", msgtype))
}

/// The recipients of one delivery.
pub(super) fn recipients_columns(row: &Row<'_>) -> EngineResult<Recipients> {
    let (users, parties, tags) = (row.get("to_users")?, row.get("to_parties")?, row.get("to_tags")?);
    recipients(users, parties, tags)
}

/// All recipients of a notification. They are stored only where they need several deliveries.
pub(super) fn all_recipients_columns(row: &Row<'_>) -> EngineResult<Recipients> {
    let Some(users) = row.get("all_users")? else { return recipients_columns(row) };
    recipients(users, row.get("all_parties")?, row.get("all_tags")?)
}

fn recipients(users: String, parties: String, tags: String) -> EngineResult<Recipients> {
    if [&users, &parties, &tags].iter().all(|ids| ids.is_empty()) {
        return Ok(Recipients::Nobody);
    }
    Recipients::parse(&users, &parties, &tags)
        .map_err(|_| EngineError::unreadable("a list of recipients", "empty"))
}

/// The recipients that WeCom could not reach, as one line.
pub(super) fn invalid_recipients(invalid: &InvalidRecipients) -> String {
    let kinds = [
        ("user", &invalid.users),
        ("party", &invalid.parties),
        ("tag", &invalid.tags),
        ("without licence", &invalid.unlicensed),
    ];
    let named = kinds.into_iter().filter(|(_, ids)| !ids.is_empty());
    named.map(|(kind, ids)| format!("{kind} {}", ids.join("|"))).collect::<Vec<_>>().join(", ")
}
