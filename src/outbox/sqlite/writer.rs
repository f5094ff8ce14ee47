//! The handle on the thread that touches the database, and the jobs that it is given.
//!
//! A job that was handed over runs, whether or not its caller still waits: every future here may be dropped.

use std::{
    sync::{Arc, mpsc},
    thread,
};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot, watch};

use super::{
    desk::Desk,
    error::Done,
    open::{Access, Database, Lock, OpenError, Settings},
    tx::Tx,
};
use crate::outbox::{Lent, StoreError, StoreResult};

/// The most jobs that wait, so that a slow disk holds callers back instead of filling memory.
const MAX_WAITING: usize = 1024;

/// A handle on the writer. The thread ends when the last one is dropped.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    jobs: mpsc::Sender<Order>,
    room: Arc<Semaphore>,
    life: watch::Receiver<Life>,
    changed: Arc<Notify>,
}

/// A sender that is dropped while this is `Running` means that the thread died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Running,
    Closed,
}

/// What the thread is told.
pub(super) enum Order {
    Run(Box<dyn Job>),
    Stand(Lent),
    Close,
}

impl Writer {
    pub(super) fn start(
        settings: Settings,
        access: Access,
        database: Database,
        lock: Option<Lock>,
    ) -> Result<Self, OpenError> {
        let (jobs, orders) = mpsc::channel();
        let (living, life) = watch::channel(Life::Running);
        let changed = Arc::new(Notify::new());
        let path = settings.path.clone();
        let desk = Desk::new(settings, access, database, lock, Arc::clone(&changed));
        let run = move || {
            desk.run(&orders);
            living.send_replace(Life::Closed);
        };
        let spawned = thread::Builder::new().name("outbox-writer".to_owned()).spawn(run);
        spawned.map_err(|error| OpenError::Unavailable { path, reason: error.to_string() })?;
        Ok(Self { jobs, room: Arc::new(Semaphore::new(MAX_WAITING)), life, changed })
    }

