//! Rendering that ends: the operator's templates run beside the request, under a time limit.
//!
//! A template cannot be stopped from outside, so it runs on a thread of its own, which is left to itself when the
//! time is over. Each receiver has so many threads and no more, and those that hang are its own loss: while all of
//! them hang, further payloads are written with the built-in template at once. Waiting for a thread that works is no
//! fault of a template: after a while such a request is not taken, and comes again. Recipients and message have
//! threads of their own, so that a message that hangs still goes to the right people. Built-in templates end, and
//! run in place.
//!
//! The runtime's blocking threads were rejected for templates: it waits for them when it stops. They take what ends
//! but takes long: the large payloads, which would keep other requests waiting.

use std::{
    collections::HashMap,
    future, io, panic,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::{
    sync::{Semaphore, oneshot, watch},
    time::{Instant, timeout, timeout_at},
};

use jiff::Timestamp;

use super::body::Reserved;
use crate::intake::{
    Addressed, Intake, Order, Receiver, Rejected, Request, Taken, TemplateFailure, Unaddressed,
};

/// How long the templates of one message may take.
pub const RENDER_LIMIT: Duration = Duration::from_secs(2);

/// A payload of this size takes some milliseconds to read and to render.
const LARGE: usize = 256 << 10;

/// The threads of one receiver for one of the two steps: a few, since those that hang keep a processor busy.
const THREADS: usize = 2;

/// The threads of all receivers that may hang, those of earlier configurations included.
const HANGING: usize = 16;

/// How long a request waits for a thread that works.
const PATIENCE: Duration = Duration::from_secs(5);

/// An [`Intake`] whose templates end.
#[derive(Debug)]
pub struct Bounded {
    intake: Arc<Intake>,
    limit: Duration,
    steps: HashMap<String, Arc<Steps>>,
    hanging: Arc<AtomicUsize>,
}

/// More is to be rendered than the receiver's threads can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many messages of this receiver are being rendered")]
pub struct Busy;

#[derive(Debug)]
struct Steps {
    address: Threads,
    write: Threads,
}

impl Steps {
    fn new(hanging: &Arc<AtomicUsize>) -> Self {
        let threads = || Threads::new(Arc::clone(hanging));
        Self { address: threads(), write: threads() }
    }
}

impl Bounded {
    /// `intake` under a time limit for each of its two steps.
    pub fn new(intake: Arc<Intake>, limit: Duration) -> Self {
        Self::continuing(intake, limit, Arc::default(), |_| None)
    }

    /// The same with another intake. With the same templates receivers keep their threads, those that hang too: a
    /// template that was mended has others.
    #[must_use]
    pub fn with(&self, intake: Arc<Intake>) -> Self {
        let same = self.intake.templates_fingerprint() == intake.templates_fingerprint();
        let steps = |name: &str| self.steps.get(name).filter(|_| same).map(Arc::clone);
        Self::continuing(intake, self.limit, Arc::clone(&self.hanging), steps)
    }

    fn continuing(
        intake: Arc<Intake>,
        limit: Duration,
        hanging: Arc<AtomicUsize>,
        known: impl Fn(&str) -> Option<Arc<Steps>>,
    ) -> Self {
        let steps = |receiver: &Receiver| {
            let name = receiver.name.0.clone();
            let steps = known(&name).unwrap_or_else(|| Arc::new(Steps::new(&hanging)));
            (name, steps)
        };
        let steps = intake.receivers().map(steps).collect();
        Self { intake, limit, steps, hanging }
    }

    /// [`Intake::request`]. The `reserved` memory is kept while the payload is worked on, though the caller goes.
    ///
    /// # Errors
    /// [`Rejected`] says what is wrong and what would be right.
    pub async fn request(
        &self,
        receiver: Option<&str>,
        body: Vec<u8>,
        reserved: &Reserved,
        now: Timestamp,
    ) -> Result<Request, Rejected> {
        if body.len() < LARGE {
            return self.intake.request(receiver, &body, now);
        }
        let (intake, receiver) = (Arc::clone(&self.intake), receiver.map(str::to_owned));
        aside(reserved, move || intake.request(receiver.as_deref(), &body, now)).await
    }

    /// Addresses and writes. The `reserved` memory is kept while that lasts, though the caller goes.
    ///
    /// # Errors
    /// [`Busy`] when it should be asked again later.
    pub async fn fill(&self, order: Arc<Order>, reserved: &Reserved) -> Result<Taken, Busy> {
        let steps = match self.steps.get(&order.receiver().name.0) {
            Some(steps) if !order.receiver().builtin_only => steps,
            _ if order.body_bytes() < LARGE => return Ok(self.intake.fill(&order)),
            _ => {
                let intake = Arc::clone(&self.intake);
                return Ok(aside(reserved, move || intake.fill(&order)).await);
            }
        };
        let addressed = match order.receiver().has_literal_address() {
            true => self.intake.address(&order),
            false => {
                let (intake, order) = (Arc::clone(&self.intake), Arc::clone(&order));
                let work = keeping(reserved, move || intake.address(&order));
                match steps.address.run(self.limit, work).await {
                    Ok(addressed) => addressed,
                    Err(Unready::Busy) => return Err(Busy),
                    Err(Unready::Late) => Addressed::Nobody(Unaddressed::Late),
                    Err(Unready::Hanging) => Addressed::Nobody(Unaddressed::Hanging),
                }
            }
        };
        let (intake, to) = (Arc::clone(&self.intake), addressed.clone());
        let ordered = Arc::clone(&order);
        let work = keeping(reserved, move || intake.write(&ordered, to));
        let failure = match steps.write.run(self.limit, work).await {
            Ok(taken) => return Ok(taken),
            Err(Unready::Busy) => return Err(Busy),
            Err(Unready::Late) => TemplateFailure::Late(self.limit),
            Err(Unready::Hanging) => TemplateFailure::Hanging,
        };
        Ok(self.intake.write_builtin(&order, addressed, failure))
    }
}

/// `work` that holds on to `reserved`.
fn keeping<T, F: FnOnce() -> T>(reserved: &Reserved, work: F) -> impl FnOnce() -> T + use<T, F> {
    let reserved = Arc::clone(reserved);
    move || {
        let done = work();
        drop(reserved);
        done
    }
}

/// Runs what may take long and ends.
async fn aside<T: Send + 'static>(reserved: &Reserved, work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(keeping(reserved, work)).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => panic::resume_unwind(panic),
            // Only a runtime that has ended cancels it.
            Err(_cancelled) => future::pending().await,
        },
    }
}

