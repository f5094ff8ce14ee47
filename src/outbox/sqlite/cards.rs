//! Interactive cards: the rows beside their deliveries.

use jiff::Timestamp;
use rusqlite::Row;

use super::{
    columns::{content_columns, millis, recipients_columns, text_column, time_column},
    entry::Entry,
    error::EngineResult,
    sender,
    transaction::Transaction,
};
use crate::{
    outbox::{
        CodeState, DeliveryId, Handled, OpenCard, ReceiverName, SenderName, StoredCard, TriedCard,
        rules::cards::{self, MAX_OPEN, NewCard, NewCode},
    },
    wecom::Receipt,
};

pub(super) const INSERT: &str = "INSERT INTO card
     (delivery, queue, task_id, ordering_key, group_key, labels, closed, handled)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, '[]')";
pub(super) const SENT: &str =
    "UPDATE card SET sent_at = ?2, response_code = ?3, code_until = ?4 WHERE delivery = ?1";
/// The code of a card may have been used by an update too. A code that several updates may have used is forgiven to none.
macro_rules! also_by {
    ($update:literal) => {
        concat!(
            "CASE WHEN coalesce(unconfirmed_by, ",
            $update,
            ") = ",
            $update,
            " THEN ",
            $update,
            " ELSE 0 END"
        )
    };
}
pub(super) const TRIED: &str = concat!(
    "UPDATE card INDEXED BY card_task SET response_code = CASE WHEN ?4 THEN NULL ELSE response_code END,
     code_until = CASE WHEN ?4 THEN NULL ELSE code_until END, unconfirmed_by = CASE WHEN ?5 THEN ",
    also_by!("?1"),
    " END, shown = CASE WHEN ?6 THEN ?1 ELSE shown END WHERE task_id = ?2 AND ordering_key = ?3"
);
/// Closes cards. Their watch ends too. The end of a group may be requeued after the group fires again, so it closes only the
/// cards that are older.
macro_rules! close {
    ($table:literal, $which:literal) => {
        concat!(
            "UPDATE ",
            $table,
            " SET closed = 1, response_code = NULL, code_until = NULL, watch_until = NULL, watch_due = NULL WHERE ",
            $which
        )
    };
}
pub(super) const CLOSE: &str = close!(
    "card INDEXED BY card_open",
    "closed = 0 AND sent_at IS NOT NULL AND ordering_key = ?1 AND delivery < ?2
     AND NOT EXISTS (SELECT 1 FROM delivery WHERE id >= ?2 AND id < ?2 + ?3 AND settled_at IS NULL)
     AND EXISTS (SELECT 1 FROM delivery WHERE id >= ?2 AND id < ?2 + ?3 AND state = 4)"
);
pub(super) const CLOSE_OF_DIGEST: &str = close!(
    "card",
    "delivery IN (SELECT c.delivery FROM delivery m INDEXED BY delivery_digest
         CROSS JOIN card c INDEXED BY card_open ON c.ordering_key = m.ordering_key
         WHERE m.digest = ?1 AND m.state = 4 AND m.status = 1
         AND c.closed = 0 AND c.sent_at IS NOT NULL AND c.delivery < m.notification)"
);
pub(super) const CLOSE_RECALLED: &str = close!("card", "delivery = ?1");
/// The open cards of the batch of recipients of an update, as far as they are older. The last batch has those of all later
/// batches, too. All batches of an update are the same part.
macro_rules! of_batch {
    () => {
        "FROM delivery u CROSS JOIN card c INDEXED BY card_code ON c.ordering_key = u.ordering_key
         CROSS JOIN delivery d ON d.id = c.delivery
         WHERE u.id = ?1 AND c.closed = 0 AND c.response_code IS NOT NULL AND c.code_until > ?2
         AND c.delivery < u.notification
         AND u.id - u.notification = min(d.id - d.notification, (SELECT max(s.id - s.notification)
             FROM delivery k CROSS JOIN delivery s ON s.id >= k.notification AND s.id < k.notification + k.deliveries
             WHERE k.id = ?1 AND s.part_number = k.part_number))"
    };
}
pub(super) const OPEN: &str = concat!(
    "SELECT c.task_id, c.response_code, coalesce(c.unconfirmed_by = u.id, 0) AS may_be_used ",
    of_batch!(),
    " ORDER BY c.code_until DESC, c.delivery DESC LIMIT ?3"
);
pub(super) const DOUBT: &str = concat!(
    "UPDATE card SET unconfirmed_by = ",
    also_by!("?1"),
    " WHERE delivery IN (SELECT c.delivery ",
    of_batch!(),
    ")"
);
pub(super) const FIND: &str = "SELECT delivery FROM card INDEXED BY card_task
     WHERE task_id = ?1 AND queue = ?2 ORDER BY delivery DESC LIMIT 1";
