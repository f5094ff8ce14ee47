//! The presses of buttons: stored, claimed, and settled.

use jiff::Timestamp;
use tokio_postgres::Row;

use super::{
    cards,
    claim::random,
    columns::{column, limit, millis, number, text, time},
    enqueue,
    error::EngineResult,
    job::Arrival,
    relay_time::WallTimes,
    room::Room,
    sender::PresentSenders,
    session::{Param, Transaction},
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

pub(super) const INSERT: &str = "INSERT INTO wecom_relay.press
     (id, queue, task_id, delivery, member, button, response_code, pressed_at, accepted_at, due_at, attempts)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, 0) ON CONFLICT (id) DO NOTHING";
/// A press waits for the earlier ones of its card, so that two members cannot silence the same alert twice.
macro_rules! first_of_its_card {
    () => {
        "d.settled_at IS NULL AND NOT EXISTS (SELECT FROM wecom_relay.press e
         WHERE e.delivery = d.delivery AND e.settled_at IS NULL AND (e.accepted_at, e.id) < (d.accepted_at, d.id))"
    };
}
pub(super) const CLAIM: &str = concat!(
    "UPDATE wecom_relay.press p SET claim = ",
    random!(),
    ", due_at = $1, attempts = attempts + 1 WHERE id = (SELECT d.id FROM wecom_relay.press d WHERE d.due_at <= $2 AND ",
    first_of_its_card!(),
    " ORDER BY d.due_at LIMIT 1 FOR UPDATE OF d SKIP LOCKED)
     RETURNING id, claim, task_id, delivery, member, button, response_code, pressed_at, accepted_at, attempts,
     coalesce((SELECT s.name FROM wecom_relay.sender s WHERE s.queue = p.queue AND s.moved_to IS NULL LIMIT 1), p.queue)
     AS sender"
);
pub(super) const NEXT_DUE: &str = concat!(
    "SELECT d.due_at FROM wecom_relay.press d WHERE ",
    first_of_its_card!(),
    " ORDER BY d.due_at LIMIT 1"
);
pub(super) const CLAIMED: &str = "SELECT delivery FROM wecom_relay.press
     WHERE id = $1 AND claim = $2 AND settled_at IS NULL FOR UPDATE";
pub(super) const RETRY: &str =
    "UPDATE wecom_relay.press SET claim = NULL, due_at = $2, result = $3 WHERE id = $1";
pub(super) const SETTLE: &str = "UPDATE wecom_relay.press SET settled_at = $2, result = $3 WHERE id = $1";
pub(super) const OF_DELIVERY: &str =
    "SELECT id, member, button, pressed_at, accepted_at, settled_at, result FROM wecom_relay.press
     WHERE delivery = $1 ORDER BY accepted_at LIMIT 1000";
pub(super) const DELETE_SETTLED: &str = "DELETE FROM wecom_relay.press WHERE id = ANY(ARRAY(
     SELECT id FROM wecom_relay.press WHERE settled_at IS NOT NULL AND settled_at < $1 ORDER BY settled_at LIMIT $2
     FOR UPDATE SKIP LOCKED))";

/// The bytes of a press, at most.
pub(super) const PRESS_BYTES: i64 = 1024;

pub(super) async fn accept(
    tx: &Transaction<'_>,
    press: &NewPress,
    room: &Room,
    now: Timestamp,
) -> EngineResult<AcceptedPress> {
    let queue = PresentSenders::read(tx, &[&press.sender]).await?.of(&press.sender).queue;
    let id = PressId::of(&queue, press);
    let NewPress { sender: _, task_id, user, button, response_code, pressed_at } = press;
    let delivery = cards::find(tx, task_id, &queue).await?;
    let params: [Param<'_>; 9] = [
        &id.0,
        &queue.0,
        &text(task_id),
        &delivery,
        &text(user),
        &text(button),
        &text(response_code),
        &millis(*pressed_at),
        &millis(now),
    ];
    if tx.run(INSERT, &params).await? == 0 {
        return Ok(AcceptedPress::Duplicate(id));
    }
    room.require()?;
    room.change(tx, PRESS_BYTES).await?;
    Ok(AcceptedPress::Stored(id))
}

/// A press that was claimed.
struct Claimed {
    id: i64,
    press: EngineResult<Press>,
    delivery: Option<i64>,
}

