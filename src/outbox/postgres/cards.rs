//! Interactive cards: the rows beside their deliveries.

use jiff::Timestamp;
use tokio_postgres::Row;

use super::{
    columns::{column, content, limit, millis, recipients, text, time},
    error::EngineResult,
    session::{Param, Transaction},
};
use crate::{
    outbox::{
        CodeState, DeliveryId, Handled, OpenCard, ReceiverName, SenderName, StoredCard, TriedCard,
        rules::cards::{self, MAX_OPEN, NewCode},
    },
    wecom::Receipt,
};

pub(super) const INSERT: &str = "INSERT INTO wecom_relay.card
     (delivery, queue, task_id, ordering_key, group_key, labels, closed, handled)
     SELECT delivery, queue, task_id, ordering_key, group_key, labels, false, '[]'
     FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[])
     AS u (delivery, queue, task_id, ordering_key, group_key, labels)";
pub(super) const DELETE: &str = "DELETE FROM wecom_relay.card WHERE delivery = $1";
pub(super) const SENT: &str =
    "UPDATE wecom_relay.card SET sent_at = $2, response_code = $3, code_until = $4 WHERE delivery = $1";
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
    "UPDATE wecom_relay.card SET response_code = CASE WHEN $4 THEN NULL ELSE response_code END,
     code_until = CASE WHEN $4 THEN NULL ELSE code_until END, unconfirmed_by = CASE WHEN $5 THEN ",
    also_by!("$1::bigint"),
    " END, shown = CASE WHEN $6 THEN $1 ELSE shown END WHERE task_id = $2 AND ordering_key = $3"
);
/// Closes cards. Their watch ends too. The end of a group may be requeued after the group fires again, so it closes only the
/// cards that are older.
macro_rules! close {
    ($which:literal) => {
        concat!(
            "UPDATE wecom_relay.card SET closed = true, response_code = NULL, code_until = NULL, watch_until = NULL,
             watch_due = NULL WHERE ",
            $which
        )
    };
}
pub(super) const CLOSE: &str = close!(
    "delivery = ANY(ARRAY(SELECT c.delivery FROM wecom_relay.delivery d
         JOIN wecom_relay.card c ON c.ordering_key = d.ordering_key AND c.delivery < d.notification
         WHERE d.id = ANY($1) AND NOT c.closed AND c.sent_at IS NOT NULL
         AND NOT EXISTS (SELECT FROM wecom_relay.delivery s
             WHERE s.id = ANY(coalesce(d.siblings, ARRAY[d.id])) AND s.settled_at IS NULL)
         AND EXISTS (SELECT FROM wecom_relay.delivery s
             WHERE s.id = ANY(coalesce(d.siblings, ARRAY[d.id])) AND s.state = 4)))"
);
pub(super) const CLOSE_OF_DIGEST: &str = close!(
    "delivery = ANY(ARRAY(SELECT c.delivery FROM wecom_relay.delivery m
         JOIN wecom_relay.card c ON c.ordering_key = m.ordering_key AND c.delivery < m.notification
         WHERE m.digest = $1 AND m.state = 4 AND m.status = 1 AND NOT c.closed AND c.sent_at IS NOT NULL))"
);
pub(super) const CLOSE_RECALLED: &str = close!("delivery = $1");
/// The open cards of the batch of recipients of an update, as far as they are older. The last batch has those of all later
/// batches, too. All batches of an update are the same part.
macro_rules! of_batch {
    () => {
        "FROM wecom_relay.card c JOIN wecom_relay.delivery d ON d.id = c.delivery
         JOIN wecom_relay.delivery u ON u.id = $1
         WHERE NOT c.closed AND c.response_code IS NOT NULL AND c.code_until > $2 AND c.delivery < u.notification
         AND c.ordering_key = (SELECT k.ordering_key FROM wecom_relay.delivery k WHERE k.id = $1)
         AND coalesce(array_position(u.siblings, u.id), 1) = least(coalesce(array_position(d.siblings, d.id), 1),
             (SELECT coalesce(max(array_position(k.siblings, s.id)), 1) FROM wecom_relay.delivery k
             JOIN wecom_relay.delivery s ON s.id = ANY(k.siblings) AND s.part_number = k.part_number WHERE k.id = $1))"
    };
}
pub(super) const OPEN: &str = concat!(
    "SELECT c.task_id, c.response_code, coalesce(c.unconfirmed_by = u.id, false) AS may_be_used ",
    of_batch!(),
    " ORDER BY c.code_until DESC, c.delivery DESC LIMIT $3"
);
pub(super) const DOUBT: &str = concat!(
    "UPDATE wecom_relay.card SET unconfirmed_by = ",
    also_by!("$1"),
    " WHERE delivery = ANY(ARRAY(SELECT c.delivery ",
    of_batch!(),
    "))"
);
pub(super) const FIND: &str = "SELECT delivery FROM wecom_relay.card
     WHERE task_id = $1 AND queue = $2 ORDER BY delivery DESC LIMIT 1";
