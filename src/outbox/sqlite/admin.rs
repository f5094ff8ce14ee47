//! The commands of operators: requeue and discard.

use jiff::Timestamp;

use super::{
    cards,
    columns::{millis, state_number},
    entry::{self, Entry},
    error::EngineResult,
    order, sender, settle,
    transaction::Transaction,
};
use crate::{
    outbox::{Changed, DeliveryId, Destination, Kind, State, rules::stored::DISCARDED},
    wecom::Recipients,
};

pub(super) const DUE_NOW: &str = "UPDATE delivery SET due_at = min(due_at, ?2) WHERE id = ?1";
// A requeued delivery is sent by itself, because a digest may be what WeCom refused.
pub(super) const REQUEUE: &str = "UPDATE delivery SET state = ?2, seq = ?3, due_at = ?4, attempts = 0,
     unknown_codes = 0, settled_at = NULL, digest = NULL, foldable = 0, noticed = ?5, reason = '' WHERE id = ?1";
// A dead digest is skipped if no part of it was delivered, because its members are dead too and requeued themselves.
pub(super) const DEAD_AFTER: &str = "SELECT d.id FROM delivery d INDEXED BY delivery_dead
     WHERE d.state = 5 AND d.id > ?1 AND (d.kind <> 1 OR EXISTS (SELECT 1 FROM delivery s
         WHERE s.id >= d.notification AND s.id < d.notification + d.deliveries AND s.state = 4))
     ORDER BY d.id LIMIT ?2";
pub(super) const RECALLED: &str = "UPDATE delivery SET recalled_at = ?2 WHERE id = ?1";

/// The result of [`requeue_dead`].
#[derive(Debug, Clone, Copy)]
pub(super) struct RequeuedBatch {
    pub(super) last: i64,
    pub(super) count: u32,
}

pub(super) fn requeue(tx: &mut Transaction<'_>, id: DeliveryId, now: Timestamp) -> EngineResult<Changed> {
    let Some(entry) = entry::load(tx, id.0)? else { return Ok(Changed::Unknown) };
    if !has_recipient(&entry) {
        return Ok(Changed::NoRecipient);
    }
    match entry.state {
        State::Ready => {
            tx.sql.run(DUE_NOW, (entry.id, millis(now)))?;
            tx.mark_changed(&entry.sender, entry.destination);
        }
        State::Dead | State::Discarded => put_at_end(tx, &entry, now)?,
        State::Queued | State::InFlight | State::Folded | State::Delivered => {
            return Ok(Changed::NotIn(entry.state));
        }
    }
    Ok(Changed::Deliveries(1))
}

/// Requeues up to `limit` dead letters with numbers above `after`.
pub(super) fn requeue_dead(
    tx: &mut Transaction<'_>,
    after: i64,
    limit: u32,
    now: Timestamp,
) -> EngineResult<RequeuedBatch> {
    let ids = tx.sql.all(DEAD_AFTER, (after, limit), |row| Ok(row.get::<_, i64>("id")?))?;
    let mut batch = RequeuedBatch { last: ids.last().copied().unwrap_or(after), count: 0 };
    for id in ids {
        let entry = entry::load(tx, id)?;
        if let Some(entry) = entry.filter(|entry| entry.state == State::Dead && has_recipient(entry)) {
            put_at_end(tx, &entry, now)?;
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
fn put_at_end(tx: &mut Transaction<'_>, entry: &Entry, now: Timestamp) -> EngineResult<()> {
    // The sender may have been renamed since it died.
    let present = sender::present(tx, &entry.sender)?.name;
    if present != entry.sender {
        sender::rename(tx, entry.id, &present)?;
    }
    let is_head = order::load(tx, entry.ordering_key)?.heads == 0;
    let state = if is_head { State::Ready } else { State::Queued };
    let seq = tx.take_numbers(1)?;
    let is_notice = entry.kind == Kind::Notice;
    tx.sql.run(REQUEUE, (entry.id, state_number(state), seq, millis(now), is_notice))?;
    if entry.deliveries > 1 {
        tx.sql.run(settle::NOT_WHOLE, (entry.notification, entry.deliveries))?;
    }
    if is_head {
        order::add_heads(tx, entry.ordering_key, 1)?;
        tx.mark_changed(&entry.sender, entry.destination);
    }
    Ok(())
}

pub(super) fn discard(tx: &mut Transaction<'_>, id: DeliveryId, now: Timestamp) -> EngineResult<Changed> {
    let Some(entry) = entry::load(tx, id.0)? else { return Ok(Changed::Unknown) };
    match entry.state {
        State::Queued | State::Ready => settle::discard(tx, &entry, DISCARDED, now)?,
        State::Dead => {
            tx.sql.run(settle::DISCARD, (entry.id, millis(now), DISCARDED))?;
        }
        State::InFlight | State::Folded | State::Delivered | State::Discarded => {
            return Ok(Changed::NotIn(entry.state));
        }
    }
    Ok(Changed::Deliveries(1))
}

/// Records that WeCom has taken a message back.
pub(super) fn recalled(tx: &Transaction<'_>, id: DeliveryId, at: Timestamp) -> EngineResult<()> {
    tx.sql.run(RECALLED, (id.0, millis(at)))?;
    cards::close_recalled(tx, id.0)
}
