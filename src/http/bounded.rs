//! Rendering that ends: the operator's templates run beside the request, under a time limit.
//!
//! A template cannot be stopped from outside, so it runs on a thread of its own, which is left to itself when the
//! time is over. Each receiver has so many threads and no more, and those that hang are its own loss: further
//! payloads are written with the built-in template at once. Recipients and message have threads of their own, so
//! that a message that hangs still goes to the right people. Built-in templates end, and run in place.
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
    sync::{Semaphore, oneshot},
    time::{Instant, timeout_at},
};

use jiff::Timestamp;

use crate::intake::{
    Addressed, Intake, Order, Receiver, Rejected, Request, Taken, TemplateFailure, Unaddressed,
};

/// How long the templates of one message may take.
pub const RENDER_LIMIT: Duration = Duration::from_secs(2);

/// A payload of this size takes some milliseconds to read and to render.
const LARGE: usize = 256 << 10;

/// The threads of one receiver for one of the two steps: a few, since those that hang keep a processor busy.
const THREADS: usize = 2;

/// An [`Intake`] whose templates end.
#[derive(Debug)]
pub struct Bounded {
    intake: Arc<Intake>,
    limit: Duration,
    steps: HashMap<String, Arc<Steps>>,
}

#[derive(Debug, Default)]
struct Steps {
    address: Threads,
    write: Threads,
}

impl Bounded {
    /// `intake` under a time limit for each of its two steps.
    pub fn new(intake: Arc<Intake>, limit: Duration) -> Self {
        Self { intake: Arc::clone(&intake), limit, steps: HashMap::new() }.with(intake)
    }

    /// The same with another intake. Receivers keep their threads by name: those that hang are not forgotten.
    #[must_use]
    pub fn with(&self, intake: Arc<Intake>) -> Self {
        let steps = |receiver: &Receiver| {
            let name = receiver.name.0.clone();
            let steps = self.steps.get(&name).map(Arc::clone).unwrap_or_default();
            (name, steps)
        };
        let steps = intake.receivers().map(steps).collect();
        Self { intake, limit: self.limit, steps }
    }

    /// [`Intake::request`]
    ///
    /// # Errors
    /// [`Rejected`] says what is wrong and what would be right.
    pub async fn request(
        &self,
        receiver: Option<&str>,
        body: Vec<u8>,
        now: Timestamp,
    ) -> Result<Request, Rejected> {
        if body.len() < LARGE {
            return self.intake.request(receiver, &body, now);
        }
        let (intake, receiver) = (Arc::clone(&self.intake), receiver.map(str::to_owned));
        aside(move || intake.request(receiver.as_deref(), &body, now)).await
    }

    /// Addresses and writes.
    pub async fn fill(&self, order: Arc<Order>) -> Taken {
        let steps = match self.steps.get(&order.receiver().name.0) {
            Some(steps) if !order.receiver().builtin_only => steps,
            _ if order.body_bytes() < LARGE => return self.intake.fill(&order),
            _ => {
                let intake = Arc::clone(&self.intake);
                return aside(move || intake.fill(&order)).await;
            }
        };
        let addressed = match order.receiver().has_literal_address() {
            true => self.intake.address(&order),
            false => {
                let (intake, order) = (Arc::clone(&self.intake), Arc::clone(&order));
                let addressed = steps.address.run(self.limit, move || intake.address(&order)).await;
                addressed.unwrap_or(Addressed::Nobody(Unaddressed::Late))
            }
        };
        let (intake, to) = (Arc::clone(&self.intake), addressed.clone());
        let ordered = Arc::clone(&order);
        let taken = steps.write.run(self.limit, move || intake.write(&ordered, to)).await;
        taken.unwrap_or_else(|_late| {
            self.intake.write_builtin(&order, addressed, TemplateFailure::Late(self.limit))
        })
    }
}

