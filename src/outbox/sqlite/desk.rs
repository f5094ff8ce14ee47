//! The one thread that touches the database.
//!
//! - Jobs that wait at the same time share one transaction and one wait for the disk. When one fails after it has
//!   changed something, all is undone and done again with a savepoint for each, so that what fails is undone alone:
//!   savepoints cost a third of a job, and jobs ask what can be wrong before they change anything. Nobody is
//!   answered before the commit, and all are told if it fails.
//! - After an error that a connection may remember, the database is opened anew for the next batch: the outbox
//!   recovers without a restart when the cause is gone.
//! - When the file is no longer at its path, no new alert is taken, since a restart would not find it. What is in
//!   it still goes out; then the file that is at the path, or a new one, takes its place. When the
//!   owner's lock was deleted, it is taken again, and nothing is written while another owner has it.
//!
//! A pool of connections was rejected: SQLite has one writer, and a commit for each job costs a disk flush each.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Duration,
};

use rusqlite::Connection;
use tokio::{sync::Notify, time::Instant};

use super::{
    error::{Done, Failure},
    open::{self, Access, Database, FileId, Lock, OpenError, Settings},
    settle,
    standings::{Standings, Taken},
    tx::{Bounds, Tx},
    writer::{Job, Order},
};

/// The most jobs that share a commit: it bounds how long the first of them waits.
const MAX_BATCH: usize = 256;
/// How often the thread looks for commits of other processes.
const POLL: Duration = Duration::from_millis(500);

/// Whether anything is left in the database that must go out: then some lane has a head.
pub(super) const UNSETTLED: &str =
    "SELECT 1 FROM delivery INDEXED BY delivery_head WHERE state > 0 AND state < 4 LIMIT 1";

/// What the thread owns.
pub(super) struct Desk {
    settings: Settings,
    access: Access,
    database: Option<Database>,
    /// Whether an empty database is a fit successor: only of one that is known to be drained.
    may_create: bool,
    looked: Option<Instant>,
    changed: Arc<Notify>,
    /// The owner's; a guest has none. Several when one was moved away: it still guards the file that is open.
    locks: Vec<Lock>,
    /// Which file was used last.
    file: FileId,
}

impl Desk {
    pub(super) fn new(
        settings: Settings,
        access: Access,
        database: Database,
        lock: Option<Lock>,
        changed: Arc<Notify>,
    ) -> Self {
        let file = database.file();
        let (database, locks) = (Some(database), Vec::from_iter(lock));
        Self { settings, access, database, may_create: false, looked: None, changed, locks, file }
    }

