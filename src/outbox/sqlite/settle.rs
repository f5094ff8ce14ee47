//! Settlements: the ends of claims, by their dispatcher or by the next lease.

use std::collections::HashSet;

use jiff::Timestamp;
use rusqlite::{ToSql, params};

use super::{
    cards,
    columns::{
        content_columns, duration_millis, invalid_recipients, millis, recipients_columns, state_column,
        state_number, text_column, timestamp,
    },
    entry::{self, Entry},
    error::{EngineError, EngineResult},
    history, order,
    transaction::Transaction,
};
use crate::outbox::{
    Attempt, BodyHash, ClaimId, DeliveryId, Kind, ReceiverName, SenderName, Settlement, State, Status,
    Verdict,
    rules::{
        cards::{Updated, is_sent, may_be_card},
        fold, stored,
    },
};

// Only the last attempt is in the delivery's row.
pub(super) const MOVE_LAST_ATTEMPT: &str = "INSERT INTO attempt (delivery, n, sender, started_at, ms, ended_at,
     errcode, counted, detail)
     SELECT id, tries, sender, attempt_started_at, attempt_ms, attempt_ended_at, attempt_errcode, attempt_counted,
     attempt_detail FROM delivery WHERE id = ?1";
/// Records an attempt (parameters 2 to 7) and changes more columns.
macro_rules! update_after_attempt {
    ($columns:literal) => {
        concat!(
            "UPDATE delivery SET tries = tries + 1, attempt_started_at = ?2, attempt_ms = ?3, attempt_ended_at = ?4,
             attempt_errcode = ?5, attempt_counted = ?6, attempt_detail = ?7, ",
            $columns,
            " WHERE id = ?1"
        )
    };
}
pub(super) const DELIVERED: &str = update_after_attempt!(
    "state = 4, attempts = attempts + 1, settled_at = ?8, reason = NULL, msgid = ?9, invalid_recipients = ?10"
);
pub(super) const DEAD: &str =
    update_after_attempt!("state = 5, attempts = attempts + 1, settled_at = ?8, reason = ?9");
pub(super) const UNDONE: &str =
    update_after_attempt!("state = 6, attempts = attempts + 1, settled_at = ?8, reason = ?9");
pub(super) const RETRY: &str = update_after_attempt!(
    "state = 1, due_at = ?8, attempts = attempts + ?9, unconfirmed_since = coalesce(unconfirmed_since, ?10),
     unknown_codes = unknown_codes + ?11, reason = NULL"
);
// The attempts with the old content do not count for the new content.
pub(super) const REPLACE: &str = update_after_attempt!(
    "state = 1, due_at = ?8, attempts = attempts + 1, reason = ?9, msgtype = ?10, content = ?11, body = ?12,
     unconfirmed_since = NULL, unknown_codes = 0"
);
pub(super) const LOAD_DAMAGED: &str =
    "SELECT state, ordering_key, sender, receiver FROM delivery WHERE id = ?1";
pub(super) const SET_ASIDE: &str =
    "UPDATE delivery SET state = 5, foldable = 0, settled_at = ?2, reason = ?3 WHERE id = ?1";
pub(super) const RECIPIENTS: &str = "SELECT to_users, to_parties, to_tags FROM delivery WHERE id = ?1";
pub(super) const CONTENT: &str = "SELECT msgtype, content FROM delivery WHERE id = ?1";
pub(super) const UNSETTLED_OTHERS: &str = "SELECT count(*) AS count FROM delivery
     WHERE id >= ?1 AND id < ?1 + ?2 AND id <> ?3 AND settled_at IS NULL";
pub(super) const IN_FLIGHT: &str = "SELECT id FROM delivery INDEXED BY delivery_in_flight
     WHERE state = 2 AND sender = ?1 ORDER BY id";
pub(super) const SENDERS_IN_FLIGHT: &str =
    "SELECT sender, max(coalesce(claimed_at, 0)) AS last_claim FROM delivery
     INDEXED BY delivery_in_flight WHERE state = 2 GROUP BY sender";
