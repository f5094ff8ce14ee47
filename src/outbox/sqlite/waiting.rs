//! The ready deliveries, as the dispatcher looks at them.
//!
//! A look at a destination searches an index, so it costs as much with a million waiting deliveries as with one.

use jiff::Timestamp;

use super::{
    columns::{
        all_recipients_columns, destination_column, millis, part_columns, recipients_columns, time_column,
        timestamp,
    },
    error::EngineResult,
    fold,
    sql::Sql,
    transaction::Transaction,
};
use crate::{
    outbox::{
        BodyHash, DeliveryId, Destination, NotificationId, Part, Queue, ReceiverName, Scheduled, SenderName,
        Sent, Waiting, rules::claim,
    },
    wecom::Recipients,
};

// SQLite reads all rows of the previous queue for one comparison of `(destination, receiver)`, so the next queue is
// searched by two statements.
pub(super) const NEXT_RECEIVER: &str = "SELECT receiver FROM delivery INDEXED BY delivery_ready
     WHERE state = 1 AND sender = ?1 AND destination = ?2 AND receiver > ?3 ORDER BY receiver LIMIT 1";
pub(super) const NEXT_DESTINATION: &str = "SELECT destination FROM delivery INDEXED BY delivery_ready
     WHERE state = 1 AND sender = ?1 AND destination > ?2 ORDER BY destination LIMIT 1";
pub(super) const HEADS: &str = "SELECT due_at, id, foldable FROM delivery INDEXED BY delivery_ready
     WHERE state = 1 AND sender = ?1 AND destination = ?2 AND receiver = ?3 ORDER BY due_at, seq LIMIT ?4";
pub(super) const NEXT_DUE: &str = "SELECT due_at FROM delivery INDEXED BY delivery_ready
     WHERE state = 1 AND sender = ?1 AND destination = ?2 AND receiver = ?3 AND due_at > ?4
     ORDER BY due_at LIMIT 1";
pub(super) const FIRST: &str =
    "SELECT notification, part_number, part_of, all_users, all_parties, all_tags, to_users,
     to_parties, to_tags FROM delivery WHERE id = ?1";
pub(super) const NEXT_SENDER: &str = "SELECT sender FROM delivery INDEXED BY delivery_open
     WHERE settled_at IS NULL AND sender > ?1 ORDER BY sender LIMIT 1";
pub(super) const COUNTED: &str =
    "SELECT id, to_users, to_parties, to_tags, body, attempt_ended_at AS ended_at
     FROM delivery INDEXED BY delivery_counted
     WHERE attempt_counted = 1 AND sender = ?1 AND attempt_ended_at > ?2";
pub(super) const EARLIER_COUNTED: &str =
    "SELECT d.id, d.to_users, d.to_parties, d.to_tags, d.body, a.ended_at
     FROM attempt a INDEXED BY attempt_counted CROSS JOIN delivery d ON d.id = a.delivery
     WHERE a.counted = 1 AND a.sender = ?1 AND a.ended_at > ?2";

pub(super) fn waiting(
    tx: &Transaction<'_>,
    sender: &SenderName,
    destinations: &[Destination],
    count_to: u32,
    now: Timestamp,
) -> EngineResult<Vec<Waiting>> {
    let one = |destination: &Destination| waiting_for(tx, sender, *destination, count_to, now);
    destinations.iter().map(one).collect()
}

fn waiting_for(
    tx: &Transaction<'_>,
    sender: &SenderName,
    destination: Destination,
    count_to: u32,
    now: Timestamp,
) -> EngineResult<Waiting> {
    let mut waiting = Waiting { destination, queues: Vec::new(), next_due: None };
    let mut next_due = None;
    let mut last = String::new();
    while let Some(receiver) = next_receiver(tx.sql, sender, destination, &last)? {
        let queue = QueueKey { sender: &sender.0, destination, receiver: &receiver };
        let heads = Heads::read(tx.sql, &queue, count_to, now)?;
        next_due = earliest(next_due, heads.next_due);
        if let Some(first) = heads.first {
            let foldable = fold::count(tx, sender, destination, &receiver, count_to)?;
            let first_row = FirstRow::read(tx.sql, first.id)?;
            waiting.queues.push(Queue {
                destination,
                receiver: ReceiverName(receiver.clone()),
                recipients: first_row.recipients,
                slots: claim::slots(first_row.part, !first.is_foldable),
                delivery: DeliveryId(first.id),
                notification: first_row.notification,
                started: !first.is_foldable,
                due: heads.due,
                foldable,
            });
        }
        last = receiver;
    }
    waiting.next_due = next_due.map(timestamp).transpose()?;
    Ok(waiting)
}

