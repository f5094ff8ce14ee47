//! What a job sees of the database: the batch's transaction, and short hands for statements.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    ops::ControlFlow,
};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Params, Row};

use super::{
    bodies::{self, Bodies},
    error::Done,
    heard::{self, Heard},
    lanes::Lanes,
    open::Database,
    recent::Recent,
    tally::{Of, Tally},
};
use crate::outbox::StoreError;

/// The transaction of a batch of jobs.
pub(super) struct Tx<'c> {
    conn: &'c Connection,
    recent: &'c Recent,
    bounds: Bounds,
    moved: bool,
    woken: Cell<bool>,
    due: RefCell<Vec<Due>>,
    tally: RefCell<Tally>,
    /// Whether this batch found so much room that it need not ask again.
    roomy: Cell<bool>,
}

/// How large things may grow.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) size_bytes: u64,
    pub(super) lanes: usize,
}

/// A delivery that can be claimed.
pub(super) struct Due {
    pub(super) sender: String,
    pub(super) delivery: i64,
}

impl<'c> Tx<'c> {
    /// `moved`: the file is not where a restart would look for it.
    pub(super) fn new(database: &'c Database, bounds: Bounds, moved: bool) -> Self {
        Self {
            conn: &database.conn,
            recent: &database.recent,
            bounds,
            moved,
            woken: Cell::new(false),
            due: RefCell::default(),
            tally: RefCell::default(),
            roomy: Cell::new(false),
        }
    }

    /// Something may be claimable once this is committed.
    pub(super) fn wake(&self) {
        self.woken.set(true);
    }

    /// This delivery became due, and is the first of its lane.
    pub(super) fn due(&self, sender: &str, delivery: i64) {
        self.due.borrow_mut().push(Due { sender: sender.to_owned(), delivery });
    }

    pub(super) fn take_due(&self) -> Vec<Due> {
        self.due.take()
    }

    pub(super) fn is_woken(&self) -> bool {
        self.woken.get()
    }

    /// Gives out the next numbers, and returns the last of each: of notifications, and of deliveries and places.
    pub(super) fn numbers(&self, notifications: i64, deliveries: i64) -> Done<(i64, i64)> {
        self.tally.borrow_mut().numbers(self, notifications, deliveries)
    }

    /// Notes that so many more deliveries wait, and that people gave up so many.
    pub(super) fn note(&self, of: Of, deliveries: i64, discarded: i64) {
        self.tally.borrow_mut().note(of, deliveries, discarded);
    }

    /// A place in what is noted to come back to.
    pub(super) fn mark(&self) -> (usize, usize) {
        (self.tally.borrow().mark(), self.due.borrow().len())
    }

    /// Forgets what was noted after `mark`.
    pub(super) fn undo_to(&self, (tally, due): (usize, usize)) {
        self.tally.borrow_mut().undo_to(tally);
        self.due.borrow_mut().truncate(due);
    }

    /// Writes down what is noted: before a commit, and before anybody reads it.
    pub(super) fn write_tally(&self) -> Done<()> {
        self.tally.borrow_mut().write(self)
    }

    /// What was heard; read from the database if need be.
    pub(super) fn heard<T>(&self, now: Timestamp, ask: impl FnOnce(&mut Heard) -> T) -> Done<T> {
        let mut heard = self.recent.heard.borrow_mut();
        if heard.is_none() {
            *heard = Some(heard::load(self, now)?);
        }
        Ok(ask(heard.get_or_insert_default()))
    }

    /// What was heard, if it was read.
    pub(super) fn heard_so_far(&self, ask: impl FnOnce(&mut Heard)) {
        if let Some(heard) = self.recent.heard.borrow_mut().as_mut() {
            ask(heard);
        }
    }

    /// The number of the row that was inserted last.
    pub(super) fn inserted(&self) -> i64 {
        self.conn.last_insert_rowid()
    }

