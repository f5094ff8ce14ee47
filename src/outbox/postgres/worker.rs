//! Workers: each has a session, and runs the jobs of a queue.
//!
//! - Acceptances that wait at the same time share a transaction, and so do settlements. Callers are answered after the
//!   commit. If a value of one job is the reason of a failure, each job runs alone.
//! - A transaction that met a conflict runs again, if it can.
//! - When the state of a session is unknown after an error, the session is closed and opened anew. A job whose commit got
//!   no answer fails. Its caller repeats it, which changes nothing if it was committed. The next claim undoes such a
//!   claim.

use std::{rc::Rc, time::Duration};

use tokio::{
    sync::{Mutex, mpsc, oneshot, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    enqueue,
    error::{EngineError, EngineResult, within},
    job::{Acceptance, Arrival, Job, PendingSettlement, Work},
    room::Room,
    schema,
    sender::KnownSenders,
    session::{Change, Session, TIME_LIMIT, Transaction},
    settings::{Access, Settings},
    settle,
    url::PostgresUrl,
    wakeups::{self, Wakeups},
};
use crate::outbox::{StoreError, StoreResult};

/// The maximum number of jobs that share a commit. It bounds the wait of the first job.
const MAX_BATCH: usize = 256;
/// The number of times that a transaction runs again after a conflict.
const MAX_REPEATS: u32 = 3;
/// The pause between two attempts to connect. Jobs fail meanwhile, because their callers should not wait.
pub(super) const CONNECT_PAUSE: Duration = Duration::from_millis(300);

/// The parts that all workers share.
pub(super) struct Server {
    pub(super) settings: Settings,
    pub(super) access: Access,
    /// The URL for new sessions. A reload may change its password.
    pub(super) url: watch::Sender<PostgresUrl>,
    pub(super) wakeups: Wakeups,
    pub(super) room: Room,
    pub(super) senders: KnownSenders,
    /// Cancelled when the outbox is closed.
    pub(super) closing: CancellationToken,
}

impl Server {
    /// Connects, and makes sure that this program can use the schema. Notifications of the session go to `heard`.
    pub(super) async fn connect(
        &self,
        heard: Option<mpsc::UnboundedSender<String>>,
    ) -> EngineResult<Session> {
        let url = self.url.borrow().clone();
        let connecting = async {
            let session = Session::connect(&url, &self.settings.tls, heard).await?;
            let is_ready = schema::is_ready(&session, self.access).await?;
            Ok((session, is_ready))
        };
        let (session, is_ready) = within(TIME_LIMIT, connecting).await?;
        if !is_ready {
            schema::prepare(&session).await?;
        }
        Ok(session)
    }

    /// `text` without secrets of the URL.
    pub(super) fn hidden(&self, text: &str) -> String {
        self.url.borrow().hide_in(text)
    }
}

/// The side of the workers of a queue.
pub(super) type Inbox = Rc<Mutex<mpsc::Receiver<Job>>>;

/// One worker.
pub(super) struct Worker {
    server: Rc<Server>,
    session: Option<Session>,
    /// The last attempt to connect, if it failed.
    failed: Option<Failed>,
}

struct Failed {
    at: Instant,
    error: StoreError,
}

impl Worker {
    pub(super) fn new(server: Rc<Server>, session: Option<Session>) -> Self {
        Self { server, session, failed: None }
    }

    /// Runs the jobs of `inbox` until the outbox is closed and nothing waits any more.
    pub(super) async fn run(mut self, inbox: Inbox) {
        while let Some(batch) = next_batch(&inbox, &self.server.closing).await {
            self.serve(batch).await;
        }
    }

    async fn serve(&mut self, batch: Vec<Job>) {
        let (mut acceptances, mut settlements) = (Vec::new(), Vec::new());
        for job in batch {
            match job {
                Job::Accept(acceptance) => acceptances.push(acceptance),
                Job::Settle(settlement) => settlements.push(*settlement),
                Job::Run(work) => self.run_alone(work).await,
            }
        }
        // A result that is stored makes room for others.
        self.settle(settlements).await;
        self.accept(acceptances).await;
    }

    async fn run_alone(&mut self, mut work: Box<dyn Work>) {
        let repeats = if work.can_repeat() { MAX_REPEATS } else { 0 };
        let ran = self.transact(repeats, async |tx: &Transaction<'_>| work.run(tx).await).await;
        let (error, payloads) = match ran {
            Ok(((), payloads)) => (None, payloads),
            Err(error) => (Some(error), Vec::new()),
        };
        work.answer(error.map(|error| error.store_error()));
        self.notify(payloads).await;
    }

    async fn accept(&mut self, batch: Vec<Acceptance>) {
        if batch.is_empty() {
            return;
        }
        let Server { room, senders, .. } = &*Rc::clone(&self.server);
        let arrivals: Vec<&Arrival> = batch.iter().map(|acceptance| &acceptance.arrival).collect();
        let all = async |tx: &Transaction<'_>| enqueue::accept_all(tx, &arrivals, room, senders).await;
        match self.transact(MAX_REPEATS, all).await {
            Ok((answers, payloads)) => {
                for (acceptance, accepted) in batch.into_iter().zip(answers) {
                    answer(acceptance.caller, accepted);
                }
                self.notify(payloads).await;
            }
            Err(error) if error.is_of_one_job() && batch.len() > 1 => {
                for acceptance in batch {
                    Box::pin(self.accept(vec![acceptance])).await;
                }
            }
            Err(error) => {
                let error = error.store_error();
                batch.into_iter().for_each(|acceptance| answer(acceptance.caller, Err(error.clone())));
            }
        }
    }

    async fn settle(&mut self, batch: Vec<PendingSettlement>) {
        if batch.is_empty() {
            return;
        }
        let all = async |tx: &Transaction<'_>| settle::settle_all(tx, &batch).await;
        match self.transact(MAX_REPEATS, all).await {
            Ok(((), payloads)) => {
                batch.into_iter().for_each(|settlement| answer(settlement.caller, Ok(())));
                self.notify(payloads).await;
            }
            Err(error) if error.is_of_one_job() && batch.len() > 1 => {
                for settlement in batch {
                    Box::pin(self.settle(vec![settlement])).await;
                }
            }
            Err(error) => {
                let error = error.store_error();
                batch.into_iter().for_each(|settlement| answer(settlement.caller, Err(error.clone())));
            }
        }
    }

    /// Runs `work` in a transaction, up to `most` times again after a conflict. Returns what other processes must hear, too.
    async fn transact<T>(
        &mut self,
        most: u32,
        mut work: impl AsyncFnMut(&Transaction<'_>) -> EngineResult<T>,
    ) -> EngineResult<(T, Vec<String>)> {
        let mut repeats = 0;
        loop {
            let error = match self.attempt(&mut work).await {
                Ok((value, changes)) => return Ok((value, self.server.wakeups.mark(changes))),
                Err(error) => error,
            };
            if !error.is_conflict() || repeats == most {
                return Err(error);
            }
            repeats += 1;
            tokio::time::sleep(Duration::from_millis(5) * repeats).await;
        }
    }

    async fn attempt<T>(
        &mut self,
        work: &mut impl AsyncFnMut(&Transaction<'_>) -> EngineResult<T>,
    ) -> EngineResult<(T, Vec<Change>)> {
        let session = self.session().await?;
        let result = session.transaction(work).await;
        if result.as_ref().is_err_and(EngineError::spoils_session) {
            self.session = None;
        }
        result
    }

    async fn session(&mut self) -> EngineResult<&Session> {
        if let Some(session) = self.session.take_if(|session| session.is_closed()) {
            drop(session);
        }
        let session = match self.session.take() {
            Some(session) => session,
            None => self.connect().await?,
        };
        Ok(self.session.insert(session))
    }

    async fn connect(&mut self) -> EngineResult<Session> {
        if let Some(Failed { at, error }) = &self.failed
            && at.elapsed() < CONNECT_PAUSE
        {
            return Err(error.clone().into());
        }
        let connected = self.server.connect(None).await;
        self.failed =
            connected.as_ref().err().map(|error| Failed { at: Instant::now(), error: error.store_error() });
        connected
    }

    /// Tells other processes what has changed. They also look by themselves, so an error does no harm.
    async fn notify(&mut self, payloads: Vec<String>) {
        if payloads.is_empty() {
            return;
        }
        let mut notify = async |tx: &Transaction<'_>| wakeups::notify(tx, &payloads).await;
        if let Err(error) = self.attempt(&mut notify).await {
            tracing::debug!(error = error.reason(), "other replicas were not woken; they look by themselves");
        }
    }
}

/// The jobs that wait. `None` when the outbox is closed and nothing waits any more.
async fn next_batch(inbox: &Mutex<mpsc::Receiver<Job>>, closing: &CancellationToken) -> Option<Vec<Job>> {
    let mut inbox = inbox.lock().await;
    let first = tokio::select! {
        biased;
        job = inbox.recv() => job,
        () = closing.cancelled() => {
            inbox.close();
            inbox.recv().await
        }
    };
    let mut batch = vec![first?];
    while batch.len() < MAX_BATCH
        && let Ok(job) = inbox.try_recv()
    {
        batch.push(job);
    }
    Some(batch)
}

fn answer<T>(caller: oneshot::Sender<StoreResult<T>>, result: StoreResult<T>) {
    // A caller that went away needs no answer.
    _ = caller.send(result);
}
