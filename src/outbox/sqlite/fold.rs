//! Folding: finds the notifications that a digest can replace, and replaces them.
//!
//! The foldable notifications of an ordering key are a run from its head. They are found from the heads, so a long queue
//! behind an attempted delivery is never looked at.

use super::{
    cards::can_be_folded,
    columns::{all_recipients_columns, status_column, text_column, time_column},
    enqueue,
    error::EngineResult,
    order,
    settle::set_aside,
    sql::Sql,
    transaction::{Look, Transaction},
};
use crate::outbox::{
    DeliveryId, Destination, Foldable, Folding, Key, Kind, NewDigest, NewNotification, NotificationId,
    Planner, ReceiverName, rules::fold,
};

pub(super) const HEADS: &str = concat!(
    "SELECT seq, notification, ordering_key FROM delivery INDEXED BY delivery_ready
     WHERE state = 1 AND sender = ?1 AND destination = ?2 AND ",
    can_be_folded!(),
    " ORDER BY due_at, seq LIMIT ?3"
);
pub(super) const FOLLOWER: &str = concat!(
    "SELECT seq, notification, destination = ?4 AND ",
    can_be_folded!(),
    " AS can_be_folded FROM delivery INDEXED BY delivery_queued
     WHERE state = 0 AND ordering_key = ?1 AND seq > ?2 AND notification <> ?3 ORDER BY seq LIMIT 1"
);
pub(super) const LINE: &str = "SELECT receiver, accepted_at, status, severity, summary, foldable, msgtype,
     CASE WHEN msgtype IN ('group_text', 'markdown') AND to_users LIKE '|%' THEN content END AS mentioning
     FROM delivery WHERE id = ?1";
pub(super) const RECIPIENTS: &str = "SELECT all_users, all_parties, all_tags, to_users, to_parties, to_tags
     FROM delivery WHERE id = ?1";
pub(super) const FOLD: &str = "UPDATE delivery SET state = 3, digest = ?2
     WHERE id >= ?1 AND id < ?1 + (SELECT deliveries FROM delivery WHERE id = ?1)";

/// A notification that can be folded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    /// The place of its first delivery in the ordering key.
    pub(super) seq: i64,
    pub(super) notification: i64,
    pub(super) ordering_key: i64,
    /// True if its first delivery is the head of the ordering key.
    pub(super) is_head: bool,
}

/// A digest that was stored.
pub(super) struct Folded {
    pub(super) digest: DeliveryId,
    pub(super) members: Vec<NotificationId>,
}

/// Adds the foldable notifications that follow `heads` in their ordering keys, up to `limit` notifications.
pub(super) fn with_followers(
    sql: Sql<'_>,
    heads: Vec<Member>,
    destination: Destination,
    limit: usize,
) -> EngineResult<Vec<Member>> {
    let mut members = heads;
    let mut next = 0;
    while let Some(member) = members.get(next).copied()
        && members.len() < limit
    {
        members.extend(follower(sql, member, destination)?);
        next += 1;
    }
    Ok(members)
}

fn follower(sql: Sql<'_>, member: Member, destination: Destination) -> EngineResult<Option<Member>> {
    let Member { seq, notification, ordering_key, .. } = member;
    let follower = sql.first(FOLLOWER, (ordering_key, seq, notification, destination.0.0), |row| {
        let (seq, notification) = (row.get("seq")?, row.get("notification")?);
        let can_be_folded: bool = row.get("can_be_folded")?;
        Ok(can_be_folded.then_some(Member { seq, notification, ordering_key, is_head: false }))
    })?;
    Ok(follower.flatten())
}

/// Folds up to `limit` notifications of `destination` into a digest of the planner, and stores the digest.
pub(super) fn fold(
    tx: &mut Transaction<'_>,
    look: &Look<'_>,
    destination: Destination,
    limit: u32,
    planner: &impl Planner,
) -> EngineResult<Option<Folded>> {
    let mut members = tx.sql.all(HEADS, (&look.sender.0, destination.0.0, limit), |row| {
        let (seq, notification) = (row.get("seq")?, row.get("notification")?);
        Ok(Member { seq, notification, ordering_key: row.get("ordering_key")?, is_head: true })
    })?;
    members = with_followers(tx.sql, members, destination, limit as usize)?;
    // In order of acceptance. So a digest of the first ones takes no notification without those before it.
    members.sort_unstable_by_key(|member| member.seq);
    let Some(first) = members.first() else { return Ok(None) };
    let first = first.notification;
    let recipients = match tx.sql.only(RECIPIENTS, [first], all_recipients_columns) {
        Ok(recipients) => recipients,
        Err(error) => return set_aside(tx, first, error, look.now).map(|()| None),
    };
    let mut notifications = Vec::with_capacity(members.len());
    for member in &members {
        match line(tx.sql, member.notification) {
            Ok(line) => notifications.push(line),
            // The others are folded at the next look.
            Err(error) => return set_aside(tx, member.notification, error, look.now).map(|()| None),
        }
    }
    let Some(NewDigest { members: count, message }) = planner.digest(&Folding { recipients, notifications })
    else {
        return Ok(None);
    };
    members.truncate(count);
    // A digest has an ordering key of its own: other deliveries wait for it in the ordering keys of its members.
    let number = tx.take_numbers(1)?;
    let ordering_key = Key::of([b"digest".as_slice(), &number.to_le_bytes()]).short();
    let digest = NewNotification { kind: Kind::Digest, ..message };
    let NotificationId(delivery) = enqueue::enqueue_own(tx, &digest, ordering_key, look.now)?;
    for member in &members {
        let folded = tx.sql.run(FOLD, (member.notification, delivery))?;
        let new_heads = folded.saturating_sub(usize::from(member.is_head));
        if new_heads > 0 {
            order::add_heads(tx, member.ordering_key, new_heads)?;
        }
    }
    let members = members.into_iter().map(|member| NotificationId(member.notification)).collect();
    Ok(Some(Folded { digest: DeliveryId(delivery), members }))
}

fn line(sql: Sql<'_>, notification: i64) -> EngineResult<Foldable> {
    sql.only(LINE, [notification], |row| {
        Ok(Foldable {
            notification: NotificationId(notification),
            receiver: ReceiverName(row.get("receiver")?),
            accepted_at: time_column(row, "accepted_at")?,
            status: status_column(row)?,
            severity: row.get("severity")?,
            summary: text_column(row, "summary")?,
            limit: row.get("foldable")?,
            mentions: fold::mentions(&row.get::<_, String>("msgtype")?, row.get("mentioning")?),
        })
    })
}
