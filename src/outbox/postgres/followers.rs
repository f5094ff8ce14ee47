//! The notifications that can be folded.
//!
//! The foldable notifications of an ordering key are a run from its head. They are found from the heads, so a long queue
//! behind an attempted delivery is never looked at.

use super::{cards::can_be_folded, columns::column, error::EngineResult, session::Transaction};
use crate::outbox::Destination;

// Each step adds at most one notification of each ordering key, and a row that is not needed is not searched.
pub(super) const FOLLOWERS: &str = concat!(
    "WITH RECURSIVE run AS (
         SELECT u.ordering_key, u.seq, u.notification, 0 AS step
         FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS u (ordering_key, seq, notification)
         UNION ALL SELECT r.ordering_key, f.seq, f.notification, r.step + 1 FROM run r CROSS JOIN LATERAL
         (SELECT d.seq, d.notification, d.destination = $4 AND ",
    can_be_folded!(),
    " AS can_be_folded
          FROM wecom_relay.delivery d WHERE d.state = 0 AND d.ordering_key = r.ordering_key AND d.seq > r.seq
          AND d.notification <> r.notification ORDER BY d.seq LIMIT 1) f WHERE f.can_be_folded)
     SELECT ordering_key, seq, notification FROM run WHERE step > 0 LIMIT $5"
);

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

/// Adds the foldable notifications that follow `heads` in their ordering keys, up to `limit` notifications.
pub(super) async fn with_followers(
    tx: &Transaction<'_>,
    heads: Vec<Member>,
    destination: Destination,
    limit: usize,
) -> EngineResult<Vec<Member>> {
    let free = limit.saturating_sub(heads.len());
    if heads.is_empty() || free == 0 {
        return Ok(heads);
    }
    let keys: Vec<i64> = heads.iter().map(|head| head.ordering_key).collect();
    let places: Vec<i64> = heads.iter().map(|head| head.seq).collect();
    let notifications: Vec<i64> = heads.iter().map(|head| head.notification).collect();
    let free = i64::try_from(free).unwrap_or(i64::MAX);
    let key = destination.0.0.as_slice();
    let followers = tx
        .all(FOLLOWERS, &[&keys, &places, &notifications, &key, &free], |row| {
            Ok(Member {
                seq: column(row, "seq")?,
                notification: column(row, "notification")?,
                ordering_key: column(row, "ordering_key")?,
                is_head: false,
            })
        })
        .await?;
    let mut members = heads;
    members.extend(followers);
    Ok(members)
}
