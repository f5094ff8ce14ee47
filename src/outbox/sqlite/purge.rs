//! Makes room: deletes deliveries that were settled long ago, and returns the space to the file system.

use jiff::Timestamp;

use super::{columns::millis, error::EngineResult, transaction::Transaction};

pub(super) const SETTLED_BEFORE: &str = "SELECT id FROM delivery INDEXED BY delivery_settled
     WHERE settled_at IS NOT NULL AND settled_at < ?1 ORDER BY settled_at LIMIT ?2";
pub(super) const DELETE_ATTEMPTS: &str = "DELETE FROM attempt WHERE delivery = ?1";
pub(super) const DELETE_DELIVERY: &str = "DELETE FROM delivery WHERE id = ?1";
pub(super) const DELETE_IDLE_KEYS: &str = "DELETE FROM ordering_key WHERE id IN
     (SELECT id FROM ordering_key INDEXED BY ordering_key_idle WHERE heads = 0 AND expires_at < ?1
      ORDER BY expires_at LIMIT ?2)";
pub(super) const PROBE: &str = "UPDATE numbers SET probed_at = ?1 WHERE id = 1";

/// The most pages that one call returns to the file system, so that nobody waits long behind it: 8 MiB.
const MAX_PAGES: u32 = 2048;

pub(super) fn purge(tx: &Transaction<'_>, before: Timestamp, limit: u32) -> EngineResult<u32> {
    let ids = tx.sql.all(SETTLED_BEFORE, (millis(before), limit), |row| Ok(row.get::<_, i64>("id")?))?;
    for id in &ids {
        tx.sql.run(DELETE_ATTEMPTS, [id])?;
        tx.sql.run(DELETE_DELIVERY, [id])?;
    }
    // The history has its own expiry, because a duplicate must be recognized even if the original is purged.
    tx.sql.run(DELETE_IDLE_KEYS, (millis(before), limit))?;
    let vacuum = format!("PRAGMA incremental_vacuum({MAX_PAGES})");
    // Each step of this statement frees one page.
    tx.sql.all(&vacuum, [], |_| Ok(()))?;
    Ok(u32::try_from(ids.len()).unwrap_or(u32::MAX))
}

/// Writes like the acceptance of an alert.
pub(super) fn probe(tx: &mut Transaction<'_>, now: Timestamp) -> EngineResult<()> {
    tx.require_room()?;
    tx.sql.run(PROBE, [millis(now)])?;
    Ok(())
}
