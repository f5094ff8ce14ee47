//! Jobs for the workers. A job that was handed over runs, even if its caller no longer waits.

use std::pin::Pin;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    error::{EngineError, EngineResult},
    session::Transaction,
};
use crate::outbox::{Enqueued, NewNotification, Settlement, StoreError, StoreResult};

/// The largest number of jobs that wait for a worker, so that a slow server holds callers back instead of filling memory.
const MAX_WAITING: usize = 1024;

/// A job for a worker.
pub(super) enum Job {
    /// A transaction of its own.
    Run(Box<dyn Work>),
    /// An acceptance, which may share a transaction with others.
    Accept(Acceptance),
    /// A settlement, which may share a transaction with others.
    Settle(Box<PendingSettlement>),
}

/// The work of a job with a transaction of its own.
pub(super) trait Work: Send {
    /// Runs the work and keeps its result. It may run again after a conflict.
    fn run<'a>(&'a mut self, tx: &'a Transaction<'_>)
    -> Pin<Box<dyn Future<Output = EngineResult<()>> + 'a>>;
    /// False if it runs only once.
    fn can_repeat(&self) -> bool;
    /// Answers the caller: with the result, or with the error that undid the work.
    fn answer(self: Box<Self>, error: Option<StoreError>);
}

/// Notifications that are stored together, those of a webhook for example.
pub(super) struct Arrival {
    pub(super) notifications: Vec<NewNotification>,
    pub(super) now: Timestamp,
}

/// The notifications of a webhook that wait for their acceptance.
pub(super) struct Acceptance {
    pub(super) arrival: Arrival,
    pub(super) caller: oneshot::Sender<StoreResult<Vec<Enqueued>>>,
}

/// A result that waits to be stored.
pub(super) struct PendingSettlement {
    pub(super) settlement: Settlement,
    pub(super) now: Timestamp,
    pub(super) caller: oneshot::Sender<StoreResult<()>>,
}

/// The state of the thread of an engine. If its side is dropped while this is `Running`, the thread has panicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Running,
    Closed,
}

/// A handle on the workers that serve one queue.
#[derive(Debug, Clone)]
pub(super) struct Queue {
    jobs: mpsc::Sender<Job>,
    life: watch::Receiver<Life>,
}

impl Queue {
    /// A new queue and the side of its workers.
    pub(super) fn new(life: watch::Receiver<Life>) -> (Self, mpsc::Receiver<Job>) {
        let (jobs, inbox) = mpsc::channel(MAX_WAITING);
        (Self { jobs, life }, inbox)
    }

    /// Runs `work` in a transaction, again after a conflict, and returns its result.
    pub(super) async fn run<T, F>(&self, work: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: AsyncFn(&Transaction<'_>) -> EngineResult<T> + Send + 'static,
    {
        let (caller, answer) = oneshot::channel();
        self.hand_over(Job::Run(Box::new(Task { work, result: None, caller })), answer).await
    }

    /// Runs `work` in a transaction once, and returns its result.
    pub(super) async fn run_once<T, F>(&self, work: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: AsyncFnOnce(&Transaction<'_>) -> EngineResult<T> + Send + 'static,
    {
        let (caller, answer) = oneshot::channel();
        let task = SingleTask { work: Some(work), result: None, caller };
        self.hand_over(Job::Run(Box::new(task)), answer).await
    }

    pub(super) async fn accept(
        &self,
        notifications: Vec<NewNotification>,
        now: Timestamp,
    ) -> StoreResult<Vec<Enqueued>> {
        let (caller, answer) = oneshot::channel();
        self.hand_over(Job::Accept(Acceptance { arrival: Arrival { notifications, now }, caller }), answer)
            .await
    }

    pub(super) async fn settle(&self, settlement: Settlement, now: Timestamp) -> StoreResult<()> {
        let (caller, answer) = oneshot::channel();
        let pending = PendingSettlement { settlement, now, caller };
        self.hand_over(Job::Settle(Box::new(pending)), answer).await
    }

    async fn hand_over<T>(&self, job: Job, answer: oneshot::Receiver<StoreResult<T>>) -> StoreResult<T> {
        if self.jobs.send(job).await.is_err() {
            return Err(self.gone());
        }
        answer.await.unwrap_or_else(|_| Err(self.gone()))
    }

    fn gone(&self) -> StoreError {
        match *self.life.borrow() {
            Life::Closed => StoreError::Closed,
            Life::Running if self.life.has_changed().is_ok() => StoreError::Closed,
            Life::Running => StoreError::Unavailable("its thread has ended".to_owned()),
        }
    }
}

struct Task<T, F> {
    work: F,
    result: Option<T>,
    caller: oneshot::Sender<StoreResult<T>>,
}

impl<T, F> Work for Task<T, F>
where
    T: Send,
    F: AsyncFn(&Transaction<'_>) -> EngineResult<T> + Send,
{
    fn run<'a>(
        &'a mut self,
        tx: &'a Transaction<'_>,
    ) -> Pin<Box<dyn Future<Output = EngineResult<()>> + 'a>> {
        Box::pin(async move {
            self.result = Some((self.work)(tx).await?);
            Ok(())
        })
    }

    fn can_repeat(&self) -> bool {
        true
    }

    fn answer(self: Box<Self>, error: Option<StoreError>) {
        answer(self.caller, self.result, error);
    }
}

struct SingleTask<T, F> {
    work: Option<F>,
    result: Option<T>,
    caller: oneshot::Sender<StoreResult<T>>,
}

impl<T, F> Work for SingleTask<T, F>
where
    T: Send,
    F: AsyncFnOnce(&Transaction<'_>) -> EngineResult<T> + Send,
{
    fn run<'a>(
        &'a mut self,
        tx: &'a Transaction<'_>,
    ) -> Pin<Box<dyn Future<Output = EngineResult<()>> + 'a>> {
        Box::pin(async move {
            let work = self.work.take().ok_or(EngineError::Changed)?;
            self.result = Some(work(tx).await?);
            Ok(())
        })
    }

    fn can_repeat(&self) -> bool {
        false
    }

    fn answer(self: Box<Self>, error: Option<StoreError>) {
        answer(self.caller, self.result, error);
    }
}

fn answer<T>(caller: oneshot::Sender<StoreResult<T>>, result: Option<T>, error: Option<StoreError>) {
    let answer = match (error, result) {
        (Some(error), _) => Err(error),
        (None, Some(result)) => Ok(result),
        (None, None) => Err(StoreError::Closed),
    };
    // A caller that went away needs no answer.
    _ = caller.send(answer);
}