    /// Works until it is told to close, or nobody is left who could tell it anything.
    pub(super) fn run(mut self, orders: &Receiver<Order>) {
        let mut standings = Standings::default();
        loop {
            let mut batch = Vec::new();
            let mut closing = false;
            match orders.recv_timeout(POLL) {
                Ok(Order::Run(job)) => batch.push(job),
                Ok(Order::Stand(lent)) => standings.add(lent),
                Ok(Order::Close) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
            while !batch.is_empty() && batch.len() < MAX_BATCH {
                match orders.try_recv() {
                    Ok(Order::Run(job)) => batch.push(job),
                    Ok(Order::Stand(lent)) => standings.add(lent),
                    Ok(Order::Close) => {
                        closing = true;
                        break;
                    }
                    Err(_) => break,
                }
            }
            if !batch.is_empty() {
                self.serve(batch, &standings);
            }
            if closing {
                break;
            }
            self.poll_others(&standings);
        }
        self.close();
    }

    fn serve(&mut self, mut batch: Vec<Box<dyn Job>>, standings: &Standings) {
        let mut failed: Vec<Option<Failure>> = Vec::new();
        failed.resize_with(batch.len(), || None);
        let mut whole = self.transact(&mut batch, &mut failed, standings, Guard::Together);
        if let Ok(End::Undone) = whole {
            failed.fill_with(|| None);
            whole = self.transact(&mut batch, &mut failed, standings, Guard::Each);
        }
        let spoilt = failed.iter().flatten().chain(whole.as_ref().err()).any(Failure::spoils_connection);
        if spoilt {
            self.database = None;
        }
        let undone = whole.err().map(|failure| failure.store_error());
        for (job, failure) in batch.into_iter().zip(failed) {
            job.answer(failure.map(|failure| failure.store_error()).or_else(|| undone.clone()));
        }
    }

    /// One transaction. An error is the whole batch's; that of a single job is left in `failed`.
    fn transact(
        &mut self,
        batch: &mut [Box<dyn Job>],
        failed: &mut [Option<Failure>],
        standings: &Standings,
        guard: Guard,
    ) -> Done<End> {
        let bounds = self.bounds();
        let changed = Arc::clone(&self.changed);
        let (database, moved) = self.database(standings)?;
        let conn = &database.conn;
        let writes = batch.iter().any(|job| job.writes());
        execute(conn, if writes { "BEGIN IMMEDIATE" } else { "BEGIN" })?;
        let tx = Tx::new(database, bounds, moved);
        if let Err(error) = look_for_others(database, standings, &changed) {
            undo(database)?;
            return Err(error.into());
        }
        for (job, failed) in batch.iter_mut().zip(failed) {
            let before = (conn.total_changes(), tx.mark());
            let done = match guard {
                Guard::Each if job.writes() => run_alone(database, &tx, job.as_mut()),
                Guard::Each | Guard::Together => job.run(&tx),
            };
            let Err(failure) = done else { continue };
            if conn.is_autocommit() {
                // SQLite has undone everything, what other jobs did too.
                undo(database)?;
                return Err(failure);
            }
            if guard == Guard::Together && (conn.total_changes(), tx.mark()) != before {
                undo(database)?;
                return Ok(End::Undone);
            }
            *failed = Some(failure);
        }
        let mut taken = Taken::default();
        match guard {
            Guard::Together if writes && standings.claim(&tx, &mut taken).is_err() => {
                // Whoever asked for something else must not suffer from it.
                undo(database)?;
                return Ok(End::Undone);
            }
            // Nothing is claimed with it: who waits must look.
            Guard::Each => {
                standings.look_again();
                tx.wake();
            }
            Guard::Together => {}
        }
        if let Err(failure) = tx.write_tally().and_then(|()| execute(conn, "COMMIT")) {
            undo(database)?;
            return Err(failure);
        }
        taken.committed();
        if tx.is_woken() {
            self.changed.notify_waiters();
        }
        Ok(End::Committed)
    }

    /// The database, opened anew if need be, and whether its file is no longer at its path.
    fn database(&mut self, standings: &Standings) -> Done<(&Database, bool)> {
        let path = self.settings.path.as_path();
        let mut moved = self.database.as_ref().is_some_and(|database| !database.is_at(path));
        if moved && self.database.as_ref().map_or(Ok(true), |database| is_drained(&database.conn))? {
            (self.database, self.may_create, moved) = (None, self.access == Access::Owner, false);
        }
        match relock(&self.settings, &mut self.locks, self.database.is_some(), self.may_create) {
            // What is open goes out, though its directory was moved away.
            Err(error) if self.database.is_none() || matches!(error, OpenError::Owned { .. }) => {
                return Err(error.store_error().into());
            }
            _ => {}
        }
        let database = match self.database.take() {
            Some(database) => database,
            None => {
                self.looked = None;
                let opened = Database::open(&self.settings, self.access, self.may_create);
                let opened = opened.map_err(|error| error.store_error())?;
                if self.access == Access::Owner && opened.file() != self.file {
                    adopt(&opened, self.bounds())?;
                    tracing::warn!(
                        path = %path.display(),
                        "the outbox's file was replaced; the one that is there now is used, and what the one before \
                         knew of copies and of what was sent is not known any more"
                    );
                }
                self.file = opened.file();
                self.locks.retain(|lock| lock.guards(path));
                // Others may have written while this one was away.
                standings.look_again();
                self.changed.notify_waiters();
                opened
            }
        };
        self.may_create = false;
        Ok((self.database.insert(database), moved))
    }

    fn bounds(&self) -> Bounds {
        Bounds { size_bytes: self.settings.max_size_bytes, lanes: self.settings.max_lanes }
    }

    /// Wakes waiters when another process has committed something.
    fn poll_others(&mut self, standings: &Standings) {
        if self.looked.is_some_and(|looked| looked.elapsed() < POLL) {
            return;
        }
        self.looked = Some(Instant::now());
        let Some(database) = &self.database else { return };
        // An error shows with the next job, which has somebody to tell.
        let _looked = look_for_others(database, standings, &self.changed);
    }

    /// Leaves a file without a log beside it. What fails here is on disk all the same.
    fn close(self) {
        if let Some(database) = self.database {
            let _checkpointed = database.conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
        }
    }
}

/// Takes the owner's lock again when none of `locks` is where others meet it.
fn relock(
    settings: &Settings,
    locks: &mut Vec<Lock>,
    is_open: bool,
    may_create: bool,
) -> Result<(), OpenError> {
    let path = settings.path.as_path();
    let meets = |lock: &Lock| lock.is_in_place() && (is_open || lock.guards(path));
    if locks.is_empty() || locks.iter().any(meets) {
        return Ok(());
    }
    if may_create {
        open::make_directory(path)?;
    }
    locks.push(open::lock(settings)?);
    Ok(())
}

/// Makes a file this process's own that it did not begin with: what was being sent when it was copied is in doubt.
fn adopt(database: &Database, bounds: Bounds) -> Done<()> {
    execute(&database.conn, "BEGIN IMMEDIATE")?;
    let tx = Tx::new(database, bounds, false);
    let done = tx.prepare().and_then(|()| settle::recover_adopted(&tx)).and_then(|()| tx.write_tally());
    if let Err(failure) = done.and_then(|()| execute(&database.conn, "COMMIT")) {
        undo(database)?;
        return Err(failure);
    }
    Ok(())
}

/// How jobs of a batch are kept from each other's failures.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Guard {
    /// Not at all: what fails halfway undoes the batch, and what becomes due is claimed with it.
    Together,
    /// By a savepoint each.
    Each,
}

