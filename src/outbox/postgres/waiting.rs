//! The ready deliveries, as the dispatcher looks at them.
//!
//! A look at a destination searches an index, so it costs as much with a million waiting deliveries as with one.

use jiff::Timestamp;

use super::{
    cards::can_be_folded,
    columns::{all_recipients, column, destination, limit, millis, number, recipients, time},
    error::EngineResult,
    followers::{self, Member},
    session::Transaction,
};
use crate::{
    outbox::{
        BodyHash, DeliveryId, Destination, Head, NotificationId, Scheduled, SenderName, Sent, Waiting,
        rules::stored,
    },
    wecom::Recipients,
};

pub(super) const HEADS: &str = concat!(
    "SELECT d.due_at, d.id, d.seq, d.notification, d.ordering_key, d.part_of, ",
    can_be_folded!(),
    " AS can_be_folded, d.all_users, d.all_parties, d.all_tags, d.to_users, d.to_parties, d.to_tags
     FROM wecom_relay.delivery d
     WHERE d.state = 1 AND d.sender = $1 AND d.destination = $2 ORDER BY d.due_at, d.seq LIMIT $3"
);
pub(super) const NEXT_DUE: &str = "SELECT due_at FROM wecom_relay.delivery
     WHERE state = 1 AND sender = $1 AND destination = $2 AND due_at > $3 ORDER BY due_at LIMIT 1";
// Each step is a search for the next destination.
pub(super) const SCHEDULED: &str = "WITH RECURSIVE next AS (
         (SELECT destination, due_at FROM wecom_relay.delivery
          WHERE state = 1 AND sender = $1 ORDER BY destination, due_at LIMIT 1)
         UNION ALL SELECT d.destination, d.due_at FROM next n CROSS JOIN LATERAL
         (SELECT destination, due_at FROM wecom_relay.delivery
          WHERE state = 1 AND sender = $1 AND destination > n.destination ORDER BY destination, due_at LIMIT 1) d)
     SELECT destination, due_at FROM next";
pub(super) const SENDERS: &str = "WITH RECURSIVE next AS (
         (SELECT sender FROM wecom_relay.delivery WHERE settled_at IS NULL ORDER BY sender LIMIT 1)
         UNION ALL SELECT d.sender FROM next n CROSS JOIN LATERAL
         (SELECT sender FROM wecom_relay.delivery
          WHERE settled_at IS NULL AND sender > n.sender ORDER BY sender LIMIT 1) d)
     SELECT sender FROM next";
// The next page begins after the last time of this one, so attempts with the same time are not separated.
macro_rules! page {
    ($ended_at:literal) => {
        concat!(" ORDER BY ", $ended_at, " FETCH FIRST ($3::bigint) ROWS WITH TIES")
    };
}
pub(super) const COUNTED: &str = concat!(
    "SELECT id, to_users, to_parties, to_tags, body, attempt_ended_at AS ended_at FROM wecom_relay.delivery
     WHERE attempt_counted AND sender = $1 AND attempt_ended_at > $2",
    page!("attempt_ended_at")
);
pub(super) const EARLIER_COUNTED: &str = concat!(
    "SELECT d.id, d.to_users, d.to_parties, d.to_tags, d.body, a.ended_at FROM wecom_relay.attempt a
     JOIN wecom_relay.delivery d ON d.id = a.delivery
     WHERE a.counted AND a.sender = $1 AND a.ended_at > $2",
    page!("a.ended_at")
);
pub(super) const PURGED_COUNTED: &str = concat!(
    "SELECT delivery AS id, to_users, to_parties, to_tags, body, ended_at FROM wecom_relay.purged_attempt
     WHERE sender = $1 AND ended_at > $2",
    page!("ended_at")
);
/// The places of counted attempts. They only move from an earlier one to a later one, so none is missed in this order.
pub(super) const ALL_COUNTED: [&str; 3] = [COUNTED, EARLIER_COUNTED, PURGED_COUNTED];
/// The number of attempts in one page, which is read in a transaction of its own: an hour of a busy sender takes longer than
/// a transaction may, and the keeper needs the thread in between.
pub(super) const COUNTED_AT_ONCE: usize = 5000;

