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
        COPY_MARGIN, Channel, Claimed, DeliveryId, Destination, NotificationId, Part, Pick, ReceiverName,
    },
    wecom::Message,
};

pub(super) const DUE_HEADS: &str = "SELECT id, part_number, part_of, fresh FROM delivery
     INDEXED BY delivery_ready
     WHERE state = 1 AND channel = ?1 AND destination = ?2 AND receiver = ?3 AND due_at <= ?4
     ORDER BY due_at, place LIMIT ?5";
pub(super) const LOAD: &str = "SELECT d.notification, n.kind, d.receiver, n.group_key, d.part_number, d.part_of,
     d.accepted_at, d.claimed_at, d.attempts, d.doubt_since, d.check_ms, d.channel, m.msgtype, m.content,
     m.touser, m.toparty, m.totag, n.touser, n.toparty, n.totag, n.open, d.unknown, n.text_form
     FROM delivery d CROSS JOIN notification n ON n.id = d.notification CROSS JOIN message m ON m.delivery = d.id
     WHERE d.id = ?1";
pub(super) const SAME_BODY: &str = "SELECT 1 FROM delivery INDEXED BY delivery_body
     WHERE body_hash = ?1 AND claimed_at > ?2 LIMIT 1";
pub(super) const CLAIM_FIRST: &str =
    "UPDATE delivery SET state = 2, claimed_at = ?2, check_ms = ?3, body_hash = ?4 WHERE id = ?1";
pub(super) const CLAIM_AGAIN: &str = "UPDATE delivery SET state = 2, claimed_at = ?2 WHERE id = ?1";
pub(super) const STARTED: &str = "UPDATE delivery SET fresh = 0 WHERE notification = ?1 AND fresh = 1";

pub(super) fn claim(
    tx: &Tx<'_>,
    channel: &Channel,
    picks: &[Pick],
    interval: Duration,
    now: Timestamp,
) -> Done<Vec<Claimed>> {
    let mut claimed = Vec::new();
    for pick in picks {
        match pick {
            Pick::Heads { destination, receiver, slots } => {
                for id in heads(tx, channel, *destination, receiver, *slots, now)? {
                    claimed.extend(mark(tx, id, interval, now)?);
                }
            }
            Pick::Digest { members, digest } => {
                if let Some(id) = fold::fold(tx, channel, members, digest, now)? {
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
    channel: &Channel,
    destination: Destination,
    receiver: &ReceiverName,
    slots: u32,
    now: Timestamp,
) -> Done<Vec<i64>> {
    let heads = tx.all(DUE_HEADS, (&channel.0, destination.0.0, &receiver.0, ms(now), slots), |row| {
        let part = Part { number: row.get(1)?, of: row.get(2)? };
        Ok((row.get::<_, i64>(0)?, self::slots(part, row.get(3)?)))
    })?;
    let fits = heads.into_iter().scan(slots, |left, (id, needed)| {
        *left = left.checked_sub(needed)?;
        Some(id)
    });
    Ok(fits.collect())
}

/// Marks one delivery as in flight. Its body, and whether WeCom is asked to look for copies, are fixed here the
/// first time.
fn mark(tx: &Tx<'_>, id: i64, interval: Duration, now: Timestamp) -> Done<Option<Claimed>> {
    let read = |row: &rusqlite::Row<'_>| {
        let part = Part { number: row.get(4)?, of: row.get(5)? };
        let before: Option<i64> = row.get(7)?;
        let (channel, msgtype): (String, String) = (row.get(11)?, row.get(12)?);
        let times = (row.get::<_, i64>(6)?, row.get::<_, Option<i64>>(9)?);
        let ids = (row.get::<_, i64>(0)?, row.get::<_, i64>(1)?);
        let names = (ReceiverName(row.get(2)?), row.get::<_, String>(3)?);
        let sent = (
            channel,
            msgtype,
            row.get::<_, String>(13)?,
            (
                To::read(row, 14)?,
                To::read(row, 17)?,
                row.get::<_, u32>(20)?,
                row.get::<_, Option<String>>(22)?,
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
    let (channel, msgtype, text, (to, everybody, open, text_form)) = sent;
    let (recipients, content) = (to.recipients()?, rows::content(&msgtype, text)?);
    let check_ms = if before.is_some() {
        tx.run(CLAIM_AGAIN, (id, ms(now)))?;
        frozen
    } else {
        let hash = rows::short(rows::body_hash(&channel, &recipients, &content));
        let since = ms(now).saturating_sub(span_ms(interval.saturating_add(COPY_MARGIN)));
        let copy = tx.first(SAME_BODY, (hash, since), |_| Ok(()))?;
        let check_ms = (copy.is_none() && !interval.is_zero()).then_some(span_ms(interval));
        tx.run(CLAIM_FIRST, (id, ms(now), check_ms, hash))?;
        check_ms
    };
    tx.run(STARTED, [notification])?;
    let ((accepted_at, doubt_since), (attempts, unknown)) = (times, tries);
    Ok(Some(Claimed {
        id: DeliveryId(id),
        notification: NotificationId(notification),
        kind: kind(of_kind)?,
        receiver,
        group_key,
        message: Message { recipients, content, duplicate_check: check_ms.map(span) },
        everybody: everybody.recipients()?,
        to_come: open.saturating_sub(1),
        part,
        accepted_at: time(accepted_at)?,
        claimed_at: now,
        attempts,
        unknown,
        in_doubt_since: doubt_since.map(time).transpose()?,
        text_form,
    }))
}
