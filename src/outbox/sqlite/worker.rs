//! The one thread that writes the database.
//!
//! - Jobs that wait at the same time share one transaction, and so one flush to disk. Each job has a savepoint, so a job
//!   that fails is undone alone. Callers are answered after the commit. If the commit fails, all of them get its error.
//! - Acceptances have a transaction of their own, after the one of the other jobs. So an acceptance that finds the disk
//!   full does not undo a claim or a settlement.
//! - Only flushed writes and acceptances wait for the disk. Other commits are flushed with the next flush, by the next commit
//!   after [`POLL`], or when the thread has been idle for [`POLL`]. So a power failure undoes little.
//! - After an error that a connection may remember, the database is opened again for the next batch. So the outbox
//!   recovers without a restart when the cause is gone.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, mpsc::RecvTimeoutError},
    thread,
    time::Duration,
};

use rusqlite::Connection;
use tokio::time::Instant;

use super::{
    error::{EngineError, EngineResult},
    file_guard::FileGuard,
    files::FileId,
    job::{self, Command, Effect, Handle, Inbox, Job},
    log_guard,
    open::{Access, Database, OpenError, Settings},
    presses,
    read_slot::ReadSlot,
    room::{Room, Space},
    settle,
    sql::Sql,
    transaction::{Change, Transaction},
};
use crate::outbox::{Changes, SenderName, StoreError};

/// The maximum number of jobs that share a commit. It bounds the wait of the first job.
const MAX_BATCH: usize = 256;
/// The interval at which the thread looks for commits of other processes, and flushes commits that nobody waits for.
const POLL: Duration = Duration::from_millis(500);

/// The wake-ups of all leases.
#[derive(Debug, Clone, Default)]
pub(super) struct Subscribers(Arc<Mutex<HashMap<SenderName, Changes>>>);

impl Subscribers {
    /// The wake-ups of `sender`, which start now.
    pub(super) fn subscribe(&self, sender: &SenderName) -> Changes {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(sender.clone()).or_default().clone()
    }

    fn mark(&self, changes: Vec<Change>) {
        if changes.is_empty() {
            return;
        }
        let mut subscribed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for change in changes {
            match change {
                Change::Claimable(sender, destination) => {
                    if let Some(subscriber) = subscribed.get(&sender) {
                        subscriber.mark([destination]);
                    }
                }
                // It is kept for a lease that begins, because nothing else reports it.
                Change::Damaged(sender, receiver) => {
                    subscribed.entry(sender).or_default().mark_damaged(receiver);
                }
            }
        }
    }

    fn mark_everything(&self) {
        let subscribed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        subscribed.values().for_each(Changes::mark_everything);
    }
}

/// The state that other threads share with the worker.
#[derive(Debug, Clone)]
pub(super) struct WorkerHandle {
    pub(super) jobs: Handle,
    pub(super) subscribers: Subscribers,
    /// The connection for queries.
    pub(super) reads: ReadSlot,
}

struct Worker {
    guard: FileGuard,
    space: Space,
    subscribers: Subscribers,
    /// True if commits wait for the disk with the present setting of the connection.
    flushes: bool,
    /// The first commit since the last flush.
    unflushed_since: Option<Instant>,
    /// True if the log has commits that were not copied into the file.
    has_uncopied: bool,
    /// True if the length of the log was reported.
    has_long_log: bool,
    last_poll: Option<Instant>,
    data_version: Option<i64>,
    /// The generation and the file that [`Worker::prepare`] has dealt with.
    prepared_generation: u64,
    prepared_file: Option<FileId>,
}

/// Opens the outbox and starts its thread.
pub(super) fn start(settings: Settings, access: Access) -> Result<WorkerHandle, OpenError> {
    let path = settings.path.clone();
    let reads = ReadSlot::default();
    let guard = FileGuard::open(settings, access, reads.clone())?;
    let (jobs, inbox) = job::queue();
    let subscribers = Subscribers::default();
    let (prepared_generation, prepared_file) = (guard.generation(), guard.file());
    let worker = Worker {
        guard,
        space: Space::default(),
        subscribers: subscribers.clone(),
        flushes: true,
        unflushed_since: None,
        has_uncopied: true,
        has_long_log: false,
        last_poll: None,
        data_version: None,
        prepared_generation,
        prepared_file,
    };
    let spawned = thread::Builder::new().name("outbox-writer".to_owned()).spawn(|| worker.run(inbox));
    spawned.map_err(|error| OpenError::Unavailable { path, reason: error.to_string() })?;
    Ok(WorkerHandle { jobs, subscribers, reads })
}