pub(super) const SIBLINGS: &str =
    "SELECT id, state, reason FROM delivery WHERE id >= ?1 AND id < ?1 + ?2 ORDER BY id";
pub(super) const DISCARD: &str = "UPDATE delivery SET state = 6, settled_at = ?2, reason = ?3 WHERE id = ?1";
pub(super) const COUNT_DISCARDED: &str =
    "INSERT INTO discarded (sender, receiver, deliveries) VALUES (?1, ?2, 1)
     ON CONFLICT (sender, receiver) DO UPDATE SET deliveries = deliveries + 1";
/// A notification of which one part is requeued or discarded is not whole any more, so it cannot be folded.
pub(super) const NOT_WHOLE: &str =
    "UPDATE delivery SET foldable = 0 WHERE id >= ?1 AND id < ?1 + ?2 AND foldable > 0";
pub(super) const MEMBERS: &str =
    "SELECT id FROM delivery INDEXED BY delivery_digest WHERE digest = ?1 ORDER BY id";
pub(super) const FOLDED: &str = "SELECT id, notification, ordering_key FROM delivery
     INDEXED BY delivery_digest WHERE digest = ?1 AND state = 3 ORDER BY id";
pub(super) const UNFOLD: &str = "UPDATE delivery SET state = 0, digest = NULL, foldable = ?2 WHERE id = ?1";
pub(super) const SETTLE_MEMBER: &str =
    "UPDATE delivery SET state = ?2, reason = ?3, settled_at = ?4 WHERE id = ?1";
pub(super) const MARK_NOTICED: &str = "UPDATE delivery SET noticed = 1 WHERE id >= ?1 AND id < ?1 + ?2";

/// Ends a claim. A claim that has already ended is left alone.
pub(super) fn settle(tx: &mut Transaction<'_>, settlement: &Settlement, now: Timestamp) -> EngineResult<()> {
    let Settlement { delivery: DeliveryId(id), claim: ClaimId(claim), attempt, verdict, tried_cards } =
        settlement;
    let Some(entry) = entry::load(tx, *id)? else { return Ok(()) };
    if entry.state != State::InFlight || entry.claim != Some(*claim) {
        return Ok(());
    }
    cards::tried(tx, entry.id, entry.ordering_key, tried_cards)?;
    let attempt = StoredAttempt::new(tx, &entry, attempt)?;
    match verdict {
        Verdict::Delivered(receipt) => {
            if is_sent(&entry.msgtype, tried_cards) {
                cards::sent(tx, entry.id, receipt, now)?;
            }
            let invalid = invalid_recipients(&receipt.invalid);
            attempt.update(tx, DELIVERED, params![millis(now), receipt.msgid, invalid])?;
            after_settlement(tx, &entry, now)
        }
        Verdict::Undo(reason) if undo(tx, &entry, reason, now)? => {
            attempt.update(tx, UNDONE, params![millis(now), reason])
        }
        Verdict::Dead(reason) | Verdict::Undo(reason) => {
            attempt.update(tx, DEAD, params![millis(now), reason])?;
            after_settlement(tx, &entry, now)
        }
        Verdict::Retry { at, charged, unconfirmed, unknown_code } => {
            // The interval of WeCom's duplicate check begins when WeCom accepts the message, which is after the start.
            let since = unconfirmed.then_some(attempt.started_at);
            attempt.update(tx, RETRY, params![millis(*at), charged, since, unknown_code])?;
            tx.mark_changed(&entry.sender, entry.destination);
            Ok(())
        }
        Verdict::Replace { content, reason } => {
            let recipients = tx.sql.only(RECIPIENTS, [id], recipients_columns)?;
            let BodyHash(body) = BodyHash::of(&entry.sender, &recipients, content);
            let columns = params![millis(now), reason, content.msgtype(), content.text(), body];
            attempt.update(tx, REPLACE, columns)?;
            if may_be_card(&entry.msgtype) && content.task_id().is_none() {
                history::delete_card(tx.sql, *id)?;
            }
            tx.mark_changed(&entry.sender, entry.destination);
            Ok(())
        }
    }
}

