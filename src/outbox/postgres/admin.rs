//! The commands of operators: requeue and discard.

use jiff::Timestamp;

use super::{
    cards,
    columns::{column, limit, millis, state_number},
    entry::{self, Entry},
    error::EngineResult,
    order, sender,
    sender::PresentSenders,
    session::{Param, Transaction},
    settle,
};
use crate::{
    outbox::{Changed, DeliveryId, Destination, Kind, State, rules::stored::DISCARDED},
    wecom::Recipients,
};

pub(super) const DUE_NOW: &str = "UPDATE wecom_relay.delivery SET due_at = least(due_at, $2) WHERE id = $1";
// A requeued delivery is sent by itself, because a digest may be what WeCom refused.
pub(super) const REQUEUE: &str = "UPDATE wecom_relay.delivery SET state = $2, seq = $3, due_at = $4, attempts = 0,
     unknown_codes = 0, settled_at = NULL, digest = NULL, foldable = 0, noticed = $5, reason = '' WHERE id = $1";
// A dead digest is skipped if no part of it was delivered, because its members are dead too and requeued themselves.
pub(super) const DEAD_AFTER: &str = "SELECT d.id FROM wecom_relay.delivery d
     WHERE d.state = 5 AND d.id > $1 AND (d.kind <> 1 OR EXISTS (SELECT 1 FROM wecom_relay.delivery s
         WHERE s.id = ANY(d.siblings) AND s.state = 4))
     ORDER BY d.id LIMIT $2";
pub(super) const RECALLED: &str = "UPDATE wecom_relay.delivery SET recalled_at = $2 WHERE id = $1";

/// The result of [`requeue_dead`].
#[derive(Debug, Clone, Copy)]
pub(super) struct RequeuedBatch {
    pub(super) last: i64,
    pub(super) count: u32,
}

async fn load(tx: &Transaction<'_>, id: i64) -> EngineResult<Option<Entry>> {
    order::lock_of_deliveries(tx, &[id]).await?;
    Ok(entry::load(tx, &[id]).await?.pop())
}

pub(super) async fn requeue(
    tx: &Transaction<'_>,
    DeliveryId(id): DeliveryId,
    now: Timestamp,
) -> EngineResult<Changed> {
    let Some(entry) = load(tx, id).await? else { return Ok(Changed::Unknown) };
    if !has_recipient(&entry) {
        return Ok(Changed::NoRecipient);
    }
    match entry.state {
        State::Ready => {
            tx.run(DUE_NOW, &[&entry.id, &millis(now)]).await?;
            tx.mark_changed(&entry.sender, entry.destination);
        }
        State::Dead | State::Discarded => put_at_end(tx, &entry, now).await?,
        State::Queued | State::InFlight | State::Folded | State::Delivered => {
            return Ok(Changed::NotIn(entry.state));
        }
    }
    Ok(Changed::Deliveries(1))
}

/// Requeues up to `most` dead letters with numbers above `after`.
pub(super) async fn requeue_dead(
    tx: &Transaction<'_>,
    after: i64,
    most: u32,
    now: Timestamp,
) -> EngineResult<RequeuedBatch> {
    let ids: Vec<i64> = tx.all(DEAD_AFTER, &[&after, &limit(most)], |row| column(row, "id")).await?;
    let mut batch = RequeuedBatch { last: ids.last().copied().unwrap_or(after), count: 0 };
    order::lock_of_deliveries(tx, &ids).await?;
    for entry in entry::load(tx, &ids).await? {
        if entry.state == State::Dead && has_recipient(&entry) {
            put_at_end(tx, &entry, now).await?;
            batch.count += 1;
        }
    }
    Ok(batch)
}

/// False if a template named nobody. Such a delivery has always been a dead letter.
fn has_recipient(entry: &Entry) -> bool {
    entry.destination != Destination::of(&entry.sender, &Recipients::Nobody)
}

/// Puts a settled delivery at the end of its ordering key.
async fn put_at_end(tx: &Transaction<'_>, entry: &Entry, now: Timestamp) -> EngineResult<()> {
    // The sender may have been renamed since it died.
    let present = PresentSenders::read(tx, &[&entry.sender]).await?.of(&entry.sender).name;
    let mut destination = entry.destination;
    if present != entry.sender {
        sender::rename(tx, entry.id, &present).await?;
        let renamed = entry::load(tx, &[entry.id]).await?.pop();
        destination = renamed.map_or(destination, |renamed| renamed.destination);
    }
    let locked = order::lock(tx, &[entry.ordering_key]).await?;
    let is_head = locked.values().all(|order| order.heads == 0);
    let state = state_number(if is_head { State::Ready } else { State::Queued });
    let seq = tx.take_numbers(1).await?.first().copied().unwrap_or(entry.id);
    let is_notice = entry.kind == Kind::Notice;
    let params: [Param<'_>; 5] = [&entry.id, &state, &seq, &millis(now), &is_notice];
    tx.run(REQUEUE, &params).await?;
    if entry.siblings.len() > 1 {
        tx.run(settle::NOT_WHOLE, &[&entry.siblings]).await?;
    }
    if is_head {
        order::add_heads(tx, &[(entry.ordering_key, 1)].into()).await?;
        tx.mark_changed(&present, destination);
    }
    Ok(())
}

pub(super) async fn discard(
    tx: &Transaction<'_>,
    DeliveryId(id): DeliveryId,
    now: Timestamp,
) -> EngineResult<Changed> {
    let Some(entry) = load(tx, id).await? else { return Ok(Changed::Unknown) };
    match entry.state {
        State::Queued | State::Ready => settle::discard(tx, &entry, DISCARDED, now).await?,
        State::Dead => {
            tx.run(settle::DISCARD, &[&entry.id, &millis(now), &DISCARDED]).await?;
        }
        State::InFlight | State::Folded | State::Delivered | State::Discarded => {
            return Ok(Changed::NotIn(entry.state));
        }
    }
    Ok(Changed::Deliveries(1))
}

/// Records that WeCom has taken a message back.
pub(super) async fn recalled(tx: &Transaction<'_>, id: DeliveryId, at: Timestamp) -> EngineResult<()> {
    tx.run(RECALLED, &[&id.0, &millis(at)]).await?;
    cards::close_recalled(tx, id.0).await
}
