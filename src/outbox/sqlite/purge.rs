//! Makes room: deletes deliveries that were settled long ago, and returns the space to the file system.

use jiff::Timestamp;

use super::{
    columns::millis,
    error::EngineResult,
    history::{self, DEAD_BEFORE, SETTLED_BEFORE},
    presses,
    transaction::Transaction,
};

pub(super) const DELETE_IDLE_KEYS: &str = "DELETE FROM ordering_key WHERE id IN
     (SELECT id FROM ordering_key INDEXED BY ordering_key_idle WHERE heads = 0 AND expires_at < ?1
      ORDER BY expires_at LIMIT ?2)";
pub(super) const PROBE: &str = "UPDATE numbers SET probed_at = ?1 WHERE id = 1";

/// The maximum number of pages that one call returns to the file system, so that nobody waits long behind it: 8 MiB.
const MAX_PAGES: u32 = 2048;
pub(super) fn purge(tx: &Transaction<'_>, before: Timestamp, limit: u32) -> EngineResult<u32> {
    let mut deleted = 0;
    for statement in [SETTLED_BEFORE, DEAD_BEFORE] {
        for id in history::ids(tx.sql, statement, before, limit - deleted)? {
            history::delete(tx.sql, id)?;
            deleted += 1;
        }
    }
    presses::purge(tx.sql, before, limit)?;
    // A duplicate must be recognized even if the original is purged.
    tx.sql.run(DELETE_IDLE_KEYS, (millis(before), limit))?;
    let vacuum = format!("PRAGMA incremental_vacuum({MAX_PAGES})");
    // Each step of this statement frees one page.
    tx.sql.all(&vacuum, [], |_| Ok(()))?;
    Ok(deleted)
}

/// Writes like the acceptance of an alert.
pub(super) fn probe(tx: &mut Transaction<'_>, now: Timestamp) -> EngineResult<()> {
    tx.require_room(now)?;
    tx.sql.run(PROBE, [millis(now)])?;
    Ok(())
}
