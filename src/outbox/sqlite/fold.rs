//! Folding: finds the notifications that a digest can replace, and replaces them.
//!
//! The foldable notifications of an ordering key are a run from its head. They are found by walking from the heads, so a
//! long queue behind an attempted delivery is never looked at.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, HashSet},
};

use jiff::Timestamp;

use super::{
    columns::{all_recipients_columns, destination_column, state_column, status_column},
    enqueue,
    error::EngineResult,
    order,
    transaction::Transaction,
};
use crate::outbox::{
    DeliveryId, Destination, Foldable, FoldedDigest, Folding, Key, Kind, NewNotification, NotificationId,
    ReceiverName, SenderName, State,
    rules::fold::{self, Candidate},
};

pub(super) const NEXT_RECEIVER: &str = "SELECT receiver FROM delivery INDEXED BY delivery_ready
     WHERE state = 1 AND sender = ?1 AND destination = ?2 AND receiver > ?3 ORDER BY receiver LIMIT 1";
// SQLite reads all earlier rows for one comparison of `(due_at, seq)`, so it is two statements.
pub(super) const NEXT_HEAD: &str =
    "SELECT due_at, seq, notification, ordering_key FROM delivery INDEXED BY delivery_ready
     WHERE state = 1 AND sender = ?1 AND destination = ?2 AND receiver = ?3
     AND due_at = ?4 AND seq > ?5 AND foldable = 1 ORDER BY seq LIMIT 1";
pub(super) const NEXT_LATER_HEAD: &str =
    "SELECT due_at, seq, notification, ordering_key FROM delivery INDEXED BY delivery_ready
     WHERE state = 1 AND sender = ?1 AND destination = ?2 AND receiver = ?3
     AND due_at > ?4 AND foldable = 1 ORDER BY due_at, seq LIMIT 1";
pub(super) const NEXT_QUEUED: &str =
    "SELECT seq, notification, foldable, destination FROM delivery INDEXED BY delivery_queued
     WHERE state = 0 AND ordering_key = ?1 AND seq > ?2 AND notification <> ?3 ORDER BY seq LIMIT 1";
pub(super) const LINE: &str = "SELECT receiver, status, severity, summary FROM delivery WHERE id = ?1";
pub(super) const DELIVERIES: &str = "SELECT id, seq, ordering_key, state, destination, foldable FROM delivery
     WHERE id >= ?1 AND id < ?1 + (SELECT deliveries FROM delivery WHERE id = ?1) ORDER BY id";
pub(super) const NEXT_IN_KEY: &str = "SELECT seq, notification FROM delivery INDEXED BY delivery_queued
     WHERE state = 0 AND ordering_key = ?1 AND seq > ?2 ORDER BY seq LIMIT 1";
pub(super) const ALL_RECIPIENTS: &str =
    "SELECT all_users, all_parties, all_tags, to_users, to_parties, to_tags
     FROM delivery WHERE id = ?1";
pub(super) const FOLD: &str = "UPDATE delivery SET state = 3, digest = ?2 WHERE id = ?1";

/// The foldable notifications of a destination, in order of acceptance.
pub(super) fn foldable(
    tx: &Transaction<'_>,
    sender: &SenderName,
    destination: Destination,
    limit: u32,
) -> EngineResult<Option<Folding>> {
    let mut walk = Walk::new(tx, sender, destination);
    let mut receiver = String::new();
    while let Some(next) = tx.sql.first(NEXT_RECEIVER, (&sender.0, destination.0.0, &receiver), |row| {
        Ok(row.get::<_, String>("receiver")?)
    })? {
        walk.add_receiver(&next)?;
        receiver = next;
    }
    let mut notifications = Vec::new();
    while notifications.len() < usize::try_from(limit).unwrap_or(usize::MAX) {
        let Some(id) = walk.next()? else { break };
        notifications.push(tx.sql.only(LINE, [id], |row| {
            Ok(Foldable {
                notification: NotificationId(id),
                receiver: ReceiverName(row.get("receiver")?),
                status: status_column(row)?,
                severity: row.get("severity")?,
                summary: row.get("summary")?,
            })
        })?);
    }
    let Some(first) = notifications.first() else { return Ok(None) };
    let recipients = tx.sql.only(ALL_RECIPIENTS, [first.notification.0], all_recipients_columns)?;
    Ok(Some(Folding { recipients, notifications }))
}

/// The number of foldable notifications of one receiver, up to `count_to`.
pub(super) fn count(
    tx: &Transaction<'_>,
    sender: &SenderName,
    destination: Destination,
    receiver: &str,
    count_to: u32,
) -> EngineResult<u32> {
    let mut walk = Walk::new(tx, sender, destination);
    walk.add_receiver(receiver)?;
    let mut count = 0;
    while count < count_to && walk.next()?.is_some() {
        count += 1;
    }
    Ok(count)
}

/// Walks over the foldable notifications of a destination, the oldest first.
struct Walk<'t, 'c> {
    tx: &'t Transaction<'c>,
    sender: &'t str,
    destination: Destination,
    next: BinaryHeap<Reverse<Step>>,
}

/// The next notification of an ordering key.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Step {
    seq: i64,
    notification: i64,
    ordering_key: i64,
    /// Set for a head. The search for the receiver's next head starts here.
    head: Option<HeadStep>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct HeadStep {
    receiver: String,
    due_at: i64,
}

impl<'t, 'c> Walk<'t, 'c> {
    fn new(tx: &'t Transaction<'c>, sender: &'t SenderName, destination: Destination) -> Self {
        Self { tx, sender: &sender.0, destination, next: BinaryHeap::new() }
    }