pub(super) async fn claim(
    tx: &Transaction<'_>,
    until: Timestamp,
    now: Timestamp,
) -> EngineResult<Option<Press>> {
    for _ in 0..=MAX_DAMAGED {
        let claimed = tx
            .first(CLAIM, &[&millis(until), &millis(now)], |row| {
                Ok(Claimed { id: column(row, "id")?, press: read(row), delivery: column(row, "delivery")? })
            })
            .await?;
        let Some(Claimed { id, press, delivery }) = claimed else { return Ok(None) };
        match press {
            Ok(press) => {
                let card = match delivery {
                    Some(delivery) => cards::load(tx, delivery).await?,
                    None => None,
                };
                return Ok(Some(Press { card, ..press }));
            }
            Err(error) if error.is_unreadable_row() => set_aside(tx, id, &error.reason(), now).await?,
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

fn read(row: &Row) -> EngineResult<Press> {
    Ok(Press {
        id: PressId(column(row, "id")?),
        claim: ClaimId(column(row, "claim")?),
        sender: SenderName(column(row, "sender")?),
        task_id: column(row, "task_id")?,
        user: column(row, "member")?,
        button: column(row, "button")?,
        response_code: column(row, "response_code")?,
        pressed_at: time(row, "pressed_at")?,
        accepted_at: time(row, "accepted_at")?,
        attempts: number(row, "attempts")?.saturating_sub(1),
        card: None,
    })
}

/// Settles a press whose row cannot be read for `reason`, so that it does not stop the others.
async fn set_aside(tx: &Transaction<'_>, id: i64, reason: &str, now: Timestamp) -> EngineResult<()> {
    let result = stored::DAMAGED.fill(&[reason]).en;
    tx.run(SETTLE, &[&id, &millis(now), &result]).await?;
    tracing::error!(
        press = id,
        reason,
        "a press cannot be read, so it does nothing; find out who changed it in the database"
    );
    Ok(())
}

/// Locks are taken in the order: press, ordering keys, cards.
pub(super) async fn settle(
    tx: &Transaction<'_>,
    PressId(id): PressId,
    ClaimId(claim): ClaimId,
    verdict: &PressVerdict,
    room: &Room,
    now: Timestamp,
) -> EngineResult<()> {
    let claimed = tx.first(CLAIMED, &[&id, &claim], |row| column::<Option<i64>>(row, "delivery")).await?;
    let Some(delivery) = claimed else { return Ok(()) };
    match verdict {
        PressVerdict::Retry { at, reason } => {
            tx.run(RETRY, &[&id, &millis(*at), &text(reason)]).await.map(drop)
        }
        PressVerdict::Done { result, handled, watch_until, notifications } => {
            tx.run(SETTLE, &[&id, &millis(now), &text(result)]).await?;
            let is_closed = match delivery {
                Some(delivery) => cards::is_closed(tx, delivery).await?,
                None => false,
            };
            let wanted = notifications.iter().filter(|new| is_wanted(new, is_closed));
            let notifications: Vec<_> = wanted.cloned().collect();
            if !notifications.is_empty() {
                let arrival = Arrival { notifications, now };
                enqueue::accept(tx, &arrival, room).await?;
            }
            if let (Some(delivery), Some(handled)) = (delivery, handled) {
                cards::add_handled(tx, delivery, handled).await?;
            }
            if let (Some(delivery), Some(until)) = (delivery, watch_until) {
                watches::begin(tx, delivery, *until, now).await?;
            }
            Ok(())
        }
    }
}

pub(super) async fn next_due(tx: &Transaction<'_>) -> EngineResult<Option<Timestamp>> {
    tx.first(NEXT_DUE, &[], |row| time(row, "due_at")).await
}

/// The presses of the card of a delivery, with wall-clock times.
pub(super) async fn of_delivery(
    tx: &Transaction<'_>,
    DeliveryId(delivery): DeliveryId,
) -> EngineResult<Vec<PressRecord>> {
    let times = WallTimes::read(tx).await?;
    tx.all(OF_DELIVERY, &[&delivery], |row| {
        let (last_failure, result) = result_columns(row)?;
        Ok(PressRecord {
            id: PressId(column(row, "id")?),
            user: column(row, "member")?,
            button: column(row, "button")?,
            pressed_at: time(row, "pressed_at").unwrap_or(Timestamp::UNIX_EPOCH),
            accepted_at: times.wall(time(row, "accepted_at").unwrap_or(Timestamp::UNIX_EPOCH)),
            last_failure,
            result,
        })
    })
    .await
}

/// The reason of the last failed attempt, or the result of a settled press. They share a column.
fn result_columns(row: &Row) -> EngineResult<(Option<String>, Option<String>)> {
    let text = column(row, "result")?;
    let settled_at: Option<i64> = column(row, "settled_at")?;
    Ok(if settled_at.is_some() { (None, text) } else { (text, None) })
}

/// Deletes up to `most` presses that were settled before `before`.
pub(super) async fn purge(
    tx: &Transaction<'_>,
    before: Timestamp,
    most: u32,
    room: &Room,
) -> EngineResult<()> {
    let deleted = tx.run(DELETE_SETTLED, &[&millis(before), &limit(most)]).await?;
    let freed = i64::try_from(deleted).unwrap_or(i64::MAX).saturating_mul(PRESS_BYTES);
    room.change(tx, -freed).await
}
