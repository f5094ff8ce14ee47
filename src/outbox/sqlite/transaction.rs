//! One transaction of the worker, as an operation sees it.

use jiff::Timestamp;

use super::{error::EngineResult, sql::Sql};
use crate::outbox::{Destination, SenderName, StoreError};

// SQLite makes a temporary table for RETURNING, so the number is read by a statement of its own.
pub(super) const TAKE_NUMBERS: &str = "UPDATE numbers SET last = last + ?1 WHERE id = 1";
pub(super) const LAST_NUMBER: &str = "SELECT last FROM numbers WHERE id = 1";

/// The transaction of a batch of jobs.
pub(super) struct Transaction<'c> {
    pub(super) sql: Sql<'c>,
    /// The result of the check that new alerts can be stored. It is made once for each batch.
    room: Option<Result<(), StoreError>>,
    max_size_bytes: u64,
    file_is_moved: bool,
    changed: Vec<Change>,
}

/// A destination whose deliveries may be claimable after the commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) sender: SenderName,
    pub(super) destination: Destination,
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
    pub(super) fn new(sql: Sql<'c>, max_size_bytes: u64, file_is_moved: bool) -> Self {
        Self { sql, room: None, max_size_bytes, file_is_moved, changed: Vec::new() }
    }

    /// Marks a destination whose deliveries may be claimable after the commit.
    pub(super) fn mark_changed(&mut self, sender: &SenderName, destination: Destination) {
        self.changed.push(Change { sender: sender.clone(), destination });
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

    /// Fails when a new alert cannot be stored safely: the file was moved away, or the rows take `outbox.max_size`.
    pub(super) fn require_room(&mut self) -> EngineResult<()> {
        let room = match self.room.take() {
            Some(room) => room,
            None => self.check_room()?,
        };
        self.room = Some(room.clone());
        Ok(room?)
    }

    fn check_room(&self) -> EngineResult<Result<(), StoreError>> {
        if self.file_is_moved {
            let reason = "its file was deleted or replaced; deliveries that are left in it are sent first";
            return Ok(Err(StoreError::Unavailable(reason.to_owned())));
        }
        let pragma = |sql: &str| self.sql.only(sql, [], |row| Ok(row.get::<_, i64>(0)?));
        let pages = pragma("PRAGMA page_count")? - pragma("PRAGMA freelist_count")?;
        let used = u64::try_from(pages * pragma("PRAGMA page_size")?).unwrap_or(0);
        if used < self.max_size_bytes {
            return Ok(Ok(()));
        }
        let (used, max) = (mebibytes(used), mebibytes(self.max_size_bytes));
        Ok(Err(StoreError::Full(format!("it holds {used}, and `outbox.max_size` is {max}"))))
    }
}

fn mebibytes(bytes: u64) -> String {
    let tenths = bytes.saturating_mul(10) / (1 << 20);
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}
