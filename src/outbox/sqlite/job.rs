//! Jobs for the threads of the engine. A job that was handed over runs, even if its caller no longer waits.

use std::sync::{Arc, mpsc};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};

use super::{error::EngineResult, transaction::Transaction};
use crate::outbox::{StoreError, StoreResult};

/// The largest number of jobs that wait, so that a slow disk holds callers back instead of filling memory.
const MAX_WAITING: usize = 1024;

/// The effect of a job on the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Effect {
    /// It changes nothing.
    Read,
    /// It changes rows. The change survives a crash of the process; a power failure may undo it.
    Write,
    /// It changes rows, and the answer waits until they are on disk.
    FlushedWrite,
    /// Like `FlushedWrite`, but it must leave the space that claims and settlements need.
    Acceptance,
}

/// A job with its caller.
pub(super) trait Job: Send {
    fn effect(&self) -> Effect;
    /// Does the work and keeps the result.
    fn run(&mut self, tx: &mut Transaction<'_>) -> EngineResult<()>;
    /// Answers the caller: with the result, or with the error that undid the work.
    fn answer(self: Box<Self>, error: Option<StoreError>);
}

pub(super) enum Command {
    Run(Box<dyn Job>),
    Close,
}

/// A handle on a thread that runs jobs. The thread ends when the last handle is dropped.
#[derive(Debug, Clone)]
pub(super) struct Handle {
    commands: mpsc::Sender<Command>,
    room: Arc<Semaphore>,
    life: watch::Receiver<Life>,
}

/// The state of the thread. If its side is dropped while this is `Running`, the thread has panicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Running,
    Closed,
}

/// The thread's side of a [`Handle`].
pub(super) struct Inbox {
    pub(super) commands: mpsc::Receiver<Command>,
    life: watch::Sender<Life>,
}

impl Inbox {
    /// Marks the end of the thread as intended, for the handles.
    pub(super) fn close(self) {
        self.life.send_replace(Life::Closed);
    }
}

/// A new handle and its other side.
pub(super) fn queue() -> (Handle, Inbox) {
    let (sender, commands) = mpsc::channel();
    let (living, life) = watch::channel(Life::Running);
    let handle = Handle { commands: sender, room: Arc::new(Semaphore::new(MAX_WAITING)), life };
    (handle, Inbox { commands, life: living })
}

impl Handle {
    /// Runs `work` on the thread and returns its result.
    pub(super) async fn run<T, F>(&self, effect: Effect, work: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Transaction<'_>) -> EngineResult<T> + Send + 'static,
    {
        let Ok(permit) = Arc::clone(&self.room).acquire_owned().await else { return Err(self.gone()) };
        let (caller, answer) = oneshot::channel();
        let task = Task { effect, work: Some(work), result: None, caller, _permit: permit };
        if self.commands.send(Command::Run(Box::new(task))).is_err() {
            return Err(self.gone());
        }
        answer.await.unwrap_or_else(|_| Err(self.gone()))
    }

    fn gone(&self) -> StoreError {
        match *self.life.borrow() {
            Life::Closed => StoreError::Closed,
            Life::Running => StoreError::Unavailable("its thread has ended".to_owned()),
        }
    }

    /// Returns when the thread has panicked, and never otherwise.
    pub(super) async fn panicked(&self) {
        let mut life = self.life.clone();
        if life.wait_for(|life| *life == Life::Closed).await.is_ok() {
            std::future::pending::<()>().await;
        }
    }

    /// Lets the thread finish all jobs that were handed over, and waits for its end.
    pub(super) async fn close(self) {
        if self.commands.send(Command::Close).is_err() {
            return;
        }
        let mut life = self.life;
        // An error means that the thread has panicked, so it has ended as well.
        let _ended = life.wait_for(|life| *life == Life::Closed).await;
    }
}

struct Task<T, F> {
    effect: Effect,
    work: Option<F>,
    result: Option<T>,
    caller: oneshot::Sender<StoreResult<T>>,
    _permit: OwnedSemaphorePermit,
}

impl<T, F> Job for Task<T, F>
where
    T: Send,
    F: FnOnce(&mut Transaction<'_>) -> EngineResult<T> + Send,
{
    fn effect(&self) -> Effect {
        self.effect
    }

    fn run(&mut self, tx: &mut Transaction<'_>) -> EngineResult<()> {
        if let Some(work) = self.work.take() {
            self.result = Some(work(tx)?);
        }
        Ok(())
    }

    fn answer(self: Box<Self>, error: Option<StoreError>) {
        let answer = match (error, self.result) {
            (Some(error), _) => Err(error),
            (None, Some(result)) => Ok(result),
            (None, None) => Err(StoreError::Closed),
        };
        // A caller that went away needs no answer.
        let _unheard = self.caller.send(answer);
    }
}
