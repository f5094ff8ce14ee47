//! The present names of senders. WeCom counts by the identity of a sender; deliveries are stored under its present name.

use super::{
    columns::{all_recipients_columns, content_columns, recipients_columns},
    error::EngineResult,
    transaction::Transaction,
};
use crate::outbox::{BodyHash, Destination, SenderName};

pub(super) const PRESENT: &str = "SELECT p.name, p.queue FROM sender s
     CROSS JOIN sender p ON p.name = coalesce(s.moved_to, s.name) WHERE s.name = ?1";
pub(super) const OF_QUEUE: &str =
    "SELECT name FROM sender WHERE queue = ?1 AND moved_to IS NULL ORDER BY name LIMIT 1";
pub(super) const LOAD: &str =
    "SELECT to_users, to_parties, to_tags, all_users, all_parties, all_tags, msgtype,
     content FROM delivery WHERE id = ?1";
pub(super) const RENAME: &str = "UPDATE delivery SET sender = ?2, destination = ?3, body = ?4 WHERE id = ?1";
pub(super) const RENAME_DAMAGED: &str = "UPDATE delivery SET sender = ?2 WHERE id = ?1";
pub(super) const RENAME_ATTEMPTS: &str = "UPDATE attempt SET sender = ?2 WHERE delivery = ?1";

/// A sender under its present name.
pub(super) struct Present {
    pub(super) name: SenderName,
    /// It stands for the sender in ordering keys, and stays when the sender is renamed.
    pub(super) queue: SenderName,
}

/// Stores a delivery and its attempts under another name.
pub(super) fn rename(tx: &mut Transaction<'_>, id: i64, to: &SenderName) -> EngineResult<()> {
    let renamed = tx.sql.first(LOAD, [id], |row| {
        let destination = Destination::of(to, &all_recipients_columns(row)?);
        let body = BodyHash::of(to, &recipients_columns(row)?, &content_columns(row)?);
        Ok((destination, body))
    })?;
    let Some((destination, body)) = renamed else { return Ok(()) };
    tx.sql.run(RENAME, (id, &to.0, destination.0.0, body.0))?;
    tx.sql.run(RENAME_ATTEMPTS, (id, &to.0))?;
    tx.mark_changed(to, destination);
    Ok(())
}

/// Stores a delivery under another name whose recipients or content cannot be read.
pub(super) fn rename_damaged(tx: &Transaction<'_>, id: i64, to: &SenderName) -> EngineResult<()> {
    tx.sql.run(RENAME_DAMAGED, (id, &to.0))?;
    tx.sql.run(RENAME_ATTEMPTS, (id, &to.0))?;
    Ok(())
}

/// The sender that `name` meant last. A request that began before a reload has a former name.
pub(super) fn present(tx: &Transaction<'_>, name: &SenderName) -> EngineResult<Present> {
    let found = tx.sql.first(PRESENT, [&name.0], |row| {
        Ok(Present { name: SenderName(row.get("name")?), queue: SenderName(row.get("queue")?) })
    })?;
    Ok(found.unwrap_or_else(|| Present { name: name.clone(), queue: name.clone() }))
}

/// The present name of the sender that has `queue` in its ordering keys.
pub(super) fn of_queue(tx: &Transaction<'_>, queue: &SenderName) -> EngineResult<SenderName> {
    let found = tx.sql.first(OF_QUEUE, [&queue.0], |row| Ok(SenderName(row.get("name")?)))?;
    Ok(found.unwrap_or_else(|| queue.clone()))
}
