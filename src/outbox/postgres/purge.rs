//! Deletes settled deliveries.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    columns::{column, limit, millis},
    error::EngineResult,
    presses,
    room::{self, Room},
    session::Transaction,
};

// Several processes may purge at the same time.
pub(super) const SETTLED_BEFORE: &str = "SELECT id FROM wecom_relay.delivery
     WHERE settled_at IS NOT NULL AND state <> 5 AND settled_at < $1 ORDER BY settled_at LIMIT $2 FOR UPDATE SKIP LOCKED";
pub(super) const DEAD_BEFORE: &str = "SELECT id FROM wecom_relay.delivery
     WHERE state = 5 AND settled_at < $1 ORDER BY settled_at LIMIT $2 FOR UPDATE SKIP LOCKED";
pub(super) const DELETE_ATTEMPTS: &str = "DELETE FROM wecom_relay.attempt WHERE delivery = ANY($1)";
pub(super) const DELETE_DELIVERIES: &str = "WITH deleted AS
         (DELETE FROM wecom_relay.delivery WHERE id = ANY($1) RETURNING bytes)
     SELECT coalesce(sum(bytes), 0)::bigint AS bytes FROM deleted";
pub(super) const KEEP_LAST_ATTEMPTS: &str = "INSERT INTO wecom_relay.purged_attempt
     (sender, delivery, ended_at, to_users, to_parties, to_tags, body)
     SELECT sender, id, attempt_ended_at, to_users, to_parties, to_tags, body FROM wecom_relay.delivery
     WHERE id = ANY($1) AND attempt_counted AND attempt_ended_at > $2";
pub(super) const KEEP_ATTEMPTS: &str = "INSERT INTO wecom_relay.purged_attempt
     (sender, delivery, ended_at, to_users, to_parties, to_tags, body)
     SELECT a.sender, d.id, a.ended_at, d.to_users, d.to_parties, d.to_tags, d.body
     FROM wecom_relay.attempt a JOIN wecom_relay.delivery d ON d.id = a.delivery
     WHERE a.delivery = ANY($1) AND a.counted AND a.ended_at > $2";
pub(super) const FORGET_ATTEMPTS: &str = "DELETE FROM wecom_relay.purged_attempt WHERE ended_at < $1";
pub(super) const DELETE_IDLE_KEYS: &str = "DELETE FROM wecom_relay.ordering_key WHERE id = ANY(ARRAY(
     SELECT id FROM wecom_relay.ordering_key WHERE heads = 0 AND expires_at < $1 ORDER BY expires_at LIMIT $2
     FOR UPDATE SKIP LOCKED))";
pub(super) const PROBE: &str = "UPDATE wecom_relay.relay_clock SET probed_at = $1 WHERE id = 1";

/// An attempt counts against rate limits for an hour. The margin covers a clock that was set.
const COUNTED_FOR: Duration = Duration::from_secs(2 * 3600);
/// A dead letter is kept at least this long, so that the fallback can be notified.
const DEAD_KEPT_FOR: Duration = Duration::from_secs(3600);

pub(super) async fn purge(
    tx: &Transaction<'_>,
    before: Timestamp,
    most: u32,
    room: &Room,
) -> EngineResult<u32> {
    let mut deleted = 0;
    for statement in [SETTLED_BEFORE, DEAD_BEFORE] {
        let ids = ids(tx, statement, before, most - deleted).await?;
        deleted += u32::try_from(ids.len()).unwrap_or(u32::MAX);
        delete(tx, &ids, room).await?;
    }
    presses::purge(tx, before, most, room).await?;
    // A duplicate must be recognized even if the original is purged.
    tx.run(DELETE_IDLE_KEYS, &[&millis(before), &limit(most)]).await?;
    tx.run(FORGET_ATTEMPTS, &[&millis(earlier(before, COUNTED_FOR))]).await?;
    tx.run(room::FOLD, &[]).await?;
    Ok(deleted)
}

/// Deletes the oldest settled deliveries before `retention` has passed, dead letters last. Returns their number.
pub(super) async fn purge_early(
    tx: &Transaction<'_>,
    most: u32,
    room: &Room,
    now: Timestamp,
) -> EngineResult<usize> {
    let counted_since = millis(earlier(now, COUNTED_FOR));
    let mut oldest = ids(tx, SETTLED_BEFORE, Timestamp::MAX, most).await?;
    if oldest.is_empty() {
        oldest = ids(tx, DEAD_BEFORE, earlier(now, DEAD_KEPT_FOR), most).await?;
    }
    tx.run(FORGET_ATTEMPTS, &[&counted_since]).await?;
    tx.run(KEEP_LAST_ATTEMPTS, &[&oldest, &counted_since]).await?;
    tx.run(KEEP_ATTEMPTS, &[&oldest, &counted_since]).await?;
    delete(tx, &oldest, room).await?;
    Ok(oldest.len())
}

async fn ids(tx: &Transaction<'_>, statement: &str, before: Timestamp, most: u32) -> EngineResult<Vec<i64>> {
    tx.all(statement, &[&millis(before), &limit(most)], |row| column(row, "id")).await
}

async fn delete(tx: &Transaction<'_>, ids: &[i64], room: &Room) -> EngineResult<()> {
    if ids.is_empty() {
        return Ok(());
    }
    tx.run(DELETE_ATTEMPTS, &[&ids]).await?;
    let freed: i64 = tx.only(DELETE_DELIVERIES, &[&ids], |row| column(row, "bytes")).await?;
    room.change(tx, -freed).await
}

/// Writes like the acceptance of an alert.
pub(super) async fn probe(tx: &Transaction<'_>, room: &Room, now: Timestamp) -> EngineResult<()> {
    room.require()?;
    tx.run(PROBE, &[&millis(now)]).await.map(drop)
}

fn earlier(now: Timestamp, by: Duration) -> Timestamp {
    now.checked_sub(by).unwrap_or(Timestamp::MIN)
}
