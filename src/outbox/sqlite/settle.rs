//! The ends of claims: by their caller, or by the end of the last owner.

use jiff::Timestamp;

use super::{
    error::Done,
    lane,
    rows::{self, ms, span_ms, time},
    tx::Tx,
};
use crate::{
    outbox::{Attempt, DeliveryId, SenderName, Settlement, State, Verdict},
    wecom::Receipt,
};

pub(super) const RECORD: &str = "INSERT INTO attempt
     (delivery, n, sender, started_at, duration_ms, ended_at, errcode, counted, detail)
     VALUES (?1, 1 + (SELECT coalesce(max(n), 0) FROM attempt WHERE delivery = ?1), ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
pub(super) const DELIVERED: &str = "UPDATE delivery SET state = 4, attempts = attempts + 1, settled_at = ?2,
     reason = ?3, msgid = ?4, response_code = ?5, missed = ?6 WHERE id = ?1";
pub(super) const DEAD: &str =
    "UPDATE delivery SET state = 5, attempts = attempts + 1, settled_at = ?2, reason = ?3 WHERE id = ?1";
pub(super) const RETRY: &str = "UPDATE delivery SET state = 1, due_at = ?2, attempts = attempts + ?3,
     unconfirmed_since = coalesce(unconfirmed_since, ?4), reason = ?5, unknown = unknown + ?6 WHERE id = ?1";
// What is known of the old body does not hold for the new one.
pub(super) const INSTEAD: &str =
    "UPDATE delivery SET state = 1, due_at = ?2, attempts = attempts + 1, reason = ?3,
     claimed_at = NULL, check_ms = NULL, body_hash = NULL, unconfirmed_since = NULL, unknown = 0 WHERE id = ?1";
pub(super) const REWRITE: &str = "UPDATE message SET msgtype = ?2, content = ?3 WHERE delivery = ?1";
// Not by the index of heads, which it changes while it walks; this is as rare as a clock that is set back.
pub(super) const HASTEN: &str = "UPDATE delivery SET due_at = ?3 WHERE id IN
     (SELECT id FROM delivery WHERE state = 1 AND sender = ?1 AND due_at > ?2)";
pub(super) const IN_FLIGHT: &str =
    "SELECT id, claimed_at, sender FROM delivery INDEXED BY delivery_in_flight WHERE state = 2 ORDER BY id";
pub(super) const LAST_CLAIM: &str =
    "SELECT max(claimed_at) FROM delivery INDEXED BY delivery_in_flight WHERE state = 2";

pub(super) fn settle(tx: &Tx<'_>, settlement: &Settlement, now: Timestamp) -> Done<()> {
    let DeliveryId(id) = settlement.delivery;
    let Some((State::InFlight, ended)) = lane::load(tx, id)? else { return Ok(()) };
    let attempt = &settlement.attempt;
    record(tx, id, &ended.of.sender, attempt)?;
    match &settlement.verdict {
        Verdict::Delivered(receipt) => {
            let Receipt { msgid, response_code, invalid } = receipt;
            let missed = rows::missed(invalid);
            tx.run(DELIVERED, (id, ms(now), &attempt.detail, msgid, response_code, missed))?;
            lane::ended(tx, ended, now)
        }
        Verdict::Dead(reason) => {
            tx.run(DEAD, (id, ms(now), reason))?;
            lane::ended(tx, ended, now)
        }
        Verdict::Retry { at, charged, unconfirmed, unknown } => {
            // WeCom counts from when it took the message, which is after the start.
            let doubt = unconfirmed.then_some(ms(attempt.started_at));
            tx.run(RETRY, (id, ms(*at), charged, doubt, &attempt.detail, unknown))?;
            tx.wake();
            Ok(())
        }
        Verdict::Replace { content, reason } => {
            tx.run(INSTEAD, (id, ms(now), reason))?;
            tx.run(REWRITE, (id, content.msgtype(), content.text()))?;
            tx.wake();
            Ok(())
        }
    }
}

fn record(tx: &Tx<'_>, id: i64, sender: &str, attempt: &Attempt) -> Done<()> {
    let Attempt { started_at, duration, errcode, detail, counted } = attempt;
    let times = (ms(*started_at), span_ms(*duration), ended_ms(attempt));
    tx.run(RECORD, (id, sender, times.0, times.1, times.2, errcode, counted, detail))?;
    Ok(())
}

fn ended_ms(attempt: &Attempt) -> i64 {
    ms(attempt.started_at).saturating_add(span_ms(attempt.duration))
}

pub(super) fn hasten(tx: &Tx<'_>, sender: &SenderName, horizon: Timestamp, now: Timestamp) -> Done<()> {
    tx.run(HASTEN, (&sender.0, ms(horizon), ms(now)))?;
    tx.wake();
    Ok(())
}

/// [`recover`], for what another file says is in flight: nobody of this process sends it.
pub(super) fn recover_adopted(tx: &Tx<'_>) -> Done<()> {
    // The last that is known of its owner.
    if let Some(last) = tx.only(LAST_CLAIM, [], |row| row.get::<_, Option<i64>>(0))? {
        recover(tx, time(last)?)?;
    }
    Ok(())
}

/// Nobody knows what became of these: they may have been delivered, and are sent again.
pub(super) fn recover(tx: &Tx<'_>, now: Timestamp) -> Done<u32> {
    let read = |row: &rusqlite::Row<'_>| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?, row.get::<_, String>(2)?))
    };
    let mut count = 0;
    for (id, claimed_at, sender) in tx.all(IN_FLIGHT, [], read)? {
        // A clock that was set back must not make an attempt that ends before it began.
        let started_at = claimed_at.map(time).transpose()?.unwrap_or(now).min(now);
        let attempt = Attempt {
            started_at,
            duration: now.duration_since(started_at).unsigned_abs(),
            errcode: None,
            detail: "interrupted: the relay ended while it was being sent".to_owned(),
            counted: true,
        };
        record(tx, id, &sender, &attempt)?;
        tx.run(RETRY, (id, ms(now), true, Some(ms(started_at)), &attempt.detail, false))?;
        tx.wake();
        count += 1;
    }
    Ok(count)
}
