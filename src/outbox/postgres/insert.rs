//! Inserts new deliveries.

use jiff::Timestamp;

use super::{
    cards::{self, NewCardRow, NewCardRows},
    columns::{kind_number, millis, state_number, status_number, text},
    error::EngineResult,
    sender::Present,
    session::Transaction,
};
use crate::{
    outbox::{
        BodyHash, Destination, Kind, NewDelivery, NewNotification, NotificationId, State,
        rules::{cards::NewCard, fold, stored::Unreadable},
    },
    telemetry::clip,
    wecom::Recipients,
};

pub(super) const INSERT: &str = "INSERT INTO wecom_relay.delivery (id, state, sender, receiver, destination,
     ordering_key, seq, notification, siblings, kind, status, part_number, part_of, accepted_at, due_at, foldable,
     attempts, unknown_codes, body, settled_at, noticed, tries, reason, severity, group_key, summary, to_users, to_parties,
     to_tags, all_users, all_parties, all_tags, msgtype, content, text_form, bytes)
     SELECT id, state, sender, receiver, destination, ordering_key, id, notification, siblings::bigint[], kind, status,
     part_number, part_of, accepted_at, accepted_at, foldable, 0, 0, body, settled_at, kind = 2, 0, reason, severity,
     group_key, summary, to_users, to_parties, to_tags, all_users, all_parties, all_tags, msgtype, content, text_form, bytes
     FROM unnest($1::bigint[], $2::integer[], $3::text[], $4::text[], $5::bytea[], $6::bigint[], $7::bigint[], $8::text[],
     $9::integer[], $10::integer[], $11::integer[], $12::integer[], $13::bigint[], $14::integer[], $15::bigint[],
     $16::bigint[], $17::text[], $18::text[], $19::text[], $20::text[], $21::text[], $22::text[], $23::text[], $24::text[],
     $25::text[], $26::text[], $27::text[], $28::text[], $29::text[], $30::integer[])
     AS u (id, state, sender, receiver, destination, ordering_key, notification, siblings, kind, status, part_number,
     part_of, accepted_at, foldable, body, settled_at, reason, severity, group_key, summary, to_users, to_parties, to_tags,
     all_users, all_parties, all_tags, msgtype, content, text_form, bytes)";

/// The bytes of a delivery beside its texts: fixed columns and index entries.
pub(super) const ROW_BYTES: usize = 600;

/// The place of new deliveries.
pub(super) struct Place<'a> {
    pub(super) sender: Present,
    pub(super) ordering_key: i64,
    /// The number of each delivery.
    pub(super) numbers: &'a [i64],
    /// True if earlier deliveries of the ordering key are unsettled.
    pub(super) is_occupied: bool,
    pub(super) now: Timestamp,
}

/// New rows, by column.
#[derive(Default)]
pub(super) struct NewRows {
    id: Vec<i64>,
    state: Vec<i32>,
    sender: Vec<String>,
    receiver: Vec<String>,
    destination: Vec<Vec<u8>>,
    ordering_key: Vec<i64>,
    notification: Vec<i64>,
    siblings: Vec<Option<String>>,
    kind: Vec<i32>,
    status: Vec<i32>,
    part_number: Vec<i32>,
    part_of: Vec<i32>,
    accepted_at: Vec<i64>,
    foldable: Vec<i32>,
    body: Vec<i64>,
    settled_at: Vec<Option<i64>>,
    reason: Vec<Option<String>>,
    severity: Vec<String>,
    group_key: Vec<String>,
    summary: Vec<String>,
    to_users: Vec<String>,
    to_parties: Vec<String>,
    to_tags: Vec<String>,
    all_users: Vec<Option<String>>,
    all_parties: Vec<Option<String>>,
    all_tags: Vec<Option<String>>,
    msgtype: Vec<String>,
    content: Vec<String>,
    text_form: Vec<Option<String>>,
    bytes: Vec<i32>,
    cards: NewCardRows,
}

/// A notification among [`NewRows`].
pub(super) struct Added {
    pub(super) notification: NotificationId,
    /// True if its first delivery is the head of its ordering key.
    pub(super) is_head: bool,
}

