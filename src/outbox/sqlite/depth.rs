//! How much waits and since when. Counts are kept with every change (`tally`), and what waits longest is searched from
//! where it was found last, so that a look at a long queue costs as little as one at a short one, once it is known.

use std::{collections::HashSet, ops::ControlFlow};

use super::{error::Done, rows::time, tally::Of, tx::Tx};
use crate::outbox::{Depth, ReceiverName, SenderName};

pub(super) const DEPTHS: &str =
    "SELECT sender, receiver, deliveries, discarded FROM waiting ORDER BY sender, receiver";
pub(super) const HAS_WAITING: &str =
    "SELECT 1 FROM waiting WHERE sender = ?1 AND receiver = ?2 AND deliveries > 0";
pub(super) const OPEN: &str = "SELECT id, sender, receiver FROM notification INDEXED BY notification_open
     WHERE open > 0 ORDER BY id";
pub(super) const OLDEST: &str = "SELECT id, accepted_at FROM notification INDEXED BY notification_open
     WHERE open > 0 AND sender = ?1 AND receiver = ?2 AND id >= ?3 ORDER BY id LIMIT 1";

pub(super) fn depths(tx: &Tx<'_>) -> Done<Vec<Depth>> {
    let read = |row: &rusqlite::Row<'_>| {
        Ok((Of::read(row, 0)?, row.get::<_, i64>(2)?.unsigned_abs(), row.get::<_, i64>(3)?.unsigned_abs()))
    };
    tx.write_tally()?;
    let rows = tx.all(DEPTHS, [], read)?;
    find_unknown(tx, rows.iter().filter(|(_, deliveries, _)| *deliveries > 0).map(|(of, ..)| of))?;
    let mut depths = Vec::new();
    for (of, deliveries, discarded) in rows {
        let oldest = if deliveries > 0 { oldest(tx, &of)? } else { None };
        let oldest_accepted_at = oldest.map(time).transpose()?;
        let (sender, receiver) = (SenderName(of.sender), ReceiverName(of.receiver));
        depths.push(Depth { sender, receiver, deliveries, oldest_accepted_at, discarded });
    }
    Ok(depths)
}

/// Finds the first notification of each of those of whom it is not known, in one walk for all.
fn find_unknown<'a>(tx: &Tx<'_>, waiting: impl Iterator<Item = &'a Of>) -> Done<()> {
    let mut unknown: HashSet<&Of> =
        tx.oldest(|oldest| waiting.filter(|of| !oldest.contains_key(of)).collect());
    if unknown.is_empty() {
        return Ok(());
    }
    tx.each(OPEN, [], |row| {
        let of = Of::read(row, 1)?;
        if unknown.remove(&of) {
            let id = row.get(0)?;
            tx.oldest(|oldest| oldest.insert(of, id));
        }
        Ok(if unknown.is_empty() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })
}

/// When the first in order of acceptance was accepted; the clock does not matter.
fn oldest(tx: &Tx<'_>, of: &Of) -> Done<Option<i64>> {
    let from = oldest_seen(tx, of);
    let found = tx.first(OLDEST, (&of.sender, &of.receiver, from), |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
    })?;
    let Some((id, accepted_at)) = found else { return Ok(None) };
    tx.oldest(|oldest| oldest.insert(of.clone(), id));
    Ok(Some(accepted_at))
}

/// No notification before this one waits for the receiver. What was passed over once is not passed over again: what
/// waits for others may be much.
pub(super) fn oldest_seen(tx: &Tx<'_>, of: &Of) -> i64 {
    tx.oldest(|oldest| oldest.get(of).copied().unwrap_or(0))
}

/// Whether anything waits for the receiver.
pub(super) fn has_waiting(tx: &Tx<'_>, of: &Of) -> Done<bool> {
    tx.write_tally()?;
    Ok(tx.first(HAS_WAITING, (&of.sender, &of.receiver), |_| Ok(()))?.is_some())
}
