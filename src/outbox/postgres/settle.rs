//! Settlements: the ends of claims, by their dispatcher or by the next lease.

use std::collections::HashMap;

use jiff::Timestamp;
use tokio_postgres::Row;

use super::{
    cards::{self, CardChanges},
    columns::{column, content, millis, recipients, state_number},
    ending::{Ending, Endings},
    entry::{self, Entry},
    error::EngineResult,
    job::PendingSettlement,
    members,
    order::{self, Heads, LOCK_OF_DELIVERIES},
    session::{Change, Transaction},
};
use crate::outbox::{
    Attempt, BodyHash, ClaimId, Kind, SenderName, Settlement, State, Status, Verdict,
    rules::{
        cards::{Updated, is_sent, may_be_card},
        stored,
    },
};

pub(super) const RECIPIENTS: &str =
    "SELECT to_users, to_parties, to_tags FROM wecom_relay.delivery WHERE id = $1";
pub(super) const CONTENT: &str = "SELECT msgtype, content FROM wecom_relay.delivery WHERE id = $1";
pub(super) const DISCARD: &str =
    "UPDATE wecom_relay.delivery SET state = 6, settled_at = $2, reason = $3 WHERE id = $1";
pub(super) const COUNT_DISCARDED: &str =
    "INSERT INTO wecom_relay.discarded AS d (sender, receiver, deliveries) VALUES ($1, $2, 1)
     ON CONFLICT (sender, receiver) DO UPDATE SET deliveries = d.deliveries + 1";
/// A notification of which one part is requeued or discarded is not whole any more, so it cannot be folded.
pub(super) const NOT_WHOLE: &str =
    "UPDATE wecom_relay.delivery SET foldable = 0 WHERE id = ANY($1) AND foldable > 0";
pub(super) const SET_ASIDE: &str =
    "UPDATE wecom_relay.delivery SET state = $2, foldable = 0, settled_at = $3, reason = $4 WHERE id = $1";

/// Ends claims. A claim that has already ended is left alone.
pub(super) async fn settle_all(tx: &Transaction<'_>, batch: &[PendingSettlement]) -> EngineResult<()> {
    let ids: Vec<i64> = batch.iter().map(|one| one.settlement.delivery.0).collect();
    tx.prepare(&[LOCK_OF_DELIVERIES, entry::LOAD]).await?;
    let (locked, entries) = tokio::join!(order::lock_of_deliveries(tx, &ids), entry::load(tx, &ids));
    locked?;
    let mut entries: HashMap<i64, Entry> = entries?.into_iter().map(|entry| (entry.id, entry)).collect();
    let (mut endings, mut settled, mut digests) = (Endings::default(), Heads::new(), Vec::new());
    let mut changed = CardChanges::default();
    for PendingSettlement { settlement, now, .. } in batch {
        let Settlement { delivery, claim: ClaimId(claim), attempt, verdict, tried_cards } = settlement;
        let is_claim = |entry: &Entry| entry.state == State::InFlight && entry.claim == Some(*claim);
        // It is removed, because a result may be handed in twice.
        let Some(entry) = entries.remove(&delivery.0).filter(is_claim) else { continue };
        changed.tried(entry.id, entry.ordering_key, tried_cards);
        let ending = match verdict {
            Verdict::Delivered(receipt) => {
                if is_sent(&entry.msgtype, tried_cards) {
                    changed.sent(entry.id, receipt, *now);
                }
                Ending::Delivered(receipt)
            }
            Verdict::Dead(reason) => Ending::Given { state: State::Dead, reason },
            Verdict::Undo(reason) => {
                let is_undone = members::undo(tx, &entry, reason, *now, &mut settled).await?;
                Ending::Given { state: if is_undone { State::Discarded } else { State::Dead }, reason }
            }
            Verdict::Retry { at, charged, unconfirmed, unknown_code } => Ending::Retry {
                due_at: millis(*at),
                charged: *charged,
                unconfirmed: *unconfirmed,
                unknown_code: *unknown_code,
            },
            Verdict::Replace { content, reason } => {
                if may_be_card(&entry.msgtype) && content.task_id().is_none() {
                    changed.deleted(entry.id);
                }
                let recipients = tx.only(RECIPIENTS, &[&entry.id], recipients).await?;
                Ending::Replace { content, body: BodyHash::of(&entry.sender, &recipients, content), reason }
            }
        };
        endings.add(entry.id, attempt, &ending, *now);
        match ending {
            Ending::Retry { .. } | Ending::Replace { .. } => {
                tx.mark_changed(&entry.sender, entry.destination);
            }
            Ending::Delivered(_) | Ending::Given { .. } => {
                *settled.entry(entry.ordering_key).or_default() += 1;
                if entry.status == Status::Resolved {
                    changed.resolved(entry.id);
                }
                if entry.kind == Kind::Digest {
                    digests.push((entry, *now));
                }
            }
        }
    }
    endings.store(tx).await?;
    changed.store(tx).await?;
    for (digest, now) in digests {
        members::settle(tx, &digest, now, &mut settled).await?;
    }
    order::remove_heads(tx, &settled).await
}

