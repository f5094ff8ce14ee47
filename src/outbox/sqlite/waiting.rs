//! What waits, for the loop that sends.
//!
//! Queues are found by skipping from one to the next in the index of heads, so that a look costs by the number
//! of queues and not by that of deliveries.

use jiff::Timestamp;

use super::{
    claim,
    error::Done,
    fold,
    rows::{To, ms, time},
    tx::Tx,
};
use crate::outbox::{
    DeliveryId, Destination, Key, NotificationId, Part, Queue, ReceiverName, SenderName, Sent, Waiting,
};

// One row-value comparison would do for these two, but SQLite then walks over all rows of the queue it comes from.
pub(super) const NEXT_RECEIVER: &str = "SELECT destination, receiver FROM delivery INDEXED BY delivery_ready
     WHERE state = 1 AND sender = ?1 AND destination = ?2 AND receiver > ?3 ORDER BY receiver LIMIT 1";
pub(super) const NEXT_DESTINATION: &str =
    "SELECT destination, receiver FROM delivery INDEXED BY delivery_ready
     WHERE state = 1 AND sender = ?1 AND destination > ?2 ORDER BY destination, receiver LIMIT 1";
pub(super) const HEADS: &str = "SELECT due_at, place, id FROM delivery INDEXED BY delivery_ready
     WHERE state = 1 AND sender = ?1 AND destination = ?2 AND receiver = ?3 AND fresh = ?4
     ORDER BY due_at, place LIMIT ?5";
pub(super) const NEXT_DUE: &str = "SELECT due_at FROM delivery INDEXED BY delivery_ready
     WHERE state = 1 AND sender = ?1 AND destination = ?2 AND receiver = ?3 AND fresh = ?4 AND due_at > ?5
     ORDER BY due_at LIMIT 1";
pub(super) const FIRST: &str = "SELECT d.notification, d.part_number, d.part_of, n.touser, n.toparty, n.totag
     FROM delivery d CROSS JOIN notification n ON n.id = d.notification WHERE d.id = ?1";
pub(super) const NEXT_CHANNEL: &str = "SELECT sender FROM delivery INDEXED BY delivery_ready
     WHERE state = 1 AND sender > ?1 ORDER BY sender LIMIT 1";
pub(super) const CHANNELS_IN_FLIGHT: &str =
    "SELECT sender FROM delivery INDEXED BY delivery_in_flight WHERE state = 2";
pub(super) const SENT_SINCE: &str = "SELECT m.touser, m.toparty, m.totag, a.ended_at
     FROM attempt a INDEXED BY attempt_counted CROSS JOIN message m ON m.delivery = a.delivery
     WHERE a.counted = 1 AND a.sender = ?1 AND a.ended_at > ?2 ORDER BY a.ended_at";

pub(super) fn waiting(tx: &Tx<'_>, sender: &SenderName, count_to: u32, now: Timestamp) -> Done<Waiting> {
    let mut waiting = Waiting::default();
    let mut last = None;
    while let Some((destination, receiver)) = next_queue(tx, sender, last.as_ref())? {
        let heads = Heads::of(tx, (sender, destination, &receiver), count_to, now)?;
        if let Some(later) = heads.later.map(time).transpose()? {
            waiting.next_due = Some(waiting.next_due.map_or(later, |due| due.min(later)));
        }
        waiting.queues.extend(queue(tx, sender, destination, receiver.clone(), &heads, count_to)?);
        last = Some((destination, receiver));
    }
    Ok(waiting)
}

/// The heads of one queue.
struct Heads {
    /// The first one that is due, and whether it is fresh.
    first: Option<(Head, bool)>,
    /// How many are due, counted up to a bound.
    due: u32,
    /// When the next one becomes due.
    later: Option<i64>,
}

impl Heads {
    fn of(
        tx: &Tx<'_>,
        (sender, destination, receiver): (&SenderName, Destination, &ReceiverName),
        count_to: u32,
        now: Timestamp,
    ) -> Done<Self> {
        let mut heads = Self { first: None, due: 0, later: None };
        for fresh in [true, false] {
            let of = (&sender.0, destination.0.0, &receiver.0, fresh);
            // One more than is counted shows whether any is due later.
            let limit = count_to.saturating_add(1);
            let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
            let rows: Vec<Head> = tx.all(HEADS, (of.0, of.1, of.2, of.3, limit), read)?;
            let due = rows.partition_point(|(due_at, ..)| *due_at <= ms(now));
            if let Some(head) = rows.first().filter(|_| due > 0) {
                let head = (*head, fresh);
                heads.first = Some(heads.first.map_or(head, |first| first.min(head)));
            }
            let later = match rows.get(due) {
                Some((due_at, ..)) => Some(*due_at),
                None if due < limit as usize => None,
                None => tx.first(NEXT_DUE, (of.0, of.1, of.2, of.3, ms(now)), |row| row.get(0))?,
            };
            heads.later = heads.later.into_iter().chain(later).min();
            heads.due = heads.due.saturating_add(u32::try_from(due).unwrap_or(u32::MAX)).min(count_to);
        }
        Ok(heads)
    }
}

