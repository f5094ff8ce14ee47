//! The presses of buttons: stored, claimed, and settled.

use jiff::Timestamp;
use rusqlite::Row;

use super::{
    cards,
    columns::{millis, text_column, time_column},
    enqueue,
    error::{EngineError, EngineResult},
    relay_time::WallTimes,
    sender,
    sql::Sql,
    transaction::Transaction,
    watches,
};
use crate::outbox::{
    AcceptedPress, ClaimId, DeliveryId, NewPress, Press, PressId, PressRecord, PressVerdict, SenderName,
    rules::{
        cards::{MAX_DAMAGED, is_wanted},
        stored,
        wall_times::WallTimes as _,
    },
};

pub(super) const INSERT: &str = "INSERT OR IGNORE INTO press
     (id, queue, task_id, delivery, member, button, response_code, pressed_at, accepted_at, due_at, attempts)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, 0)";
/// A press waits for the earlier ones of its card, so that two members cannot silence the same alert twice.
macro_rules! first_of_its_card {
    () => {
        "settled_at IS NULL AND NOT EXISTS (SELECT 1 FROM press e INDEXED BY press_delivery
         WHERE e.delivery = press.delivery AND e.settled_at IS NULL
         AND (e.accepted_at, e.id) < (press.accepted_at, press.id))"
    };
}
pub(super) const DUE: &str = concat!(
    "SELECT id FROM press INDEXED BY press_due WHERE due_at <= ?1 AND ",
    first_of_its_card!(),
    " ORDER BY due_at LIMIT 1"
);
pub(super) const NEXT_DUE: &str = concat!(
    "SELECT due_at FROM press INDEXED BY press_due WHERE ",
    first_of_its_card!(),
    " ORDER BY due_at LIMIT 1"
);
pub(super) const LOAD: &str = "SELECT queue, task_id, delivery, member, button, response_code, pressed_at,
     accepted_at, attempts FROM press WHERE id = ?1";
pub(super) const CLAIM: &str =
    "UPDATE press SET claim = ?2, due_at = ?3, attempts = attempts + 1 WHERE id = ?1";
pub(super) const CLAIMED: &str =
    "SELECT delivery FROM press WHERE id = ?1 AND claim = ?2 AND settled_at IS NULL";
pub(super) const RETRY: &str = "UPDATE press SET claim = NULL, due_at = ?2, result = ?3 WHERE id = ?1";
pub(super) const SETTLE: &str = "UPDATE press SET settled_at = ?2, result = ?3 WHERE id = ?1";
pub(super) const RELEASE: &str = "UPDATE press INDEXED BY press_due SET claim = NULL, due_at = accepted_at
     WHERE settled_at IS NULL AND claim IS NOT NULL";
pub(super) const OF_DELIVERY: &str =
    "SELECT id, member, button, pressed_at, accepted_at, settled_at, result FROM press INDEXED BY press_delivery
     WHERE delivery = ?1 ORDER BY accepted_at LIMIT 1000";
pub(super) const DELETE_SETTLED: &str = "DELETE FROM press WHERE id IN
     (SELECT id FROM press INDEXED BY press_settled WHERE settled_at IS NOT NULL AND settled_at < ?1
      ORDER BY settled_at LIMIT ?2)";

pub(super) fn accept(
    tx: &mut Transaction<'_>,
    press: &NewPress,
    now: Timestamp,
) -> EngineResult<AcceptedPress> {
    let queue = sender::present(tx, &press.sender)?.queue;
    let id = PressId::of(&queue, press);
    let delivery = cards::find(tx, &press.task_id, &queue)?;
    let NewPress { sender: _, task_id, user, button, response_code, pressed_at } = press;
    let times = (millis(*pressed_at), millis(now));
    let row = (id.0, &queue.0, task_id, delivery, user, button, response_code, times.0, times.1);
    if tx.sql.run(INSERT, row)? == 0 {
        return Ok(AcceptedPress::Duplicate(id));
    }
    tx.require_room(now)?;
    Ok(AcceptedPress::Stored(id))
}

pub(super) fn claim(
    tx: &mut Transaction<'_>,
    until: Timestamp,
    now: Timestamp,
) -> EngineResult<Option<Press>> {
    for _ in 0..=MAX_DAMAGED {
        let due = tx.sql.first(DUE, [millis(now)], |row| Ok(row.get::<_, i64>("id")?))?;
        let Some(id) = due else { return Ok(None) };
        let claim = ClaimId(tx.take_numbers(1)?);
        match tx.sql.only(LOAD, [id], |row| read(tx, row, PressId(id), claim)) {
            Ok(press) => {
                tx.sql.run(CLAIM, (id, claim.0, millis(until)))?;
                return Ok(Some(press));
            }
            Err(error) => set_aside(tx, id, error, now)?,
        }
    }
    Ok(None)
}