/// The arguments of a look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look<'a> {
    pub(super) sender: &'a SenderName,
    /// Deliveries are counted up to this number.
    pub(super) count_to: u32,
    pub(super) now: Timestamp,
}

/// A ready delivery.
struct Ready {
    due_at: i64,
    head: Head,
    /// Its notification, if that can be folded.
    member: Option<Member>,
}

pub(super) async fn waiting(tx: &Transaction<'_>, look: &Look<'_>, to: Destination) -> EngineResult<Waiting> {
    let Look { sender, count_to, now } = *look;
    // One row more than the bound shows if another delivery is due later.
    let most = limit(count_to.saturating_add(1));
    let (key, now) = (to.0.0.as_slice(), millis(now));
    let mut found = None;
    let ready = tx
        .all(HEADS, &[&sender.0, &key, &most], |row| {
            if found.is_none() {
                // A claim sets a row aside that cannot be read.
                found = all_recipients(row).ok();
            }
            let (notification, ordering_key) = (column(row, "notification")?, column(row, "ordering_key")?);
            let started = !column::<bool>(row, "can_be_folded")?;
            let head = Head {
                delivery: DeliveryId(column(row, "id")?),
                notification: NotificationId(notification),
                slots: if started { 1 } else { number(row, "part_of")?.max(1) },
                started,
            };
            let member = Member { seq: column(row, "seq")?, notification, ordering_key, is_head: true };
            Ok(Ready { due_at: column(row, "due_at")?, head, member: (!started).then_some(member) })
        })
        .await?;
    let mut ready = ready;
    let due = ready.partition_point(|ready| ready.due_at <= now);
    let next_due = match ready.get(due) {
        Some(next) => Some(next.due_at),
        None if (ready.len() as u64) <= u64::from(count_to) => None,
        None => tx.first(NEXT_DUE, &[&sender.0, &key, &now], |row| column(row, "due_at")).await?,
    };
    ready.truncate(due.min(count_to as usize));
    let members = ready.iter().filter_map(|ready| ready.member).collect();
    let foldable = followers::with_followers(tx, members, to, count_to as usize).await?.len();
    Ok(Waiting {
        destination: to,
        recipients: found.filter(|_| due > 0).unwrap_or(Recipients::Nobody),
        heads: ready.iter().map(|ready| ready.head).collect(),
        foldable: u32::try_from(foldable).unwrap_or(u32::MAX),
        next_due: next_due.map(stored::timestamp).transpose()?,
    })
}

/// All destinations that have a ready delivery. O(destinations), not O(deliveries).
pub(super) async fn scheduled(tx: &Transaction<'_>, sender: &SenderName) -> EngineResult<Vec<Scheduled>> {
    tx.all(SCHEDULED, &[&sender.0], |row| {
        Ok(Scheduled { destination: destination(row)?, due_at: time(row, "due_at")? })
    })
    .await
}

/// All senders with an unsettled delivery.
pub(super) async fn senders(tx: &Transaction<'_>) -> EngineResult<Vec<SenderName>> {
    tx.all(SENDERS, &[], |row| Ok(SenderName(column(row, "sender")?))).await
}

/// The next [`COUNTED_AT_ONCE`] attempts of `statement`, one of [`ALL_COUNTED`], that ended after `after`, in order. It may
/// be some more, with the same time as the last one.
pub(super) async fn sent_after(
    tx: &Transaction<'_>,
    statement: &str,
    sender: &SenderName,
    after: Timestamp,
) -> EngineResult<Vec<Sent>> {
    let most = i64::try_from(COUNTED_AT_ONCE).unwrap_or(i64::MAX);
    tx.all(statement, &[&sender.0, &millis(after), &most], |row| {
        Ok(Sent {
            delivery: DeliveryId(column(row, "id")?),
            // A damaged row must not stop its sender. It counts for the sender, and not for its recipients.
            recipients: recipients(row).unwrap_or(Recipients::Nobody),
            body: BodyHash(column(row, "body")?),
            ended_at: time(row, "ended_at")?,
        })
    })
    .await
}
