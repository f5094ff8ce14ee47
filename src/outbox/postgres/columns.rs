//! Reads columns by name. [`stored`] has the form of their values.

use jiff::Timestamp;
use tokio_postgres::{Row, types::FromSql};

use super::error::EngineResult;
pub(super) use crate::outbox::rules::stored::{duration_millis, invalid_recipients, millis};
use crate::{
    outbox::{
        Destination, Key, Kind, Part, State, Status,
        rules::stored::{self, Unreadable},
    },
    wecom::{Content, Recipients},
};

/// Reads a column of any type.
pub(super) fn column<'a, T: FromSql<'a>>(row: &'a Row, name: &str) -> EngineResult<T> {
    Ok(row.try_get(name).map_err(|error| Unreadable::new(name, error))?)
}

/// A count or another number that is never negative.
pub(super) fn number(row: &Row, name: &str) -> EngineResult<u32> {
    let stored: i32 = column(row, name)?;
    Ok(u32::try_from(stored).map_err(|_| Unreadable::new(name, stored))?)
}

/// A count of rows.
pub(super) fn count(row: &Row, name: &str) -> EngineResult<u64> {
    Ok(column::<i64>(row, name)?.unsigned_abs())
}

pub(super) fn time(row: &Row, name: &str) -> EngineResult<Timestamp> {
    Ok(stored::timestamp(column(row, name)?)?)
}

pub(super) fn optional_time(row: &Row, name: &str) -> EngineResult<Option<Timestamp>> {
    Ok(column::<Option<i64>>(row, name)?.map(stored::timestamp).transpose()?)
}

pub(super) fn state(row: &Row) -> EngineResult<State> {
    Ok(stored::state(column::<i32>(row, "state")?.into())?)
}

pub(super) fn kind(row: &Row) -> EngineResult<Kind> {
    Ok(stored::kind(column::<i32>(row, "kind")?.into())?)
}

pub(super) fn status(row: &Row) -> EngineResult<Status> {
    Ok(stored::status(column::<i32>(row, "status")?.into())?)
}

pub(super) fn state_number(state: State) -> i32 {
    state as i32
}

pub(super) fn kind_number(kind: Kind) -> i32 {
    kind as i32
}

pub(super) fn status_number(status: Status) -> i32 {
    status as i32
}

pub(super) fn part(row: &Row) -> EngineResult<Part> {
    let read = |name| -> EngineResult<u16> {
        let stored = number(row, name)?;
        Ok(u16::try_from(stored).map_err(|_| Unreadable::new(name, stored))?)
    };
    Ok(Part { number: read("part_number")?, total: read("part_of")? })
}

pub(super) fn key(row: &Row, name: &str) -> EngineResult<Option<Key>> {
    let Some(bytes) = column::<Option<&[u8]>>(row, name)? else { return Ok(None) };
    let key = bytes.try_into().map_err(|_| Unreadable::new(name, format!("{} bytes", bytes.len())))?;
    Ok(Some(Key(key)))
}

pub(super) fn destination(row: &Row) -> EngineResult<Destination> {
    let key = key(row, "destination")?;
    Ok(Destination(key.ok_or_else(|| Unreadable::new("destination", "missing"))?))
}

pub(super) fn content(row: &Row) -> EngineResult<Content> {
    Ok(stored::content(column(row, "msgtype")?, column(row, "content")?)?)
}

/// The recipients of one delivery.
pub(super) fn recipients(row: &Row) -> EngineResult<Recipients> {
    let (users, parties, tags) =
        (column(row, "to_users")?, column(row, "to_parties")?, column(row, "to_tags")?);
    Ok(stored::recipients(users, parties, tags)?)
}

/// All recipients of a notification. They are stored only where they need several deliveries.
pub(super) fn all_recipients(row: &Row) -> EngineResult<Recipients> {
    let Some(users) = column::<Option<&str>>(row, "all_users")? else { return recipients(row) };
    let (parties, tags) = (column(row, "all_parties")?, column(row, "all_tags")?);
    Ok(stored::recipients(users, parties, tags)?)
}

/// `text` as the server can store it.
pub(super) fn text(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// The number of a limit or of deliveries as the server takes it.
pub(super) fn limit(count: u32) -> i64 {
    i64::from(count)
}