/// Runs what may take long and ends.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => panic::resume_unwind(panic),
            // Only a runtime that has ended cancels it.
            Err(_cancelled) => future::pending().await,
        },
    }
}

/// The work did not end in time, or there was no thread for it.
#[derive(Debug)]
struct Late;

#[derive(Debug)]
struct Threads {
    free: Arc<Semaphore>,
    /// How many run although nobody waits for them any more.
    abandoned: Arc<AtomicUsize>,
}

impl Default for Threads {
    fn default() -> Self {
        Self { free: Arc::new(Semaphore::new(THREADS)), abandoned: Arc::default() }
    }
}

impl Threads {
    async fn run<T: Send + 'static>(
        &self,
        limit: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Late> {
        if self.abandoned.load(Ordering::Acquire) >= THREADS {
            return Err(Late);
        }
        let deadline = Instant::now() + limit;
        let permit = timeout_at(deadline, Arc::clone(&self.free).acquire_owned()).await;
        let Ok(Ok(permit)) = permit else { return Err(Late) };
        let (tell, told) = oneshot::channel();
        let abandoned = Arc::clone(&self.abandoned);
        let body = move || {
            let unheard = tell.send(work()).is_err();
            if unheard {
                abandoned.fetch_sub(1, Ordering::AcqRel);
            }
            drop(permit);
        };
        let spawned: io::Result<_> = thread::Builder::new().name("render".to_owned()).spawn(body);
        if let Err(error) = spawned {
            tracing::error!(%error, "no thread for templates; the built-in ones are used");
            return Err(Late);
        }
        let mut awaited = Awaited { told: Some(told), abandoned: Arc::clone(&self.abandoned) };
        awaited.until(deadline).await
    }
}

/// A thread's result. Whoever stops waiting for it, by the time limit or because the caller hung up, is noted.
struct Awaited<T> {
    told: Option<oneshot::Receiver<T>>,
    abandoned: Arc<AtomicUsize>,
}

impl<T> Awaited<T> {
    async fn until(&mut self, deadline: Instant) -> Result<T, Late> {
        let Some(told) = self.told.as_mut() else { return Err(Late) };
        let Ok(ended) = timeout_at(deadline, told).await else { return Err(Late) };
        self.told = None;
        ended.map_err(|_panicked| Late)
    }
}

impl<T> Drop for Awaited<T> {
    fn drop(&mut self) {
        let Some(told) = self.told.as_mut() else { return };
        // Counted first: the thread takes it back as soon as it finds nobody listening.
        self.abandoned.fetch_add(1, Ordering::AcqRel);
        told.close();
        if told.try_recv().is_ok() {
            self.abandoned.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn what_hangs_is_left_and_when_all_hang_nobody_waits() {
        let threads = Threads::default();
        let limit = Duration::from_millis(20);
        let mut ends = Vec::new();
        for _ in 0..THREADS {
            let (end, ended) = mpsc::channel::<()>();
            ends.push(end);
            assert!(threads.run(limit, move || ended.recv().is_err()).await.is_err());
        }
        let long = Duration::from_secs(600);
        assert!(threads.run(long, || ()).await.is_err(), "it waited for a thread that hangs");
        drop(ends);
        while threads.abandoned.load(Ordering::Acquire) > 0 {
            tokio::task::yield_now().await;
        }
        assert!(threads.run(long, || ()).await.is_ok());
    }

    #[tokio::test]
    async fn a_caller_that_hangs_up_leaves_the_count_right() {
        let threads = Threads::default();
        let (end, ended) = mpsc::channel::<()>();
        let run = threads.run(Duration::from_secs(600), move || ended.recv().is_err());
        assert!(tokio::time::timeout(Duration::from_millis(20), run).await.is_err());
        assert_eq!(threads.abandoned.load(Ordering::Acquire), 1);
        drop(end);
        while threads.abandoned.load(Ordering::Acquire) > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(threads.run(Duration::from_secs(600), || 7).await.ok(), Some(7));
    }
}