/// The number of other deliveries of a notification that are not settled.
pub(super) fn unsettled_others(
    tx: &Transaction<'_>,
    notification: i64,
    deliveries: u32,
    id: i64,
) -> EngineResult<u32> {
    tx.sql.only(UNSETTLED_OTHERS, (notification, deliveries, id), |row| Ok(row.get("count")?))
}

/// An attempt in the form of its columns.
struct StoredAttempt<'a> {
    delivery: i64,
    started_at: i64,
    ms: i64,
    attempt: &'a Attempt,
}

impl<'a> StoredAttempt<'a> {
    /// Makes room for the attempt: an earlier one moves to the table of attempts.
    fn new(tx: &Transaction<'_>, entry: &Entry, attempt: &'a Attempt) -> EngineResult<Self> {
        if entry.tries > 0 {
            tx.sql.run(MOVE_LAST_ATTEMPT, [entry.id])?;
        }
        let (started_at, ms) = (millis(attempt.started_at), duration_millis(attempt.duration));
        Ok(Self { delivery: entry.id, started_at, ms, attempt })
    }

    /// Runs a statement of [`update_after_attempt`]. `columns` are its parameters after those of the attempt.
    fn update(&self, tx: &Transaction<'_>, sql: &str, columns: &[&dyn ToSql]) -> EngineResult<()> {
        let Attempt { errcode, detail, counted, .. } = self.attempt;
        let ended_at = self.started_at.saturating_add(self.ms);
        let mut parameters: Vec<&dyn ToSql> =
            vec![&self.delivery, &self.started_at, &self.ms, &ended_at, errcode, counted, detail];
        parameters.extend(columns);
        tx.sql.run(sql, parameters.as_slice())?;
        Ok(())
    }
}

/// Updates the ordering key of a delivery that was just settled, the cards of its group, and the members of a digest.
pub(super) fn after_settlement(tx: &mut Transaction<'_>, entry: &Entry, now: Timestamp) -> EngineResult<()> {
    if matches!(entry.state, State::Ready | State::InFlight | State::Folded) {
        order::remove_head(tx, entry.ordering_key, now)?;
    }
    if entry.status == Status::Resolved {
        cards::close(tx, entry)?;
    }
    if entry.kind == Kind::Digest { settle_members(tx, entry, now) } else { Ok(()) }
}

/// The fate that the members of a digest share.
struct Fate {
    state: State,
    reason: String,
}

/// When all parts of a digest are settled, its members are settled too. They are delivered if any part was.
fn settle_members(tx: &mut Transaction<'_>, digest: &Entry, now: Timestamp) -> EngineResult<()> {
    let Some(fate) = fate_of_members(tx, digest)? else { return Ok(()) };
    let mut any_folded = false;
    for id in tx.sql.all(MEMBERS, [digest.notification], |row| Ok(row.get::<_, i64>("id")?))? {
        let Some(member) = load_or_set_aside(tx, id, now)? else { continue };
        // The digest was requeued and delivered, so it has reported its dead members after all.
        let is_revived = member.state == State::Dead && fate.state == State::Delivered;
        if member.state != State::Folded && !is_revived {
            continue;
        }
        tx.sql.run(SETTLE_MEMBER, (id, state_number(fate.state), &fate.reason, millis(now)))?;
        if member.state == State::Folded {
            any_folded = true;
            order::remove_head(tx, member.ordering_key, now)?;
        }
    }
    if fate.state == State::Delivered {
        cards::close_of_digest(tx, digest.notification)?;
    }
    if fate.state == State::Dead && any_folded {
        // Its members are reported instead.
        tx.sql.run(MARK_NOTICED, (digest.notification, digest.deliveries))?;
    }
    Ok(())
}

