//! Runs templates with a time limit.
//!
//! A template cannot be stopped from outside, so it runs on a blocking thread of the runtime. When the time limit is
//! over, the caller goes on with the built-in text and leaves the thread alone: a *stuck* thread.
//!
//! - Each receiver renders a few notifications at once. Others wait, and are rejected with 503 after a while, because
//!   a long queue is not the fault of a template.
//! - A receiver with too many stuck threads runs no more templates, so it cannot use up the threads of others. Its
//!   notifications get the built-in text at once.
//! - Recipients have slots of their own for the case that a message template is stuck, so that the built-in text still
//!   reaches the right people.
//! - Built-in templates always end. They need no limit, and with a small payload no other thread.

use std::{
    collections::HashMap,
    future, panic,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::{JoinError, spawn_blocking},
    time::timeout,
};

use super::memory::Reservation;
use crate::intake::{
    Intake, ParseError, Parsed, ParsedWebhook, Receiver, RecipientError, RenderedNotification,
    TemplateFailure,
};

/// The time limit for the templates of one notification.
pub const RENDER_LIMIT: Duration = Duration::from_secs(2);
/// A body of at most this size is parsed, and rendered with built-in templates, on the worker thread. It has some 150
/// alerts, which takes about a millisecond. A larger body would keep other requests waiting.
const INLINE_BYTES: usize = 64 << 10;
/// The notifications of one receiver that are rendered at once. A few are enough, and stuck threads use processors.
const SLOTS: usize = 2;
/// The stuck threads of all receivers together, at which no template is run any more.
const MAX_STUCK: usize = 16;
/// The threads that run templates at most, stuck or not. The runtime needs its other threads, for example for DNS.
const MAX_THREADS: usize = 64;
/// The longest time that a notification waits for a slot and a thread.
const SLOT_WAIT: Duration = Duration::from_secs(5);

/// An [`Intake`] with a time limit for templates.
#[derive(Debug)]
pub struct RenderPool {
    intake: Arc<Intake>,
    limit: Duration,
    receivers: HashMap<String, ReceiverSlots>,
    threads: Threads,
}

/// More notifications of one receiver arrive than can be rendered in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many notifications of this receiver are being rendered")]
pub struct Overloaded;

/// The threads of all receivers. Clones share them.
#[derive(Debug, Clone)]
struct Threads {
    free: Arc<Semaphore>,
    stuck: Arc<AtomicUsize>,
}

/// The slots of one receiver. Clones share them.
#[derive(Debug, Clone)]
struct ReceiverSlots {
    /// For recipients and message together.
    whole: Arc<RenderSlots>,
    /// For recipients alone.
    recipients: Arc<RenderSlots>,
}

impl ReceiverSlots {
    fn new(threads: &Threads) -> Self {
        let slots = || Arc::new(RenderSlots::new(threads.clone()));
        Self { whole: slots(), recipients: slots() }
    }
}

impl RenderPool {
    /// `limit` is the time for the templates of one notification.
    pub fn new(intake: Arc<Intake>, limit: Duration) -> Self {
        let threads =
            Threads { free: Arc::new(Semaphore::new(MAX_THREADS)), stuck: Arc::new(AtomicUsize::new(0)) };
        let mut pool = Self { intake, limit, receivers: HashMap::new(), threads };
        pool.add_missing_slots();
        pool
    }

    /// A pool with other receivers. If the templates are the same, receivers keep their slots, because their threads
    /// may be stuck. Otherwise they get new ones, because the stuck template may be fixed.
    #[must_use]
    pub fn with_intake(&self, intake: Arc<Intake>) -> Self {
        let is_same = self.intake.templates_fingerprint() == intake.templates_fingerprint();
        let receivers = if is_same { self.receivers.clone() } else { HashMap::new() };
        let mut pool = Self { intake, limit: self.limit, receivers, threads: self.threads.clone() };
        pool.add_missing_slots();
        pool
    }

    fn add_missing_slots(&mut self) {
        for Receiver { name, .. } in self.intake.receivers() {
            let slots = self.receivers.entry(name.0.clone());
            slots.or_insert_with(|| ReceiverSlots::new(&self.threads));
        }
    }

