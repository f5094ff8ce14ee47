//! Holds, and notices about holds and dead letters.

use jiff::Timestamp;

use super::{
    columns::{millis, text_column, time_column},
    enqueue,
    error::EngineResult,
    sender,
    transaction::Transaction,
};
use crate::outbox::{
    Backlog, DeliveryId, Hold, NewNotification, NoticeSubject, NotificationId, OrderingKey, ReceiverName,
    SenderName, Unnoticed,
};

pub(super) const HOLDS: &str = "SELECT sender, since, reason, errcode, probes, next_probe_at, credentials
     FROM hold WHERE ?1 IS NULL OR sender = ?1 ORDER BY sender";
pub(super) const STORE: &str = "REPLACE INTO hold
     (sender, since, reason, errcode, probes, next_probe_at, credentials) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
pub(super) const DELETE: &str = "DELETE FROM hold WHERE sender = ?1";
pub(super) const FORGET_NOTICES: &str = "DELETE FROM hold_noticed WHERE sender = ?1";
pub(super) const IS_NOTICED: &str = "SELECT 1 FROM hold_noticed WHERE sender = ?1 AND receiver = ?2";
// A hold that ended meanwhile is not recorded, because the next hold needs its own notice.
pub(super) const RECORD_NOTICE: &str = "INSERT OR IGNORE INTO hold_noticed (sender, receiver)
     SELECT sender, ?2 FROM hold WHERE sender = ?1";
// A notification counts once, by its first unsettled delivery.
pub(super) const COUNT_OPEN: &str =
    "SELECT count(*) AS count FROM (SELECT 1 FROM delivery d INDEXED BY delivery_open
     WHERE d.settled_at IS NULL AND d.sender = ?1 AND d.receiver = ?2 AND d.kind = 0 AND NOT EXISTS
     (SELECT 1 FROM delivery e WHERE e.id >= d.notification AND e.id < d.id AND e.settled_at IS NULL) LIMIT ?3)";
pub(super) const OPEN_SUMMARIES: &str = "SELECT d.summary FROM delivery d INDEXED BY delivery_open
     WHERE d.settled_at IS NULL AND d.sender = ?1 AND d.receiver = ?2 AND d.kind = 0 AND NOT EXISTS
     (SELECT 1 FROM delivery e WHERE e.id >= d.notification AND e.id < d.id AND e.settled_at IS NULL)
     ORDER BY d.id LIMIT ?3";
pub(super) const UNNOTICED: &str = "SELECT id, notification, summary,
     coalesce(reason, attempt_detail, '') AS reason FROM delivery INDEXED BY delivery_unnoticed
     WHERE state = 5 AND noticed = 0 AND receiver = ?1 AND settled_at > ?2 ORDER BY settled_at, id LIMIT ?3";
pub(super) const MARK_NOTICED: &str = "UPDATE delivery SET noticed = 1 WHERE id = ?1";

/// The hold of one sender, or all holds.
pub(super) fn holds(tx: &Transaction<'_>, sender: Option<&SenderName>) -> EngineResult<Vec<Hold>> {
    tx.sql.all(HOLDS, [sender.map(|sender| &sender.0)], |row| {
        Ok(Hold {
            sender: SenderName(row.get("sender")?),
            since: time_column(row, "since")?,
            reason: row.get("reason")?,
            errcode: row.get("errcode")?,
            probes: row.get("probes")?,
            next_probe_at: time_column(row, "next_probe_at")?,
            credentials: row.get("credentials")?,
        })
    })
}

pub(super) fn store(tx: &Transaction<'_>, hold: &Hold) -> EngineResult<()> {
    let Hold { sender, since, reason, errcode, probes, next_probe_at, credentials } = hold;
    let (since, next_probe_at) = (millis(*since), millis(*next_probe_at));
    tx.sql.run(STORE, (&sender.0, since, reason, errcode, probes, next_probe_at, credentials))?;
    Ok(())
}

pub(super) fn delete(tx: &Transaction<'_>, sender: &SenderName) -> EngineResult<()> {
    tx.sql.run(DELETE, [&sender.0])?;
    tx.sql.run(FORGET_NOTICES, [&sender.0])?;
    Ok(())
}

pub(super) fn held_backlog(
    tx: &Transaction<'_>,
    sender: &SenderName,
    receiver: &ReceiverName,
    lines: u32,
    count_to: u32,
) -> EngineResult<Option<Backlog>> {
    if tx.sql.exists(IS_NOTICED, (&sender.0, &receiver.0))? {
        return Ok(None);
    }
    let queue = (&sender.0, &receiver.0, count_to);
    let notifications = tx.sql.only(COUNT_OPEN, queue, |row| Ok(row.get("count")?))?;
    let queue = (&sender.0, &receiver.0, lines);
    let summaries = tx.sql.all(OPEN_SUMMARIES, queue, |row| text_column(row, "summary"))?;
    Ok(Some(Backlog { notifications, summaries }))
}

pub(super) fn unnoticed(
    tx: &Transaction<'_>,
    receiver: &ReceiverName,
    since: Timestamp,
    limit: u32,
) -> EngineResult<Vec<Unnoticed>> {
    tx.sql.all(UNNOTICED, (&receiver.0, millis(since), limit), |row| {
        Ok(Unnoticed {
            delivery: DeliveryId(row.get("id")?),
            notification: NotificationId(row.get("notification")?),
            summary: text_column(row, "summary")?,
            reason: text_column(row, "reason")?,
        })
    })
}

pub(super) fn notice(
    tx: &mut Transaction<'_>,
    notice: &NewNotification,
    subject: &NoticeSubject,
    now: Timestamp,
) -> EngineResult<Option<NotificationId>> {
    let queue = sender::present(tx, &notice.sender)?.queue;
    let ordering_key = OrderingKey::of(&queue, &notice.receiver, &notice.group_key).0.short();
    let id = enqueue::enqueue_own(tx, notice, ordering_key, now)?;
    match subject {
        NoticeSubject::Dead(deliveries) => {
            for DeliveryId(id) in deliveries {
                tx.sql.run(MARK_NOTICED, [id])?;
            }
        }
        NoticeSubject::Hold(sender, receiver) => {
            tx.sql.run(RECORD_NOTICE, (&sender.0, &receiver.0))?;
        }
    }
    // This process alone reports, so nothing was reported meanwhile.
    Ok(Some(id))
}