pub(super) const LOAD: &str =
    "SELECT d.id, d.receiver, d.to_users, d.to_parties, d.to_tags, s.msgtype, s.content,
     s.summary, s.severity, d.accepted_at, c.queue, c.task_id, c.group_key, c.handled, c.closed,
     coalesce((SELECT u.labels FROM card u WHERE u.delivery = c.shown), c.labels) AS labels
     FROM card c CROSS JOIN delivery d ON d.id = c.delivery
     CROSS JOIN delivery s ON s.id = coalesce((SELECT x.id FROM delivery x
         WHERE x.id = c.shown AND x.msgtype IN ('card_update', 'template_card')), c.delivery)
     WHERE c.delivery = ?1";
pub(super) const IS_CLOSED: &str = "SELECT closed FROM card WHERE delivery = ?1";
pub(super) const IS_UPDATED_CLOSED: &str = "SELECT closed FROM card INDEXED BY card_task
     WHERE task_id = ?1 AND ordering_key = (SELECT ordering_key FROM delivery WHERE id = ?2) AND closed = 1 LIMIT 1";
pub(super) const HANDLED: &str = "SELECT handled FROM card WHERE delivery = ?1";
pub(super) const STORE_HANDLED: &str = "UPDATE card SET handled = ?2 WHERE delivery = ?1";

/// True if a notification can be folded. An update of a card that members have is sent by itself.
macro_rules! can_be_folded {
    () => {
        "(foldable > 0 AND (msgtype <> 'card_update' OR NOT EXISTS (SELECT 1 FROM card INDEXED BY card_open
         WHERE card.ordering_key = delivery.ordering_key AND closed = 0 AND sent_at IS NOT NULL)))"
    };
}
pub(super) use can_be_folded;

/// The place of a new card.
pub(super) struct CardPlace<'a> {
    pub(super) delivery: i64,
    pub(super) queue: &'a SenderName,
    pub(super) ordering_key: i64,
    pub(super) group_key: &'a str,
}

pub(super) fn insert(tx: &Transaction<'_>, place: &CardPlace<'_>, card: &NewCard) -> EngineResult<()> {
    let CardPlace { delivery, queue, ordering_key, group_key } = place;
    tx.sql.run(INSERT, (delivery, &queue.0, &card.task_id, ordering_key, group_key, &card.labels))?;
    Ok(())
}

/// The card of a delivery was sent.
pub(super) fn sent(
    tx: &Transaction<'_>,
    delivery: i64,
    receipt: &Receipt,
    now: Timestamp,
) -> EngineResult<()> {
    let code = NewCode::of(receipt, now);
    let response_code = code.as_ref().map(|code| code.response_code);
    let until = code.as_ref().map(|code| millis(code.valid_until));
    tx.sql.run(SENT, (delivery, millis(now), response_code, until))?;
    Ok(())
}

/// An attempt of the delivery `update` has tried these cards.
pub(super) fn tried(
    tx: &Transaction<'_>,
    update: i64,
    ordering_key: i64,
    cards: &[TriedCard],
) -> EngineResult<()> {
    for TriedCard { task_id, code } in cards {
        let (is_unconfirmed, is_shown) = (*code == CodeState::Unconfirmed, *code == CodeState::Used);
        tx.sql.run(TRIED, (update, task_id, ordering_key, code.is_spent(), is_unconfirmed, is_shown))?;
    }
    Ok(())
}

/// The interrupted update `update` may have used the codes of its cards.
pub(super) fn doubt(tx: &Transaction<'_>, update: i64, now: Timestamp) -> EngineResult<()> {
    tx.sql.run(DOUBT, (update, millis(now)))?;
    Ok(())
}