pub(super) const LOAD: &str = "SELECT d.id, d.receiver, d.to_users, d.to_parties, d.to_tags, s.msgtype, s.content,
     s.summary, s.severity, d.accepted_at, c.task_id, c.group_key, c.handled, c.closed,
     coalesce((SELECT u.labels FROM wecom_relay.card u WHERE u.delivery = c.shown), c.labels) AS labels,
     coalesce((SELECT s.name FROM wecom_relay.sender s WHERE s.queue = c.queue AND s.moved_to IS NULL LIMIT 1), c.queue)
     AS sender FROM wecom_relay.card c JOIN wecom_relay.delivery d ON d.id = c.delivery
     JOIN wecom_relay.delivery s
         ON s.id = coalesce((SELECT x.id FROM wecom_relay.delivery x
             WHERE x.id = c.shown AND x.msgtype IN ('card_update', 'template_card')), c.delivery)
     WHERE c.delivery = $1";
pub(super) const IS_CLOSED: &str = "SELECT closed FROM wecom_relay.card WHERE delivery = $1";
/// The updates among parallel lists of deliveries and task ids whose card is closed.
pub(super) const OF_CLOSED: &str = "SELECT u.id FROM unnest($1::bigint[], $2::text[]) AS u (id, task_id)
     WHERE EXISTS (SELECT FROM wecom_relay.card c JOIN wecom_relay.delivery d ON d.id = u.id
         WHERE c.task_id = u.task_id AND c.ordering_key = d.ordering_key AND c.closed)";
pub(super) const HANDLED: &str = "SELECT handled FROM wecom_relay.card WHERE delivery = $1 FOR UPDATE";
pub(super) const STORE_HANDLED: &str = "UPDATE wecom_relay.card SET handled = $2 WHERE delivery = $1";

/// True if the notification of the delivery `d` can be folded. An update of a card that members have is sent by itself.
macro_rules! can_be_folded {
    () => {
        "(d.foldable > 0 AND (d.msgtype <> 'card_update' OR NOT EXISTS (SELECT FROM wecom_relay.card c
         WHERE c.ordering_key = d.ordering_key AND NOT c.closed AND c.sent_at IS NOT NULL)))"
    };
}
pub(super) use can_be_folded;

/// The row of a new card.
pub(super) struct NewCardRow {
    pub(super) delivery: i64,
    pub(super) queue: String,
    pub(super) task_id: String,
    pub(super) ordering_key: i64,
    pub(super) group_key: String,
    pub(super) labels: String,
}

/// The rows of new cards, by column.
#[derive(Default)]
pub(super) struct NewCardRows {
    delivery: Vec<i64>,
    queue: Vec<String>,
    task_id: Vec<String>,
    ordering_key: Vec<i64>,
    group_key: Vec<String>,
    labels: Vec<String>,
}

impl NewCardRows {
    pub(super) fn add(&mut self, row: NewCardRow) {
        self.delivery.push(row.delivery);
        self.queue.push(row.queue);
        self.task_id.push(row.task_id);
        self.ordering_key.push(row.ordering_key);
        self.group_key.push(row.group_key);
        self.labels.push(row.labels);
    }

