//! What people ask and change.

use jiff::Timestamp;
use rusqlite::Row;

use super::{
    error::Done,
    lane::{self, Ended},
    lanes,
    rows::{self, To, kind, ms, span, state, state_number, status, time},
    tx::Tx,
};
use crate::outbox::{
    Attempt, Changed, DeliveryId, Detail, Filter, Kind, Listed, NotificationId, Part, ReceiverName,
    SenderName, State,
};

macro_rules! listed {
    ($from:literal) => {
        concat!(
            "SELECT d.id, d.notification, n.kind, d.state, d.receiver, d.sender, n.status, d.accepted_at, d.due_at,
             d.settled_at, d.attempts, d.part_number, d.part_of, d.digest, n.summary, d.reason ",
            $from
        )
    };
}
macro_rules! page {
    ($index:literal, $where:literal) => {
        concat!(
            listed!("FROM delivery d "),
            $index,
            " CROSS JOIN notification n ON n.id = d.notification WHERE ",
            $where,
            " AND d.id > ?2 AND (?3 IS NULL OR d.receiver = ?3) AND (?4 IS NULL OR d.accepted_at < ?4)
             AND (?5 IS NULL OR d.accepted_at >= ?5) AND (?6 IS NULL OR d.digest = ?6) ORDER BY d.id LIMIT ?7"
        )
    };
}
pub(super) const LIST_ALL: &str = page!("NOT INDEXED", "?1 IS NULL");
pub(super) const LIST_STATE: &str = page!("NOT INDEXED", "d.state = ?1");
pub(super) const LIST_IN_FLIGHT: &str = page!("INDEXED BY delivery_in_flight", "d.state = 2");
pub(super) const LIST_DEAD: &str = page!("INDEXED BY delivery_dead", "d.state = 5");
pub(super) const LIST_DIGEST: &str =
    page!("INDEXED BY delivery_digest", "d.digest = ?6 AND (?1 IS NULL OR d.state = ?1)");
pub(super) const SHOW: &str = concat!(
    listed!(
        ", n.group_key, m.touser, m.toparty, m.totag, m.msgtype, m.content, d.msgid, d.missed, d.unconfirmed_since
         FROM delivery d CROSS JOIN notification n ON n.id = d.notification CROSS JOIN message m
         ON m.delivery = d.id "
    ),
    "WHERE d.id = ?1"
);
pub(super) const ATTEMPTS: &str =
    "SELECT started_at, duration_ms, errcode, detail, counted FROM attempt WHERE delivery = ?1 ORDER BY n";
pub(super) const DUE_NOW: &str = "UPDATE delivery SET due_at = min(due_at, ?2) WHERE id = ?1";
pub(super) const AGAIN: &str =
    "UPDATE delivery SET state = ?2, place = ?3, due_at = ?4, attempts = 0, unknown = 0,
     settled_at = NULL, digest = NULL, noticed = ?5, reason = '' WHERE id = ?1";
// A digest that nobody got is told by its members, which died with it: both would tell it twice.
pub(super) const DEAD_AFTER: &str = "SELECT d.id FROM delivery d INDEXED BY delivery_dead
     CROSS JOIN notification n ON n.id = d.notification
     WHERE d.state = 5 AND d.id > ?1 AND (n.kind <> 1 OR EXISTS (
         SELECT 1 FROM delivery o INDEXED BY delivery_notification
         WHERE o.notification = d.notification AND o.state = 4))
     ORDER BY d.id LIMIT ?2";
pub(super) const DISCARD: &str =
    "UPDATE delivery SET state = 6, settled_at = ?2, reason = 'discarded' WHERE id = ?1";
pub(super) const NOT_WHOLE: &str = "UPDATE delivery SET fresh = 0 WHERE notification = ?1 AND fresh = 1
     AND EXISTS (SELECT 1 FROM delivery o WHERE o.notification = ?1 AND o.id <> ?2)";

pub(super) fn list(tx: &Tx<'_>, filter: &Filter) -> Done<Vec<Listed>> {
    let mut numbers: Vec<_> = filter.states.iter().map(|state| Some(state_number(*state))).collect();
    numbers.sort_unstable();
    numbers.dedup();
    if numbers.is_empty() {
        numbers.push(None);
    }
    let digest = filter.digest.map(|DeliveryId(id)| id);
    let mut found = Vec::new();
    for number in numbers {
        let sql = match (digest, number) {
            (Some(_), _) => LIST_DIGEST,
            (None, Some(2)) => LIST_IN_FLIGHT,
            (None, Some(5)) => LIST_DEAD,
            (None, Some(_)) => LIST_STATE,
            (None, None) => LIST_ALL,
        };
        let params = (
            number,
            filter.after.map_or(i64::MIN, |DeliveryId(id)| id),
            filter.receiver.as_ref().map(|receiver| &receiver.0),
            filter.accepted_before.map(ms),
            filter.accepted_since.map(ms),
            digest,
            filter.limit,
        );
        found.extend(tx.all(sql, params, Raw::read)?);
    }
    found.sort_unstable_by_key(|raw| raw.id);
    found.truncate(usize::try_from(filter.limit).unwrap_or(usize::MAX));
    found.into_iter().map(Raw::listed).collect()
}

/// A row of a list before its numbers are looked at.
struct Raw {
    id: i64,
    notification: i64,
    kind: i64,
    state: i64,
    receiver: String,
    sender: String,
    status: i64,
    accepted_at: i64,
    due_at: i64,
    settled_at: Option<i64>,
    attempts: u32,
    part: Part,
    digest: Option<i64>,
    summary: String,
    reason: String,
}