/// Closes the cards of a group whose resolved notification has ended: all of it is settled, and a part was delivered.
pub(super) fn close(tx: &Transaction<'_>, resolved: &Entry) -> EngineResult<()> {
    tx.sql.run(CLOSE, (resolved.ordering_key, resolved.notification, resolved.deliveries))?;
    Ok(())
}

/// True if the group of the card is resolved, or if the card was recalled.
pub(super) fn is_closed(tx: &Transaction<'_>, delivery: i64) -> EngineResult<bool> {
    let closed = tx.sql.first(IS_CLOSED, [delivery], |row| Ok(row.get("closed")?))?;
    Ok(closed.unwrap_or(false))
}

/// True if the card `task_id`, which the delivery `update` changes, is closed.
pub(super) fn is_updated_closed(tx: &Transaction<'_>, task_id: &str, update: i64) -> EngineResult<bool> {
    Ok(tx.sql.first(IS_UPDATED_CLOSED, (task_id, update), |_| Ok(()))?.is_some())
}

/// Members do not see a recalled card any more, so it gets no updates.
pub(super) fn close_recalled(tx: &Transaction<'_>, delivery: i64) -> EngineResult<()> {
    tx.sql.run(CLOSE_RECALLED, [delivery])?;
    Ok(())
}

/// The groups of the resolved members of a delivered digest are resolved.
pub(super) fn close_of_digest(tx: &Transaction<'_>, digest: i64) -> EngineResult<()> {
    tx.sql.run(CLOSE_OF_DIGEST, [digest])?;
    Ok(())
}

/// The open cards that the delivery `update` changes.
pub(super) fn open_cards(tx: &Transaction<'_>, update: i64, now: Timestamp) -> EngineResult<Vec<OpenCard>> {
    tx.sql.all(OPEN, (update, millis(now), MAX_OPEN), |row| {
        Ok(OpenCard {
            task_id: row.get("task_id")?,
            response_code: row.get("response_code")?,
            may_be_used: row.get("may_be_used")?,
        })
    })
}

/// The delivery of the newest card with this task id.
pub(super) fn find(tx: &Transaction<'_>, task_id: &str, queue: &SenderName) -> EngineResult<Option<i64>> {
    tx.sql.first(FIND, (task_id, &queue.0), |row| Ok(row.get("delivery")?))
}

/// The card of a delivery. `None` if there is none, or if it cannot be read.
pub(super) fn load(tx: &Transaction<'_>, delivery: i64) -> EngineResult<Option<StoredCard>> {
    match tx.sql.first(LOAD, [delivery], |row| read(tx, row)) {
        Err(error) if error.is_unreadable_row() => {
            let reason = error.store_error().to_string();
            tracing::error!(
                delivery,
                reason,
                "a card cannot be read; its buttons do nothing; check the disk"
            );
            Ok(None)
        }
        loaded => loaded,
    }
}

fn read(tx: &Transaction<'_>, row: &Row<'_>) -> EngineResult<StoredCard> {
    Ok(StoredCard {
        task_id: row.get("task_id")?,
        delivery: DeliveryId(row.get("id")?),
        receiver: ReceiverName(row.get("receiver")?),
        group_key: row.get("group_key")?,
        sender: sender::of_queue(tx, &SenderName(row.get("queue")?))?,
        recipients: recipients_columns(row)?,
        content: content_columns(row)?,
        summary: text_column(row, "summary")?,
        severity: text_column(row, "severity")?,
        labels: cards::labels(&row.get::<_, String>("labels")?)?,
        handled: cards::handled(&row.get::<_, String>("handled")?)?,
        is_closed: row.get("closed")?,
        accepted_at: time_column(row, "accepted_at")?,
    })
}

/// Adds what a member did with a card.
pub(super) fn add_handled(tx: &Transaction<'_>, delivery: i64, handled: &Handled) -> EngineResult<()> {
    let stored = tx.sql.first(HANDLED, [delivery], |row| text_column(row, "handled"))?;
    if let Some(stored) = stored {
        tx.sql.run(STORE_HANDLED, (delivery, cards::with_handled(&stored, handled)?))?;
    }
    Ok(())
}