impl NewRows {
    /// Adds all deliveries of a notification.
    pub(super) fn add(
        &mut self,
        tx: &Transaction<'_>,
        new: &NewNotification,
        place: &Place<'_>,
    ) -> EngineResult<Added> {
        let destination = Destination::of(&place.sender.name, &new.recipients);
        let first = place.numbers.first().copied();
        let first = first.ok_or_else(|| Unreadable::new("the number of a notification", "missing"))?;
        let is_head = new.dead.is_none() && !place.is_occupied;
        let siblings = (new.deliveries.len() > 1).then(|| array(place.numbers));
        for (id, delivery) in place.numbers.iter().zip(&new.deliveries) {
            let state = match new.dead {
                Some(_) => State::Dead,
                None if is_head && *id == first => State::Ready,
                None => State::Queued,
            };
            self.id.push(*id);
            self.state.push(state_number(state));
            self.sender.push(place.sender.name.0.clone());
            self.destination.push(destination.0.0.to_vec());
            self.ordering_key.push(place.ordering_key);
            self.notification.push(first);
            self.siblings.push(siblings.clone());
            self.body.push(BodyHash::of(&place.sender.name, &delivery.recipients, &delivery.content).0);
            let card = NewCard::of(new, delivery);
            self.add_values(new, delivery, card.as_ref(), place.now);
            if let Some(card) = card {
                self.cards.add(NewCardRow {
                    delivery: *id,
                    queue: place.sender.queue.0.clone(),
                    task_id: text(&card.task_id),
                    ordering_key: place.ordering_key,
                    group_key: text(&new.group_key),
                    labels: text(&card.labels),
                });
            }
        }
        if is_head {
            tx.mark_changed(&place.sender.name, destination);
        }
        Ok(Added { notification: NotificationId(first), is_head })
    }

    /// Adds the columns that come from the notification.
    fn add_values(
        &mut self,
        new: &NewNotification,
        delivery: &NewDelivery,
        card: Option<&NewCard>,
        now: Timestamp,
    ) {
        let NewDelivery { recipients, content, part } = delivery;
        let all = (*recipients != new.recipients).then_some(&new.recipients);
        let is_foldable = new.kind == Kind::Alert && new.dead.is_none();
        self.receiver.push(text(&new.receiver.0));
        self.kind.push(kind_number(new.kind));
        self.status.push(status_number(new.status));
        self.part_number.push(i32::from(part.number));
        self.part_of.push(i32::from(part.total));
        self.accepted_at.push(millis(now));
        self.foldable.push(if is_foldable { fold::MAX_MEMBERS.cast_signed() } else { 0 });
        self.settled_at.push(new.dead.is_some().then_some(millis(now)));
        self.reason.push(new.dead.as_deref().map(text));
        // They are only shown. The ordering key has the whole group key.
        self.severity.push(text(clip(&new.severity)));
        self.group_key.push(text(clip(&new.group_key)));
        self.summary.push(text(&new.summary));
        self.to_users.push(recipients.touser());
        self.to_parties.push(recipients.toparty());
        self.to_tags.push(recipients.totag());
        self.all_users.push(all.map(Recipients::touser));
        self.all_parties.push(all.map(Recipients::toparty));
        self.all_tags.push(all.map(Recipients::totag));
        self.msgtype.push(content.msgtype().to_owned());
        self.content.push(text(content.text()));
        self.text_form.push(new.text_form.as_deref().map(text));
        let text_form = new.text_form.as_ref().map_or(0, String::len);
        let labels = card.map_or(0, |card| card.labels.len());
        let bytes = ROW_BYTES + content.text().len() + text_form + new.summary.len() + labels;
        self.bytes.push(i32::try_from(bytes).unwrap_or(i32::MAX));
    }

    pub(super) fn bytes(&self) -> i64 {
        self.bytes.iter().copied().map(i64::from).sum()
    }

    /// Inserts all of them.
    pub(super) async fn insert(&self, tx: &Transaction<'_>) -> EngineResult<()> {
        // The statements are sent together, and a session may not know them yet.
        tx.prepare(&[INSERT, cards::INSERT]).await?;
        let (inserted, cards) = tokio::join!(self.insert_deliveries(tx), self.cards.insert(tx));
        inserted.and(cards)
    }

    async fn insert_deliveries(&self, tx: &Transaction<'_>) -> EngineResult<()> {
        if self.id.is_empty() {
            return Ok(());
        }
        tx.run(
            INSERT,
            &[
                &self.id,
                &self.state,
                &self.sender,
                &self.receiver,
                &self.destination,
                &self.ordering_key,
                &self.notification,
                &self.siblings,
                &self.kind,
                &self.status,
                &self.part_number,
                &self.part_of,
                &self.accepted_at,
                &self.foldable,
                &self.body,
                &self.settled_at,
                &self.reason,
                &self.severity,
                &self.group_key,
                &self.summary,
                &self.to_users,
                &self.to_parties,
                &self.to_tags,
                &self.all_users,
                &self.all_parties,
                &self.all_tags,
                &self.msgtype,
                &self.content,
                &self.text_form,
                &self.bytes,
            ],
        )
        .await
        .map(drop)
    }
}

/// Numbers in the text form of an array.
fn array(numbers: &[i64]) -> String {
    let numbers: Vec<String> = numbers.iter().map(i64::to_string).collect();
    format!("{{{}}}", numbers.join(","))
}
