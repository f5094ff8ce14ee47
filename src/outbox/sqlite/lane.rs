//! The order of a lane, and what follows when a delivery is settled.
//!
//! `ready` is kept, not computed: it is the first unsettled delivery of its lane and no other; those behind it are
//! `queued`. Who makes a head says so to [`lanes`].

use jiff::Timestamp;

use super::{
    error::Done,
    lanes,
    rows::{kind, ms, state, state_number},
    tally::Of,
    tx::Tx,
};
use crate::outbox::{Kind, State};

pub(super) const LOAD: &str =
    "SELECT d.state, d.notification, d.lane, n.kind, d.sender, d.receiver FROM delivery d
     CROSS JOIN notification n ON n.id = d.notification WHERE d.id = ?1";
pub(super) const NEXT: &str = "SELECT id FROM delivery INDEXED BY delivery_queued
     WHERE lane = ?1 AND state = 0 ORDER BY place LIMIT 1";
// What was never tried is not put off: it is later than now by a clock that was set back.
pub(super) const PROMOTE: &str =
    "UPDATE delivery SET state = 1, due_at = min(due_at, ?2) WHERE id = ?1 RETURNING sender";
pub(super) const SETTLED_ONE: &str = "UPDATE notification
     SET open = open - 1, settled_at = CASE WHEN open = 1 THEN ?2 END WHERE id = ?1";
pub(super) const REOPENED_ONE: &str =
    "UPDATE notification SET open = open + 1, settled_at = NULL WHERE id = ?1";
pub(super) const OF_NOTIFICATION: &str = "SELECT id, state, reason FROM delivery
     INDEXED BY delivery_notification WHERE notification = ?1 ORDER BY id";
pub(super) const MEMBERS: &str =
    "SELECT id FROM delivery INDEXED BY delivery_digest WHERE digest = ?1 ORDER BY id";
pub(super) const SETTLE_MEMBER: &str =
    "UPDATE delivery SET state = ?2, reason = ?3, settled_at = ?4 WHERE id = ?1";
pub(super) const TOLD_BY_MEMBERS: &str = "UPDATE delivery SET noticed = 1 WHERE notification = ?1";

/// The state of a delivery that comes to the end of `lane`.
pub(super) fn state_at_end(tx: &Tx<'_>, lane: i64) -> Done<State> {
    Ok(if lanes::is_occupied(tx, lane)? { State::Queued } else { State::Ready })
}

/// Lets the first delivery of `lane` come up, if nothing goes before it any more.
pub(super) fn promote(tx: &Tx<'_>, lane: i64, now: Timestamp) -> Done<()> {
    if lanes::is_occupied(tx, lane)? {
        return Ok(());
    }
    if let Some(id) = tx.first(NEXT, [lane], |row| row.get::<_, i64>(0))? {
        let sender = tx.only(PROMOTE, [id, ms(now)], |row| row.get::<_, String>(0))?;
        tx.due(&sender, id);
        lanes::occupy(tx, lane, id)?;
    }
    Ok(())
}

/// A delivery that is just settled, or given up.
#[derive(Debug, Clone)]
pub(super) struct Ended {
    id: i64,
    /// Whether others of its lane stand behind it.
    is_head: bool,
    pub(super) notification: i64,
    pub(super) kind: Kind,
    pub(super) lane: i64,
    pub(super) of: Of,
}

/// A delivery's state, and what follows from its end.
pub(super) fn load(tx: &Tx<'_>, id: i64) -> Done<Option<(State, Ended)>> {
    let read = |row: &rusqlite::Row<'_>| {
        Ok((
            row.get::<_, i64>(0)?,
            row.get::<_, i64>(1)?,
            row.get::<_, i64>(2)?,
            row.get::<_, i64>(3)?,
            Of::read(row, 4)?,
        ))
    };
    let Some((at, notification, lane, of_kind, of)) = tx.first(LOAD, [id], read)? else { return Ok(None) };
    let state = state(at)?;
    let is_head = matches!(state, State::Ready | State::InFlight | State::Folded);
    Ok(Some((state, Ended { id, is_head, notification, kind: kind(of_kind)?, lane, of })))
}

fn settled_one(tx: &Tx<'_>, ended: Ended, now: Timestamp) -> Done<()> {
    tx.run(SETTLED_ONE, (ended.notification, ms(now)))?;
    tx.note(ended.of, -1, 0);
    if ended.is_head { lanes::leave(tx, ended.lane, ended.id) } else { Ok(()) }
}

/// Does what follows from the end of a delivery.
pub(super) fn ended(tx: &Tx<'_>, ended: Ended, now: Timestamp) -> Done<()> {
    let Ended { notification, lane, kind, .. } = ended;
    settled_one(tx, ended, now)?;
    promote(tx, lane, now)?;
    if kind == Kind::Digest { end_members(tx, notification, now) } else { Ok(()) }
}

/// When all of a digest is settled, its members are what it is: delivered if anybody got it. Members that died
/// with it before a person had it sent again are told now, too.
fn end_members(tx: &Tx<'_>, digest: i64, now: Timestamp) -> Done<()> {
    let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get(1)?, row.get::<_, String>(2)?));
    let mut parts = Vec::new();
    for (id, number, reason) in tx.all(OF_NOTIFICATION, [digest], read)? {
        parts.push((id, state(number)?, reason));
    }
    if parts.iter().any(|(_, state, _)| state_number(*state) < state_number(State::Delivered)) {
        return Ok(());
    }
    let Some((first, ..)) = parts.first() else { return Ok(()) };
    let find = |wanted| parts.iter().find(|(_, state, _)| *state == wanted);
    let (end, reason) = match (find(State::Delivered), find(State::Dead)) {
        (Some(_), _) => (State::Delivered, format!("told by digest {first}")),
        (None, Some((_, _, reason))) => (State::Dead, reason.clone()),
        (None, None) => (State::Discarded, format!("digest {first} was discarded")),
    };
    let mut lanes = Vec::new();
    for id in tx.all(MEMBERS, [first], |row| row.get::<_, i64>(0))? {
        let Some((at, member)) = load(tx, id)? else { continue };
        let folded = at == State::Folded;
        let revived = at == State::Dead && end == State::Delivered;
        if folded || revived {
            tx.run(SETTLE_MEMBER, (id, state_number(end), &reason, ms(now)))?;
        }
        if folded {
            lanes.push(member.lane);
            settled_one(tx, member, now)?;
        }
    }
    if end == State::Dead && !lanes.is_empty() {
        tx.run(TOLD_BY_MEMBERS, [digest])?;
    }
    lanes.sort_unstable();
    lanes.dedup();
    lanes.into_iter().try_for_each(|lane| promote(tx, lane, now))
}