/// Updates the ordering key of a delivery that was just settled, the cards of its group, and the members of a digest. The
/// caller holds the locks of the ordering keys.
pub(super) async fn after_settlement(
    tx: &Transaction<'_>,
    entry: &Entry,
    now: Timestamp,
) -> EngineResult<()> {
    let mut settled = Heads::new();
    if entry.is_head() {
        settled.insert(entry.ordering_key, 1);
    }
    if entry.status == Status::Resolved {
        cards::close(tx, &[entry.id]).await?;
    }
    if entry.kind == Kind::Digest {
        members::settle(tx, entry, now, &mut settled).await?;
    }
    order::remove_heads(tx, &settled).await
}

/// Makes the deliveries of `sender` unconfirmed that an earlier lease left in flight, and returns their number.
pub(super) async fn recover(tx: &Transaction<'_>, sender: &SenderName, now: Timestamp) -> EngineResult<u32> {
    let read = |row: &Row| Ok((column::<i64>(row, "id")?, Interrupted::read(row, now)));
    let in_flight = tx.all(entry::LOAD_IN_FLIGHT, &[&sender.0], read).await?;
    let (mut endings, mut count) = (Endings::default(), 0);
    for (id, interrupted) in in_flight {
        let Interrupted { entry, started_at } = match interrupted {
            Ok(interrupted) => interrupted,
            Err(error) => {
                set_aside(tx, id, &error.reason(), now).await?;
                continue;
            }
        };
        let attempt = Attempt {
            started_at,
            duration: now.duration_since(started_at).unsigned_abs(),
            errcode: None,
            detail: "interrupted: the relay ended while it was sending this".to_owned(),
            counted: true,
        };
        // It keeps its place before what waits, so that it is sent again while WeCom's duplicate check reaches back to it.
        let ending =
            Ending::Retry { due_at: entry.due_at, charged: true, unconfirmed: true, unknown_code: false };
        endings.add(entry.id, &attempt, &ending, now);
        if may_be_card(&entry.msgtype) {
            let content = tx.only(CONTENT, &[&id], content).await?;
            if matches!(Updated::by(&content), Some(Updated::OpenCards)) {
                cards::doubt(tx, id, now).await?;
            }
        }
        tx.mark_changed(&entry.sender, entry.destination);
        count += 1;
    }
    endings.store(tx).await?;
    Ok(count)
}

/// A delivery in flight whose result was lost.
struct Interrupted {
    entry: Entry,
    started_at: Timestamp,
}

impl Interrupted {
    fn read(row: &Row, now: Timestamp) -> EngineResult<Self> {
        let entry = Entry::read(row)?;
        let claimed_at = entry.claimed_at.map(stored::timestamp).transpose()?;
        // The clock of another process may be ahead.
        Ok(Self { entry, started_at: claimed_at.unwrap_or(now).min(now) })
    }
}

/// Makes a dead letter of an open delivery whose row cannot be read for `reason`. So a damaged row does not stop everything
/// else.
pub(super) async fn set_aside(
    tx: &Transaction<'_>,
    id: i64,
    reason: &str,
    now: Timestamp,
) -> EngineResult<()> {
    order::lock_of_deliveries(tx, &[id]).await?;
    let ids: [i64; 1] = [id];
    let Some(entry) = tx.first(entry::LOAD, &[&ids.as_slice()], Entry::read_damaged).await? else {
        return Ok(());
    };
    let text = stored::DAMAGED.fill(&[reason]).en;
    tx.run(SET_ASIDE, &[&id, &state_number(State::Dead), &millis(now), &text]).await?;
    after_settlement(tx, &entry, now).await?;
    let Entry { sender, receiver, .. } = entry;
    tracing::error!(
        app = %sender,
        %receiver,
        delivery = id,
        cause = "damaged",
        reason,
        "dead letter: its row cannot be read; everything else goes out; find out who changed it in the database"
    );
    tx.mark(Change::Damaged(sender, receiver));
    Ok(())
}

/// Discards a delivery that waits, or that was just claimed. The caller holds the lock of its ordering key.
pub(super) async fn discard(
    tx: &Transaction<'_>,
    entry: &Entry,
    reason: &str,
    now: Timestamp,
) -> EngineResult<()> {
    tx.run(DISCARD, &[&entry.id, &millis(now), &reason]).await?;
    tx.run(COUNT_DISCARDED, &[&entry.sender.0, &entry.receiver.0]).await?;
    if entry.siblings.len() > 1 {
        tx.run(NOT_WHOLE, &[&entry.siblings]).await?;
    }
    after_settlement(tx, entry, now).await
}