/// Why there is no result of some work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unready {
    /// It did not end in time.
    Late,
    /// It was not begun: all threads hang.
    Hanging,
    /// It was not begun: the threads have too much to do.
    Busy,
}

#[derive(Debug)]
struct Threads {
    free: Arc<Semaphore>,
    abandoned: Arc<Abandoned>,
}

/// How many threads run although nobody waits for them any more: of one step, and of all.
#[derive(Debug)]
struct Abandoned {
    here: watch::Sender<usize>,
    everywhere: Arc<AtomicUsize>,
}

impl Abandoned {
    fn add(&self) {
        self.everywhere.fetch_add(1, Ordering::AcqRel);
        self.here.send_modify(|count| *count += 1);
    }

    fn remove(&self) {
        self.everywhere.fetch_sub(1, Ordering::AcqRel);
        self.here.send_modify(|count| *count = count.saturating_sub(1));
    }
}

impl Threads {
    fn new(everywhere: Arc<AtomicUsize>) -> Self {
        let abandoned = Abandoned { here: watch::Sender::new(0), everywhere };
        Self { free: Arc::new(Semaphore::new(THREADS)), abandoned: Arc::new(abandoned) }
    }

    async fn run<T: Send + 'static>(
        &self,
        limit: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Unready> {
        if self.abandoned.everywhere.load(Ordering::Acquire) >= HANGING {
            return Err(Unready::Hanging);
        }
        let mut here = self.abandoned.here.subscribe();
        let permit = tokio::select! {
            biased;
            _ = here.wait_for(|count| *count >= THREADS) => return Err(Unready::Hanging),
            permit = timeout(PATIENCE, Arc::clone(&self.free).acquire_owned()) => permit,
        };
        let Ok(Ok(permit)) = permit else { return Err(Unready::Busy) };
        // Only from now on: that there was much to do is no fault of a template.
        let deadline = Instant::now() + limit;
        let (tell, told) = oneshot::channel();
        let abandoned = Arc::clone(&self.abandoned);
        let body = move || {
            let unheard = tell.send(work()).is_err();
            if unheard {
                abandoned.remove();
            }
            drop(permit);
        };
        let spawned: io::Result<_> = thread::Builder::new().name("render".to_owned()).spawn(body);
        if let Err(error) = spawned {
            tracing::error!(%error, "no thread for templates; the sender is asked to try again");
            return Err(Unready::Busy);
        }
        let mut awaited = Awaited { told: Some(told), abandoned: Arc::clone(&self.abandoned) };
        awaited.until(deadline).await
    }
}

