//! Holds, and notices about holds and dead letters.

use jiff::Timestamp;

use super::{
    columns::{column, count, limit, millis, number, text, time},
    enqueue,
    error::EngineResult,
    room::Room,
    sender::PresentSenders,
    session::{Param, Transaction},
};
use crate::outbox::{
    Backlog, DeliveryId, Hold, NewNotification, NoticeSubject, NotificationId, OrderingKey, ReceiverName,
    SenderName, Unnoticed,
};

macro_rules! holds {
    ($rest:literal) => {
        concat!(
            "SELECT sender, since, reason, errcode, probes, next_probe_at, credentials FROM wecom_relay.hold ",
            $rest
        )
    };
}
pub(super) const HOLDS: &str = holds!("ORDER BY sender");
pub(super) const HOLD: &str = holds!("WHERE sender = $1");
pub(super) const STORE: &str = "INSERT INTO wecom_relay.hold
     (sender, since, reason, errcode, probes, next_probe_at, credentials) VALUES ($1, $2, $3, $4, $5, $6, $7)
     ON CONFLICT (sender) DO UPDATE SET since = $2, reason = $3, errcode = $4, probes = $5, next_probe_at = $6,
     credentials = $7";
pub(super) const DELETE: &str = "DELETE FROM wecom_relay.hold WHERE sender = $1";
pub(super) const FORGET_NOTICES: &str = "DELETE FROM wecom_relay.hold_noticed WHERE sender = $1";
pub(super) const IS_NOTICED: &str =
    "SELECT 1 AS found FROM wecom_relay.hold_noticed WHERE sender = $1 AND receiver = $2";
pub(super) const LOCK_HOLD: &str = "SELECT 1 AS found FROM wecom_relay.hold WHERE sender = $1 FOR SHARE";
pub(super) const RECORD_NOTICE: &str =
    "INSERT INTO wecom_relay.hold_noticed (sender, receiver) VALUES ($1, $2)
     ON CONFLICT DO NOTHING";
// A notification counts once, by its first unsettled delivery.
macro_rules! open {
    ($columns:literal, $rest:literal) => {
        concat!(
            "SELECT ", $columns, " FROM wecom_relay.delivery d
             WHERE d.settled_at IS NULL AND d.sender = $1 AND d.receiver = $2 AND d.kind = 0 AND NOT EXISTS
             (SELECT 1 FROM wecom_relay.delivery e WHERE e.id = ANY(d.siblings) AND e.id < d.id AND e.settled_at IS NULL) ",
            $rest
        )
    };
}
pub(super) const COUNT_OPEN: &str =
    concat!("SELECT count(*) AS count FROM (", open!("1 AS one", "LIMIT $3"), ") o");
pub(super) const OPEN_SUMMARIES: &str = open!("d.summary", "ORDER BY d.id LIMIT $3");
pub(super) const UNNOTICED: &str = "SELECT id, notification, summary,
     coalesce(reason, attempt_detail, '') AS reason FROM wecom_relay.delivery
     WHERE state = 5 AND NOT noticed AND receiver = $1 AND settled_at > $2 ORDER BY settled_at, id LIMIT $3";
pub(super) const LOCK_UNNOTICED: &str =
    "SELECT id FROM wecom_relay.delivery WHERE id = ANY($1) AND NOT noticed ORDER BY id FOR UPDATE";
pub(super) const MARK_NOTICED: &str = "UPDATE wecom_relay.delivery SET noticed = true WHERE id = ANY($1)";

fn read(row: &tokio_postgres::Row) -> EngineResult<Hold> {
    Ok(Hold {
        sender: SenderName(column(row, "sender")?),
        since: time(row, "since")?,
        reason: column(row, "reason")?,
        errcode: column(row, "errcode")?,
        probes: number(row, "probes")?,
        next_probe_at: time(row, "next_probe_at")?,
        credentials: column(row, "credentials")?,
    })
}

pub(super) async fn holds(tx: &Transaction<'_>) -> EngineResult<Vec<Hold>> {
    tx.all(HOLDS, &[], read).await
}

