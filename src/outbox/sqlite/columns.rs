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

/// A text for people. U+FFFD stands for what is damaged.
pub(super) fn text_column(row: &Row<'_>, column: &str) -> EngineResult<String> {
    let bytes = row.get_ref(column)?.as_bytes().map_err(rusqlite::Error::from)?;
    Ok(String::from_utf8_lossy(bytes).into_owned())
}

// The number of a variant is its place in the type, and in these lists.
const KINDS: [Kind; 3] = [Kind::Alert, Kind::Digest, Kind::Notice];
const STATUSES: [Status; 2] = [Status::Firing, Status::Resolved];

pub(super) fn state_number(state: State) -> i64 {
    state as i64
}

pub(super) fn kind_number(kind: Kind) -> i64 {
    kind as i64
}

pub(super) fn status_number(status: Status) -> i64 {
    status as i64
}

pub(super) fn state_column(row: &Row<'_>) -> EngineResult<State> {
    variant(&State::ALL, row, "state")
}

pub(super) fn kind_column(row: &Row<'_>) -> EngineResult<Kind> {
    variant(&KINDS, row, "kind")
}

pub(super) fn status_column(row: &Row<'_>) -> EngineResult<Status> {
    variant(&STATUSES, row, "status")
}

fn variant<T: Copy>(all: &[T], row: &Row<'_>, column: &str) -> EngineResult<T> {
    let number: i64 = row.get(column)?;
    let found = usize::try_from(number).ok().and_then(|number| all.get(number));
    found.copied().ok_or_else(|| EngineError::unreadable(column, number))
}

pub(super) fn part_columns(row: &Row<'_>) -> EngineResult<Part> {
    Ok(Part { number: row.get("part_number")?, total: row.get("part_of")? })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_numbers_are_places_in_the_lists() {
        assert!((0..).zip(State::ALL).all(|(number, state)| state_number(state) == number));
        assert!((0..).zip(KINDS).all(|(number, kind)| kind_number(kind) == number));
        assert!((0..).zip(STATUSES).all(|(number, status)| status_number(status) == number));
        assert_eq!(
            State::ALL.map(State::name).join(" "),
            "queued ready in-flight folded delivered dead discarded"
        );
    }
}