    pub(super) async fn insert(&self, tx: &Transaction<'_>) -> EngineResult<()> {
        if self.delivery.is_empty() {
            return Ok(());
        }
        let Self { delivery, queue, task_id, ordering_key, group_key, labels } = self;
        let params: [Param<'_>; 6] = [delivery, queue, task_id, ordering_key, group_key, labels];
        tx.run(INSERT, &params).await.map(drop)
    }
}

/// The changes of cards by a batch of settlements.
#[derive(Default)]
pub(super) struct CardChanges {
    sent: Vec<SentCard>,
    tried: Vec<TriedRow>,
    /// Deliveries that send something else now.
    deleted: Vec<i64>,
    /// Settled deliveries of resolved notifications.
    resolved: Vec<i64>,
}

struct SentCard {
    delivery: i64,
    at: i64,
    response_code: Option<String>,
    code_until: Option<i64>,
}

struct TriedRow {
    update: i64,
    task_id: String,
    ordering_key: i64,
    code: CodeState,
}

impl CardChanges {
    /// The card of a delivery was sent.
    pub(super) fn sent(&mut self, delivery: i64, receipt: &Receipt, now: Timestamp) {
        let code = NewCode::of(receipt, now);
        self.sent.push(SentCard {
            delivery,
            at: millis(now),
            response_code: code.as_ref().map(|code| text(code.response_code)),
            code_until: code.as_ref().map(|code| millis(code.valid_until)),
        });
    }

    /// An attempt of the delivery `update` has tried these cards.
    pub(super) fn tried(&mut self, update: i64, ordering_key: i64, cards: &[TriedCard]) {
        self.tried.extend(cards.iter().map(|TriedCard { task_id, code }| TriedRow {
            update,
            task_id: text(task_id),
            ordering_key,
            code: *code,
        }));
    }

    pub(super) fn deleted(&mut self, delivery: i64) {
        self.deleted.push(delivery);
    }

    /// A delivery of a resolved notification was settled.
    pub(super) fn resolved(&mut self, delivery: i64) {
        self.resolved.push(delivery);
    }

