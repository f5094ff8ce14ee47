//! Giving out what can be sent. A claim is on disk before its caller hears of it.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    error::Done,
    fold,
    rows::{self, To, kind, ms, span, span_ms, time},
    tx::Tx,
};
use crate::{
    outbox::{
        Claimed, DUPLICATE_CHECK_MARGIN, DeliveryId, Destination, NotificationId, Part, Pick, ReceiverName,
        SenderName,
    },
    wecom::Message,
};

pub(super) const DUE_HEADS: &str = "SELECT due_at, place, id, part_number, part_of FROM delivery
     INDEXED BY delivery_ready
     WHERE state = 1 AND sender = ?1 AND destination = ?2 AND receiver = ?3 AND fresh = ?4 AND due_at <= ?5
     ORDER BY due_at, place LIMIT ?6";
pub(super) const LOAD: &str = "SELECT d.notification, n.kind, d.receiver, n.group_key, d.part_number, d.part_of,
     d.accepted_at, d.claimed_at, d.attempts, d.unconfirmed_since, d.check_ms, d.sender, m.msgtype, m.content,
     m.touser, m.toparty, m.totag, n.touser, n.toparty, n.totag, n.open, d.unknown, n.text_form, d.body_hash
     FROM delivery d CROSS JOIN notification n ON n.id = d.notification CROSS JOIN message m ON m.delivery = d.id
     WHERE d.id = ?1 AND d.state = 1";
pub(super) const CLAIM_FIRST: &str =
    "UPDATE delivery SET state = 2, fresh = 0, claimed_at = ?2, check_ms = ?3, body_hash = ?4 WHERE id = ?1";
pub(super) const CLAIM_AGAIN: &str = "UPDATE delivery SET state = 2, claimed_at = ?2 WHERE id = ?1";
pub(super) const STARTED: &str = "UPDATE delivery SET fresh = 0 WHERE notification = ?1 AND fresh = 1";

pub(super) fn claim(
    tx: &Tx<'_>,
    sender: &SenderName,
    picks: &[Pick],
    interval: Duration,
    now: Timestamp,
) -> Done<Vec<Claimed>> {
    let mut claimed = Vec::new();
    for pick in picks {
        match pick {
            Pick::Heads { destination, receiver, slots } => {
                for id in heads(tx, sender, *destination, receiver, *slots, now)? {
                    claimed.extend(mark(tx, id, interval, now)?);
                }
            }
            Pick::Digest { members, digest } => {
                if let Some(id) = fold::fold(tx, sender, members, digest, now)? {
                    claimed.extend(mark(tx, id, interval, now)?);
                }
            }
        }
    }
    Ok(claimed)
}

/// How many slots a head needs: all parts of a message of which nothing was claimed, else one.
pub(super) fn slots(part: Part, fresh: bool) -> u32 {
    if fresh { u32::from(part.of).max(1) } else { 1 }
}

/// The first due heads that fit.
fn heads(
    tx: &Tx<'_>,
    sender: &SenderName,
    destination: Destination,
    receiver: &ReceiverName,
    slots: u32,
    now: Timestamp,
) -> Done<Vec<i64>> {
    let mut heads = Vec::new();
    for fresh in [true, false] {
        let of = (&sender.0, destination.0.0, &receiver.0, fresh, ms(now), slots);
        heads.extend(tx.all(DUE_HEADS, of, |row| {
            let part = Part { number: row.get(3)?, of: row.get(4)? };
            let order = (row.get::<_, i64>(0)?, row.get::<_, i64>(1)?);
            Ok((order, row.get::<_, i64>(2)?, self::slots(part, fresh)))
        })?);
    }
    heads.sort_unstable();
    let fits = heads.into_iter().scan(slots, |left, (_, id, needed)| {
        *left = left.checked_sub(needed)?;
        Some(id)
    });
    Ok(fits.collect())
}

/// Marks one delivery as in flight, if it is ready. Its body, and whether WeCom is asked to look for copies, are fixed here the
/// first time.
pub(super) fn mark(tx: &Tx<'_>, id: i64, interval: Duration, now: Timestamp) -> Done<Option<Claimed>> {
    let read = |row: &rusqlite::Row<'_>| {
        let part = Part { number: row.get(4)?, of: row.get(5)? };
        let before: Option<i64> = row.get(7)?;
        let (sender, msgtype): (String, String) = (row.get(11)?, row.get(12)?);
        let times = (row.get::<_, i64>(6)?, row.get::<_, Option<i64>>(9)?);
        let ids = (row.get::<_, i64>(0)?, row.get::<_, i64>(1)?);
        let names = (ReceiverName(row.get(2)?), row.get::<_, String>(3)?);
        let sent = (
            sender,
            msgtype,
            row.get::<_, String>(13)?,
            (
                To::read(row, 14)?,
                To::read(row, 17)?,
                row.get::<_, u32>(20)?,
                row.get::<_, Option<String>>(22)?,
                row.get::<_, Option<i64>>(23)?,
            ),
        );
        let tries = (row.get::<_, u32>(8)?, row.get::<_, u32>(21)?);
        Ok((ids, names, part, times, before, tries, row.get::<_, Option<i64>>(10)?, sent))
    };
    let Some(((notification, of_kind), (receiver, group_key), part, times, before, tries, frozen, sent)) =
        tx.first(LOAD, [id], read)?
    else {
        return Ok(None);
    };
    let (sender, msgtype, text, (to, all_recipients, open, text_form, hash)) = sent;
    let (recipients, content) = (to.recipients()?, rows::content(&msgtype, text)?);
    let since = ms(now).saturating_sub(span_ms(interval.saturating_add(DUPLICATE_CHECK_MARGIN)));
    let check_ms = if before.is_some() {
        tx.run(CLAIM_AGAIN, (id, ms(now)))?;
        if let Some(hash) = hash {
            tx.bodies(&sender, since, |bodies| bodies.claim(hash, ms(now), since))?;
        }
        frozen
    } else {
        let hash = rows::short(rows::body_hash(&sender, &recipients, &content));
        let copy = tx.bodies(&sender, since, |bodies| bodies.was_claimed(hash, since))?;
        let check_ms = (!copy && !interval.is_zero()).then_some(span_ms(interval));
        tx.run(CLAIM_FIRST, (id, ms(now), check_ms, hash))?;
        tx.bodies(&sender, since, |bodies| bodies.claim(hash, ms(now), since))?;
        check_ms
    };
    if open > 1 {
        tx.run(STARTED, [notification])?;
    }
    let ((accepted_at, unconfirmed_since), (attempts, unknown)) = (times, tries);
    Ok(Some(Claimed {
        id: DeliveryId(id),
        notification: NotificationId(notification),
        kind: kind(of_kind)?,
        receiver,
        group_key,
        message: Message { recipients, content, duplicate_check: check_ms.map(span) },
        all_recipients: all_recipients.recipients()?,
        to_come: open.saturating_sub(1),
        part,
        accepted_at: time(accepted_at)?,
        claimed_at: now,
        attempts,
        unknown,
        unconfirmed_since: unconfirmed_since.map(time).transpose()?,
        text_form,
    }))
}