impl Worker {
    fn run(mut self, inbox: Inbox) {
        self.release_presses();
        let mut closing = false;
        while !closing {
            let mut batch = Vec::new();
            match inbox.commands.recv_timeout(POLL) {
                Ok(Command::Run(job)) => batch.push(job),
                Ok(Command::Close) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => self.copy_log_when_idle(),
            }
            while !batch.is_empty() && batch.len() < MAX_BATCH && !closing {
                match inbox.commands.try_recv() {
                    Ok(Command::Run(job)) => batch.push(job),
                    Ok(Command::Close) => closing = true,
                    Err(_) => break,
                }
            }
            if let Some(error) = self.serve(batch) {
                closing |= refuse_waiting(&inbox, &error);
            }
            self.poll();
        }
        self.close();
        inbox.close();
    }

    /// Runs a batch and answers its callers. Returns an error if another process holds the lock of the database.
    fn serve(&mut self, batch: Vec<Box<dyn Job>>) -> Option<StoreError> {
        let (acceptances, others): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(|job| job.effect() == Effect::Acceptance);
        let locked = self.serve_part(others);
        if let Some(error) = locked {
            answer_all(acceptances, &error);
            return Some(error);
        }
        self.serve_part(acceptances)
    }

    fn serve_part(&mut self, mut batch: Vec<Box<dyn Job>>) -> Option<StoreError> {
        if batch.is_empty() {
            return None;
        }
        let mut failures: Vec<Option<EngineError>> = batch.iter().map(|_| None).collect();
        let committed = self.transact(&mut batch, &mut failures);
        let errors = failures.iter().flatten().chain(committed.as_ref().err());
        if errors.into_iter().any(EngineError::spoils_connection) {
            self.guard.close();
        }
        let is_locked = committed.as_ref().is_err_and(EngineError::is_locked);
        let batch_error = match committed {
            Ok(changes) => {
                self.subscribers.mark(changes);
                None
            }
            Err(error) => Some(error.store_error()),
        };
        if matches!(batch_error, Some(StoreError::Full(_))) {
            // The log then starts from its beginning, where it has space.
            self.copy_log();
        }
        for (job, failure) in batch.into_iter().zip(failures) {
            job.answer(failure.map(|failure| failure.store_error()).or_else(|| batch_error.clone()));
        }
        batch_error.filter(|_| is_locked)
    }

    /// Runs a batch in one transaction. An error undoes the whole batch. The error of a single job is put into
    /// `failures`.
    fn transact(
        &mut self,
        batch: &mut [Box<dyn Job>],
        failures: &mut [Option<EngineError>],
    ) -> EngineResult<Vec<Change>> {
        self.prepare()?;
        let effect = batch.iter().map(|job| job.effect()).max().unwrap_or(Effect::Read);
        if effect != Effect::Read {
            self.keep_space()?;
        }
        let max_size_bytes = self.guard.max_size_bytes();
        let current = self.guard.current()?;
        let room = Room {
            max_size_bytes,
            files: current.database.files.clone(),
            is_full: self.space.is_full(),
            is_moved: current.is_moved,
        };
        let connection = &current.database.connection;
        let flushes = must_flush(effect, self.unflushed_since.map(|since| since.elapsed()));
        set_flushing(connection, flushes, &mut self.flushes)?;
        execute(connection, if effect == Effect::Read { "BEGIN" } else { "BEGIN IMMEDIATE" })?;
        let mut tx = Transaction::new(Sql::new(connection), room);
        let finished =
            run_jobs(connection, &mut tx, batch, failures).and_then(|()| execute(connection, "COMMIT"));
        if let Err(error) = finished {
            roll_back(connection)?;
            return Err(error);
        }
        if flushes {
            self.unflushed_since = None;
        } else if effect == Effect::Write {
            self.unflushed_since.get_or_insert_with(Instant::now);
        }
        self.has_uncopied |= effect != Effect::Read;
        Ok(tx.into_changes())
    }

