//! The order of deliveries with one ordering key.
//!
//! `ordering_key.heads` counts the deliveries that are ready, in flight or folded. While it is not 0, later deliveries
//! are queued. When it becomes 0, the first queued delivery becomes ready. A transaction that changes this holds the lock of
//! the row. Locks of several ordering keys are taken in the order of their numbers.

use std::collections::BTreeMap;

use tokio_postgres::Row;

use super::{
    columns::{column, destination, key, optional_time},
    error::{EngineError, EngineResult},
    session::{Param, Transaction},
};
use crate::outbox::{NotificationId, SenderName, rules::dedup::LastAccepted};

pub(super) const MAKE: &str = "INSERT INTO wecom_relay.ordering_key (id, heads, expires_at)
     SELECT id, 0, 0 FROM unnest($1::bigint[]) WITH ORDINALITY AS u (id, n) ORDER BY n ON CONFLICT DO NOTHING";
pub(super) const LOCK: &str = "SELECT id, heads, last_key, last_notification, last_accepted_at
     FROM wecom_relay.ordering_key WHERE id = ANY($1) ORDER BY id FOR UPDATE";
pub(super) const LOCK_OF_DELIVERIES: &str = "SELECT id FROM wecom_relay.ordering_key WHERE id = ANY(ARRAY(
         SELECT ordering_key FROM wecom_relay.delivery WHERE id = ANY($1)
         UNION SELECT m.ordering_key FROM unnest($1::bigint[]) AS u (id)
             JOIN wecom_relay.delivery d ON d.id = u.id AND d.kind = 1
             JOIN wecom_relay.delivery m ON m.digest = d.notification))
     ORDER BY id FOR UPDATE";
pub(super) const ADD_HEADS: &str = "UPDATE wecom_relay.ordering_key k SET heads = k.heads + u.heads
     FROM unnest($1::bigint[], $2::integer[]) AS u (id, heads) WHERE k.id = u.id";
// The next statement sees the counts of this one.
pub(super) const MAKE_READY: &str = "UPDATE wecom_relay.delivery SET state = 1 WHERE id = ANY(ARRAY(
         SELECT q.id FROM unnest($1::bigint[]) AS u (id)
         JOIN wecom_relay.ordering_key k ON k.id = u.id AND k.heads = 0
         CROSS JOIN LATERAL (SELECT d.id FROM wecom_relay.delivery d
             WHERE d.state = 0 AND d.ordering_key = k.id ORDER BY d.seq LIMIT 1) q))
     RETURNING ordering_key, sender, destination";

/// The stored state of an ordering key.
#[derive(Debug, Clone, Default)]
pub(super) struct OrderState {
    pub(super) heads: i32,
    pub(super) last: Option<LastAccepted>,
}

/// Locks ordering keys, which are made if necessary. `keys` are sorted.
///
/// All rows are made before one is locked, so transactions that share ordering keys cannot deadlock.
pub(super) async fn lock(tx: &Transaction<'_>, keys: &[i64]) -> EngineResult<BTreeMap<i64, OrderState>> {
    tx.prepare(&[MAKE, LOCK]).await?;
    let params: [Param<'_>; 1] = [&keys];
    let (made, locked) = tokio::join!(tx.run(MAKE, &params), tx.all(LOCK, &params, read));
    made?;
    let locked: BTreeMap<i64, OrderState> = locked?.into_iter().collect();
    // A purge may have deleted a row between the two statements.
    if locked.len() < keys.len() { Err(EngineError::Changed) } else { Ok(locked) }
}

fn read(row: &Row) -> EngineResult<(i64, OrderState)> {
    let last = match (key(row, "last_key")?, optional_time(row, "last_accepted_at")?) {
        (Some(key), Some(at)) => {
            Some(LastAccepted { key, notification: NotificationId(column(row, "last_notification")?), at })
        }
        _ => None,
    };
    Ok((column(row, "id")?, OrderState { heads: column(row, "heads")?, last }))
}

/// Locks the ordering keys of deliveries, and those of the members of the digests among them.
pub(super) async fn lock_of_deliveries(tx: &Transaction<'_>, ids: &[i64]) -> EngineResult<()> {
    tx.run(LOCK_OF_DELIVERIES, &[&ids]).await.map(drop)
}

/// Counts of heads by ordering key.
pub(super) type Heads = BTreeMap<i64, i32>;

/// Counts more deliveries that others wait behind.
pub(super) async fn add_heads(tx: &Transaction<'_>, heads: &Heads) -> EngineResult<()> {
    if heads.is_empty() {
        return Ok(());
    }
    let (keys, counts): (Vec<i64>, Vec<i32>) = heads.iter().unzip();
    let changed = tx.run(ADD_HEADS, &[&keys, &counts]).await?;
    // A key without a row was never locked.
    if changed < keys.len() as u64 { Err(EngineError::Changed) } else { Ok(()) }
}

/// Heads were settled. Where none is left, the first queued delivery takes their place.
pub(super) async fn remove_heads(tx: &Transaction<'_>, heads: &Heads) -> EngineResult<()> {
    if heads.is_empty() {
        return Ok(());
    }
    let keys: Vec<i64> = heads.keys().copied().collect();
    let counts: Vec<i32> = heads.values().map(|count| -count).collect();
    tx.prepare(&[ADD_HEADS, MAKE_READY]).await?;
    let params: [Param<'_>; 2] = [&keys, &counts];
    let (removed, ready) = tokio::join!(
        tx.run(ADD_HEADS, &params),
        tx.all(MAKE_READY, &params[..1], |row| {
            tx.mark_changed(&SenderName(column(row, "sender")?), destination(row)?);
            column::<i64>(row, "ordering_key")
        }),
    );
    removed?;
    add_heads(tx, &ready?.into_iter().map(|key| (key, 1)).collect()).await
}
