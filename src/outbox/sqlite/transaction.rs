//! One transaction of the worker, as an operation sees it.

use jiff::Timestamp;

use super::{error::EngineResult, room::Room, sql::Sql};
use crate::outbox::{Destination, OutboxSize, ReceiverName, SenderName, StoreError};

// SQLite makes a temporary table for RETURNING, so the number is read by a statement of its own.
pub(super) const TAKE_NUMBERS: &str = "UPDATE numbers SET last = last + ?1 WHERE id = 1";
pub(super) const LAST_NUMBER: &str = "SELECT last FROM numbers WHERE id = 1";

/// The transaction of a batch of jobs.
pub(super) struct Transaction<'c> {
    pub(super) sql: Sql<'c>,
    /// The result of the check that new alerts can be stored. It is made once for each batch.
    has_room: Option<Result<(), StoreError>>,
    room: Room,
    changed: Vec<Change>,
}

/// A change that the dispatcher of a sender must know after the commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// Deliveries of a destination may be claimable.
    Claimable(SenderName, Destination),
    /// A delivery is a dead letter because its row cannot be read.
    Damaged(SenderName, ReceiverName),
}

/// The arguments of a look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look<'a> {
    pub(super) sender: &'a SenderName,
    /// Deliveries are counted up to this number.
    pub(super) count_to: u32,
    pub(super) now: Timestamp,
}

impl<'c> Transaction<'c> {
    pub(super) fn new(sql: Sql<'c>, room: Room) -> Self {
        Self { sql, has_room: None, room, changed: Vec::new() }
    }

    /// A transaction that changes nothing.
    pub(super) fn reading(sql: Sql<'c>) -> Self {
        Self::new(sql, Room::default())
    }

    /// Marks a destination whose deliveries may be claimable after the commit.
    pub(super) fn mark_changed(&mut self, sender: &SenderName, destination: Destination) {
        self.changed.push(Change::Claimable(sender.clone(), destination));
    }

    /// Reports a delivery whose row cannot be read.
    pub(super) fn mark_damaged(&mut self, sender: SenderName, receiver: ReceiverName) {
        self.changed.push(Change::Damaged(sender, receiver));
    }

    /// The number of changes so far, for [`Self::forget_changes_after`].
    pub(super) fn change_count(&self) -> usize {
        self.changed.len()
    }

    /// Forgets the changes of a job that was rolled back.
    pub(super) fn forget_changes_after(&mut self, count: usize) {
        self.changed.truncate(count);
    }

    pub(super) fn into_changes(self) -> Vec<Change> {
        self.changed
    }

    /// Takes `count` new numbers and returns the first one.
    pub(super) fn take_numbers(&self, count: usize) -> EngineResult<i64> {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.sql.run(TAKE_NUMBERS, [count])?;
        let last: i64 = self.sql.only(LAST_NUMBER, [], |row| Ok(row.get("last")?))?;
        Ok(last - count + 1)
    }

    /// Fails when a new alert cannot be stored.
    pub(super) fn require_room(&mut self, now: Timestamp) -> EngineResult<()> {
        let has_room = match self.has_room.take() {
            Some(has_room) => has_room,
            None => self.room.make(self.sql, now)?,
        };
        self.has_room = Some(has_room.clone());
        Ok(has_room?)
    }

    /// The number of rows that one transaction may change, so that it has space in the log.
    pub(super) fn rows_of_step(&self) -> usize {
        self.room.rows_of_step()
    }

    pub(super) fn size(&self) -> EngineResult<OutboxSize> {
        self.room.size(self.sql)
    }

    /// Fails when the changes so far need space that claims and settlements must keep.
    pub(super) fn require_space(&self) -> EngineResult<()> {
        self.room.require_space(self.sql)
    }
}