    /// Opens the database again if necessary, and notices what other processes have changed.
    fn prepare(&mut self) -> EngineResult<()> {
        self.guard.current()?;
        let (generation, file) = (self.guard.generation(), self.guard.file());
        if self.prepared_generation != generation {
            (self.flushes, self.data_version, self.space) = (true, None, Space::default());
            // An error leaves the rest to the next batch.
            if self.guard.is_owner() && self.prepared_file.is_some() && self.prepared_file != file {
                self.adopt_replaced_file()?;
            }
            (self.prepared_generation, self.prepared_file) = (generation, file);
            self.subscribers.mark_everything();
        }
        self.look_for_changes()
    }

    /// No other process works on the presses that are claimed.
    fn release_presses(&mut self) {
        if !self.guard.is_owner() {
            return;
        }
        let released = self.guard.current().and_then(|current| {
            let tx = Transaction::new(Sql::new(&current.database.connection), Room::default());
            presses::release(&tx)
        });
        if let Err(error) = released {
            // Their claims end by themselves.
            tracing::debug!(error = %error.store_error(), "presses of the former process were not released");
        }
    }

    fn adopt_replaced_file(&mut self) -> EngineResult<()> {
        let connection = &self.guard.current()?.database.connection;
        execute(connection, "BEGIN IMMEDIATE")?;
        let mut tx = Transaction::new(Sql::new(connection), Room::default());
        let adopted = settle::recover_replaced_file(&mut tx)
            .and_then(|()| presses::release(&tx))
            .and_then(|()| execute(connection, "COMMIT"));
        if adopted.is_err() {
            roll_back(connection)?;
        }
        adopted
    }

    /// Wakes all dispatchers after a commit of another process.
    fn look_for_changes(&mut self) -> EngineResult<()> {
        let Some(connection) = self.guard.connection() else { return Ok(()) };
        let sql = Sql::new(connection);
        let version: i64 = sql.only("PRAGMA data_version", [], |row| Ok(row.get(0)?))?;
        if self.data_version.replace(version).is_some_and(|seen| seen != version) {
            self.subscribers.mark_everything();
        }
        Ok(())
    }

    /// Looks for changes of other processes, in the database and in its files.
    fn poll(&mut self) {
        if self.last_poll.is_some_and(|last| last.elapsed() < POLL) {
            return;
        }
        self.last_poll = Some(Instant::now());
        let prepared = self.prepare().and_then(|()| self.keep_space());
        if let Err(error) = prepared {
            // The next job meets the same error and reports it to its caller.
            tracing::debug!(error = %error.store_error(), "the outbox cannot be looked at");
        }
        self.report_long_log();
    }

    /// Allocates the space of the next transaction.
    fn keep_space(&mut self) -> EngineResult<()> {
        let Some(Database { connection, files: Some(files), .. }) = self.guard.opened() else {
            return Ok(());
        };
        self.space.keep(connection, files)
    }

    /// Reports that the log cannot start again from its beginning.
    fn report_long_log(&mut self) {
        let Some(Database { files: Some(files), .. }) = self.guard.opened() else { return };
        let is_long = files.log.len().is_ok_and(|len| len > 4 * files.sizes.log_bytes);
        if is_long && !self.has_long_log {
            tracing::warn!(
                path = %files.log.path().display(),
                "the log of the outbox grows, because another process reads the outbox without an end; end that process"
            );
        }
        self.has_long_log = is_long;
    }

    /// Flushes commits that nobody waited for, and copies the log into the file, so that little depends on the log.
    fn copy_log_when_idle(&mut self) {
        if self.has_uncopied || self.unflushed_since.is_some() {
            self.copy_log();
        }
    }

    /// A checkpoint flushes the log before it copies it.
    fn copy_log(&mut self) {
        let Some(connection) = self.guard.connection() else { return };
        match log_guard::checkpoint(Sql::new(connection), "PASSIVE") {
            Ok(checkpoint) => {
                self.unflushed_since = None;
                self.has_uncopied = !checkpoint.is_complete();
            }
            Err(error) => {
                tracing::debug!(error = %error.store_error(), "the log of the outbox cannot be copied; trying again");
            }
        }
    }

