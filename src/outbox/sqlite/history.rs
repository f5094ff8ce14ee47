//! Deletes settled deliveries.

use std::time::Duration;

use jiff::Timestamp;

use super::{columns::millis, error::EngineResult, sql::Sql};

pub(super) const SETTLED_BEFORE: &str = "SELECT id FROM delivery INDEXED BY delivery_settled
     WHERE settled_at IS NOT NULL AND state <> 5 AND settled_at < ?1 ORDER BY settled_at LIMIT ?2";
pub(super) const DEAD_BEFORE: &str = "SELECT id FROM delivery INDEXED BY delivery_dead_settled
     WHERE state = 5 AND settled_at < ?1 ORDER BY settled_at LIMIT ?2";
pub(super) const DELETE_ATTEMPTS: &str = "DELETE FROM attempt WHERE delivery = ?1";
pub(super) const DELETE_CARD: &str = "DELETE FROM card WHERE delivery = ?1";
pub(super) const DELETE_DELIVERY: &str = "DELETE FROM delivery WHERE id = ?1";
pub(super) const KEEP_LAST_ATTEMPT: &str = "INSERT INTO purged_attempt
     (sender, delivery, ended_at, to_users, to_parties, to_tags, body)
     SELECT sender, id, attempt_ended_at, to_users, to_parties, to_tags, body FROM delivery
     WHERE id = ?1 AND attempt_counted = 1 AND attempt_ended_at > ?2";
pub(super) const KEEP_ATTEMPTS: &str = "INSERT INTO purged_attempt
     (sender, delivery, ended_at, to_users, to_parties, to_tags, body)
     SELECT a.sender, d.id, a.ended_at, d.to_users, d.to_parties, d.to_tags, d.body
     FROM attempt a CROSS JOIN delivery d ON d.id = a.delivery
     WHERE a.delivery = ?1 AND a.counted = 1 AND a.ended_at > ?2";
pub(super) const FORGET_ATTEMPTS: &str = "DELETE FROM purged_attempt WHERE ended_at < ?1";

/// An attempt counts against rate limits for an hour. The margin covers a clock that was set.
const COUNTED_FOR: Duration = Duration::from_secs(2 * 3600);
/// A dead letter is kept at least this long, so that the fallback can be notified.
const DEAD_KEPT_FOR: Duration = Duration::from_secs(3600);

/// Deletes the oldest settled deliveries before `retention` has passed, dead letters last. Their space stays in the
/// file. Returns the number of deleted deliveries.
pub(super) fn purge_early(sql: Sql<'_>, limit: u32, now: Timestamp) -> EngineResult<u32> {
    let counted_since = millis(earlier(now, COUNTED_FOR));
    let mut oldest = ids(sql, SETTLED_BEFORE, Timestamp::MAX, limit)?;
    if oldest.is_empty() {
        oldest = ids(sql, DEAD_BEFORE, earlier(now, DEAD_KEPT_FOR), limit)?;
    }
    sql.run(FORGET_ATTEMPTS, [counted_since])?;
    for id in &oldest {
        sql.run(KEEP_LAST_ATTEMPT, (id, counted_since))?;
        sql.run(KEEP_ATTEMPTS, (id, counted_since))?;
        delete(sql, *id)?;
    }
    Ok(u32::try_from(oldest.len()).unwrap_or(u32::MAX))
}

pub(super) fn ids(sql: Sql<'_>, statement: &str, before: Timestamp, limit: u32) -> EngineResult<Vec<i64>> {
    sql.all(statement, (millis(before), limit), |row| Ok(row.get("id")?))
}

pub(super) fn delete(sql: Sql<'_>, id: i64) -> EngineResult<()> {
    sql.run(DELETE_ATTEMPTS, [id])?;
    delete_card(sql, id)?;
    sql.run(DELETE_DELIVERY, [id])?;
    Ok(())
}

/// Deletes the card of a delivery, if it has one.
pub(super) fn delete_card(sql: Sql<'_>, delivery: i64) -> EngineResult<()> {
    sql.run(DELETE_CARD, [delivery])?;
    Ok(())
}

fn earlier(now: Timestamp, by: Duration) -> Timestamp {
    now.checked_sub(by).unwrap_or(Timestamp::MIN)
}
