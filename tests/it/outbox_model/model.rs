//! An outbox as a plain list, where every answer is computed from all rows.

use std::collections::{BTreeMap, BTreeSet};

use wecom_relay::outbox::{ClaimId, Kind, NewNotification, Part, State};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum OrderingKey {
    Group(u8),
    Digest(i64),
}

/// `Queued` stands for queued and ready. The other rows decide which of both it is.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) id: i64,
    pub(crate) notification: i64,
    pub(crate) kind: Kind,
    pub(crate) ordering_key: OrderingKey,
    pub(crate) place: i64,
    pub(crate) to: u8,
    pub(crate) part: Part,
    pub(crate) state: State,
    /// The maximum number of members of a digest with it; 0 if it cannot be folded.
    pub(crate) limit: u32,
    pub(crate) due: i64,
    pub(crate) attempts: u32,
    pub(crate) digest: Option<i64>,
    pub(crate) claim: Option<ClaimId>,
}

#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) rows: Vec<Row>,
    pub(crate) places: i64,
    pub(crate) now: i64,
    /// The times of settlement, by delivery.
    pub(crate) settled_at: BTreeMap<i64, i64>,
    /// Claims that have ended, with their deliveries.
    pub(crate) ended: Vec<EndedClaim>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct EndedClaim {
    pub(crate) id: i64,
    pub(crate) claim: ClaimId,
}

impl Model {
    pub(crate) fn place(&mut self) -> i64 {
        self.places += 1;
        self.places
    }

    pub(crate) fn row(&mut self, id: i64) -> &mut Row {
        self.rows.iter_mut().find(|row| row.id == id).unwrap()
    }

    /// The unsettled rows before `row` with the same ordering key.
    pub(crate) fn ahead<'m>(&'m self, row: &'m Row) -> impl Iterator<Item = &'m Row> {
        let before = |other: &&Row| other.ordering_key == row.ordering_key && other.place < row.place;
        self.rows.iter().filter(before).filter(|other| !other.state.is_settled())
    }

    pub(crate) fn state(&self, row: &Row) -> State {
        let is_head = row.state == State::Queued && self.ahead(row).next().is_none();
        if is_head { State::Ready } else { row.state }
    }

    pub(crate) fn heads(&self, to: u8) -> Vec<Row> {
        let ready = |row: &&Row| row.to == to && self.state(row) == State::Ready;
        let mut heads: Vec<_> = self.rows.iter().filter(ready).cloned().collect();
        heads.sort_by_key(|row| (row.due, row.place));
        heads
    }

    pub(crate) fn slots(row: &Row) -> u32 {
        if row.limit > 0 { u32::from(row.part.total) } else { 1 }
    }

    pub(crate) fn foldable(&self, to: u8) -> Vec<i64> {
        let fits = |row: &Row| row.limit > 0 && row.state == State::Queued && row.to == to;
        let can_be = |row: &&Row| fits(row) && self.ahead(row).all(fits);
        let mut found: Vec<_> = self.rows.iter().filter(can_be).collect();
        found.sort_by_key(|row| row.place);
        let mut ids: Vec<_> = found.into_iter().map(|row| row.notification).collect();
        ids.dedup();
        ids
    }

    /// Adds the rows of a notification. The outbox has given their numbers.
    pub(crate) fn put(
        &mut self,
        new: &NewNotification,
        notification: i64,
        ids: &[i64],
        ordering_key: OrderingKey,
        to: u8,
    ) {
        for (id, delivery) in ids.iter().zip(&new.deliveries) {
            let row = Row {
                id: *id,
                notification,
                kind: new.kind,
                ordering_key,
                place: self.place(),
                to,
                part: delivery.part,
                state: State::Queued,
                limit: if new.kind == Kind::Alert { 1000 } else { 0 },
                due: self.now,
                attempts: 0,
                digest: None,
                claim: None,
            };
            self.rows.push(row);
        }
    }

    pub(crate) fn claim(&mut self, id: i64, claim: ClaimId) {
        let row = self.row(id);
        (row.state, row.claim) = (State::InFlight, Some(claim));
        let notification = row.notification;
        self.rows.iter_mut().filter(|row| row.notification == notification).for_each(|row| row.limit = 0);
    }

    /// Ends the claim of a row, which is settled or will be tried again.
    pub(crate) fn end_claim(&mut self, id: i64) -> ClaimId {
        let claim = self.row(id).claim.take().unwrap();
        self.ended.push(EndedClaim { id, claim });
        claim
    }

    pub(crate) fn settle(&mut self, id: i64, state: State) {
        let now = self.now;
        self.settled_at.insert(id, now);
        let row = self.row(id);
        row.state = state;
        let (notification, kind) = (row.notification, row.kind);
        let parts: Vec<_> = self.rows.iter().filter(|row| row.notification == notification).collect();
        if kind != Kind::Digest || !parts.iter().all(|row| row.state.is_settled()) {
            return;
        }
        let has = |state| parts.iter().any(|row| row.state == state);
        let end = [State::Delivered, State::Dead].into_iter().find(|state| has(*state));
        let end = end.unwrap_or(State::Discarded);
        for row in self.rows.iter_mut().filter(|row| row.digest == Some(notification)) {
            if row.state == State::Folded || row.state == State::Dead && end == State::Delivered {
                row.state = end;
                self.settled_at.insert(row.id, now);
            }
        }
    }

    /// Undoes the digest of a row, or settles the row as dead.
    pub(crate) fn undo(&mut self, id: i64) {
        let notification = self.row(id).notification;
        let is_member = |row: &&Row| row.digest == Some(notification) && row.state == State::Folded;
        let members: BTreeSet<_> = self.rows.iter().filter(is_member).map(|row| row.notification).collect();
        let mut parts = self.rows.iter().filter(|row| row.notification == notification);
        if members.is_empty() || parts.any(|row| row.state == State::Delivered) {
            return self.settle(id, State::Dead);
        }
        let half = u32::try_from(members.len().div_ceil(2)).unwrap();
        let now = self.now;
        for row in &mut self.rows {
            if row.digest == Some(notification) && row.state == State::Folded {
                (row.state, row.digest, row.limit) = (State::Queued, None, if half > 1 { half } else { 0 });
            } else if row.notification == notification && !row.state.is_settled() {
                row.state = State::Discarded;
                self.settled_at.insert(row.id, now);
            }
        }
    }

    /// A notification of which one part is discarded or requeued cannot be folded any more.
    pub(crate) fn break_up(&mut self, notification: i64) {
        let parts = self.rows.iter_mut().filter(|row| row.notification == notification);
        let parts: Vec<_> = parts.collect();
        if parts.len() > 1 {
            parts.into_iter().for_each(|row| row.limit = 0);
        }
    }

    pub(crate) fn requeue(&mut self, id: i64) {
        let (place, now) = (self.place(), self.now);
        let row = self.row(id);
        (row.place, row.state, row.due, row.attempts, row.digest) = (place, State::Queued, now, 0, None);
        row.limit = 0;
        let notification = row.notification;
        self.settled_at.remove(&id);
        self.break_up(notification);
    }
}