    /// Stores the changes. The caller holds the locks of the ordering keys, and has stored the states of the deliveries.
    pub(super) async fn store(&self, tx: &Transaction<'_>) -> EngineResult<()> {
        for TriedRow { update, task_id, ordering_key, code } in &self.tried {
            let (is_unconfirmed, is_shown) = (*code == CodeState::Unconfirmed, *code == CodeState::Used);
            let params: [Param<'_>; 6] =
                [update, task_id, ordering_key, &code.is_spent(), &is_unconfirmed, &is_shown];
            tx.run(TRIED, &params).await?;
        }
        for SentCard { delivery, at, response_code, code_until } in &self.sent {
            tx.run(SENT, &[delivery, at, response_code, code_until]).await?;
        }
        for delivery in &self.deleted {
            tx.run(DELETE, &[delivery]).await?;
        }
        close(tx, &self.resolved).await
    }
}

/// Closes the cards of groups whose resolved notifications have ended: all of them is settled, and a part was delivered.
/// `deliveries` were just settled.
pub(super) async fn close(tx: &Transaction<'_>, deliveries: &[i64]) -> EngineResult<()> {
    if deliveries.is_empty() {
        return Ok(());
    }
    tx.run(CLOSE, &[&deliveries]).await.map(drop)
}

/// True if the group of the card is resolved, or if the card was recalled.
pub(super) async fn is_closed(tx: &Transaction<'_>, delivery: i64) -> EngineResult<bool> {
    let closed = tx.first(IS_CLOSED, &[&delivery], |row| column(row, "closed")).await?;
    Ok(closed.unwrap_or(false))
}

/// The card of a press that a delivery updates.
#[derive(Debug)]
pub(super) struct PressedCard {
    pub(super) update: DeliveryId,
    pub(super) task_id: String,
}

/// The updates of `pressed` whose card is closed.
pub(super) async fn updates_of_closed(
    tx: &Transaction<'_>,
    pressed: &[PressedCard],
) -> EngineResult<Vec<i64>> {
    if pressed.is_empty() {
        return Ok(Vec::new());
    }
    let updates: Vec<i64> = pressed.iter().map(|pressed| pressed.update.0).collect();
    let task_ids: Vec<String> = pressed.iter().map(|pressed| text(&pressed.task_id)).collect();
    tx.all(OF_CLOSED, &[&updates, &task_ids], |row| column(row, "id")).await
}

/// Members do not see a recalled card any more, so it gets no updates.
pub(super) async fn close_recalled(tx: &Transaction<'_>, delivery: i64) -> EngineResult<()> {
    tx.run(CLOSE_RECALLED, &[&delivery]).await.map(drop)
}

/// The groups of the resolved members of a delivered digest are resolved.
pub(super) async fn close_of_digest(tx: &Transaction<'_>, digest: i64) -> EngineResult<()> {
    tx.run(CLOSE_OF_DIGEST, &[&digest]).await.map(drop)
}

/// The interrupted update `update` may have used the codes of its cards.
pub(super) async fn doubt(tx: &Transaction<'_>, update: i64, now: Timestamp) -> EngineResult<()> {
    tx.run(DOUBT, &[&update, &millis(now)]).await.map(drop)
}

/// The open cards that a delivery changes.
pub(super) async fn open_cards(
    tx: &Transaction<'_>,
    DeliveryId(delivery): DeliveryId,
    now: Timestamp,
) -> EngineResult<Vec<OpenCard>> {
    tx.all(OPEN, &[&delivery, &millis(now), &limit(MAX_OPEN)], |row| {
        Ok(OpenCard {
            task_id: column(row, "task_id")?,
            response_code: column(row, "response_code")?,
            may_be_used: column(row, "may_be_used")?,
        })
    })
    .await
}

/// The delivery of the newest card with this task id.
pub(super) async fn find(
    tx: &Transaction<'_>,
    task_id: &str,
    queue: &SenderName,
) -> EngineResult<Option<i64>> {
    tx.first(FIND, &[&text(task_id), &queue.0], |row| column(row, "delivery")).await
}

/// The card of a delivery. `None` if there is none, or if it cannot be read.
pub(super) async fn load(tx: &Transaction<'_>, delivery: i64) -> EngineResult<Option<StoredCard>> {
    match tx.first(LOAD, &[&delivery], read).await {
        Err(error) if error.is_unreadable_row() => {
            let reason = error.reason();
            tracing::error!(
                delivery,
                reason,
                "a card cannot be read; its buttons do nothing; find out who changed it in the database"
            );
            Ok(None)
        }
        loaded => loaded,
    }
}

fn read(row: &Row) -> EngineResult<StoredCard> {
    Ok(StoredCard {
        task_id: column(row, "task_id")?,
        delivery: DeliveryId(column(row, "id")?),
        receiver: ReceiverName(column(row, "receiver")?),
        group_key: column(row, "group_key")?,
        sender: SenderName(column(row, "sender")?),
        recipients: recipients(row)?,
        content: content(row)?,
        summary: column(row, "summary")?,
        severity: column(row, "severity")?,
        labels: cards::labels(column(row, "labels")?)?,
        handled: cards::handled(column(row, "handled")?)?,
        is_closed: column(row, "closed")?,
        accepted_at: time(row, "accepted_at")?,
    })
}

/// Adds what a member did with a card.
pub(super) async fn add_handled(tx: &Transaction<'_>, delivery: i64, handled: &Handled) -> EngineResult<()> {
    let stored: Option<String> = tx.first(HANDLED, &[&delivery], |row| column(row, "handled")).await?;
    let Some(stored) = stored else { return Ok(()) };
    let all = text(&cards::with_handled(&stored, handled)?);
    tx.run(STORE_HANDLED, &[&delivery, &all]).await.map(drop)
}
