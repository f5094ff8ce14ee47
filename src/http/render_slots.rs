//! Slots and threads for jobs that may never end.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
    time::{Instant, timeout},
};

use super::memory::Reservation;

/// The notifications of one receiver that are rendered at once. A few are enough, and stuck threads use processors.
const SLOTS: usize = 2;
/// The number of stuck threads, of all receivers together, at which no template is run any more.
const MAX_STUCK: usize = 16;
/// The maximum number of threads that run templates, stuck or not. The runtime needs its other threads, for example for
/// DNS.
const MAX_THREADS: usize = 64;
/// The longest time that a notification waits for a slot and a thread.
pub(super) const SLOT_WAIT: Duration = Duration::from_secs(5);

/// The threads for the jobs of all receivers. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct RenderThreads {
    free: Arc<Semaphore>,
    stuck: Arc<AtomicUsize>,
}

impl Default for RenderThreads {
    fn default() -> Self {
        Self { free: Arc::new(Semaphore::new(MAX_THREADS)), stuck: Arc::default() }
    }
}

/// The reason why a job has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoResult {
    TimedOut,
    /// The job was not started, because too many threads are stuck.
    Stuck,
    /// The job was not started, because others take too long.
    Overloaded,
    Panicked,
}

/// Runs a few jobs of one receiver at once.
#[derive(Debug)]
pub(super) struct RenderSlots {
    free: Arc<Semaphore>,
    stuck: AtomicUsize,
    threads: RenderThreads,
}

impl RenderSlots {
    pub(super) fn new(threads: RenderThreads) -> Self {
        Self { free: Arc::new(Semaphore::new(SLOTS)), stuck: AtomicUsize::new(0), threads }
    }

    /// Waits for a slot and a thread, and then runs `work` for at most `limit`. Both end at `deadline`.
    pub(super) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        limit: Duration,
        deadline: Instant,
        memory: &Reservation,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NoResult> {
        if self.is_stuck() {
            return Err(NoResult::Stuck);
        }
        let Ok(permits) = timeout(SLOT_WAIT.min(left(deadline)), self.permits()).await else {
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
        // The caller stops waiting at the time limit, or because its future is dropped.
        let _caller_guard = CallerGuard(job);
        let running = spawn_blocking(move || {
            let done = work();
            drop((thread_guard, thread, memory));
            done
        });
        match timeout(limit.min(left(deadline)), running).await {
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

fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

/// A job on a thread. Its slot is given back once: when the job ends, or when its caller stops waiting.
#[derive(Debug)]
struct Job {
    state: Mutex<JobState>,
    slots: Arc<RenderSlots>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum JobState {
    Running,
    Ended,
    /// The time limit has passed, and the thread still runs.
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

    /// A deadline that does not matter.
    fn far() -> Instant {
        Instant::now() + 2 * LONG
    }

    fn slots() -> Arc<RenderSlots> {
        Arc::new(RenderSlots::new(RenderThreads::default()))
    }

    /// Runs a job that ends when the sender is dropped.
    async fn block(slots: &Arc<RenderSlots>, limit: Duration) -> (mpsc::Sender<()>, Result<bool, NoResult>) {
        let (end, ended) = mpsc::channel();
        let result = slots.run(limit, far(), &Reservation::default(), move || ended.recv().is_err()).await;
        (end, result)
    }

    async fn run(slots: &Arc<RenderSlots>) -> Result<u8, NoResult> {
        slots.run(LONG, far(), &Reservation::default(), || 7).await
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
            slots.run(LONG, far(), &memory, wait_for_end()),
            slots.run(LONG, far(), &memory, wait_for_end()),
            slots.run(SHORT, far(), &memory, || 7),
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
        let job = slots.run(LONG, far(), &memory, move || ended.recv().is_err());
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
            let result =
                slots.run(LONG, far(), &Reservation::default(), || -> u8 { panic!("a defect") }).await;
            assert_eq!(result, Err(NoResult::Panicked));
        }
        assert_eq!(run(&slots).await, Ok(7));
    }

    #[tokio::test]
    async fn a_deadline_is_shorter_than_the_limit_of_a_job() {
        let slots = slots();
        let deadline = Instant::now() + SHORT;
        // The second one is started at the deadline.
        for _ in 0..2 {
            let (end, ended) = mpsc::channel::<()>();
            let memory = Reservation::default();
            let job = slots.run(LONG, deadline, &memory, move || ended.recv().is_err());
            assert_eq!(job.await, Err(NoResult::TimedOut));
            drop(end);
            none_is_stuck(&slots).await;
        }
        assert!(Instant::now() >= deadline);
    }
}
