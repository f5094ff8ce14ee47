//! The ready deliveries, as the dispatcher looks at them.
//!
//! A look at a destination searches an index, so it costs as much with a million waiting deliveries as with one.

use jiff::Timestamp;

use super::{
    cards::can_be_folded,
    columns::{
        all_recipients_columns, destination_column, millis, recipients_columns, time_column, timestamp,
    },
    error::EngineResult,
    fold::{self, Member},
    sql::Sql,
    transaction::Look,
};
use crate::{
    outbox::{BodyHash, DeliveryId, Destination, Head, NotificationId, Scheduled, SenderName, Sent, Waiting},
    wecom::Recipients,
};

pub(super) const HEADS: &str = concat!(
    "SELECT due_at, id, seq, notification, ordering_key, part_of, ",
    can_be_folded!(),
    " AS can_be_folded, all_users, all_parties, all_tags, to_users, to_parties, to_tags
     FROM delivery INDEXED BY delivery_ready
     WHERE state = 1 AND sender = ?1 AND destination = ?2 ORDER BY due_at, seq LIMIT ?3"
);
pub(super) const NEXT_DUE: &str = "SELECT due_at FROM delivery INDEXED BY delivery_ready
     WHERE state = 1 AND sender = ?1 AND destination = ?2 AND due_at > ?3 ORDER BY due_at LIMIT 1";
pub(super) const NEXT_DESTINATION: &str = "SELECT destination, due_at FROM delivery INDEXED BY delivery_ready
     WHERE state = 1 AND sender = ?1 AND destination > ?2 ORDER BY destination, due_at LIMIT 1";
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
pub(super) const PURGED_COUNTED: &str =
    "SELECT delivery AS id, to_users, to_parties, to_tags, body, ended_at FROM purged_attempt
     INDEXED BY purged_attempt_ended WHERE sender = ?1 AND ended_at > ?2";

/// A ready delivery.
struct Ready {
    due_at: i64,
    head: Head,
    /// Its notification, if that can be folded.
    member: Option<Member>,
}

pub(super) fn waiting(sql: Sql<'_>, look: &Look<'_>, destination: Destination) -> EngineResult<Waiting> {
    let Look { sender, count_to, now } = *look;
    // One row more than the bound shows if another delivery is due later.
    let limit = count_to.saturating_add(1);
    let mut recipients = None;
    let mut ready = sql.all(HEADS, (&sender.0, destination.0.0, limit), |row| {
        if recipients.is_none() {
            // A claim sets a row aside that cannot be read.
            recipients = all_recipients_columns(row).ok();
        }
        let (notification, part_of) = (row.get("notification")?, row.get::<_, u32>("part_of")?);
        let started = !row.get::<_, bool>("can_be_folded")?;
        let head = Head {
            delivery: DeliveryId(row.get("id")?),
            notification: NotificationId(notification),
            slots: if started { 1 } else { part_of.max(1) },
            started,
        };
        let (seq, ordering_key) = (row.get("seq")?, row.get("ordering_key")?);
        let member = (!started).then_some(Member { seq, notification, ordering_key, is_head: true });
        Ok(Ready { due_at: row.get("due_at")?, head, member })
    })?;
    let due = ready.partition_point(|ready| ready.due_at <= millis(now));
    let next_due = match ready.get(due) {
        Some(next) => Some(next.due_at),
        None if ready.len() < limit as usize => None,
        None => {
            sql.first(NEXT_DUE, (&sender.0, destination.0.0, millis(now)), |row| Ok(row.get("due_at")?))?
        }
    };
    ready.truncate(due.min(count_to as usize));
    let members = ready.iter().filter_map(|ready| ready.member).collect();
    let foldable = fold::with_followers(sql, members, destination, count_to as usize)?.len();
    Ok(Waiting {
        destination,
        recipients: recipients.filter(|_| due > 0).unwrap_or(Recipients::Nobody),
        heads: ready.iter().map(|ready| ready.head).collect(),
        foldable: u32::try_from(foldable).unwrap_or(u32::MAX),
        next_due: next_due.map(timestamp).transpose()?,
    })
}

/// All destinations that have a ready delivery. O(destinations), not O(deliveries).
pub(super) fn scheduled(sql: Sql<'_>, sender: &SenderName) -> EngineResult<Vec<Scheduled>> {
    let mut scheduled = Vec::new();
    let mut last: Vec<u8> = Vec::new();
    while let Some(next) = sql.first(NEXT_DESTINATION, (&sender.0, &last), |row| {
        Ok(Scheduled { destination: destination_column(row)?, due_at: time_column(row, "due_at")? })
    })? {
        last = next.destination.0.0.to_vec();
        scheduled.push(next);
    }
    Ok(scheduled)
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
    for statement in [COUNTED, EARLIER_COUNTED, PURGED_COUNTED] {
        sent.extend(sql.all(statement, (&sender.0, millis(since)), |row| {
            Ok(Sent {
                delivery: DeliveryId(row.get("id")?),
                // A damaged row must not stop its sender. It counts for the sender, and not for its recipients.
                recipients: recipients_columns(row).unwrap_or(Recipients::Nobody),
                body: BodyHash(row.get("body")?),
                ended_at: time_column(row, "ended_at")?,
            })
        })?);
    }
    sent.sort_by_key(|sent| sent.ended_at);
    Ok(sent)
}
