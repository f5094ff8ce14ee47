//! The watch of silenced cards.

use jiff::Timestamp;

use super::{
    cards,
    columns::{column, limit, millis, time},
    enqueue,
    error::EngineResult,
    job::Arrival,
    order,
    room::Room,
    session::Transaction,
};
use crate::outbox::{Absence, DeliveryId, WatchVerdict, WatchedCard, rules};

pub(super) const BEGIN: &str =
    "UPDATE wecom_relay.card SET watch_until = greatest(watch_until, $2), watch_due = $3, absence = NULL
     WHERE delivery = $1 AND NOT closed";
pub(super) const CLAIM: &str = "UPDATE wecom_relay.card SET watch_due = $2 WHERE delivery = ANY(ARRAY(
     SELECT delivery FROM wecom_relay.card WHERE watch_due IS NOT NULL AND watch_due <= $1 ORDER BY watch_due LIMIT $3
     FOR UPDATE SKIP LOCKED)) RETURNING delivery, watch_until, absence";
// The time at which the claim of a look ends is the name of the claim.
pub(super) const POSTPONE: &str =
    "UPDATE wecom_relay.card SET watch_due = $3, absence = $4 WHERE delivery = $1 AND watch_due = $2";
pub(super) const END: &str =
    "UPDATE wecom_relay.card SET watch_until = NULL, watch_due = NULL WHERE delivery = $1 AND watch_due = $2";

pub(super) async fn begin(
    tx: &Transaction<'_>,
    delivery: i64,
    until: Timestamp,
    now: Timestamp,
) -> EngineResult<()> {
    tx.run(BEGIN, &[&delivery, &millis(until), &millis(now)]).await.map(drop)
}

/// A watch that is due.
struct Due {
    delivery: i64,
    watch_until: EngineResult<Timestamp>,
    absence: Option<Absence>,
}

pub(super) async fn claim(
    tx: &Transaction<'_>,
    most: u32,
    until: Timestamp,
    now: Timestamp,
) -> EngineResult<Vec<WatchedCard>> {
    let due = tx
        .all(CLAIM, &[&millis(now), &millis(until), &limit(most)], |row| {
            let absence = rules::cards::absence(column(row, "absence")?);
            Ok(Due { delivery: column(row, "delivery")?, watch_until: time(row, "watch_until"), absence })
        })
        .await?;
    let mut watched = Vec::with_capacity(due.len());
    for Due { delivery, watch_until, absence } in due {
        // A row that cannot be read has no time of its end either.
        match (cards::load(tx, delivery).await?, watch_until) {
            (Some(card), Ok(watch_until)) => watched.push(WatchedCard { card, watch_until, absence }),
            _ => tx.run(END, &[&delivery, &millis(until)]).await.map(drop)?,
        }
    }
    Ok(watched)
}

pub(super) async fn settle(
    tx: &Transaction<'_>,
    DeliveryId(delivery): DeliveryId,
    until: Timestamp,
    verdict: &WatchVerdict,
    room: &Room,
    now: Timestamp,
) -> EngineResult<()> {
    let until = millis(until);
    // Settlements lock the ordering key before its cards, too.
    order::lock_of_deliveries(tx, &[delivery]).await?;
    let changed = match verdict {
        WatchVerdict::Again { at, absence } => {
            let absence = rules::cards::stored_absence(*absence);
            tx.run(POSTPONE, &[&delivery, &until, &millis(*at), &absence]).await?
        }
        WatchVerdict::Ended | WatchVerdict::Resolved(_) => tx.run(END, &[&delivery, &until]).await?,
    };
    if let WatchVerdict::Resolved(new) = verdict
        && changed > 0
    {
        enqueue::accept(tx, &Arrival { notifications: vec![new.clone()], now }, room).await?;
    }
    Ok(())
}