    /// What was claimed of `sender` after `since`; read from the database if need be.
    pub(super) fn bodies<T>(&self, sender: &str, since: i64, ask: impl FnOnce(&mut Bodies) -> T) -> Done<T> {
        let mut all = self.recent.bodies.borrow_mut();
        if let Some(bodies) = all.get_mut(sender) {
            return Ok(ask(bodies));
        }
        let bodies = bodies::load(self, sender, since)?;
        Ok(ask(all.entry(sender.to_owned()).or_insert(bodies)))
    }

    /// Reads what a job that writes keeps in step with what it writes, if it is not known. Comes before the job: what
    /// was read halfway would count the first half twice.
    pub(super) fn prepare(&self) -> Done<()> {
        if self.recent.lanes.borrow().is_none() {
            let lanes = Lanes::load(self)?;
            self.recent.lanes.replace(Some(lanes));
        }
        Ok(())
    }

    /// Which lanes are occupied.
    pub(super) fn lanes<T>(&self, ask: impl FnOnce(&mut Lanes) -> Done<T>) -> Done<T> {
        self.prepare()?;
        ask(self.recent.lanes.borrow_mut().get_or_insert_default())
    }

    /// The most that is known of lanes.
    pub(super) fn max_lanes(&self) -> usize {
        self.bounds.lanes
    }

    /// Where the search for what waits longest begins.
    pub(super) fn oldest<T>(&self, ask: impl FnOnce(&mut HashMap<Of, i64>) -> T) -> T {
        ask(&mut self.recent.oldest.borrow_mut())
    }

    /// A notification of theirs waits again that no longer did.
    pub(super) fn reopened(&self, of: &Of) {
        self.oldest(|oldest| oldest.remove(of));
    }

    /// Changes rows, and says how many.
    pub(super) fn run(&self, sql: &str, params: impl Params) -> Done<usize> {
        Ok(self.conn.prepare_cached(sql)?.execute(params)?)
    }

    /// Reads the first row, if there is one.
    pub(super) fn first<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Done<Option<T>> {
        Ok(self.conn.prepare_cached(sql)?.query_row(params, read).optional()?)
    }

    /// Reads the row that an aggregate or a `RETURNING` surely gives.
    pub(super) fn only<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Done<T> {
        Ok(self.conn.prepare_cached(sql)?.query_row(params, read)?)
    }

    /// Reads rows one after the other, as long as `read` says so.
    pub(super) fn each(
        &self,
        sql: &str,
        params: impl Params,
        mut read: impl FnMut(&Row<'_>) -> rusqlite::Result<ControlFlow<()>>,
    ) -> Done<()> {
        let mut statement = self.conn.prepare_cached(sql)?;
        let mut rows = statement.query(params)?;
        while let Some(row) = rows.next()?
            && read(row)?.is_continue()
        {}
        Ok(())
    }

    /// Reads every row.
    pub(super) fn all<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Done<Vec<T>> {
        Ok(self.conn.prepare_cached(sql)?.query_map(params, read)?.collect::<Result<_, _>>()?)
    }

    /// Whether a new alert would be safe: an error when the file was moved away, or when the rows take
    /// `outbox.max_size` or more.
    pub(super) fn room(&self) -> Done<()> {
        if self.moved {
            let reason =
                "its file was deleted or replaced; what is left in it is delivered before another is used";
            return Err(StoreError::Unavailable(reason.to_owned()).into());
        }
        if self.roomy.get() {
            return Ok(());
        }
        let pragma = |sql: &str| self.only(sql, [], |row| row.get::<_, i64>(0));
        let pages = pragma("PRAGMA page_count")? - pragma("PRAGMA freelist_count")?;
        let used = u64::try_from(pages * pragma("PRAGMA page_size")?).unwrap_or(0);
        // What a batch brings is in memory while it runs: it does not fill half of the file.
        self.roomy.set(used < self.bounds.size_bytes / 2);
        if used < self.bounds.size_bytes {
            return Ok(());
        }
        let (used, max) = (mebibytes(used), mebibytes(self.bounds.size_bytes));
        Err(StoreError::Full(format!("it holds {used}, and `outbox.max_size` is {max}")).into())
    }
}

fn mebibytes(bytes: u64) -> String {
    let tenths = bytes.saturating_mul(10) / (1 << 20);
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}