    /// [`Intake::parse`]. The memory stays reserved until it is done, even if the caller goes away.
    ///
    /// # Errors
    /// [`ParseError`]
    pub async fn parse(
        &self,
        receiver: Option<&str>,
        body: Vec<u8>,
        memory: &Reservation,
        now: Timestamp,
    ) -> Result<Parsed, ParseError> {
        let (intake, receiver) = (Arc::clone(&self.intake), receiver.map(str::to_owned));
        let size = body.len();
        run_to_end(size, memory, move || intake.parse(receiver.as_deref(), &body, now)).await
    }

    /// [`Intake::render`] within the time limit. The memory stays reserved until it is done, even if the caller goes
    /// away.
    ///
    /// # Errors
    /// [`Overloaded`] when the caller should try again later.
    pub async fn render(
        &self,
        webhook: Arc<ParsedWebhook>,
        memory: &Reservation,
    ) -> Result<RenderedNotification, Overloaded> {
        let job = RenderJob { intake: Arc::clone(&self.intake), webhook };
        let receiver = job.webhook.receiver();
        let bytes = job.webhook.body_bytes();
        let slots = match self.receivers.get(&receiver.name.0) {
            Some(slots) if !receiver.builtin_only => slots,
            _ => {
                let job = job.clone();
                return Ok(run_to_end(bytes, memory, move || job.render()).await);
            }
        };

        let whole = job.clone();
        let (failure, unknown_recipients) =
            match slots.whole.run(self.limit, memory, move || whole.render()).await {
                Ok(rendered) => return Ok(rendered),
                Err(NoResult::Overloaded) => return Err(Overloaded),
                Err(NoResult::TimedOut) => (TemplateFailure::TimedOut(self.limit), RecipientError::TimedOut),
                Err(NoResult::Panicked) => (TemplateFailure::Panicked, RecipientError::TimedOut),
                Err(NoResult::Stuck) => {
                    self.render_recipients(slots, &job, memory).await?;
                    (TemplateFailure::Stuck, RecipientError::Stuck)
                }
            };
        let builtin = job.clone();
        let render_builtin = move || builtin.render_builtin(failure, unknown_recipients);
        Ok(run_to_end(bytes, memory, render_builtin).await)
    }

    /// Renders the recipients alone, if they are templates and end in time.
    async fn render_recipients(
        &self,
        slots: &ReceiverSlots,
        job: &RenderJob,
        memory: &Reservation,
    ) -> Result<(), Overloaded> {
        if job.webhook.has_recipients() {
            return Ok(());
        }
        let job = job.clone();
        match slots.recipients.run(self.limit, memory, move || job.render_recipients()).await {
            Err(NoResult::Overloaded) => Err(Overloaded),
            Ok(()) | Err(NoResult::TimedOut | NoResult::Stuck | NoResult::Panicked) => Ok(()),
        }
    }
}

/// One webhook to render, as a thread needs it.
#[derive(Debug, Clone)]
struct RenderJob {
    intake: Arc<Intake>,
    webhook: Arc<ParsedWebhook>,
}

impl RenderJob {
    fn render(&self) -> RenderedNotification {
        self.intake.render(&self.webhook)
    }

    fn render_recipients(&self) {
        self.intake.render_recipients(&self.webhook);
    }

    fn render_builtin(
        &self,
        failure: TemplateFailure,
        unknown_recipients: RecipientError,
    ) -> RenderedNotification {
        self.intake.render_builtin(&self.webhook, failure, unknown_recipients)
    }
}

/// Runs work that always ends: on this thread if it is small, else on a blocking thread.
async fn run_to_end<T: Send + 'static>(
    bytes: usize,
    memory: &Reservation,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    if bytes <= INLINE_BYTES {
        return work();
    }
    let memory = memory.clone();
    let job = spawn_blocking(move || {
        let done = work();
        drop(memory);
        done
    });
    match job.await.map_err(JoinError::try_into_panic) {
        Ok(done) => done,
        Err(Ok(panic)) => panic::resume_unwind(panic),
        // The runtime cancels a job only when it shuts down.
        Err(Err(_cancelled)) => future::pending().await,
    }
}