/// A thread's result. Whoever stops waiting for it, by the time limit or because the caller hung up, is noted.
struct Awaited<T> {
    told: Option<oneshot::Receiver<T>>,
    abandoned: Arc<Abandoned>,
}

impl<T> Awaited<T> {
    async fn until(&mut self, deadline: Instant) -> Result<T, Unready> {
        let Some(told) = self.told.as_mut() else { return Err(Unready::Late) };
        let Ok(ended) = timeout_at(deadline, told).await else { return Err(Unready::Late) };
        self.told = None;
        ended.map_err(|_panicked| Unready::Late)
    }
}

impl<T> Drop for Awaited<T> {
    fn drop(&mut self) {
        let Some(told) = self.told.as_mut() else { return };
        // Counted first: the thread takes it back as soon as it finds nobody listening.
        self.abandoned.add();
        told.close();
        if told.try_recv().is_ok() {
            self.abandoned.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    fn threads() -> Threads {
        Threads::new(Arc::default())
    }

    async fn none_hangs(threads: &Threads) {
        threads.abandoned.here.subscribe().wait_for(|count| *count == 0).await.unwrap();
    }

    #[tokio::test]
    async fn what_hangs_is_left_and_when_all_hang_nobody_waits() {
        let threads = threads();
        let limit = Duration::from_millis(20);
        let mut ends = Vec::new();
        for _ in 0..THREADS {
            let (end, ended) = mpsc::channel::<()>();
            ends.push(end);
            assert_eq!(threads.run(limit, move || ended.recv().is_err()).await, Err(Unready::Late));
        }
        assert_eq!(threads.run(LONG, || ()).await, Err(Unready::Hanging));
        drop(ends);
        none_hangs(&threads).await;
        assert!(threads.run(LONG, || ()).await.is_ok());
    }

    #[tokio::test]
    async fn whoever_waits_for_threads_that_turn_out_to_hang_waits_no_longer() {
        let threads = Arc::new(threads());
        let (end, ended) = mpsc::channel::<()>();
        let ended = Arc::new(std::sync::Mutex::new(ended));
        let hang = || {
            let ended = Arc::clone(&ended);
            move || ended.lock().unwrap().recv().is_err()
        };
        let limit = Duration::from_millis(50);
        let (first, second, third) =
            tokio::join!(threads.run(limit, hang()), threads.run(limit, hang()), threads.run(LONG, || true));
        assert_eq!((first, second, third), (Err(Unready::Late), Err(Unready::Late), Err(Unready::Hanging)));
        drop(end);
        none_hangs(&threads).await;
    }

    #[tokio::test]
    async fn waiting_for_others_is_not_counted_as_time_of_the_template() {
        let threads = threads();
        let work = || {
            thread::sleep(Duration::from_millis(30));
            true
        };
        let limit = Duration::from_millis(400);
        // Thirty at once take longer than the limit, and none of them does.
        let all = futures_util::future::join_all((0..30).map(|_| threads.run(limit, work))).await;
        assert!(all.iter().all(|one| *one == Ok(true)), "{all:?}");
    }

    #[tokio::test]
    async fn the_threads_that_hang_are_bounded_over_all() {
        let everywhere = Arc::new(AtomicUsize::new(HANGING));
        let threads = Threads::new(Arc::clone(&everywhere));
        assert_eq!(threads.run(LONG, || ()).await, Err(Unready::Hanging));
        everywhere.store(HANGING - 1, Ordering::Release);
        assert_eq!(threads.run(LONG, || ()).await, Ok(()));
    }

    #[tokio::test]
    async fn a_caller_that_hangs_up_leaves_the_count_right() {
        let threads = threads();
        let (end, ended) = mpsc::channel::<()>();
        let run = threads.run(LONG, move || ended.recv().is_err());
        assert!(timeout(Duration::from_millis(20), run).await.is_err());
        assert_eq!(*threads.abandoned.here.borrow(), 1);
        drop(end);
        none_hangs(&threads).await;
        assert_eq!(threads.run(LONG, || 7).await, Ok(7));
    }
}
