//! The order of deliveries with one ordering key.
//!
//! `ordering_key.heads` counts the deliveries that are ready, in flight or folded. While it is not 0, later deliveries
//! are queued. When it becomes 0, the first queued delivery becomes ready.

use jiff::Timestamp;

use super::{
    columns::{destination_column, millis, time_column},
    error::{EngineError, EngineResult},
    transaction::Transaction,
};
use crate::outbox::{Key, NotificationId, SenderName, rules::dedup::LastAccepted};

pub(super) const LOAD: &str = "SELECT heads, last_key, last_notification, last_accepted_at, expires_at
     FROM ordering_key WHERE id = ?1";
pub(super) const STORE: &str =
    "INSERT INTO ordering_key (id, heads, last_key, last_notification, last_accepted_at, expires_at)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (id) DO UPDATE SET heads = ?2, last_key = ?3,
     last_notification = ?4, last_accepted_at = ?5, expires_at = ?6";
pub(super) const ADD_HEADS: &str = "INSERT INTO ordering_key (id, heads, expires_at)
     VALUES (?1, ?2, 0) ON CONFLICT (id) DO UPDATE SET heads = heads + ?2";
pub(super) const HEADS: &str = "SELECT heads, expires_at FROM ordering_key WHERE id = ?1";
pub(super) const REMOVE_HEAD: &str = "UPDATE ordering_key SET heads = heads - 1 WHERE id = ?1";
pub(super) const DELETE: &str = "DELETE FROM ordering_key WHERE id = ?1";
pub(super) const FIRST_QUEUED: &str =
    "SELECT id, sender, destination FROM delivery INDEXED BY delivery_queued
     WHERE state = 0 AND ordering_key = ?1 ORDER BY seq LIMIT 1";
pub(super) const MAKE_READY: &str = "UPDATE delivery SET state = 1 WHERE id = ?1";

/// The stored state of an ordering key.
#[derive(Debug, Default)]
pub(super) struct OrderState {
    pub(super) heads: i64,
    pub(super) last: Option<LastAccepted>,
    /// The time from which `last` has no effect.
    pub(super) expires_at: Timestamp,
}

pub(super) fn load(tx: &Transaction<'_>, ordering_key: i64) -> EngineResult<OrderState> {
    let found = tx.sql.first(LOAD, [ordering_key], |row| {
        let last = match row.get::<_, Option<[u8; 16]>>("last_key")? {
            Some(key) => Some(LastAccepted {
                key: Key(key),
                notification: NotificationId(row.get("last_notification")?),
                at: time_column(row, "last_accepted_at")?,
            }),
            None => None,
        };
        Ok(OrderState { heads: row.get("heads")?, last, expires_at: time_column(row, "expires_at")? })
    })?;
    Ok(found.unwrap_or_default())
}

pub(super) fn store(tx: &Transaction<'_>, ordering_key: i64, state: &OrderState) -> EngineResult<()> {
    let OrderState { heads, last, expires_at } = state;
    let key = last.map(|last| last.key.0);
    let notification = last.map(|last| last.notification.0);
    let accepted_at = last.map(|last| millis(last.at));
    tx.sql.run(STORE, (ordering_key, heads, key, notification, accepted_at, millis(*expires_at)))?;
    Ok(())
}

/// Counts `count` more deliveries that others wait behind.
pub(super) fn add_heads(tx: &Transaction<'_>, ordering_key: i64, count: usize) -> EngineResult<()> {
    tx.sql.run(ADD_HEADS, (ordering_key, i64::try_from(count).unwrap_or(i64::MAX)))?;
    Ok(())
}

/// A head was settled. The first queued delivery takes the place of the last head.
pub(super) fn remove_head(tx: &mut Transaction<'_>, ordering_key: i64, now: Timestamp) -> EngineResult<()> {
    let found = tx.sql.first(HEADS, [ordering_key], |row| {
        Ok((row.get::<_, i64>("heads")?, row.get::<_, i64>("expires_at")?))
    })?;
    let Some((heads, expires_at)) = found else {
        return Err(EngineError::unreadable("the heads of an ordering key", "missing"));
    };
    if heads == 1 && make_first_ready(tx, ordering_key)? {
        return Ok(());
    }
    let is_needed = heads > 1 || expires_at > millis(now);
    tx.sql.run(if is_needed { REMOVE_HEAD } else { DELETE }, [ordering_key])?;
    Ok(())
}

/// Makes the first queued delivery ready, if there is one.
fn make_first_ready(tx: &mut Transaction<'_>, ordering_key: i64) -> EngineResult<bool> {
    let first = tx.sql.first(FIRST_QUEUED, [ordering_key], |row| {
        Ok((row.get::<_, i64>("id")?, SenderName(row.get("sender")?), destination_column(row)?))
    })?;
    let Some((id, sender, destination)) = first else { return Ok(false) };
    tx.sql.run(MAKE_READY, [id])?;
    tx.mark_changed(&sender, destination);
    Ok(true)
}
