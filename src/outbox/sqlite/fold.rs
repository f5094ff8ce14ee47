//! Folding: which whole messages can be told by a digest, and putting one in their place.
//!
//! A lane's foldable messages are a run from its head, so they are found by walking lanes from their heads and
//! never by looking at what stands behind an attempted message, however much that is.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashSet},
};

use jiff::Timestamp;

use super::{
    enqueue::{self, Numbers},
    error::Done,
    lanes,
    rows::{self, To, state_number, status},
    tx::Tx,
};
use crate::outbox::{
    Destination, Foldable, Folding, Key, Kind, NewNotification, NotificationId, ReceiverName, SenderName,
    State,
};

pub(super) const NEXT_RECEIVER: &str = "SELECT receiver FROM delivery INDEXED BY delivery_ready
     WHERE state = 1 AND sender = ?1 AND destination = ?2 AND receiver > ?3 ORDER BY receiver LIMIT 1";
// One row-value comparison would do, but SQLite then walks over all rows before.
pub(super) const NEXT_HEAD: &str =
    "SELECT due_at, place, notification, lane FROM delivery INDEXED BY delivery_ready
     WHERE state = 1 AND sender = ?1 AND destination = ?2 AND receiver = ?3 AND fresh = 1
     AND due_at = ?4 AND place > ?5 ORDER BY place LIMIT 1";
pub(super) const NEXT_LATER_HEAD: &str = "SELECT due_at, place, notification, lane FROM delivery
     INDEXED BY delivery_ready
     WHERE state = 1 AND sender = ?1 AND destination = ?2 AND receiver = ?3 AND fresh = 1
     AND due_at > ?4 ORDER BY due_at, place LIMIT 1";
pub(super) const NEXT_IN_LANE: &str =
    "SELECT place, notification, fresh = 1 AND destination = ?4 FROM delivery INDEXED BY delivery_queued
     WHERE state = 0 AND lane = ?1 AND place > ?2 AND notification <> ?3 ORDER BY place LIMIT 1";
pub(super) const LINE: &str = "SELECT receiver, status, severity, summary FROM notification WHERE id = ?1";
pub(super) const ROWS: &str = "SELECT place, lane, id, state, destination = ?2 AND fresh = 1 AND state < 2
     FROM delivery INDEXED BY delivery_notification WHERE notification = ?1 ORDER BY id";
pub(super) const AHEAD: &str = "SELECT 1 FROM delivery INDEXED BY delivery_queued
     WHERE state = 0 AND lane = ?1 AND place < ?2 LIMIT 1";
pub(super) const EVERYBODY: &str = "SELECT touser, toparty, totag FROM notification WHERE id = ?1";
pub(super) const FOLD: &str = "UPDATE delivery SET state = 3, digest = ?2 WHERE notification = ?1";

pub(super) fn foldable(
    tx: &Tx<'_>,
    sender: &SenderName,
    destination: Destination,
    limit: u32,
) -> Done<Option<Folding>> {
    let mut walk = Walk::new(tx, sender, destination);
    let mut receiver = String::new();
    while let Some(next) =
        tx.first(NEXT_RECEIVER, (&sender.0, destination.0.0, &receiver), |row| row.get::<_, String>(0))?
    {
        walk.add(&ReceiverName(next.clone()))?;
        receiver = next;
    }
    let mut messages = Vec::new();
    while messages.len() < usize::try_from(limit).unwrap_or(usize::MAX) {
        let Some(notification) = walk.next()? else { break };
        messages.extend(line(tx, notification)?);
    }
    let Some(first) = messages.first() else { return Ok(None) };
    let all_recipients = tx.only(EVERYBODY, [first.notification.0], |row| To::read(row, 0))?;
    let recipients = all_recipients.recipients()?;
    Ok(Some(Folding { recipients, messages }))
}

/// How many messages of one receiver can be folded, counted up to `count_to`.
pub(super) fn count(
    tx: &Tx<'_>,
    sender: &SenderName,
    destination: Destination,
    receiver: &ReceiverName,
    count_to: u32,
) -> Done<u32> {
    let mut walk = Walk::new(tx, sender, destination);
    walk.add(receiver)?;
    let mut count = 0;
    while count < count_to && walk.next()?.is_some() {
        count += 1;
    }
    Ok(count)
}

fn line(tx: &Tx<'_>, notification: i64) -> Done<Option<Foldable>> {
    let read = |row: &rusqlite::Row<'_>| {
        Ok((ReceiverName(row.get(0)?), row.get(1)?, row.get::<_, String>(2)?, row.get::<_, String>(3)?))
    };
    let Some((receiver, number, severity, summary)) = tx.first(LINE, [notification], read)? else {
        return Ok(None);
    };
    let notification = NotificationId(notification);
    Ok(Some(Foldable { notification, receiver, status: status(number)?, severity, summary }))
}