/// Lets the members of a digest wait again, and discards its other parts. The caller ends the part in flight. Returns
/// false, and changes nothing, if a part was delivered or no member is folded.
fn undo(tx: &mut Transaction<'_>, digest: &Entry, reason: &str, now: Timestamp) -> EngineResult<bool> {
    let parts = parts_of(tx, digest)?;
    let folded = tx.sql.all(FOLDED, [digest.notification], |row| {
        let notification: i64 = row.get("notification")?;
        Ok(FoldedDelivery { id: row.get("id")?, notification, ordering_key: row.get("ordering_key")? })
    })?;
    if folded.is_empty() || parts.iter().any(|part| part.state == State::Delivered) {
        return Ok(false);
    }
    for part in parts.iter().filter(|part| part.state == State::Queued) {
        tx.sql.run(DISCARD, (part.id, millis(now), reason))?;
    }
    order::remove_head(tx, digest.ordering_key, now)?;
    let members: HashSet<i64> = folded.iter().map(|delivery| delivery.notification).collect();
    let limit = fold::limit_after_undo(members.len());
    for delivery in &folded {
        tx.sql.run(UNFOLD, (delivery.id, limit))?;
    }
    for delivery in &folded {
        order::remove_head(tx, delivery.ordering_key, now)?;
    }
    Ok(true)
}

/// A delivery that a digest replaces.
struct FoldedDelivery {
    id: i64,
    notification: i64,
    ordering_key: i64,
}

/// A part of a digest.
struct DigestPart {
    id: i64,
    state: State,
    reason: Option<String>,
}

fn parts_of(tx: &Transaction<'_>, digest: &Entry) -> EngineResult<Vec<DigestPart>> {
    tx.sql.all(SIBLINGS, (digest.notification, digest.deliveries), |row| {
        Ok(DigestPart { id: row.get("id")?, state: state_column(row)?, reason: row.get("reason")? })
    })
}

fn fate_of_members(tx: &Transaction<'_>, digest: &Entry) -> EngineResult<Option<Fate>> {
    let parts = parts_of(tx, digest)?;
    if parts.iter().any(|part| !part.state.is_settled()) {
        return Ok(None);
    }
    let number = digest.notification;
    if parts.iter().any(|part| part.state == State::Delivered) {
        let reason = format!("folded into digest {number}");
        return Ok(Some(Fate { state: State::Delivered, reason }));
    }
    let dead = parts.into_iter().find(|part| part.state == State::Dead);
    Ok(Some(match dead {
        Some(part) => Fate { state: part.state, reason: part.reason.unwrap_or_default() },
        None => {
            Fate { state: State::Discarded, reason: stored::DIGEST_DISCARDED.fill(&[&number.to_string()]).en }
        }
    }))
}

/// Makes the deliveries of `sender` unconfirmed that an earlier lease left in flight, and returns their number.
pub(super) fn recover(tx: &mut Transaction<'_>, sender: &SenderName, now: Timestamp) -> EngineResult<u32> {
    let ids = tx.sql.all(IN_FLIGHT, [&sender.0], |row| Ok(row.get::<_, i64>("id")?))?;
    let mut count = 0;
    for id in ids {
        let Some(entry) = load_or_set_aside(tx, id, now)? else { continue };
        let claimed_at = entry.claimed_at.map(timestamp).transpose()?;
        // A replaced file may have later times.
        let started_at = claimed_at.unwrap_or(now).min(now);
        let attempt = Attempt {
            started_at,
            duration: now.duration_since(started_at).unsigned_abs(),
            errcode: None,
            detail: "interrupted: the relay ended while it was sending this".to_owned(),
            counted: true,
        };
        let attempt = StoredAttempt::new(tx, &entry, &attempt)?;
        // It keeps its place before what waits, so that it is sent again while WeCom's duplicate check reaches back to it.
        attempt.update(tx, RETRY, params![entry.due_at, true, attempt.started_at, false])?;
        if may_be_card(&entry.msgtype) {
            let content = tx.sql.only(CONTENT, [id], content_columns)?;
            if matches!(Updated::by(&content), Some(Updated::OpenCards)) {
                cards::doubt(tx, id, now)?;
            }
        }
        tx.mark_changed(&entry.sender, entry.destination);
        count += 1;
    }
    Ok(count)
}

