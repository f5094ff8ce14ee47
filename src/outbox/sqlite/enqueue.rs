//! Taking a notification: is it a copy, is there room, and where in its lane does it stand.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    error::Done,
    lane,
    rows::{self, kind_number, ms, span_ms, state_number, status_number},
    tx::Tx,
};
use crate::outbox::{Dedupe, Destination, Enqueued, Key, Kind, Lane, NewNotification, NotificationId, State};

pub(super) const HEARD: &str = "UPDATE counter SET heard = heard + 1 WHERE id = 1 RETURNING heard";
pub(super) const ACCEPTED: &str = "SELECT notification, accepted_at, times FROM accepted WHERE key = ?1";
pub(super) const LAST_SAID: &str =
    "SELECT key FROM said WHERE lane = ?1 AND source = ?2 ORDER BY heard DESC LIMIT 1";
pub(super) const SAID: &str = "SELECT times FROM said WHERE key = ?1 AND source = ?2 AND until > ?3";
pub(super) const PUT_ACCEPTED: &str = "REPLACE INTO accepted (heard, key, notification, accepted_at, times, until) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
pub(super) const PUT_SAID: &str =
    "REPLACE INTO said (heard, lane, source, key, times, until) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
pub(super) const NUMBERS: &str = "UPDATE counter
     SET notification = notification + 1, delivery = delivery + ?1 WHERE id = 1 RETURNING notification, delivery";
pub(super) const PUT_NOTIFICATION: &str = "INSERT INTO notification (id, kind, receiver, channel, group_key,
     status, severity, source, accepted_at, open, settled_at, touser, toparty, totag, summary, alerts, text_form)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)";
pub(super) const PUT_DELIVERY: &str = "INSERT INTO delivery (id, notification, channel, receiver, lane,
     destination, part_number, part_of, accepted_at, place, state, fresh, due_at, attempts, noticed, reason,
     msgid, response_code, missed, settled_at)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?1, ?10, ?11, ?9, 0, ?12, ?13, '', '', '', ?14)";
pub(super) const PUT_MESSAGE: &str = "INSERT INTO message (delivery, touser, toparty, totag, msgtype, content) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

/// Takes a notification that comes from outside.
pub(super) fn enqueue(tx: &Tx<'_>, new: &NewNotification, now: Timestamp) -> Done<Enqueued> {
    let lane = Lane::of(&new.receiver, &new.group_key).0;
    let heard = match &new.dedupe {
        Some(dedupe) => match hear(tx, lane, dedupe, now)? {
            Heard::Copy(of) => return Ok(Enqueued::Duplicate(of)),
            Heard::News { number, times } => Some((dedupe, number, times)),
        },
        None => None,
    };
    if new.kind == Kind::Alert {
        tx.room()?;
    }
    let numbers = Numbers::take(tx, new)?;
    put(tx, numbers, new, lane, now)?;
    if let Some((dedupe, number, times)) = heard {
        let until = until(now, dedupe.window);
        let NotificationId(id) = numbers.notification;
        tx.run(PUT_ACCEPTED, (number, dedupe.key.0, id, ms(now), times, until))?;
    }
    Ok(Enqueued::Accepted(numbers.notification))
}

enum Heard {
    Copy(NotificationId),
    News { number: i64, times: i64 },
}

/// Tells a copy from news by counting: when a source comes to say something for the nth time, with something else
/// in between, that is a copy as long as it was accepted n times.
fn hear(tx: &Tx<'_>, lane: Key, dedupe: &Dedupe, now: Timestamp) -> Done<Heard> {
    let (key, source) = (dedupe.key, &dedupe.source);
    let number: i64 = tx.only(HEARD, [], |row| row.get(0))?;
    let last = tx.first(LAST_SAID, (lane.0, source), |row| row.get(0).map(Key))?;
    let before = tx.first(SAID, (key.0, source, ms(now)), |row| row.get::<_, i64>(0))?;
    let times = match before {
        Some(times) if last == Some(key) => times,
        Some(times) => times + 1,
        None => 1,
    };
    // A copy is remembered too: its source may be the last one alive of a pair.
    tx.run(PUT_SAID, (number, lane.0, source, key.0, times, until(now, dedupe.window)))?;
    let accepted = tx.first(ACCEPTED, [key.0], |row| {
        Ok((NotificationId(row.get(0)?), row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
    })?;
    // The clock may have been set back: the distance counts, in whichever direction.
    let within = |at: i64| ms(now).abs_diff(at) < span_ms(dedupe.window).unsigned_abs();
    Ok(match accepted {
        Some((of, at, accepted)) if within(at) && times <= accepted => Heard::Copy(of),
        _ => Heard::News { number, times },
    })
}

fn until(now: Timestamp, window: Duration) -> i64 {
    ms(now).saturating_add(span_ms(window))
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
        let (notification, last) =
            tx.only(NUMBERS, [count], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)))?;
        Ok(Self { notification: NotificationId(notification), first_delivery: last - count + 1 })
    }
}

/// Writes a notification and its deliveries to the end of `lane`.
pub(super) fn put(
    tx: &Tx<'_>,
    numbers: Numbers,
    new: &NewNotification,
    lane: Key,
    now: Timestamp,
) -> Done<()> {
    let NotificationId(notification) = numbers.notification;
    put_notification(tx, notification, new, now)?;
    let Destination(destination) = Destination::of(&new.channel, &new.recipients);
    let mut state = if new.dead.is_some() { State::Dead } else { lane::state_at_end(tx, lane)? };
    if state == State::Ready && !new.deliveries.is_empty() {
        tx.wake();
    }
    for (id, delivery) in (numbers.first_delivery..).zip(&new.deliveries) {
        tx.run(
            PUT_DELIVERY,
            (
                id,
                notification,
                &new.channel.0,
                &new.receiver.0,
                lane.0,
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
        new.channel.0,
        new.group_key,
        status_number(new.status),
        new.severity,
        new.dedupe.as_ref().map_or("", |dedupe| dedupe.source.as_str()),
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
    Ok(())
}
