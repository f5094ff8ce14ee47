//! The dispatcher of one sender.
//!
//! It guarantees:
//!
//! - At most [`Settings::concurrency`] messages are in flight.
//! - A message is sent only after its claim is committed.
//! - While a result cannot be stored, nothing is claimed. The result is kept and stored as soon as possible.
//! - New limits take effect after the messages in flight have ended, because these must be counted.
//! - A shutdown claims nothing more, and waits for messages in flight and their results.
//! - No message outlives the lease. When the lease is taken away, the dispatcher waits until it has the lease again, as a
//!   process that starts.
//!
//! [`DispatchState::next`] decides, and the loop in [`Dispatcher::run`] only executes.

use std::{
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rand::{SeedableRng, rngs::StdRng};
use tokio::{
    sync::watch,
    task::{JoinError, JoinSet},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    ended::Ended,
    pending_write::{HoldChanges, PendingWrite},
    report,
    service::{STORE_PAUSE, Service, Settings},
    slot_waits::SlotWaits,
};
use crate::{
    clock::Clock,
    delivery::{
        Monotonic,
        circuit_breaker::CircuitBreaker,
        decide::earlier,
        dispatch_state::{Action, DispatchState},
        duplicate_check::DuplicateCheck,
        rate_limiter::RateLimiter,
        schedule::{Schedule, time_until},
    },
    heartbeat::Heartbeat,
    metrics::{DAMAGED, Metrics},
    outbox::{Lease, Outbox, SenderName, Sent, StoreError, TermState},
    wecom::WeCom,
};

/// The origin of [`Monotonic`]. Messages of earlier leases lie after it.
const ORIGIN: Monotonic = Monotonic(Duration::from_secs(7 * 24 * 3600));

/// The reason why a dispatcher ended before it was stopped.
#[derive(Debug, thiserror::Error)]
pub enum Died {
    /// A task panicked. This is a bug.
    #[error("a task of the dispatcher panicked: {0}")]
    Panicked(#[from] JoinError),
    /// The outbox is closed.
    #[error(transparent)]
    Store(StoreError),
}

/// The parts of a dispatcher that the caller provides.
pub struct Context<O, W> {
    pub sender: SenderName,
    pub outbox: O,
    /// The app and its settings; the latest value counts.
    pub services: watch::Receiver<Arc<Service<W>>>,
    /// The clock of relay time.
    pub clock: Arc<dyn Clock>,
    pub rng: StdRng,
    pub metrics: Arc<Metrics>,
    /// Ticks with each turn of the loop.
    pub heartbeat: Heartbeat,
}

/// The dispatcher of one sender.
pub(super) struct Dispatcher<L, W> {
    pub(super) sender: SenderName,
    pub(super) lease: L,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) rng: StdRng,
    pub(super) service: Arc<Service<W>>,
    services: watch::Receiver<Arc<Service<W>>>,
    pub(super) metrics: Arc<Metrics>,
    heartbeat: Heartbeat,
    started: Instant,
    pub(super) state: DispatchState,
    /// A look plans with it on a thread of the outbox.
    pub(super) limiter: Arc<Mutex<RateLimiter>>,
    pub(super) duplicate_check: DuplicateCheck,
    pub(super) hold_changes: HoldChanges,
    pub(super) slot_waits: SlotWaits,
    pub(super) sends: JoinSet<Ended<W>>,
    /// Cancelled when nothing more may be begun.
    pub(super) draining: CancellationToken,
    writes: JoinSet<()>,
    unstored: Arc<AtomicUsize>,
}

/// Dispatches the sender until `stop`, and then until nothing is in flight.
///
/// # Errors
/// [`Died`] if it cannot go on.
pub async fn run<O: Outbox, W: WeCom>(context: Context<O, W>, stop: CancellationToken) -> Result<(), Died> {
    let mut context = context;
    while let Some(lease) = stop.run_until_cancelled(acquire(&context)).await {
        let (lease, rng) = (lease?, StdRng::from_rng(&mut context.rng));
        Dispatcher::new(&context, lease, rng).run(&stop).await?;
    }
    Ok(())
}

/// Acquires the lease, and tries again until that succeeds.
async fn acquire<O: Outbox, W>(context: &Context<O, W>) -> Result<O::Lease, Died> {
    loop {
        context.heartbeat.tick();
        // Nothing may be recovered, claimed or counted with a time that may be wrong.
        if context.clock.is_known() {
            let acquired = context.outbox.acquire(&context.sender, context.clock.now());
            match alive(&context.heartbeat, acquired).await {
                Ok(lease) => return Ok(lease),
                Err(StoreError::Closed) => return Err(Died::Store(StoreError::Closed)),
                Err(error) => tracing::warn!(
                    app = %context.sender,
                    %error,
                    "the lease cannot be acquired, because the outbox does not answer; trying again"
                ),
            }
        }
        tokio::time::sleep(STORE_PAUSE).await;
    }
}

/// Ticks while `future` waits.
async fn alive<T>(heartbeat: &Heartbeat, future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        heartbeat.tick();
        tokio::select! {
            result = &mut future => return result,
            () = heartbeat.requested() => {}
        }
    }
}

