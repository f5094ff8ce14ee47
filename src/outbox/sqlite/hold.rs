//! Holds, and notices of what is held or dead.

use jiff::Timestamp;

use super::{
    depth,
    enqueue::{self, Numbers},
    error::Done,
    rows::{self, ms, time},
    tally::Of,
    tx::Tx,
};
use crate::outbox::{
    Backlog, DeliveryId, Hold, NewNotification, NoticeOf, NotificationId, OrderingKey, ReceiverName,
    SenderName, Unnoticed,
};

pub(super) const HOLDS: &str = "SELECT sender, since, reason, errcode, probes, next_probe_at, credentials
     FROM hold ORDER BY sender";
pub(super) const PUT_HOLD: &str = "REPLACE INTO hold
     (sender, since, reason, errcode, probes, next_probe_at, credentials) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
pub(super) const RELEASE: &str = "DELETE FROM hold WHERE sender = ?1";
pub(super) const FORGET_TOLD: &str = "DELETE FROM hold_told WHERE sender = ?1";
pub(super) const TOLD: &str = "SELECT 1 FROM hold_told WHERE sender = ?1 AND receiver = ?2";
// A hold that ended meanwhile is not remembered: the next one must be told.
pub(super) const PUT_TOLD: &str = "INSERT OR IGNORE INTO hold_told (sender, receiver)
     SELECT sender, ?2 FROM hold WHERE sender = ?1";
pub(super) const COUNT_HELD: &str = "SELECT count(*) FROM (SELECT 1 FROM notification
     INDEXED BY notification_open
     WHERE open > 0 AND id >= ?4 AND kind = 0 AND sender = ?1 AND receiver = ?2 LIMIT ?3)";
pub(super) const HELD_LINES: &str = "SELECT summary FROM notification INDEXED BY notification_open
     WHERE open > 0 AND id >= ?4 AND kind = 0 AND sender = ?1 AND receiver = ?2 ORDER BY id LIMIT ?3";
pub(super) const UNNOTICED: &str = "SELECT d.id, d.notification, n.summary, d.reason
     FROM delivery d INDEXED BY delivery_unnoticed CROSS JOIN notification n ON n.id = d.notification
     WHERE d.state = 5 AND d.noticed = 0 AND d.receiver = ?1 AND d.settled_at > ?2
     ORDER BY d.settled_at, d.id LIMIT ?3";
pub(super) const NOTICED: &str = "UPDATE delivery SET noticed = 1 WHERE id = ?1";

pub(super) fn holds(tx: &Tx<'_>) -> Done<Vec<Hold>> {
    let read = |row: &rusqlite::Row<'_>| {
        Ok((
            (SenderName(row.get(0)?), row.get::<_, String>(2)?, row.get::<_, Option<i64>>(3)?),
            (row.get::<_, u32>(4)?, row.get::<_, String>(6)?),
            (row.get::<_, i64>(1)?, row.get::<_, i64>(5)?),
        ))
    };
    let mut holds = Vec::new();
    for ((sender, reason, errcode), (probes, credentials), (since, next)) in tx.all(HOLDS, [], read)? {
        let (since, next_probe_at) = (time(since)?, time(next)?);
        holds.push(Hold { sender, since, reason, errcode, probes, next_probe_at, credentials });
    }
    Ok(holds)
}

pub(super) fn hold(tx: &Tx<'_>, hold: &Hold) -> Done<()> {
    let Hold { sender, since, reason, errcode, probes, next_probe_at, credentials } = hold;
    tx.run(PUT_HOLD, (&sender.0, ms(*since), reason, errcode, probes, ms(*next_probe_at), credentials))?;
    Ok(())
}

pub(super) fn release(tx: &Tx<'_>, sender: &SenderName) -> Done<()> {
    tx.run(RELEASE, [&sender.0])?;
    tx.run(FORGET_TOLD, [&sender.0])?;
    tx.wake();
    Ok(())
}

pub(super) fn held_backlog(
    tx: &Tx<'_>,
    sender: &SenderName,
    receiver: &ReceiverName,
    lines: u32,
    count_to: u32,
) -> Done<Option<Backlog>> {
    if tx.first(TOLD, (&sender.0, &receiver.0), |_| Ok(()))?.is_some() {
        return Ok(None);
    }
    let of = Of { sender: sender.0.clone(), receiver: receiver.0.clone() };
    if !depth::has_waiting(tx, &of)? {
        return Ok(Some(Backlog::default()));
    }
    let from = depth::oldest_seen(tx, &of);
    let messages = tx.only(COUNT_HELD, (&sender.0, &receiver.0, count_to, from), |row| row.get(0))?;
    let summaries = tx.all(HELD_LINES, (&sender.0, &receiver.0, lines, from), |row| row.get(0))?;
    Ok(Some(Backlog { messages, summaries }))
}

pub(super) fn unnoticed(
    tx: &Tx<'_>,
    receiver: &ReceiverName,
    since: Timestamp,
    limit: u32,
) -> Done<Vec<Unnoticed>> {
    tx.all(UNNOTICED, (&receiver.0, ms(since), limit), |row| {
        Ok(Unnoticed {
            delivery: DeliveryId(row.get(0)?),
            notification: NotificationId(row.get(1)?),
            summary: row.get(2)?,
            reason: row.get(3)?,
        })
    })
}

pub(super) fn notice(
    tx: &Tx<'_>,
    notice: &NewNotification,
    of: &NoticeOf,
    now: Timestamp,
) -> Done<NotificationId> {
    let numbers = Numbers::take(tx, notice)?;
    enqueue::put(
        tx,
        numbers,
        notice,
        rows::short(OrderingKey::of(&notice.receiver, &notice.group_key).0),
        now,
    )?;
    match of {
        NoticeOf::Dead(deliveries) => {
            for DeliveryId(id) in deliveries {
                tx.run(NOTICED, [id])?;
            }
        }
        NoticeOf::Hold(sender, receiver) => {
            tx.run(PUT_TOLD, (&sender.0, &receiver.0))?;
        }
    }
    Ok(numbers.notification)
}