    /// Leaves an empty log that keeps its space. On a full file system the log stays as it is. An error loses nothing,
    /// because the log is on disk.
    fn close(mut self) {
        self.copy_log();
        let Some(Database { connection, files: Some(files), .. }) = self.guard.opened() else { return };
        if self.space.is_full() {
            return;
        }
        let emptied = log_guard::checkpoint(Sql::new(connection), "TRUNCATE");
        let allocated = files.log.allocate(files.sizes.log_bytes);
        if let Err(error) = emptied {
            let path = self.guard.path().display();
            tracing::debug!(%path, error = %error.store_error(), "the log of the outbox was not emptied");
        }
        if let Err(error) = allocated {
            tracing::debug!(%error, "the log of the outbox has no space");
        }
    }
}

/// Answers all jobs with `error`.
fn answer_all(jobs: Vec<Box<dyn Job>>, error: &StoreError) {
    jobs.into_iter().for_each(|job| job.answer(Some(error.clone())));
}

/// Answers the jobs that have waited for the lock of another process together with the last batch, because callers do
/// not wait for it twice. Returns true if the outbox is to be closed.
fn refuse_waiting(inbox: &Inbox, error: &StoreError) -> bool {
    loop {
        match inbox.commands.try_recv() {
            Ok(Command::Run(job)) => job.answer(Some(error.clone())),
            Ok(Command::Close) => return true,
            Err(_) => return false,
        }
    }
}

fn run_jobs(
    connection: &Connection,
    tx: &mut Transaction<'_>,
    batch: &mut [Box<dyn Job>],
    failures: &mut [Option<EngineError>],
) -> EngineResult<()> {
    for (job, failure) in batch.iter_mut().zip(failures) {
        *failure = run_alone(connection, tx, job.as_mut())?.err();
    }
    Ok(())
}

/// Runs a job so that its failure undoes its own changes only. The inner result is that of the job. The outer one is an
/// error if the job cannot be undone alone, because then the whole batch must be.
fn run_alone(
    connection: &Connection,
    tx: &mut Transaction<'_>,
    job: &mut dyn Job,
) -> EngineResult<EngineResult<()>> {
    let is_read = job.effect() == Effect::Read;
    if !is_read {
        execute(connection, "SAVEPOINT job")?;
    }
    let changes = tx.change_count();
    let ran = job.run(tx).and_then(|()| match job.effect() {
        Effect::Acceptance => tx.require_space(),
        Effect::Read | Effect::Write | Effect::FlushedWrite => Ok(()),
    });
    if let Err(error) = ran {
        if connection.is_autocommit() {
            // SQLite has rolled back the transaction, and the other jobs with it.
            return Err(error);
        }
        tx.forget_changes_after(changes);
        if !is_read {
            execute(connection, "ROLLBACK TO job")?;
            execute(connection, "RELEASE job")?;
        }
        return Ok(Err(error));
    }
    if !is_read {
        execute(connection, "RELEASE job")?;
    }
    Ok(Ok(()))
}

/// True if a commit waits for the disk. A stream of writes that nobody waits for is flushed as often as an idle thread
/// would do it.
fn must_flush(effect: Effect, unflushed_for: Option<Duration>) -> bool {
    match effect {
        Effect::Read => false,
        Effect::Write => unflushed_for.is_some_and(|unflushed_for| unflushed_for >= POLL),
        Effect::FlushedWrite | Effect::Acceptance => true,
    }
}

/// Makes the commits of the connection wait for the disk, or not.
fn set_flushing(connection: &Connection, wanted: bool, present: &mut bool) -> EngineResult<()> {
    if wanted != *present {
        let mode = if wanted { "FULL" } else { "NORMAL" };
        connection.pragma_update(None, "synchronous", mode)?;
        *present = wanted;
    }
    Ok(())
}

fn roll_back(connection: &Connection) -> EngineResult<()> {
    if !connection.is_autocommit() {
        execute(connection, "ROLLBACK")?;
    }
    Ok(())
}

fn execute(connection: &Connection, sql: &str) -> EngineResult<()> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_under_load_are_flushed_now_and_then() {
        assert!(must_flush(Effect::FlushedWrite, None));
        assert!(!must_flush(Effect::Write, None));
        assert!(!must_flush(Effect::Write, Some(Duration::from_millis(499))));
        assert!(must_flush(Effect::Write, Some(POLL)));
        assert!(!must_flush(Effect::Read, Some(POLL)));
    }
}
