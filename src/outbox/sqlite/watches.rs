//! The watch of silenced cards.

use jiff::Timestamp;

use super::{
    cards,
    columns::{millis, time_column},
    enqueue,
    error::EngineResult,
    transaction::Transaction,
};
use crate::outbox::{Absence, DeliveryId, WatchVerdict, WatchedCard, rules};

pub(super) const BEGIN: &str =
    "UPDATE card SET watch_until = max(coalesce(watch_until, ?2), ?2), watch_due = ?3, absence = NULL
     WHERE delivery = ?1 AND closed = 0";
pub(super) const DUE: &str = "SELECT delivery, watch_until, absence FROM card INDEXED BY card_watched
     WHERE watch_due IS NOT NULL AND watch_due <= ?1 ORDER BY watch_due LIMIT ?2";
pub(super) const CLAIM: &str = "UPDATE card SET watch_due = ?2 WHERE delivery = ?1";
// The time at which the claim of a look ends is the name of the claim.
pub(super) const POSTPONE: &str =
    "UPDATE card SET watch_due = ?3, absence = ?4 WHERE delivery = ?1 AND watch_due = ?2";
pub(super) const END: &str =
    "UPDATE card SET watch_until = NULL, watch_due = NULL WHERE delivery = ?1 AND watch_due = ?2";

pub(super) fn begin(
    tx: &Transaction<'_>,
    delivery: i64,
    until: Timestamp,
    now: Timestamp,
) -> EngineResult<()> {
    tx.sql.run(BEGIN, (delivery, millis(until), millis(now)))?;
    Ok(())
}

/// A watch that is due.
struct Due {
    delivery: i64,
    watch_until: EngineResult<Timestamp>,
    absence: Option<Absence>,
}

pub(super) fn claim(
    tx: &Transaction<'_>,
    limit: u32,
    until: Timestamp,
    now: Timestamp,
) -> EngineResult<Vec<WatchedCard>> {
    let due = tx.sql.all(DUE, (millis(now), limit), |row| {
        let stored: Option<String> = row.get("absence")?;
        let absence = rules::cards::absence(stored.as_deref());
        Ok(Due { delivery: row.get("delivery")?, watch_until: time_column(row, "watch_until"), absence })
    })?;
    let mut watched = Vec::with_capacity(due.len());
    for Due { delivery, watch_until, absence } in due {
        tx.sql.run(CLAIM, (delivery, millis(until)))?;
        // A row that cannot be read has no time of its end either.
        if let (Some(card), Ok(watch_until)) = (cards::load(tx, delivery)?, watch_until) {
            watched.push(WatchedCard { card, watch_until, absence });
        } else {
            tx.sql.run(END, (delivery, millis(until)))?;
        }
    }
    Ok(watched)
}

pub(super) fn settle(
    tx: &mut Transaction<'_>,
    DeliveryId(delivery): DeliveryId,
    until: Timestamp,
    verdict: &WatchVerdict,
    now: Timestamp,
) -> EngineResult<()> {
    let until = millis(until);
    let changed = match verdict {
        WatchVerdict::Again { at, absence } => {
            tx.sql.run(POSTPONE, (delivery, until, millis(*at), rules::cards::stored_absence(*absence)))?
        }
        WatchVerdict::Ended | WatchVerdict::Resolved(_) => tx.sql.run(END, (delivery, until))?,
    };
    if let WatchVerdict::Resolved(new) = verdict
        && changed > 0
    {
        enqueue::enqueue(tx, new, now)?;
    }
    Ok(())
}