fn read(tx: &Transaction<'_>, row: &Row<'_>, id: PressId, claim: ClaimId) -> EngineResult<Press> {
    let card = match row.get("delivery")? {
        Some(delivery) => cards::load(tx, delivery)?,
        None => None,
    };
    Ok(Press {
        id,
        claim,
        sender: sender::of_queue(tx, &SenderName(row.get("queue")?))?,
        task_id: row.get("task_id")?,
        user: row.get("member")?,
        button: row.get("button")?,
        response_code: row.get("response_code")?,
        pressed_at: time_column(row, "pressed_at")?,
        accepted_at: time_column(row, "accepted_at")?,
        attempts: row.get("attempts")?,
        card,
    })
}

/// Settles a press whose row cannot be read because of `error`, so that it does not stop the others.
fn set_aside(tx: &Transaction<'_>, id: i64, error: EngineError, now: Timestamp) -> EngineResult<()> {
    if !error.is_unreadable_row() {
        return Err(error);
    }
    let reason = error.store_error().to_string();
    tx.sql.run(SETTLE, (id, millis(now), stored::DAMAGED.fill(&[&reason]).en))?;
    tracing::error!(press = id, reason, "a press cannot be read, so it does nothing; check the disk");
    Ok(())
}

pub(super) fn settle(
    tx: &mut Transaction<'_>,
    PressId(id): PressId,
    ClaimId(claim): ClaimId,
    verdict: &PressVerdict,
    now: Timestamp,
) -> EngineResult<()> {
    let claimed = tx.sql.first(CLAIMED, (id, claim), |row| Ok(row.get::<_, Option<i64>>("delivery")?))?;
    let Some(delivery) = claimed else { return Ok(()) };
    match verdict {
        PressVerdict::Retry { at, reason } => {
            tx.sql.run(RETRY, (id, millis(*at), reason))?;
        }
        PressVerdict::Done { result, handled, watch_until, notifications } => {
            tx.sql.run(SETTLE, (id, millis(now), result))?;
            if let (Some(delivery), Some(handled)) = (delivery, handled) {
                cards::add_handled(tx, delivery, handled)?;
            }
            if let (Some(delivery), Some(until)) = (delivery, watch_until) {
                watches::begin(tx, delivery, *until, now)?;
            }
            let is_closed = delivery.map_or(Ok(false), |delivery| cards::is_closed(tx, delivery))?;
            for new in notifications.iter().filter(|new| is_wanted(new, is_closed)) {
                enqueue::enqueue(tx, new, now)?;
            }
        }
    }
    Ok(())
}

pub(super) fn next_due(sql: Sql<'_>) -> EngineResult<Option<Timestamp>> {
    sql.first(NEXT_DUE, [], |row| time_column(row, "due_at"))
}

/// Ends the claims of a former process, which owned the file alone.
pub(super) fn release(tx: &Transaction<'_>) -> EngineResult<()> {
    tx.sql.run(RELEASE, [])?;
    Ok(())
}

/// The presses of the card of a delivery, with wall-clock times.
pub(super) fn of_delivery(sql: Sql<'_>, DeliveryId(delivery): DeliveryId) -> EngineResult<Vec<PressRecord>> {
    let times = WallTimes::read(sql)?;
    sql.all(OF_DELIVERY, [delivery], |row| {
        let (last_failure, result) = result_columns(row);
        Ok(PressRecord {
            id: PressId(row.get("id")?),
            user: text_column(row, "member")?,
            button: text_column(row, "button")?,
            pressed_at: time_column(row, "pressed_at").unwrap_or(Timestamp::UNIX_EPOCH),
            accepted_at: times.wall(time_column(row, "accepted_at").unwrap_or(Timestamp::UNIX_EPOCH)),
            last_failure,
            result,
        })
    })
}

/// The reason of the last failed attempt, or the result of a settled press. They share a column.
fn result_columns(row: &Row<'_>) -> (Option<String>, Option<String>) {
    let text = row.get("result").unwrap_or_default();
    let settled_at: Option<i64> = row.get("settled_at").unwrap_or_default();
    if settled_at.is_some() { (None, text) } else { (text, None) }
}

/// Deletes up to `limit` presses that were settled before `before`.
pub(super) fn purge(sql: Sql<'_>, before: Timestamp, limit: u32) -> EngineResult<()> {
    sql.run(DELETE_SETTLED, (millis(before), limit))?;
    Ok(())
}