/// What a transaction came to.
enum End {
    Committed,
    /// A job failed after it had changed something; nothing of the batch is left.
    Undone,
}

/// Runs a job so that its failure undoes its own changes and no others.
fn run_alone(Database { conn, recent, .. }: &Database, tx: &Tx<'_>, job: &mut dyn Job) -> Done<()> {
    execute(conn, "SAVEPOINT job")?;
    let mark = tx.mark();
    let done = job.run(tx);
    if done.is_err() && !conn.is_autocommit() {
        tx.undo_to(mark);
        recent.forget();
        execute(conn, "ROLLBACK TO job")?;
    }
    if !conn.is_autocommit() {
        execute(conn, "RELEASE job")?;
    }
    done
}

/// Undoes the transaction, unless SQLite has done so itself.
fn undo(Database { conn, recent, .. }: &Database) -> Done<()> {
    recent.forget();
    if !conn.is_autocommit() {
        execute(conn, "ROLLBACK")?;
    }
    Ok(())
}

fn execute(conn: &Connection, sql: &str) -> Done<()> {
    conn.prepare_cached(sql)?.execute([])?;
    Ok(())
}

/// Forgets what was known, and wakes waiters, when another process has committed something.
fn look_for_others(database: &Database, standings: &Standings, changed: &Notify) -> rusqlite::Result<()> {
    if database.is_changed_by_others()? {
        database.recent.forget();
        standings.look_again();
        changed.notify_waiters();
    }
    Ok(())
}

fn is_drained(conn: &Connection) -> rusqlite::Result<bool> {
    Ok(!conn.prepare_cached(UNSETTLED)?.exists([])?)
}