impl<L: Lease, W: WeCom> Dispatcher<L, W> {
    fn new<O>(context: &Context<O, W>, lease: L, rng: StdRng) -> Self {
        let (sender, clock) = (context.sender.clone(), Arc::clone(&context.clock));
        let (metrics, heartbeat) = (Arc::clone(&context.metrics), context.heartbeat.clone());
        let mut services = context.services.clone();
        let service = Arc::clone(&services.borrow_and_update());
        let Settings { concurrency, limits, windows, duplicate_check, policy, credentials } =
            &service.settings;
        let hold = lease.inherited_hold().cloned();
        report::inherited(&metrics, &sender, lease.recovered(), hold.as_ref());
        let state = DispatchState {
            breaker: CircuitBreaker::new(
                sender.clone(),
                credentials.clone(),
                policy,
                hold,
                clock.now(),
                ORIGIN,
            ),
            schedule: Schedule::default(),
            concurrency: *concurrency,
            in_flight: 0,
            settling: 0,
            unstored: 0,
            store_retry_at: None,
            has_stale_schedule: true,
            // Messages of an earlier lease count.
            has_new_limits: true,
            is_draining: false,
            is_paused: false,
        };
        Self {
            limiter: Arc::new(Mutex::new(RateLimiter::new(*limits, *windows))),
            duplicate_check: DuplicateCheck::new(*duplicate_check),
            state,
            sender,
            lease,
            clock,
            rng,
            service,
            services,
            metrics,
            heartbeat,
            started: Instant::now(),
            hold_changes: HoldChanges::default(),
            slot_waits: SlotWaits::default(),
            sends: JoinSet::new(),
            draining: CancellationToken::new(),
            writes: JoinSet::new(),
            unstored: Arc::default(),
        }
    }

    /// Returns when nothing is in flight after `stop`, or when another process has or should have the lease.
    async fn run(mut self, stop: &CancellationToken) -> Result<(), Died> {
        let mut seen = TermState::Valid;
        loop {
            self.heartbeat.tick();
            let term = self.lease.term().state();
            if term != std::mem::replace(&mut seen, term) {
                report::term_change(&self.sender, term);
            }
            self.state.is_draining =
                stop.is_cancelled() || matches!(term, TermState::Offered | TermState::Lost);
            if self.state.is_draining {
                self.draining.cancel();
            }
            self.state.is_paused = term == TermState::Ended;
            self.collect()?;
            match self.state.next(self.now()) {
                Action::Finish => break,
                Action::Recount => self.recount().await?,
                Action::Reschedule => self.reschedule().await?,
                Action::Claim { slots } => self.claim_and_send(slots).await?,
                Action::Wait { until } => self.wait(until, stop, term).await?,
            }
        }
        self.lease.release().await;
        Ok(())
    }

    pub(super) fn now(&self) -> Monotonic {
        ORIGIN + self.started.elapsed()
    }

    pub(super) fn limiter(&self) -> MutexGuard<'_, RateLimiter> {
        self.limiter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Handles all pending events, without waiting.
    fn collect(&mut self) -> Result<(), Died> {
        while let Some(ended) = self.sends.try_join_next() {
            self.settle(ended?);
        }
        while let Some(written) = self.writes.try_join_next() {
            written?;
        }
        let now = self.now();
        let changed = self.lease.changes().take();
        self.state.has_stale_schedule |= changed.everything;
        for destination in changed.destinations {
            self.state.schedule.touch(destination, now);
        }
        for receiver in changed.damaged {
            self.metrics.dead_letters(&receiver.0, DAMAGED, 1);
        }
        self.state.in_flight = self.sends.len();
        self.state.settling = self.writes.len();
        self.state.unstored = self.unstored.load(Ordering::Acquire);
        Ok(())
    }