/// Why a job has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NoResult {
    TimedOut,
    /// The job was not started, because too many threads are stuck.
    Stuck,
    /// The job was not started, because others take too long.
    Overloaded,
    Panicked,
}

/// A few threads for the templates of one receiver.
#[derive(Debug)]
struct RenderSlots {
    free: Arc<Semaphore>,
    stuck: AtomicUsize,
    threads: Threads,
}

impl RenderSlots {
    fn new(threads: Threads) -> Self {
        Self { free: Arc::new(Semaphore::new(SLOTS)), stuck: AtomicUsize::new(0), threads }
    }

    async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        limit: Duration,
        memory: &Reservation,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NoResult> {
        if self.is_stuck() {
            return Err(NoResult::Stuck);
        }
        let Ok(permits) = timeout(SLOT_WAIT, self.permits()).await else {
            return Err(NoResult::Overloaded);
        };
        // Checked again, because a stuck job gives its slot back.
        if self.is_stuck() {
            return Err(NoResult::Stuck);
        }
        let (slot, thread) = permits.ok_or(NoResult::Overloaded)?;
        // From here on, the guards give the slot back.
        slot.forget();
        let job = Arc::new(Job { state: Mutex::new(JobState::Running), slots: Arc::clone(self) });
        let (thread_guard, memory) = (ThreadGuard(Arc::clone(&job)), memory.clone());
        // The caller gives up at the time limit, or because its future is dropped.
        let _caller_guard = CallerGuard(job);
        let running = spawn_blocking(move || {
            let done = work();
            drop((thread_guard, thread, memory));
            done
        });
        match timeout(limit, running).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => {
                tracing::error!(%error, "rendering failed by a defect of the relay; please report it");
                Err(NoResult::Panicked)
            }
            Err(_elapsed) => Err(NoResult::TimedOut),
        }
    }

    /// A slot of the receiver and then a thread.
    async fn permits(&self) -> Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)> {
        // The semaphores are never closed.
        let slot = Arc::clone(&self.free).acquire_owned().await.ok()?;
        let thread = Arc::clone(&self.threads.free).acquire_owned().await.ok()?;
        Some((slot, thread))
    }

    fn is_stuck(&self) -> bool {
        self.stuck.load(Ordering::Acquire) >= SLOTS || self.threads.stuck.load(Ordering::Acquire) >= MAX_STUCK
    }

    fn add_stuck(&self) {
        self.stuck.fetch_add(1, Ordering::AcqRel);
        self.threads.stuck.fetch_add(1, Ordering::AcqRel);
    }

    fn remove_stuck(&self) {
        self.stuck.fetch_sub(1, Ordering::AcqRel);
        self.threads.stuck.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A job on a thread. Its slot is given back once: when the job ends, or when its caller gives up.
#[derive(Debug)]
struct Job {
    state: Mutex<JobState>,
    slots: Arc<RenderSlots>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum JobState {
    Running,
    Ended,
    /// The caller gave up, and the thread still runs.
    Stuck,
}

/// Held by the thread of a job.
struct ThreadGuard(Arc<Job>);

impl Drop for ThreadGuard {
    fn drop(&mut self) {
        let Job { state, slots } = &*self.0;
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        match *state {
            JobState::Stuck => slots.remove_stuck(),
            JobState::Running | JobState::Ended => slots.free.add_permits(1),
        }
        *state = JobState::Ended;
    }
}

/// Held by the caller of a job.
struct CallerGuard(Arc<Job>);

impl Drop for CallerGuard {
    fn drop(&mut self) {
        let Job { state, slots } = &*self.0;
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        if *state == JobState::Running {
            *state = JobState::Stuck;
            slots.add_stuck();
            slots.free.add_permits(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::time::advance;

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);
    const SHORT: Duration = Duration::from_millis(20);

    fn slots() -> Arc<RenderSlots> {
        let threads =
            Threads { free: Arc::new(Semaphore::new(MAX_THREADS)), stuck: Arc::new(AtomicUsize::new(0)) };
        Arc::new(RenderSlots::new(threads))
    }

    /// Runs a job that ends when the sender is dropped.
    async fn block(slots: &Arc<RenderSlots>, limit: Duration) -> (mpsc::Sender<()>, Result<bool, NoResult>) {
        let (end, ended) = mpsc::channel();
        let result = slots.run(limit, &Reservation::default(), move || ended.recv().is_err()).await;
        (end, result)
    }

    async fn run(slots: &Arc<RenderSlots>) -> Result<u8, NoResult> {
        slots.run(LONG, &Reservation::default(), || 7).await
    }

    async fn none_is_stuck(slots: &RenderSlots) {
        while slots.stuck.load(Ordering::Acquire) > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(slots.threads.stuck.load(Ordering::Acquire), 0);
    }

    #[tokio::test]
    async fn no_job_starts_while_the_threads_of_a_receiver_are_stuck() {
        let slots = slots();
        let mut ends = Vec::new();
        for _ in 0..SLOTS {
            let (end, result) = block(&slots, SHORT).await;
            assert_eq!(result, Err(NoResult::TimedOut));
            ends.push(end);
        }
        assert_eq!(run(&slots).await, Err(NoResult::Stuck));
        drop(ends);
        none_is_stuck(&slots).await;
        assert_eq!(run(&slots).await, Ok(7));
    }

    #[tokio::test]
    async fn a_waiting_job_gives_up_when_the_others_are_stuck() {
        let slots = slots();
        let (first, second, third) = tokio::join!(block(&slots, SHORT), block(&slots, SHORT), run(&slots));
        assert_eq!((first.1, second.1), (Err(NoResult::TimedOut), Err(NoResult::TimedOut)));
        // The slot of the first is free before the second is stuck.
        assert!(matches!(third, Ok(7) | Err(NoResult::Stuck)), "{third:?}");
        assert_eq!(run(&slots).await, Err(NoResult::Stuck));
    }

    #[tokio::test(start_paused = true)]
    async fn the_wait_for_a_slot_does_not_count_as_rendering() {
        let slots = slots();
        let memory = Reservation::default();
        let (end, ended) = mpsc::channel::<()>();
        let ended = Arc::new(Mutex::new(ended));
        let wait_for_end = || {
            let ended = Arc::clone(&ended);
            move || ended.lock().unwrap().recv().is_err()
        };
        let (first, second, third, ()) = tokio::join!(
            slots.run(LONG, &memory, wait_for_end()),
            slots.run(LONG, &memory, wait_for_end()),
            slots.run(SHORT, &memory, || 7),
            async {
                advance(SLOT_WAIT - SHORT).await;
                drop(end);
            }
        );
        assert_eq!((first, second, third), (Ok(true), Ok(true), Ok(7)));
    }

    #[tokio::test]
    async fn stuck_threads_are_bounded_over_all_receivers() {
        let slots = slots();
        slots.threads.stuck.store(MAX_STUCK, Ordering::Release);
        assert_eq!(run(&slots).await, Err(NoResult::Stuck));
        slots.threads.stuck.store(MAX_STUCK - 1, Ordering::Release);
        assert_eq!(run(&slots).await, Ok(7));
    }

    #[tokio::test]
    async fn the_job_of_a_caller_that_goes_away_counts_as_stuck() {
        let slots = slots();
        let (end, ended) = mpsc::channel::<()>();
        let memory = Reservation::default();
        let job = slots.run(LONG, &memory, move || ended.recv().is_err());
        assert!(timeout(SHORT, job).await.is_err());
        assert_eq!(slots.stuck.load(Ordering::Acquire), 1);
        drop(end);
        none_is_stuck(&slots).await;
        assert_eq!(slots.free.available_permits(), SLOTS);
    }

    #[tokio::test]
    async fn a_job_that_panics_gives_its_slot_back() {
        let slots = slots();
        for _ in 0..=SLOTS {
            let result = slots.run(LONG, &Reservation::default(), || -> u8 { panic!("a defect") }).await;
            assert_eq!(result, Err(NoResult::Panicked));
        }
        assert_eq!(run(&slots).await, Ok(7));
    }
}