fn next_receiver(
    sql: Sql<'_>,
    sender: &SenderName,
    destination: Destination,
    last: &str,
) -> EngineResult<Option<String>> {
    sql.first(NEXT_RECEIVER, (&sender.0, destination.0.0, last), |row| Ok(row.get("receiver")?))
}

fn earliest(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    a.into_iter().chain(b).min()
}

struct QueueKey<'a> {
    sender: &'a str,
    destination: Destination,
    receiver: &'a str,
}

/// The ready deliveries of one queue.
struct Heads {
    first: Option<FirstHead>,
    /// The number of due deliveries, up to a bound.
    due: u32,
    next_due: Option<i64>,
}

#[derive(Clone, Copy)]
struct FirstHead {
    due_at: i64,
    id: i64,
    is_foldable: bool,
}

impl Heads {
    fn read(sql: Sql<'_>, queue: &QueueKey<'_>, count_to: u32, now: Timestamp) -> EngineResult<Self> {
        let QueueKey { sender, destination: Destination(destination), receiver } = *queue;
        let now = millis(now);
        // One row more than the bound shows if another delivery is due later.
        let limit = count_to.saturating_add(1);
        let rows = sql.all(HEADS, (sender, destination.0, receiver, limit), |row| {
            let (due_at, id, is_foldable) = (row.get("due_at")?, row.get("id")?, row.get("foldable")?);
            Ok(FirstHead { due_at, id, is_foldable })
        })?;
        let due = rows.partition_point(|head| head.due_at <= now);
        let next_due = match rows.get(due) {
            Some(head) => Some(head.due_at),
            None if rows.len() < limit as usize => None,
            None => {
                sql.first(NEXT_DUE, (sender, destination.0, receiver, now), |row| Ok(row.get("due_at")?))?
            }
        };
        let first = rows.first().filter(|_| due > 0).copied();
        let due = u32::try_from(due).unwrap_or(u32::MAX).min(count_to);
        Ok(Self { first, due, next_due })
    }
}

/// The first delivery of a queue.
struct FirstRow {
    notification: NotificationId,
    part: Part,
    recipients: Recipients,
}

impl FirstRow {
    fn read(sql: Sql<'_>, id: i64) -> EngineResult<Self> {
        sql.only(FIRST, [id], |row| {
            Ok(Self {
                notification: NotificationId(row.get("notification")?),
                part: part_columns(row)?,
                recipients: all_recipients_columns(row)?,
            })
        })
    }
}

/// All destinations that have a ready delivery. O(destinations), not O(deliveries).
pub(super) fn scheduled(sql: Sql<'_>, sender: &SenderName) -> EngineResult<Vec<Scheduled>> {
    let mut scheduled = Vec::new();
    let mut last: Vec<u8> = Vec::new();
    while let Some(destination) = sql.first(NEXT_DESTINATION, (&sender.0, &last), destination_column)? {
        last = destination.0.0.to_vec();
        if let Some(due_at) = first_due(sql, sender, destination)? {
            scheduled.push(Scheduled { destination, due_at: timestamp(due_at)? });
        }
    }
    Ok(scheduled)
}

fn first_due(sql: Sql<'_>, sender: &SenderName, destination: Destination) -> EngineResult<Option<i64>> {
    let (mut first_due, mut last) = (None, String::new());
    while let Some(receiver) = next_receiver(sql, sender, destination, &last)? {
        let queue = (&sender.0, destination.0.0, &receiver, 1);
        let due_at = sql.first(HEADS, queue, |row| Ok(row.get("due_at")?))?;
        first_due = earliest(first_due, due_at);
        last = receiver;
    }
    Ok(first_due)
}

/// All senders with an unsettled delivery.
pub(super) fn senders(sql: Sql<'_>) -> EngineResult<Vec<SenderName>> {
    let mut senders = Vec::new();
    let mut last = String::new();
    while let Some(sender) = sql.first(NEXT_SENDER, [&last], |row| Ok(row.get::<_, String>("sender")?))? {
        senders.push(SenderName(sender.clone()));
        last = sender;
    }
    Ok(senders)
}

pub(super) fn sent_since(sql: Sql<'_>, sender: &SenderName, since: Timestamp) -> EngineResult<Vec<Sent>> {
    let mut sent = Vec::new();
    for statement in [COUNTED, EARLIER_COUNTED] {
        sent.extend(sql.all(statement, (&sender.0, millis(since)), |row| {
            Ok(Sent {
                delivery: DeliveryId(row.get("id")?),
                recipients: recipients_columns(row)?,
                body: BodyHash(row.get("body")?),
                ended_at: time_column(row, "ended_at")?,
            })
        })?);
    }
    sent.sort_by_key(|sent| sent.ended_at);
    Ok(sent)
}