/// A head: since when it is due, its place, and its delivery.
pub(super) type Head = (i64, i64, i64);

/// The first heads of each queue of a sender, up to `slots` that are due and one that is due later, and whether there
/// may be more that are due.
pub(super) fn first_heads(
    tx: &Tx<'_>,
    sender: &SenderName,
    slots: u32,
    now: Timestamp,
) -> Done<(Vec<Vec<Head>>, bool)> {
    let (mut queues, mut is_cut) = (Vec::new(), false);
    let mut last = None;
    while let Some((destination, receiver)) = next_queue(tx, sender, last.as_ref())? {
        let mut queue = Vec::new();
        for fresh in [true, false] {
            let of = (&sender.0, destination.0.0, &receiver.0, fresh, slots.saturating_add(1));
            let heads = tx.all(HEADS, of, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            let due = heads.iter().filter(|(due_at, ..): &&Head| *due_at <= ms(now)).count();
            is_cut |= due > slots as usize;
            queue.extend(heads);
        }
        queues.push(queue);
        last = Some((destination, receiver));
    }
    Ok((queues, is_cut))
}

type QueueKey = (Destination, ReceiverName);

fn next_queue(tx: &Tx<'_>, sender: &SenderName, last: Option<&QueueKey>) -> Done<Option<QueueKey>> {
    let read = |row: &rusqlite::Row<'_>| Ok((Destination(Key(row.get(0)?)), ReceiverName(row.get(1)?)));
    let Some((destination, receiver)) = last else {
        return tx.first(NEXT_DESTINATION, (&sender.0, [0_u8; 0].as_slice()), read);
    };
    let destination = destination.0.0;
    let sibling = tx.first(NEXT_RECEIVER, (&sender.0, destination, &receiver.0), read)?;
    sibling.map_or_else(
        || tx.first(NEXT_DESTINATION, (&sender.0, destination.as_slice()), read),
        |found| Ok(Some(found)),
    )
}

fn queue(
    tx: &Tx<'_>,
    sender: &SenderName,
    destination: Destination,
    receiver: ReceiverName,
    heads: &Heads,
    count_to: u32,
) -> Done<Option<Queue>> {
    let Some(((due_at, _, id), is_fresh)) = heads.first else { return Ok(None) };
    let (notification, part, to) = tx.only(FIRST, [id], |row| {
        let part = Part { number: row.get(1)?, of: row.get(2)? };
        Ok((NotificationId(row.get(0)?), part, To::read(row, 3)?))
    })?;
    let fresh = fold::count(tx, sender, destination, &receiver, count_to)?;
    Ok(Some(Queue {
        destination,
        receiver,
        recipients: to.recipients()?,
        due_at: time(due_at)?,
        slots: claim::slots(part, is_fresh),
        delivery: DeliveryId(id),
        notification,
        started: !is_fresh,
        due: heads.due,
        fresh,
    }))
}

/// A lane that is not settled has a head, or a digest that has one: so looking at heads finds every sender.
pub(super) fn senders(tx: &Tx<'_>) -> Done<Vec<SenderName>> {
    let mut names = tx.all(CHANNELS_IN_FLIGHT, [], |row| row.get::<_, String>(0))?;
    let mut last = String::new();
    while let Some(next) = tx.first(NEXT_CHANNEL, [&last], |row| row.get::<_, String>(0))? {
        names.push(next.clone());
        last = next;
    }
    names.sort_unstable();
    names.dedup();
    Ok(names.into_iter().map(SenderName).collect())
}

pub(super) fn sent_since(tx: &Tx<'_>, sender: &SenderName, since: Timestamp) -> Done<Vec<Sent>> {
    let read = |row: &rusqlite::Row<'_>| Ok((To::read(row, 0)?, row.get(3)?));
    let rows = tx.all(SENT_SINCE, (&sender.0, ms(since)), read)?;
    let sent =
        |(to, ended_at): (To, i64)| Ok(Sent { recipients: to.recipients()?, ended_at: time(ended_at)? });
    rows.into_iter().map(sent).collect()
}