/// The foldable messages of a destination in their order: heads as they come, each followed by its lane.
struct Walk<'t, 'c> {
    tx: &'t Tx<'c>,
    sender: &'t SenderName,
    destination: Key,
    next: BinaryHeap<Reverse<Step>>,
}

/// A message, by its place first. `head` is there for a head, and leads to the receiver's next head.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Step {
    place: i64,
    notification: i64,
    lane: i64,
    head: Option<Head>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Head {
    receiver: ReceiverName,
    due_at: i64,
}

impl<'t, 'c> Walk<'t, 'c> {
    fn new(tx: &'t Tx<'c>, sender: &'t SenderName, destination: Destination) -> Self {
        Self { tx, sender, destination: destination.0, next: BinaryHeap::new() }
    }

    fn add(&mut self, receiver: &ReceiverName) -> Done<()> {
        self.add_after(Head { receiver: receiver.clone(), due_at: i64::MIN }, i64::MIN)
    }

    fn add_after(&mut self, Head { receiver, due_at }: Head, place: i64) -> Done<()> {
        let read = |row: &rusqlite::Row<'_>| {
            let numbers = (row.get::<_, i64>(1)?, row.get::<_, i64>(2)?, row.get::<_, i64>(3)?);
            Ok((row.get::<_, i64>(0)?, numbers))
        };
        let (sender, destination) = (&self.sender.0, self.destination.0);
        let of = (sender, destination, &receiver.0, due_at, place);
        let next = match self.tx.first(NEXT_HEAD, of, read)? {
            None => self.tx.first(NEXT_LATER_HEAD, (sender, destination, &receiver.0, due_at), read)?,
            found => found,
        };
        self.next.extend(next.map(|(due_at, (place, notification, lane))| {
            Reverse(Step { place, notification, lane, head: Some(Head { receiver, due_at }) })
        }));
        Ok(())
    }

    fn next(&mut self) -> Done<Option<i64>> {
        let Some(Reverse(Step { place, notification, lane, head })) = self.next.pop() else {
            return Ok(None);
        };
        let after = (lane, place, notification, self.destination.0);
        let follower = self.tx.first(NEXT_IN_LANE, after, |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, bool>(2)?))
        })?;
        if let Some((place, notification, true)) = follower {
            self.next.push(Reverse(Step { place, notification, lane, head: None }));
        }
        if let Some(head) = head {
            self.add_after(head, place)?;
        }
        Ok(Some(notification))
    }
}

/// A delivery of a message that may be folded.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Part {
    id: i64,
    is_head: bool,
}

/// Puts `digest` in the place of those `members` that can be folded, and returns its first delivery. Without any
/// there is no digest.
///
/// What stands before a member in its lane must be folded into the same digest: else the digest would overtake it.
pub(super) fn fold(
    tx: &Tx<'_>,
    sender: &SenderName,
    members: &[NotificationId],
    digest: &NewNotification,
    now: Timestamp,
) -> Done<Option<i64>> {
    if digest.deliveries.is_empty() || digest.sender != *sender {
        return Ok(None);
    }
    let destination = Destination::of(sender, &digest.recipients);
    let mut candidates = Vec::new();
    for NotificationId(member) in members {
        let parts = tx.all(ROWS, (member, destination.0.0), |row| {
            let part = Part { id: row.get(2)?, is_head: row.get::<_, i64>(3)? == state_number(State::Ready) };
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, part, row.get::<_, bool>(4)?))
        })?;
        if let Some((place, lane, ..)) = parts.first()
            && parts.iter().all(|(.., can_be)| *can_be)
        {
            let (place, lane) = (*place, *lane);
            let parts: Vec<Part> = parts.into_iter().map(|(_, _, part, _)| part).collect();
            candidates.push((place, lane, *member, parts));
        }
    }
    candidates.sort_unstable();
    candidates.dedup();
    let numbers = Numbers::take(tx, digest)?;
    let first = numbers.first_delivery;
    let mut lanes = HashSet::new();
    for (place, lane, member, parts) in candidates {
        let is_first = parts.first().is_some_and(|part| part.is_head);
        if is_first || (lanes.contains(&lane) && tx.first(AHEAD, (lane, place), |_| Ok(()))?.is_none()) {
            tx.run(FOLD, (member, first))?;
            for part in parts.iter().filter(|part| !part.is_head) {
                lanes::occupy_too(tx, lane, part.id)?;
            }
            lanes.insert(lane);
        }
    }
    if lanes.is_empty() {
        return Ok(None);
    }
    // Its own lane: what waits for it waits in its members' lanes.
    let lane = rows::short(Key::of([b"digest".as_slice(), &first.to_le_bytes()]));
    let digest = NewNotification { kind: Kind::Digest, ..digest.clone() };
    enqueue::put(tx, numbers, &digest, lane, now)?;
    Ok(Some(first))
}