    fn add_receiver(&mut self, receiver: &str) -> EngineResult<()> {
        self.add_head_after(receiver.to_owned(), i64::MIN, i64::MIN)
    }

    fn add_head_after(&mut self, receiver: String, due_at: i64, seq: i64) -> EngineResult<()> {
        let Destination(Key(destination)) = self.destination;
        let read = |row: &rusqlite::Row<'_>| {
            Ok(Step {
                seq: row.get("seq")?,
                notification: row.get("notification")?,
                ordering_key: row.get("ordering_key")?,
                head: Some(HeadStep { receiver: receiver.clone(), due_at: row.get("due_at")? }),
            })
        };
        let queue = (self.sender, destination, &receiver, due_at, seq);
        let next = match self.tx.sql.first(NEXT_HEAD, queue, read)? {
            None => {
                self.tx.sql.first(NEXT_LATER_HEAD, (self.sender, destination, &receiver, due_at), read)?
            }
            found => found,
        };
        self.next.extend(next.map(Reverse));
        Ok(())
    }

    fn next(&mut self) -> EngineResult<Option<i64>> {
        let Some(Reverse(step)) = self.next.pop() else { return Ok(None) };
        let Step { seq, notification, ordering_key, head } = step;
        let follower = self.tx.sql.first(NEXT_QUEUED, (ordering_key, seq, notification), |row| {
            let step = Step {
                seq: row.get("seq")?,
                notification: row.get("notification")?,
                ordering_key,
                head: None,
            };
            let can_be_folded = row.get("foldable")? && destination_column(row)? == self.destination;
            Ok(can_be_folded.then_some(step))
        })?;
        self.next.extend(follower.flatten().map(Reverse));
        if let Some(HeadStep { receiver, due_at }) = head {
            self.add_head_after(receiver, due_at, seq)?;
        }
        Ok(Some(notification))
    }
}

/// Folds those of `members` that can be folded into `digest`, and stores the digest. Without any member there is no
/// digest.
pub(super) fn fold(
    tx: &mut Transaction<'_>,
    sender: &SenderName,
    members: &[NotificationId],
    digest: &NewNotification,
    now: Timestamp,
) -> EngineResult<Option<FoldedDigest>> {
    if digest.deliveries.is_empty() {
        return Ok(None);
    }
    let destination = Destination::of(sender, &digest.recipients);
    let mut parts = HashMap::new();
    let mut candidates = Vec::new();
    for NotificationId(member) in members {
        let deliveries = deliveries_of(tx, *member, destination)?;
        if let Some(first) = deliveries.first()
            && deliveries.iter().all(|delivery| delivery.can_be_folded)
        {
            let (seq, ordering_key, is_head) = (first.seq, first.ordering_key, first.is_head);
            candidates.push(Candidate { seq, notification: *member, ordering_key, is_head });
            parts.insert(*member, deliveries);
        }
    }
    let left_out = first_left_out(tx, &candidates)?;
    let members = fold::members(candidates, &left_out);
    if members.is_empty() {
        return Ok(None);
    }
    // A digest has an ordering key of its own: other deliveries wait for it in the ordering keys of its members.
    let number = tx.take_numbers(1)?;
    let ordering_key = Key::of([b"digest".as_slice(), &number.to_le_bytes()]).short();
    let digest = NewNotification { kind: Kind::Digest, ..digest.clone() };
    let NotificationId(delivery) = enqueue::enqueue_own(tx, &digest, ordering_key, now)?;
    for member in &members {
        for part in parts.get(&member.notification).into_iter().flatten() {
            tx.sql.run(FOLD, (part.id, delivery))?;
            if !part.is_head {
                order::add_heads(tx, member.ordering_key, 1)?;
            }
        }
    }
    Ok(Some(FoldedDigest {
        delivery: DeliveryId(delivery),
        members: members.iter().map(|member| NotificationId(member.notification)).collect(),
    }))
}

/// A delivery of a notification that may be folded.
struct MemberDelivery {
    id: i64,
    seq: i64,
    ordering_key: i64,
    is_head: bool,
    can_be_folded: bool,
}

fn deliveries_of(
    tx: &Transaction<'_>,
    notification: i64,
    destination: Destination,
) -> EngineResult<Vec<MemberDelivery>> {
    tx.sql.all(DELIVERIES, [notification], |row| {
        let state = state_column(row)?;
        let waits = matches!(state, State::Queued | State::Ready);
        Ok(MemberDelivery {
            id: row.get("id")?,
            seq: row.get("seq")?,
            ordering_key: row.get("ordering_key")?,
            is_head: state == State::Ready,
            can_be_folded: waits && row.get("foldable")? && destination_column(row)? == destination,
        })
    })
}

/// The place of the first queued delivery, by ordering key, that belongs to none of the candidates.
fn first_left_out(tx: &Transaction<'_>, candidates: &[Candidate]) -> EngineResult<HashMap<i64, i64>> {
    let chosen: HashSet<i64> = candidates.iter().map(|candidate| candidate.notification).collect();
    let keys: HashSet<i64> = candidates.iter().map(|candidate| candidate.ordering_key).collect();
    let mut left_out = HashMap::new();
    for key in keys {
        let mut seq = i64::MIN;
        while let Some((next, notification)) = tx.sql.first(NEXT_IN_KEY, (key, seq), |row| {
            Ok((row.get::<_, i64>("seq")?, row.get::<_, i64>("notification")?))
        })? {
            if !chosen.contains(&notification) {
                left_out.insert(key, next);
                break;
            }
            seq = next;
        }
    }
    Ok(left_out)
}
