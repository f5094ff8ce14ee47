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
    Channel, DeliveryId, Destination, Key, NotificationId, Part, Queue, ReceiverName, Sent, Waiting,
};

// One row-value comparison would do for these two, but SQLite then walks over all rows of the queue it comes from.
pub(super) const NEXT_RECEIVER: &str = "SELECT destination, receiver FROM delivery INDEXED BY delivery_ready
     WHERE state = 1 AND channel = ?1 AND destination = ?2 AND receiver > ?3 ORDER BY receiver LIMIT 1";
pub(super) const NEXT_DESTINATION: &str =
    "SELECT destination, receiver FROM delivery INDEXED BY delivery_ready
     WHERE state = 1 AND channel = ?1 AND destination > ?2 ORDER BY destination, receiver LIMIT 1";
pub(super) const FIRST_DUE: &str = "SELECT d.due_at, d.notification, d.part_number, d.part_of, d.id, d.fresh,
     n.touser, n.toparty, n.totag
     FROM delivery d INDEXED BY delivery_ready CROSS JOIN notification n ON n.id = d.notification
     WHERE d.state = 1 AND d.channel = ?1 AND d.destination = ?2 AND d.receiver = ?3 AND d.due_at <= ?4
     ORDER BY d.due_at, d.place LIMIT 1";
pub(super) const COUNT_DUE: &str = "SELECT count(*) FROM (SELECT 1 FROM delivery INDEXED BY delivery_ready
     WHERE state = 1 AND channel = ?1 AND destination = ?2 AND receiver = ?3 AND due_at <= ?4 LIMIT ?5)";
pub(super) const NEXT_DUE: &str = "SELECT due_at FROM delivery INDEXED BY delivery_ready
     WHERE state = 1 AND channel = ?1 AND destination = ?2 AND receiver = ?3 AND due_at > ?4
     ORDER BY due_at LIMIT 1";
pub(super) const NEXT_CHANNEL: &str = "SELECT channel FROM delivery INDEXED BY delivery_ready
     WHERE state = 1 AND channel > ?1 ORDER BY channel LIMIT 1";
pub(super) const CHANNELS_IN_FLIGHT: &str =
    "SELECT channel FROM delivery INDEXED BY delivery_in_flight WHERE state = 2";
pub(super) const SENT_SINCE: &str = "SELECT m.touser, m.toparty, m.totag, a.ended_at
     FROM attempt a INDEXED BY attempt_counted CROSS JOIN message m ON m.delivery = a.delivery
     WHERE a.counted = 1 AND a.channel = ?1 AND a.ended_at > ?2 ORDER BY a.ended_at";

pub(super) fn waiting(tx: &Tx<'_>, channel: &Channel, bounds: (u32, u32), now: Timestamp) -> Done<Waiting> {
    let mut waiting = Waiting::default();
    let mut last = None;
    while let Some((destination, receiver)) = next_queue(tx, channel, last.as_ref())? {
        waiting.queues.extend(queue(tx, channel, destination, receiver.clone(), bounds, now)?);
        let of = (&channel.0, destination.0.0, &receiver.0, ms(now));
        let later = tx.first(NEXT_DUE, of, |row| row.get::<_, i64>(0))?;
        if let Some(later) = later.map(time).transpose()? {
            waiting.next_due = Some(waiting.next_due.map_or(later, |due| due.min(later)));
        }
        last = Some((destination, receiver));
    }
    Ok(waiting)
}

type QueueKey = (Destination, ReceiverName);

fn next_queue(tx: &Tx<'_>, channel: &Channel, last: Option<&QueueKey>) -> Done<Option<QueueKey>> {
    let read = |row: &rusqlite::Row<'_>| Ok((Destination(Key(row.get(0)?)), ReceiverName(row.get(1)?)));
    let Some((destination, receiver)) = last else {
        return tx.first(NEXT_DESTINATION, (&channel.0, [0_u8; 0].as_slice()), read);
    };
    let destination = destination.0.0;
    let sibling = tx.first(NEXT_RECEIVER, (&channel.0, destination, &receiver.0), read)?;
    sibling.map_or_else(
        || tx.first(NEXT_DESTINATION, (&channel.0, destination.as_slice()), read),
        |found| Ok(Some(found)),
    )
}

fn queue(
    tx: &Tx<'_>,
    channel: &Channel,
    destination: Destination,
    receiver: ReceiverName,
    (count_to, fold_to): (u32, u32),
    now: Timestamp,
) -> Done<Option<Queue>> {
    let read = |row: &rusqlite::Row<'_>| {
        let part = Part { number: row.get(2)?, of: row.get(3)? };
        let (delivery, fresh) = (DeliveryId(row.get(4)?), row.get::<_, bool>(5)?);
        let slots = claim::slots(part, fresh);
        Ok((row.get::<_, i64>(0)?, NotificationId(row.get(1)?), slots, delivery, !fresh, To::read(row, 6)?))
    };
    let of = (&channel.0, destination.0.0, &receiver.0, ms(now));
    let Some((due_at, notification, slots, delivery, started, to)) = tx.first(FIRST_DUE, of, read)? else {
        return Ok(None);
    };
    let bounded = (&channel.0, destination.0.0, &receiver.0, ms(now), count_to);
    let due = tx.only(COUNT_DUE, bounded, |row| row.get(0))?;
    let fresh = fold::count(tx, channel, destination, &receiver, fold_to)?;
    let (recipients, due_at) = (to.recipients()?, time(due_at)?);
    Ok(Some(Queue {
        destination,
        receiver,
        recipients,
        due_at,
        slots,
        delivery,
        notification,
        started,
        due,
        fresh,
    }))
}

/// A lane that is not settled has a head, or a digest that has one: so looking at heads finds every channel.
pub(super) fn channels(tx: &Tx<'_>) -> Done<Vec<Channel>> {
    let mut names = tx.all(CHANNELS_IN_FLIGHT, [], |row| row.get::<_, String>(0))?;
    let mut last = String::new();
    while let Some(next) = tx.first(NEXT_CHANNEL, [&last], |row| row.get::<_, String>(0))? {
        names.push(next.clone());
        last = next;
    }
    names.sort_unstable();
    names.dedup();
    Ok(names.into_iter().map(Channel).collect())
}

pub(super) fn sent_since(tx: &Tx<'_>, channel: &Channel, since: Timestamp) -> Done<Vec<Sent>> {
    let read = |row: &rusqlite::Row<'_>| Ok((To::read(row, 0)?, row.get(3)?));
    let rows = tx.all(SENT_SINCE, (&channel.0, ms(since)), read)?;
    let sent =
        |(to, ended_at): (To, i64)| Ok(Sent { recipients: to.recipients()?, ended_at: time(ended_at)? });
    rows.into_iter().map(sent).collect()
}