pub(super) async fn hold_of(tx: &Transaction<'_>, sender: &SenderName) -> EngineResult<Option<Hold>> {
    tx.first(HOLD, &[&sender.0], read).await
}

pub(super) async fn store(tx: &Transaction<'_>, hold: &Hold) -> EngineResult<()> {
    let Hold { sender, since, reason, errcode, probes, next_probe_at, credentials } = hold;
    let (since, next, reason) = (millis(*since), millis(*next_probe_at), text(reason));
    let probes = i32::try_from(*probes).unwrap_or(i32::MAX);
    let params: [Param<'_>; 7] = [&sender.0, &since, &reason, errcode, &probes, &next, credentials];
    tx.run(STORE, &params).await.map(drop)
}

pub(super) async fn delete(tx: &Transaction<'_>, sender: &SenderName) -> EngineResult<()> {
    tx.run(DELETE, &[&sender.0]).await?;
    tx.run(FORGET_NOTICES, &[&sender.0]).await?;
    Ok(())
}

pub(super) async fn held_backlog(
    tx: &Transaction<'_>,
    sender: &SenderName,
    receiver: &ReceiverName,
    lines: u32,
    count_to: u32,
) -> EngineResult<Option<Backlog>> {
    if tx.first(IS_NOTICED, &[&sender.0, &receiver.0], |_| Ok(())).await?.is_some() {
        return Ok(None);
    }
    let queue: [Param<'_>; 3] = [&sender.0, &receiver.0, &limit(count_to)];
    let notifications = tx.only(COUNT_OPEN, &queue, |row| count(row, "count")).await?;
    let queue: [Param<'_>; 3] = [&sender.0, &receiver.0, &limit(lines)];
    let summaries = tx.all(OPEN_SUMMARIES, &queue, |row| column(row, "summary")).await?;
    let notifications = u32::try_from(notifications).unwrap_or(u32::MAX);
    Ok(Some(Backlog { notifications, summaries }))
}

pub(super) async fn unnoticed(
    tx: &Transaction<'_>,
    receiver: &ReceiverName,
    since: Timestamp,
    most: u32,
) -> EngineResult<Vec<Unnoticed>> {
    tx.all(UNNOTICED, &[&receiver.0, &millis(since), &limit(most)], |row| {
        Ok(Unnoticed {
            delivery: DeliveryId(column(row, "id")?),
            notification: NotificationId(column(row, "notification")?),
            summary: column(row, "summary")?,
            reason: column(row, "reason")?,
        })
    })
    .await
}

/// `None` if another process has reported any of the subject.
pub(super) async fn notice(
    tx: &Transaction<'_>,
    notice: &NewNotification,
    subject: &NoticeSubject,
    room: &Room,
    now: Timestamp,
) -> EngineResult<Option<NotificationId>> {
    if !record(tx, subject).await? {
        return Ok(None);
    }
    let queue = PresentSenders::read(tx, &[&notice.sender]).await?.of(&notice.sender).queue;
    let ordering_key = OrderingKey::of(&queue, &notice.receiver, &notice.group_key).0.short();
    enqueue::enqueue_own(tx, notice, ordering_key, room, now).await.map(Some)
}

/// Records that a subject is reported. Returns false if it was before.
async fn record(tx: &Transaction<'_>, subject: &NoticeSubject) -> EngineResult<bool> {
    match subject {
        NoticeSubject::Dead(deliveries) => {
            let ids: Vec<i64> = deliveries.iter().map(|delivery| delivery.0).collect();
            if tx.all(LOCK_UNNOTICED, &[&ids], |_| Ok(())).await?.len() < ids.len() {
                return Ok(false);
            }
            tx.run(MARK_NOTICED, &[&ids]).await?;
            Ok(true)
        }
        NoticeSubject::Hold(sender, receiver) => {
            // A hold that ended meanwhile is not recorded, because the next hold needs its own notice.
            if tx.first(LOCK_HOLD, &[&sender.0], |_| Ok(())).await?.is_none() {
                return Ok(true);
            }
            Ok(tx.run(RECORD_NOTICE, &[&sender.0, &receiver.0]).await? > 0)
        }
    }
}
