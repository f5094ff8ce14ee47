//! Making room: what was settled long ago goes, and the file shrinks.

use jiff::Timestamp;

use super::{error::Done, heard, lanes, rows::ms, tx::Tx};

pub(super) const SETTLED_BEFORE: &str = "SELECT id FROM notification INDEXED BY notification_settled
     WHERE settled_at IS NOT NULL AND settled_at < ?1 ORDER BY settled_at LIMIT ?2";
pub(super) const DELETE_ATTEMPTS: &str = "DELETE FROM attempt WHERE delivery IN
     (SELECT id FROM delivery INDEXED BY delivery_notification WHERE notification = ?1)";
pub(super) const DELETE_MESSAGES: &str = "DELETE FROM message WHERE delivery IN
     (SELECT id FROM delivery INDEXED BY delivery_notification WHERE notification = ?1)";
pub(super) const DELETE_DELIVERIES: &str = "DELETE FROM delivery WHERE notification = ?1";
pub(super) const DELETE_NOTIFICATION: &str = "DELETE FROM notification WHERE id = ?1";
pub(super) const PROBE: &str = "UPDATE counter SET probed_at = ?1 WHERE id = 1";

/// The most pages that one call gives back, so that nobody waits long behind it: 8 MiB.
const MAX_PAGES: u32 = 2048;

pub(super) fn purge(tx: &Tx<'_>, before: Timestamp, limit: u32) -> Done<u32> {
    let ids = tx.all(SETTLED_BEFORE, (ms(before), limit), |row| row.get::<_, i64>(0))?;
    for id in &ids {
        for sql in [DELETE_ATTEMPTS, DELETE_MESSAGES, DELETE_DELIVERIES, DELETE_NOTIFICATION] {
            tx.run(sql, [id])?;
        }
    }
    // By its window and not with the notifications: a copy is one even if its original is gone.
    heard::forget(tx, before, limit)?;
    lanes::forget_spilled(tx)?;
    let vacuum = format!("PRAGMA incremental_vacuum({MAX_PAGES})");
    // A page goes with each step.
    tx.all(&vacuum, [], |_| Ok(()))?;
    Ok(u32::try_from(ids.len()).unwrap_or(u32::MAX))
}

/// Writes as an accepted alert would.
pub(super) fn probe(tx: &Tx<'_>, now: Timestamp) -> Done<()> {
    tx.room()?;
    tx.run(PROBE, [ms(now)])?;
    Ok(())
}
