//! Taking a notification: is it a copy, is there room, and where in its lane does it stand.

use jiff::Timestamp;

use super::{
    error::Done,
    heard, lane, lanes,
    rows::{self, kind_number, ms, state_number, status_number},
    tally::Of,
    tx::Tx,
};
use crate::outbox::{Destination, Enqueued, Kind, NewNotification, NotificationId, OrderingKey, State};

pub(super) const PUT_NOTIFICATION: &str = "INSERT INTO notification (id, kind, receiver, sender, group_key,
     status, severity, accepted_at, open, settled_at, touser, toparty, totag, summary, alerts, text_form)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";
pub(super) const PUT_DELIVERY: &str = "INSERT INTO delivery (id, notification, sender, receiver, lane,
     destination, part_number, part_of, accepted_at, place, state, fresh, due_at, attempts, noticed, reason,
     msgid, response_code, missed, settled_at)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?1, ?10, ?11, ?9, 0, ?12, ?13, '', '', '', ?14)";
pub(super) const PUT_MESSAGE: &str = "INSERT INTO message (delivery, touser, toparty, totag, msgtype, content) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

/// Takes a notification that comes from outside. What can be wrong is asked before anything is changed.
pub(super) fn enqueue(tx: &Tx<'_>, new: &NewNotification, now: Timestamp) -> Done<Enqueued> {
    let lane = rows::short(OrderingKey::of(&new.receiver, &new.group_key).0);
    if let Some(dedupe) = &new.dedupe
        && let Some(of) = heard::copy_of(tx, lane, dedupe, now)?
    {
        heard::remember(tx, lane, dedupe, None, now)?;
        return Ok(Enqueued::Duplicate(of));
    }
    if new.kind == Kind::Alert {
        tx.room()?;
    }
    let numbers = Numbers::take(tx, new)?;
    if let Some(dedupe) = &new.dedupe {
        heard::remember(tx, lane, dedupe, Some(numbers.notification), now)?;
    }
    put(tx, numbers, new, lane, now)?;
    Ok(Enqueued::Accepted(numbers.notification))
}

/// The numbers that a notification and its deliveries get.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numbers {
    pub(super) notification: NotificationId,
    pub(super) first_delivery: i64,
}

impl Numbers {
    pub(super) fn take(tx: &Tx<'_>, new: &NewNotification) -> Done<Self> {
        let count = i64::try_from(new.deliveries.len()).unwrap_or(i64::MAX);
        let (notification, last) = tx.numbers(1, count)?;
        Ok(Self { notification: NotificationId(notification), first_delivery: last - count + 1 })
    }
}

/// Writes a notification and its deliveries to the end of `lane`.
pub(super) fn put(
    tx: &Tx<'_>,
    numbers: Numbers,
    new: &NewNotification,
    lane: i64,
    now: Timestamp,
) -> Done<()> {
    let NotificationId(notification) = numbers.notification;
    put_notification(tx, notification, new, now)?;
    let Destination(destination) = Destination::of(&new.sender, &new.recipients);
    let mut state = if new.dead.is_some() { State::Dead } else { lane::state_at_end(tx, lane)? };
    if state == State::Ready && !new.deliveries.is_empty() {
        tx.due(&new.sender.0, numbers.first_delivery);
    }
    for (id, delivery) in (numbers.first_delivery..).zip(&new.deliveries) {
        tx.run(
            PUT_DELIVERY,
            (
                id,
                notification,
                &new.sender.0,
                &new.receiver.0,
                lane,
                destination.0,
                delivery.part.number,
                delivery.part.of,
                ms(now),
                state_number(state),
                new.kind == Kind::Alert && new.dead.is_none(),
                // Nobody is told of a notice that died: it would go round.
                new.kind == Kind::Notice,
                new.dead.as_deref().unwrap_or_default(),
                new.dead.is_some().then_some(ms(now)),
            ),
        )?;
        let to = &delivery.recipients;
        let content = &delivery.content;
        tx.run(PUT_MESSAGE, (id, to.touser(), to.toparty(), to.totag(), content.msgtype(), content.text()))?;
        if state == State::Ready {
            lanes::occupy(tx, lane, id)?;
        }
        if new.dead.is_none() {
            state = State::Queued;
        }
    }
    Ok(())
}

fn put_notification(tx: &Tx<'_>, id: i64, new: &NewNotification, now: Timestamp) -> Done<()> {
    let count = i64::try_from(new.deliveries.len()).unwrap_or(i64::MAX);
    let open = if new.dead.is_some() { 0 } else { count };
    let columns = rusqlite::params![
        id,
        kind_number(new.kind),
        new.receiver.0,
        new.sender.0,
        new.group_key,
        status_number(new.status),
        new.severity,
        ms(now),
        open,
        (open == 0).then_some(ms(now)),
        new.recipients.touser(),
        new.recipients.toparty(),
        new.recipients.totag(),
        new.summary,
        rows::alerts(&new.alerts)?,
        new.text_form,
    ];
    tx.run(PUT_NOTIFICATION, columns)?;
    if open > 0 {
        tx.note(Of { sender: new.sender.0.clone(), receiver: new.receiver.0.clone() }, open, 0);
    }
    Ok(())
}
