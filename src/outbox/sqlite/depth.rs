//! How much waits and since when. Counts are kept with every change (`tally`), so that a look at a long queue
//! costs as little as one at a short one.

use super::{
    error::Done,
    rows::{kind_number, time},
    tx::Tx,
};
use crate::outbox::{Channel, Depth, Kind, ReceiverName};

pub(super) const DEPTHS: &str =
    "SELECT channel, receiver, deliveries, discarded FROM waiting ORDER BY channel, receiver";
pub(super) const OLDEST: &str = "SELECT id, accepted_at FROM notification INDEXED BY notification_waiting
     WHERE open > 0 AND channel = ?1 AND receiver = ?2 AND kind = ?3 ORDER BY id LIMIT 1";

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

/// The first in order of acceptance; the clock does not matter.
fn oldest(tx: &Tx<'_>, channel: &Channel, receiver: &ReceiverName) -> Done<Option<i64>> {
    let mut first: Option<(i64, i64)> = None;
    for kind in [Kind::Alert, Kind::Digest, Kind::Notice] {
        let of = (&channel.0, &receiver.0, kind_number(kind));
        let found = tx.first(OLDEST, of, |row| Ok((row.get(0)?, row.get(1)?)))?;
        first = [first, found].into_iter().flatten().min();
    }
    Ok(first.map(|(_, accepted_at)| accepted_at))
}