/// How many columns [`Raw::read`] takes.
const LISTED: usize = 16;

impl Raw {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            notification: row.get(1)?,
            kind: row.get(2)?,
            state: row.get(3)?,
            receiver: row.get(4)?,
            sender: row.get(5)?,
            status: row.get(6)?,
            accepted_at: row.get(7)?,
            due_at: row.get(8)?,
            settled_at: row.get(9)?,
            attempts: row.get(10)?,
            part: Part { number: row.get(11)?, of: row.get(12)? },
            digest: row.get(13)?,
            summary: row.get(14)?,
            reason: row.get(15)?,
        })
    }

    fn listed(self) -> Done<Listed> {
        let state = state(self.state)?;
        Ok(Listed {
            id: DeliveryId(self.id),
            notification: NotificationId(self.notification),
            kind: kind(self.kind)?,
            state,
            receiver: ReceiverName(self.receiver),
            sender: SenderName(self.sender),
            status: status(self.status)?,
            accepted_at: time(self.accepted_at)?,
            due_at: (state == State::Ready).then_some(self.due_at).map(time).transpose()?,
            settled_at: self.settled_at.map(time).transpose()?,
            attempts: self.attempts,
            part: self.part,
            digest: self.digest.map(DeliveryId),
            summary: self.summary,
            reason: self.reason,
        })
    }
}

pub(super) fn show(tx: &Tx<'_>, DeliveryId(id): DeliveryId) -> Done<Option<Detail>> {
    let read = |row: &Row<'_>| {
        let text = |column: usize| row.get::<_, String>(LISTED + column);
        Ok((
            Raw::read(row)?,
            To::read(row, LISTED + 1)?,
            [text(0)?, text(4)?, text(5)?, text(6)?, text(7)?],
            row.get::<_, Option<i64>>(LISTED + 8)?,
        ))
    };
    let Some((raw, to, [group_key, msgtype, text, msgid, missed], doubt)) = tx.first(SHOW, [id], read)?
    else {
        return Ok(None);
    };
    let read = |row: &Row<'_>| {
        let times = (row.get::<_, i64>(0)?, row.get::<_, i64>(1)?);
        Ok((times, row.get::<_, Option<i64>>(2)?, row.get::<_, String>(3)?, row.get::<_, bool>(4)?))
    };
    let mut attempts = Vec::new();
    for ((started_at, duration), errcode, detail, counted) in tx.all(ATTEMPTS, [id], read)? {
        let (started_at, duration) = (time(started_at)?, span(duration));
        attempts.push(Attempt { started_at, duration, errcode, detail, counted });
    }
    Ok(Some(Detail {
        listed: raw.listed()?,
        group_key,
        recipients: to.recipients()?,
        content: rows::content(&msgtype, text)?,
        msgid,
        missed,
        unconfirmed_since: doubt.map(time).transpose()?,
        attempts,
    }))
}

pub(super) fn retry(tx: &Tx<'_>, DeliveryId(id): DeliveryId, now: Timestamp) -> Done<Changed> {
    let Some((state, of)) = lane::load(tx, id)? else { return Ok(Changed::Unknown) };
    match state {
        State::Ready => {
            tx.run(DUE_NOW, (id, ms(now)))?;
            tx.wake();
        }
        State::Dead | State::Discarded => again(tx, id, of, now)?,
        State::Queued | State::InFlight | State::Folded | State::Delivered => {
            return Ok(Changed::NotIn(state));
        }
    }
    Ok(Changed::Deliveries(1))
}

/// Up to `limit` dead letters after `after`: the last of them, and how many there were.
pub(super) fn retry_dead(tx: &Tx<'_>, after: i64, limit: u32, now: Timestamp) -> Done<(i64, u32)> {
    let ids = tx.all(DEAD_AFTER, (after, limit), |row| row.get::<_, i64>(0))?;
    let mut count = 0;
    for id in &ids {
        if let Some((State::Dead, of)) = lane::load(tx, *id)? {
            again(tx, *id, of, now)?;
            count += 1;
        }
    }
    Ok((ids.last().copied().unwrap_or(after), count))
}

/// Puts a settled delivery at the end of its lane.
fn again(tx: &Tx<'_>, id: i64, of: Ended, now: Timestamp) -> Done<()> {
    let state = lane::state_at_end(tx, of.lane)?;
    let (_, place) = tx.numbers(0, 1)?;
    tx.run(AGAIN, (id, state_number(state), place, ms(now), of.kind == Kind::Notice))?;
    if state == State::Ready {
        lanes::occupy(tx, of.lane, id)?;
    }
    tx.run(NOT_WHOLE, (of.notification, id))?;
    tx.run(lane::REOPENED_ONE, [of.notification])?;
    tx.reopened(&of.of);
    tx.note(of.of, 1, 0);
    tx.wake();
    Ok(())
}

pub(super) fn discard(tx: &Tx<'_>, DeliveryId(id): DeliveryId, now: Timestamp) -> Done<Changed> {
    let Some((state, of)) = lane::load(tx, id)? else { return Ok(Changed::Unknown) };
    match state {
        State::Queued | State::Ready => {
            tx.run(DISCARD, (id, ms(now)))?;
            tx.run(NOT_WHOLE, (of.notification, id))?;
            tx.note(of.of.clone(), 0, 1);
            lane::ended(tx, of, now)?;
        }
        State::Dead => {
            tx.run(DISCARD, (id, ms(now)))?;
        }
        State::InFlight | State::Folded | State::Delivered | State::Discarded => {
            return Ok(Changed::NotIn(state));
        }
    }
    Ok(Changed::Deliveries(1))
}
