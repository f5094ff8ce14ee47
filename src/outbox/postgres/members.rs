//! The members of digests.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{
    cards,
    columns::{column, millis, state, state_number},
    entry::Entry,
    error::EngineResult,
    order::Heads,
    session::{Param, Transaction},
};
use crate::outbox::{
    State,
    rules::{fold, stored},
};

pub(super) const PARTS: &str =
    "SELECT id, state, reason FROM wecom_relay.delivery WHERE id = ANY($1) ORDER BY id";
pub(super) const SETTLE: &str = "UPDATE wecom_relay.delivery SET state = $2, reason = $3, settled_at = $4
     WHERE digest = $1 AND state = $5 RETURNING ordering_key";
pub(super) const MARK_NOTICED: &str = "UPDATE wecom_relay.delivery SET noticed = true WHERE id = ANY($1)";
pub(super) const FOLDED: &str = "SELECT id, notification, ordering_key FROM wecom_relay.delivery
     WHERE digest = $1 AND state = 3 ORDER BY id";
pub(super) const UNFOLD: &str =
    "UPDATE wecom_relay.delivery SET state = 0, digest = NULL, foldable = $2 WHERE id = ANY($1)";
pub(super) const DISCARD_PARTS: &str =
    "UPDATE wecom_relay.delivery SET state = 6, settled_at = $2, reason = $3
     WHERE id = ANY($1) AND state = 0";

/// A part of a digest.
struct DigestPart {
    state: State,
    reason: Option<String>,
}

/// The fate that the members of a digest share.
struct Fate {
    state: State,
    reason: String,
}

async fn parts_of(tx: &Transaction<'_>, digest: &Entry) -> EngineResult<Vec<DigestPart>> {
    let read = |row: &_| Ok(DigestPart { state: state(row)?, reason: column(row, "reason")? });
    tx.all(PARTS, &[&digest.siblings], read).await
}

/// When all parts of a digest are settled, its members are settled too. They are delivered if any part was. Adds the heads
/// that they were to `settled`.
pub(super) async fn settle(
    tx: &Transaction<'_>,
    digest: &Entry,
    now: Timestamp,
    settled: &mut Heads,
) -> EngineResult<()> {
    let parts = parts_of(tx, digest).await?;
    let Some(fate) = fate(digest.notification, parts) else { return Ok(()) };
    if fate.state == State::Delivered {
        // The digest was requeued and delivered, so it has reported its dead members after all.
        end(tx, digest, &fate, State::Dead, now).await?;
    }
    let folded = end(tx, digest, &fate, State::Folded, now).await?;
    if fate.state == State::Delivered {
        cards::close_of_digest(tx, digest.notification).await?;
    }
    if fate.state == State::Dead && !folded.is_empty() {
        // Its members are reported instead.
        tx.run(MARK_NOTICED, &[&digest.siblings]).await?;
    }
    for key in folded {
        *settled.entry(key).or_default() += 1;
    }
    Ok(())
}

async fn end(
    tx: &Transaction<'_>,
    digest: &Entry,
    fate: &Fate,
    from: State,
    now: Timestamp,
) -> EngineResult<Vec<i64>> {
    let (to, from, now) = (state_number(fate.state), state_number(from), millis(now));
    let params: [Param<'_>; 5] = [&digest.notification, &to, &fate.reason, &now, &from];
    tx.all(SETTLE, &params, |row| column(row, "ordering_key")).await
}

fn fate(digest: i64, parts: Vec<DigestPart>) -> Option<Fate> {
    if parts.iter().any(|part| !part.state.is_settled()) {
        return None;
    }
    if parts.iter().any(|part| part.state == State::Delivered) {
        return Some(Fate { state: State::Delivered, reason: format!("folded into digest {digest}") });
    }
    let dead = parts.into_iter().find(|part| part.state == State::Dead);
    Some(match dead {
        Some(part) => Fate { state: part.state, reason: part.reason.unwrap_or_default() },
        None => {
            Fate { state: State::Discarded, reason: stored::DIGEST_DISCARDED.fill(&[&digest.to_string()]).en }
        }
    })
}

/// Lets the members of a digest wait again, and discards its other parts. The caller ends the part in flight. Adds the heads
/// that they were to `settled`. Returns false, and changes nothing, if a part was delivered or no member is folded.
pub(super) async fn undo(
    tx: &Transaction<'_>,
    digest: &Entry,
    reason: &str,
    now: Timestamp,
    settled: &mut Heads,
) -> EngineResult<bool> {
    let folded = tx
        .all(FOLDED, &[&digest.notification], |row| {
            Ok(FoldedDelivery {
                id: column(row, "id")?,
                notification: column(row, "notification")?,
                ordering_key: column(row, "ordering_key")?,
            })
        })
        .await?;
    let parts = parts_of(tx, digest).await?;
    if folded.is_empty() || parts.iter().any(|part| part.state == State::Delivered) {
        return Ok(false);
    }
    tx.run(DISCARD_PARTS, &[&digest.siblings, &millis(now), &reason]).await?;
    let members: BTreeSet<i64> = folded.iter().map(|delivery| delivery.notification).collect();
    let limit = fold::limit_after_undo(members.len()).cast_signed();
    let ids: Vec<i64> = folded.iter().map(|delivery| delivery.id).collect();
    tx.run(UNFOLD, &[&ids, &limit]).await?;
    for delivery in folded {
        *settled.entry(delivery.ordering_key).or_default() += 1;
    }
    Ok(true)
}

/// A delivery that a digest replaces.
struct FoldedDelivery {
    id: i64,
    notification: i64,
    ordering_key: i64,
}