    /// Runs `work` in a transaction that may change rows, and answers when it is on disk. It is run again when what it
    /// did had to be undone because of another.
    pub(super) async fn write<T, F>(&self, work: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: Fn(&Tx<'_>) -> Done<T> + Send + 'static,
    {
        self.submit(true, work).await
    }

    /// Runs `work` that changes nothing.
    pub(super) async fn read<T, F>(&self, work: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: Fn(&Tx<'_>) -> Done<T> + Send + 'static,
    {
        self.submit(false, work).await
    }

    async fn submit<T, F>(&self, writes: bool, work: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: Fn(&Tx<'_>) -> Done<T> + Send + 'static,
    {
        let Ok(permit) = Arc::clone(&self.room).acquire_owned().await else { return Err(self.gone()) };
        let (caller, answer) = oneshot::channel();
        let task = Task { writes, work, result: None, caller, _permit: permit };
        if self.jobs.send(Order::Run(Box::new(task))).is_err() {
            return Err(self.gone());
        }
        answer.await.unwrap_or_else(|_| Err(self.gone()))
    }

    /// Serves `lent` from now on.
    pub(super) fn stand(&self, lent: Lent) {
        // When the thread has ended it is dropped, which its other end is told.
        let _unserved = self.jobs.send(Order::Stand(lent));
    }

    fn gone(&self) -> StoreError {
        if *self.life.borrow() == Life::Closed {
            return StoreError::Closed;
        }
        StoreError::Unavailable("its writer thread has ended".to_owned())
    }

    pub(super) fn changed(&self) -> Arc<Notify> {
        Arc::clone(&self.changed)
    }

    /// Returns when the thread has died of a panic, and never otherwise.
    pub(super) async fn died(&self) {
        let mut life = self.life.clone();
        if life.wait_for(|life| *life == Life::Closed).await.is_ok() {
            std::future::pending::<()>().await;
        }
    }

    /// Has the thread finish what it was given, and waits for its end.
    pub(super) async fn close(self) {
        if self.jobs.send(Order::Close).is_err() {
            return;
        }
        let mut life = self.life;
        // An error means that the thread has died: it has ended, too.
        let _ended = life.wait_for(|life| *life == Life::Closed).await;
    }
}

/// A caller's work, and where its answer goes.
pub(super) trait Job: Send {
    fn writes(&self) -> bool;
    /// Does the work and keeps the result. What it did before may have been undone: then it is run again.
    fn run(&mut self, tx: &Tx<'_>) -> Done<()>;
    /// Answers: with the result, or with why the transaction came to nothing.
    fn answer(self: Box<Self>, undone: Option<StoreError>);
}

struct Task<T, F> {
    writes: bool,
    work: F,
    result: Option<T>,
    caller: oneshot::Sender<StoreResult<T>>,
    _permit: OwnedSemaphorePermit,
}

impl<T, F> Job for Task<T, F>
where
    T: Send,
    F: Fn(&Tx<'_>) -> Done<T> + Send,
{
    fn writes(&self) -> bool {
        self.writes
    }

    fn run(&mut self, tx: &Tx<'_>) -> Done<()> {
        if self.writes {
            tx.prepare()?;
        }
        self.result = Some((self.work)(tx)?);
        Ok(())
    }

    fn answer(self: Box<Self>, undone: Option<StoreError>) {
        let answer = match (undone, self.result) {
            (Some(error), _) => Err(error),
            (None, Some(result)) => Ok(result),
            (None, None) => Err(StoreError::Closed),
        };
        // A caller that went away wants no answer.
        let _unheard = self.caller.send(answer);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::{Access, Database, Settings, StoreError, Writer};
    use crate::outbox::{
        Dedupe, Key, NotificationId,
        sqlite::{heard, tally::Of},
    };

    fn writer() -> (Writer, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let settings = Settings::new(directory.path().join("outbox.db"), 1 << 30);
        let database = Database::open(&settings, Access::Owner, true).unwrap();
        (Writer::start(settings, Access::Owner, database, None).unwrap(), directory)
    }

    #[tokio::test]
    async fn the_death_of_the_thread_is_told_to_everybody() {
        let (writer, _kept) = writer();
        let quiet = tokio::time::timeout(Duration::from_millis(20), writer.died()).await;
        assert!(quiet.is_err());
        let answer = writer.write(|_| -> super::Done<()> { unreachable!("on purpose") }).await;
        assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
        writer.died().await;
        let answer = writer.read(|_| Ok(())).await;
        assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    }

    #[tokio::test]
    async fn a_closed_writer_is_not_a_dead_one() {
        let (writer, _kept) = writer();
        writer.clone().close().await;
        assert_eq!(writer.read(|_| Ok(())).await, Err(StoreError::Closed));
        let quiet = tokio::time::timeout(Duration::from_millis(20), writer.died()).await;
        assert!(quiet.is_err());
    }

    #[tokio::test]
    async fn a_job_that_fails_undoes_its_own_changes_only() {
        let (writer, _kept) = writer();
        let mark = |at: i64, fails: bool| {
            writer.write(move |tx| {
                tx.run("UPDATE counter SET probed_at = probed_at + ?1 WHERE id = 1", [at])?;
                if fails { Err(StoreError::Full("on purpose".to_owned()).into()) } else { Ok(()) }
            })
        };
        let answers = futures_util::future::join3(mark(1, false), mark(10, true), mark(100, false)).await;
        assert!(answers.0.is_ok() && answers.1.is_err() && answers.2.is_ok(), "{answers:?}");
        let read = writer.read(|tx| tx.only("SELECT probed_at FROM counter", [], |row| row.get::<_, i64>(0)));
        assert_eq!(read.await, Ok(101));
    }

    #[tokio::test]
    async fn what_a_failed_job_noted_is_not_counted() {
        let (writer, _kept) = writer();
        let note = |waits: i64, fails: bool| {
            writer.write(move |tx| {
                let of = Of { sender: "ops".to_owned(), receiver: "team".to_owned() };
                tx.note(of, waits, 0);
                let (number, _) = tx.numbers(1, 1)?;
                if fails { Err(StoreError::Full("on purpose".to_owned()).into()) } else { Ok(number) }
            })
        };
        let (one, two, three) =
            futures_util::future::join3(note(1, false), note(10, true), note(100, false)).await;
        assert!(two.is_err());
        assert!(one.unwrap() < three.unwrap());
        let read =
            writer.read(|tx| tx.only("SELECT deliveries FROM waiting", [], |row| row.get::<_, i64>(0)));
        assert_eq!(read.await, Ok(101));
    }

    #[tokio::test]
    async fn what_a_failed_job_heard_is_not_remembered() {
        let (writer, _kept) = writer();
        let hear = |number: i64, fails: bool| {
            writer.write(move |tx| {
                let (lane, now) = (1, Timestamp::UNIX_EPOCH);
                let window = Duration::from_secs(120);
                let dedupe = Dedupe { key: Key([7; 16]), source: "one".to_owned(), window };
                let copy = heard::copy_of(tx, lane, &dedupe, now)?;
                heard::remember(tx, lane, &dedupe, Some(NotificationId(number)), now)?;
                if fails { Err(StoreError::Full("on purpose".to_owned()).into()) } else { Ok(copy) }
            })
        };
        assert!(hear(1, true).await.is_err());
        assert_eq!(hear(2, false).await, Ok(None));
        assert!(hear(3, true).await.is_err());
        assert_eq!(hear(4, false).await, Ok(Some(NotificationId(2))));
    }

    #[tokio::test]
    async fn the_rows_of_what_was_heard_do_not_grow_without_bound() {
        let (writer, _kept) = writer();
        let many = 40_000;
        let hear = writer.write(move |tx| {
            for number in 0..many {
                let dedupe = Dedupe { key: Key([7; 16]), source: "one".to_owned(), window: Duration::ZERO };
                heard::remember(tx, number, &dedupe, None, Timestamp::UNIX_EPOCH)?;
            }
            Ok(())
        });
        hear.await.unwrap();
        let rows = writer.read(|tx| tx.only("SELECT count(*) FROM heard", [], |row| row.get::<_, i64>(0)));
        assert!((16_384..16_384 + 256).contains(&rows.await.unwrap()));
    }
}
