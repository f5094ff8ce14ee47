//! Reads columns. [`stored`] has the form of their values.

use jiff::Timestamp;
use rusqlite::Row;

use super::error::EngineResult;
pub(super) use crate::outbox::rules::stored::{
    duration, duration_millis, invalid_recipients, kind_number, millis, state_number, status_number,
};
use crate::{
    outbox::{Destination, Key, Kind, Part, State, Status, rules::stored},
    wecom::{Content, Recipients},
};

pub(super) fn timestamp(millis: i64) -> EngineResult<Timestamp> {
    Ok(stored::timestamp(millis)?)
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

pub(super) fn state_column(row: &Row<'_>) -> EngineResult<State> {
    Ok(stored::state(row.get("state")?)?)
}

pub(super) fn kind_column(row: &Row<'_>) -> EngineResult<Kind> {
    Ok(stored::kind(row.get("kind")?)?)
}

pub(super) fn status_column(row: &Row<'_>) -> EngineResult<Status> {
    Ok(stored::status(row.get("status")?)?)
}

pub(super) fn part_columns(row: &Row<'_>) -> EngineResult<Part> {
    Ok(Part { number: row.get("part_number")?, total: row.get("part_of")? })
}

pub(super) fn destination_column(row: &Row<'_>) -> EngineResult<Destination> {
    Ok(Destination(Key(row.get("destination")?)))
}

pub(super) fn content_columns(row: &Row<'_>) -> EngineResult<Content> {
    let msgtype: String = row.get("msgtype")?;
    Ok(stored::content(&msgtype, row.get("content")?)?)
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
    Ok(stored::recipients(&users, &parties, &tags)?)
}
