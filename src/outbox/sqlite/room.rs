//! Room for new alerts, and space for what is stored.
//!
//! `outbox.max_size` limits the room. When it is short, the oldest settled deliveries are purged early.
//!
//! When the file system is full, claims, settlements and purges must still be written. They get their space from pages
//! that are free in the file: from the row in `reserve`, which is deleted, and from settled deliveries, which are purged.
//! New alerts may only use free pages beyond that. Every page in use has its space in the file before it is committed, so
//! the log can always be copied, and then it starts again from its beginning.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::Connection;
use tokio::time::{Duration, Instant};

use super::{
    columns::timestamp,
    error::{EngineResult, no_space},
    files::{Files, PAGE_BYTES},
    history,
    sql::Sql,
};
use crate::outbox::{OutboxSize, StoreError, rules::room};

pub(super) const GIVE_UP: &str = "DELETE FROM reserve WHERE id = 1";
pub(super) const RESERVE: &str = "INSERT OR IGNORE INTO reserve (id, room) VALUES (1, zeroblob(?1))";
pub(super) const LAST_SETTLED: &str = "SELECT settled_at FROM delivery INDEXED BY delivery_settled
     WHERE settled_at IS NOT NULL AND state <> 5 ORDER BY settled_at DESC LIMIT 1";

/// The maximum number of deliveries that are purged at once, so that nobody waits long behind it.
const PURGED_AT_ONCE: u32 = 64;
const MAX_ROUNDS: u32 = 8;
/// The time between two looks for space on a full file system.
const RETRY: Duration = Duration::from_millis(500);

/// The limits of a transaction.
#[derive(Debug, Clone, Default)]
pub(super) struct Room {
    pub(super) max_size_bytes: u64,
    /// The files, for the owner.
    pub(super) files: Option<Arc<Files>>,
    /// True if the file system is full.
    pub(super) is_full: bool,
    /// True if the file was moved away.
    pub(super) is_moved: bool,
}

impl Room {
    /// Makes room for a new alert. The inner error says why there is none.
    pub(super) fn make(&self, sql: Sql<'_>, now: Timestamp) -> EngineResult<Result<(), StoreError>> {
        if self.is_moved {
            let reason = "its file was deleted or replaced; deliveries that are left in it are sent first";
            return Ok(Err(StoreError::Unavailable(reason.to_owned())));
        }
        let wanted = room::wanted_bytes(self.max_size_bytes);
        let mut used = self.used_bytes(sql)?;
        for _ in 0..MAX_ROUNDS {
            if used <= wanted || history::purge_early(sql, PURGED_AT_ONCE, now)? == 0 {
                break;
            }
            used = self.used_bytes(sql)?;
        }
        if used < self.max_size_bytes {
            return Ok(self.require_space(sql).map_err(|error| error.store_error()));
        }
        Ok(Err(room::full(used, self.max_size_bytes)))
    }

    /// Fails when the changes of the transaction need space that claims and settlements must keep.
    pub(super) fn require_space(&self, sql: Sql<'_>) -> EngineResult<()> {
        let Some(files) = &self.files else { return Ok(()) };
        let bytes = pages(sql)? * PAGE_BYTES;
        let has_space = match self.is_full {
            true => free_pages(sql)? >= files.sizes.reserve_pages() && has_length(files, bytes),
            false => files.main.allocate(bytes).is_ok(),
        };
        if has_space {
            return Ok(());
        }
        Err(StoreError::Full(no_space("stored deliveries are still sent")).into())
    }

    /// The number of rows that one transaction may change. A row has about 16 pages in the table and in its indexes.
    pub(super) fn rows_of_step(&self) -> usize {
        let log_pages = self.files.as_ref().map_or(0, |files| files.sizes.log_bytes / PAGE_BYTES);
        usize::try_from(log_pages / 16).unwrap_or(usize::MAX).max(8)
    }

    pub(super) fn size(&self, sql: Sql<'_>) -> EngineResult<OutboxSize> {
        Ok(OutboxSize { bytes: self.used_bytes(sql)?, max_bytes: self.max_size_bytes })
    }