/// Makes the deliveries unconfirmed that are in flight according to a replaced file. This process does not send them.
pub(super) fn recover_replaced_file(tx: &mut Transaction<'_>) -> EngineResult<()> {
    let senders = tx.sql.all(SENDERS_IN_FLIGHT, [], |row| {
        Ok((SenderName(row.get("sender")?), timestamp(row.get("last_claim")?)?))
    })?;
    for (sender, last_claim) in senders {
        recover(tx, &sender, last_claim)?;
    }
    Ok(())
}

/// Loads a delivery. `None` if there is none, or if its row could not be read and was set aside.
fn load_or_set_aside(tx: &mut Transaction<'_>, id: i64, now: Timestamp) -> EngineResult<Option<Entry>> {
    match entry::load(tx, id) {
        Err(error) => set_aside(tx, id, error, now).map(|()| None),
        loaded => loaded,
    }
}

/// Makes a dead letter of an open delivery whose row could not be read because of `error`. So a damaged row does not stop
/// everything else.
///
/// # Errors
/// `error`, if its reason is not the row.
pub(super) fn set_aside(
    tx: &mut Transaction<'_>,
    id: i64,
    error: EngineError,
    now: Timestamp,
) -> EngineResult<()> {
    if !error.is_unreadable_row() {
        return Err(error);
    }
    // Several values may be damaged, so nothing is read that must have a certain form.
    let found = tx.sql.first(LOAD_DAMAGED, [id], |row| {
        Ok(DamagedEntry {
            state: row.get("state")?,
            ordering_key: row.get("ordering_key")?,
            sender: SenderName(text_column(row, "sender")?),
            receiver: ReceiverName(text_column(row, "receiver")?),
        })
    })?;
    let Some(DamagedEntry { state, ordering_key, sender, receiver }) = found else { return Ok(()) };
    let entry = entry::load(tx, id);
    let reason = error.store_error().to_string();
    tx.sql.run(SET_ASIDE, (id, millis(now), stored::DAMAGED.fill(&[&reason]).en))?;
    match entry {
        Ok(Some(entry)) => after_settlement(tx, &entry, now)?,
        _ if HEADS.contains(&state) => order::remove_head(tx, ordering_key, now)?,
        _ => {}
    }
    tracing::error!(
        app = %sender,
        %receiver,
        delivery = id,
        cause = "damaged",
        reason,
        "dead letter: its row cannot be read; everything else goes out; check the disk, and see \"Damaged files\" in docs/operations.md"
    );
    tx.mark_damaged(sender, receiver);
    Ok(())
}

/// Discards a delivery that waits.
pub(super) fn discard(
    tx: &mut Transaction<'_>,
    entry: &Entry,
    reason: &str,
    now: Timestamp,
) -> EngineResult<()> {
    tx.sql.run(DISCARD, (entry.id, millis(now), reason))?;
    tx.sql.run(COUNT_DISCARDED, (&entry.sender.0, &entry.receiver.0))?;
    if entry.deliveries > 1 {
        tx.sql.run(NOT_WHOLE, (entry.notification, entry.deliveries))?;
    }
    after_settlement(tx, entry, now)
}

/// The readable values of an [`Entry`].
struct DamagedEntry {
    state: i64,
    ordering_key: i64,
    sender: SenderName,
    receiver: ReceiverName,
}

/// The numbers of the states in which others wait behind a delivery: ready, in flight and folded.
const HEADS: std::ops::RangeInclusive<i64> = 1..=3;
