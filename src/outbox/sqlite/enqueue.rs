//! Accepting a notification: deduplication, room, and its place in its ordering key.

use jiff::Timestamp;
use rusqlite::named_params;

use super::{
    cards::{self, CardPlace},
    columns::{kind_number, millis, state_number, status_number},
    error::EngineResult,
    order,
    sender::{self, Present},
    transaction::Transaction,
};
use crate::{
    outbox::{
        BodyHash, Dedupe, Destination, Enqueued, Kind, NewDelivery, NewNotification, NotificationId,
        OrderingKey, State,
        rules::{
            cards::NewCard,
            dedup::{self, LastAccepted},
            fold,
        },
    },
    telemetry::clip,
    wecom::Recipients,
};

pub(super) const INSERT: &str = "INSERT INTO delivery (id, state, sender, receiver, destination, ordering_key, seq,
     notification, deliveries, kind, status, part_number, part_of, accepted_at, due_at, foldable, attempts,
     unknown_codes, body, settled_at, noticed, tries, reason, severity, group_key, summary, to_users, to_parties,
     to_tags, all_users, all_parties, all_tags, msgtype, content, text_form)
     VALUES (:id, :state, :sender, :receiver, :destination, :ordering_key, :id, :notification, :deliveries, :kind,
     :status, :part_number, :part_of, :accepted_at, :accepted_at, :foldable, 0, 0, :body, :settled_at, :noticed, 0,
     :reason, :severity, :group_key, :summary, :to_users, :to_parties, :to_tags, :all_users, :all_parties, :all_tags,
     :msgtype, :content, :text_form)";

/// Stores a notification that was received by a webhook.
pub(super) fn enqueue(
    tx: &mut Transaction<'_>,
    new: &NewNotification,
    now: Timestamp,
) -> EngineResult<Enqueued> {
    let sender = sender::present(tx, &new.sender)?;
    let ordering_key = OrderingKey::of(&sender.queue, &new.receiver, &new.group_key).0.short();
    let mut order = order::load(tx, ordering_key)?;
    if let Some(dedupe) = &new.dedupe
        && let Some(last) = order.last.filter(|last| last.is_repeated_by(dedupe, now))
    {
        return Ok(Enqueued::Duplicate(last.notification));
    }
    if new.kind == Kind::Alert {
        tx.require_room(now)?;
    }
    let place = Place {
        sender,
        ordering_key,
        first: tx.take_numbers(new.deliveries.len())?,
        is_occupied: order.heads > 0,
    };
    let notification = NotificationId(place.first);
    if let Some(Dedupe { key, window }) = new.dedupe {
        order.last = Some(LastAccepted { key, notification, at: now });
        order.expires_at = dedup::expires_at(window, now);
    }
    order.heads += i64::from(insert(tx, new, &place, now)?);
    if new.dedupe.is_some() || order.heads > 0 {
        order::store(tx, ordering_key, &order)?;
    }
    Ok(Enqueued::Accepted(notification))
}

/// The place of new deliveries.
pub(super) struct Place {
    pub(super) sender: Present,
    pub(super) ordering_key: i64,
    pub(super) first: i64,
    /// True if earlier deliveries of the ordering key are unsettled.
    pub(super) is_occupied: bool,
}

/// Stores a digest or a notice: without deduplication, and even if there is no room.
pub(super) fn enqueue_own(
    tx: &mut Transaction<'_>,
    new: &NewNotification,
    ordering_key: i64,
    now: Timestamp,
) -> EngineResult<NotificationId> {
    let sender = sender::present(tx, &new.sender)?;
    let is_occupied = order::load(tx, ordering_key)?.heads > 0;
    let place = Place { sender, ordering_key, first: tx.take_numbers(new.deliveries.len())?, is_occupied };
    if insert(tx, new, &place, now)? {
        order::add_heads(tx, ordering_key, 1)?;
    }
    Ok(NotificationId(place.first))
}

/// Inserts all deliveries. Returns whether the first one is the head of its ordering key. The caller counts it.
fn insert(
    tx: &mut Transaction<'_>,
    new: &NewNotification,
    place: &Place,
    now: Timestamp,
) -> EngineResult<bool> {
    let destination = Destination::of(&place.sender.name, &new.recipients);
    let is_head = new.dead.is_none() && !place.is_occupied && !new.deliveries.is_empty();
    for (id, delivery) in (place.first..).zip(&new.deliveries) {
        let state = match new.dead {
            Some(_) => State::Dead,
            None if is_head && id == place.first => State::Ready,
            None => State::Queued,
        };
        insert_one(tx, new, delivery, &Row { id, state, destination, place, now })?;
    }
    if is_head {
        tx.mark_changed(&place.sender.name, destination);
    }
    Ok(is_head)
}

/// The columns of a new row that do not come from the notification.
struct Row<'a> {
    id: i64,
    state: State,
    destination: Destination,
    place: &'a Place,
    now: Timestamp,
}

fn insert_one(
    tx: &Transaction<'_>,
    new: &NewNotification,
    delivery: &NewDelivery,
    row: &Row<'_>,
) -> EngineResult<()> {
    let Destination(destination) = row.destination;
    let NewDelivery { recipients, content, part } = delivery;
    let all = (*recipients != new.recipients).then_some(&new.recipients);
    tx.sql.run(
        INSERT,
        named_params! {
            ":id": row.id,
            ":state": state_number(row.state),
            ":sender": row.place.sender.name.0,
            ":receiver": new.receiver.0,
            ":destination": destination.0,
            ":ordering_key": row.place.ordering_key,
            ":notification": row.place.first,
            ":deliveries": i64::try_from(new.deliveries.len()).unwrap_or(i64::MAX),
            ":kind": kind_number(new.kind),
            ":status": status_number(new.status),
            ":part_number": part.number,
            ":part_of": part.total,
            ":accepted_at": millis(row.now),
            ":foldable": if new.kind == Kind::Alert && new.dead.is_none() { fold::MAX_MEMBERS } else { 0 },
            ":body": BodyHash::of(&row.place.sender.name, recipients, content).0,
            ":settled_at": new.dead.is_some().then_some(millis(row.now)),
            // A dead notice must not cause another notice.
            ":noticed": new.kind == Kind::Notice,
            ":reason": new.dead,
            // They are only shown. The ordering key has the whole group key.
            ":severity": clip(&new.severity),
            ":group_key": clip(&new.group_key),
            ":summary": new.summary,
            ":to_users": recipients.touser(),
            ":to_parties": recipients.toparty(),
            ":to_tags": recipients.totag(),
            ":all_users": all.map(Recipients::touser),
            ":all_parties": all.map(Recipients::toparty),
            ":all_tags": all.map(Recipients::totag),
            ":msgtype": content.msgtype(),
            ":content": content.text(),
            ":text_form": new.text_form,
        },
    )?;
    if let Some(card) = NewCard::of(new, delivery) {
        let Place { sender, ordering_key, .. } = row.place;
        let place = CardPlace {
            delivery: row.id,
            queue: &sender.queue,
            ordering_key: *ordering_key,
            group_key: &new.group_key,
        };
        cards::insert(tx, &place, &card)?;
    }
    Ok(())
}