    /// Waits for the next event. [`Self::collect`] handles it.
    async fn wait(
        &mut self,
        until: Option<Monotonic>,
        stop: &CancellationToken,
        term: TermState,
    ) -> Result<(), Died> {
        let is_draining = self.state.is_draining;
        let until = until.map(|until| self.started + until.since(ORIGIN));
        tokio::select! {
            biased;
            () = stop.cancelled(), if !stop.is_cancelled() => {}
            () = self.lease.term().changed_from(term) => {}
            Some(ended) = self.sends.join_next() => self.settle(ended?),
            Some(written) = self.writes.join_next() => written?,
            () = self.lease.changes().notified(), if !is_draining => {}
            Ok(()) = self.services.changed() => self.reload(),
            () = self.heartbeat.requested() => {}
            () = sleep_until(until), if !is_draining => {}
        }
        Ok(())
    }

    /// Uses the new settings after a reload. A held sender is probed, because the reload may have fixed the problem.
    fn reload(&mut self) {
        let service = Arc::clone(&self.services.borrow_and_update());
        let now = self.now();
        let settings = &service.settings;
        self.state.breaker.reload(settings.credentials.clone(), &settings.policy, now);
        self.hold_back_destinations();
        self.state.concurrency = settings.concurrency;
        let has_new_limits = self.limiter().limits() != settings.limits;
        self.state.has_new_limits |= has_new_limits;
        self.service = service;
    }

    /// Counts past messages for the present limits. Nothing is in flight, and all results are stored. As after a restart, a
    /// message with an unknown outcome and its resend count as two, and no slots are reserved for later parts.
    async fn recount(&mut self) -> Result<(), Died> {
        let Settings { limits, windows, duplicate_check, .. } = self.service.settings;
        let mut limiter = RateLimiter::new(limits, windows);
        let mut checks = DuplicateCheck::new(duplicate_check);
        let reach = limiter.reach().unwrap_or_default().max(checks.reach());
        let clock = self.clock.now();
        let sent = match self.lease.sent_since(earlier(clock, reach)).await {
            Ok(sent) => sent,
            Err(error) => return self.store_failed(&error),
        };
        let now = self.now();
        for Sent { delivery, recipients, body, ended_at } in sent {
            let age = Duration::try_from(clock.duration_since(ended_at)).unwrap_or_default();
            limiter.charge(&recipients, age, now);
            checks.record_past(delivery, body, now.before(age), now);
        }
        (*self.limiter(), self.duplicate_check) = (limiter, checks);
        self.state.has_new_limits = false;
        // Destinations that waited under the former limits may send now.
        self.state.has_stale_schedule = true;
        Ok(())
    }

    /// Builds the schedule from the outbox.
    async fn reschedule(&mut self) -> Result<(), Died> {
        let mut scheduled = match self.lease.scheduled().await {
            Ok(scheduled) => scheduled,
            Err(error) => return self.store_failed(&error),
        };
        let (now, clock) = (self.now(), self.clock.now());
        // Destinations that are due take turns in this order.
        scheduled.sort_by_key(|scheduled| scheduled.due_at);
        for scheduled in scheduled {
            self.state.schedule.set(scheduled.destination, now + time_until(scheduled.due_at, clock));
        }
        self.state.has_stale_schedule = false;
        Ok(())
    }

    /// Postpones the next call to the outbox.
    pub(super) fn store_failed(&mut self, error: &StoreError) -> Result<(), Died> {
        if *error == StoreError::Closed {
            return Err(Died::Store(error.clone()));
        }
        if *error == StoreError::LeaseLost {
            // The term of the lease tells what follows.
            tracing::debug!(app = %self.sender, "nothing is claimed, because the lease has ended");
        } else {
            tracing::warn!(app = %self.sender, %error, "the outbox does not answer; trying again");
        }
        self.state.store_retry_at = Some(self.now() + STORE_PAUSE);
        Ok(())
    }

    /// Stores `write` in the background, and tries again until that succeeds.
    pub(super) fn store(&mut self, write: PendingWrite) {
        let (app, unstored) = (self.sender.0.clone(), Arc::clone(&self.unstored));
        self.writes.spawn(write.write_until_stored(self.lease.clone(), app, unstored));
    }
}

async fn sleep_until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}