    /// The bytes in use: in the database file, and in the log as far as it is longer than usual.
    fn used_bytes(&self, sql: Sql<'_>) -> EngineResult<u64> {
        let log = self
            .files
            .as_ref()
            .map_or(0, |files| files.log.len().unwrap_or(0).saturating_sub(files.sizes.log_bytes));
        Ok((pages(sql)?.saturating_sub(free_pages(sql)?)) * PAGE_BYTES + log)
    }
}

/// The state of the space on the file system.
#[derive(Debug, Default)]
pub(super) struct Space {
    is_full: bool,
    /// `None` if that is not known yet.
    has_reserve: Option<bool>,
    next_look: Option<Instant>,
}

impl Space {
    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    /// Allocates the space of the next transaction. On a full file system it frees pages instead.
    pub(super) fn keep(&mut self, connection: &Connection, files: &Files) -> EngineResult<()> {
        let sql = Sql::new(connection);
        if !self.is_full || self.next_look.is_none_or(|next| next <= Instant::now()) {
            self.look(sql, files)?;
        }
        if self.is_full {
            return self.free(sql, files);
        }
        if self.has_reserve != Some(true) {
            sql.run(RESERVE, [files.sizes.reserve_bytes.cast_signed()])?;
            self.has_reserve = Some(true);
        }
        Ok(())
    }

    fn look(&mut self, sql: Sql<'_>, files: &Files) -> EngineResult<()> {
        let allocated = self.allocate(sql, files)?;
        if let (Err(error), false) = (&allocated, self.is_full) {
            tracing::error!(
                %error,
                "the file system of the outbox is full: alerts are answered with 503, and stored deliveries are \
                 still sent; free some space"
            );
        }
        if allocated.is_ok() && self.is_full {
            tracing::info!("the file system of the outbox has space again");
        }
        self.is_full = allocated.is_err();
        self.next_look = self.is_full.then(|| Instant::now() + RETRY);
        Ok(())
    }

    fn allocate(&self, sql: Sql<'_>, files: &Files) -> EngineResult<std::io::Result<()>> {
        let reserve = files.sizes.reserve_bytes;
        let bytes = pages(sql)? * PAGE_BYTES;
        let missing = if self.has_reserve == Some(true) { 0 } else { reserve };
        if has_length(files, bytes + missing + reserve / 2) && has_log(files) {
            return Ok(Ok(()));
        }
        let log = files.log.allocate(files.sizes.log_bytes);
        Ok(log.and_then(|()| files.main.allocate(bytes + missing + reserve)))
    }

    /// Frees pages in the file.
    fn free(&mut self, sql: Sql<'_>, files: &Files) -> EngineResult<()> {
        if self.has_reserve != Some(false) {
            sql.run(GIVE_UP, [])?;
            self.has_reserve = Some(false);
        }
        if free_pages(sql)? >= 2 * files.sizes.reserve_pages() {
            return Ok(());
        }
        let last = sql.first(LAST_SETTLED, [], |row| timestamp(row.get("settled_at")?))?;
        if let Some(last) = last {
            history::purge_early(sql, PURGED_AT_ONCE, last)?;
        }
        Ok(())
    }
}

fn has_length(files: &Files, bytes: u64) -> bool {
    files.main.len().is_ok_and(|len| len >= bytes)
}

fn has_log(files: &Files) -> bool {
    files.log.len().is_ok_and(|len| len >= files.sizes.log_bytes)
}

fn pages(sql: Sql<'_>) -> EngineResult<u64> {
    pragma(sql, "PRAGMA page_count")
}

fn free_pages(sql: Sql<'_>) -> EngineResult<u64> {
    pragma(sql, "PRAGMA freelist_count")
}

fn pragma(sql: Sql<'_>, pragma: &str) -> EngineResult<u64> {
    sql.only(pragma, [], |row| Ok(row.get::<_, i64>(0)?.unsigned_abs()))
}
