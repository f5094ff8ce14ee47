//! How much waits and since when. Counts are kept with every change (`tally`), so that a look at a long queue
//! costs as little as one at a short one.

use super::{error::Done, rows::time, tally::Of, tx::Tx};
use crate::outbox::{Channel, Depth, ReceiverName};

pub(super) const DEPTHS: &str =
    "SELECT channel, receiver, deliveries, discarded FROM waiting ORDER BY channel, receiver";
pub(super) const OLDEST: &str = "SELECT id, accepted_at FROM notification INDEXED BY notification_open
     WHERE open > 0 AND channel = ?1 AND receiver = ?2 AND id >= ?3 ORDER BY id LIMIT 1";

pub(super) fn depths(tx: &Tx<'_>) -> Done<Vec<Depth>> {
    let read = |row: &rusqlite::Row<'_>| {
        Ok((
            Channel(row.get(0)?),
            ReceiverName(row.get(1)?),
            row.get::<_, i64>(2)?.unsigned_abs(),
            row.get::<_, i64>(3)?.unsigned_abs(),
        ))
    };
    tx.write_tally()?;
    let mut depths = Vec::new();
    for (channel, receiver, deliveries, discarded) in tx.all(DEPTHS, [], read)? {
        let oldest = if deliveries > 0 { oldest(tx, &channel, &receiver)? } else { None };
        let oldest_accepted_at = oldest.map(time).transpose()?;
        depths.push(Depth { channel, receiver, deliveries, oldest_accepted_at, discarded });
    }
    Ok(depths)
}

/// When the first in order of acceptance was accepted; the clock does not matter.
fn oldest(tx: &Tx<'_>, channel: &Channel, receiver: &ReceiverName) -> Done<Option<i64>> {
    let of = Of { channel: channel.0.clone(), receiver: receiver.0.clone() };
    let from = oldest_seen(tx, channel, receiver);
    let found = tx.first(OLDEST, (&channel.0, &receiver.0, from), |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
    })?;
    let Some((id, accepted_at)) = found else { return Ok(None) };
    tx.oldest(|oldest| oldest.insert(of, id));
    Ok(Some(accepted_at))
}

/// No notification before this one waits for the receiver. What was passed over once is not passed over again: what
/// waits for others may be much.
pub(super) fn oldest_seen(tx: &Tx<'_>, channel: &Channel, receiver: &ReceiverName) -> i64 {
    let of = Of { channel: channel.0.clone(), receiver: receiver.0.clone() };
    tx.oldest(|oldest| oldest.get(&of).copied().unwrap_or(0))
}
