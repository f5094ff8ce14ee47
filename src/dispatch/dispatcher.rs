//! The loop of one sender.
//!
//! Promises: at most [`Settings::concurrency`] sends at a time; nothing is sent that is not marked in flight on
//! disk; a result that cannot be written is kept and written as soon as it can be, and before that no slot is lent and
//! nothing asked for; nor is it on shutdown, and what is in flight is settled. Other limits hold as soon as what is in
//! flight is settled; before that nothing is lent or asked for either.

mod look;
mod send;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rand::rngs::StdRng;
use tokio::{
    sync::watch,
    task::{JoinError, JoinSet},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use self::send::Ended;
use super::{STORE_PAUSE, report, unwritten::Holding, waits::Waits};
use crate::{
    clock::Clock,
    delivery::{
        Monotonic,
        gate::{Admission, Gate},
        pace::{Limits, Pace, Windows},
        step::{self, Policy},
    },
    heartbeat::Heartbeat,
    metrics::Metrics,
    outbox::{Outbox, SenderName, Standing, StoreError},
    wecom::WeCom,
};

/// How a sender is served.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Sends at the same time.
    pub concurrency: u32,
    /// Messages to one recipient.
    pub limits: Limits,
    /// What the limits are counted in.
    pub windows: Windows,
    /// `duplicate_check_interval` of what is sent.
    pub duplicate_check: Duration,
    /// How failures are answered.
    pub policy: Policy,
    /// The app's credentials as a fingerprint.
    pub credentials: String,
}

/// With what a sender is served. Replaced as a whole by a reload.
#[derive(Debug)]
pub struct Service<W> {
    /// The app; `None` when it is no longer in the configuration, and its messages wait.
    pub wecom: Option<Arc<W>>,
    /// How.
    pub settings: Settings,
}

/// Sends at the same time, as WeCom takes them without a 45033.
pub const CONCURRENCY: u32 = 32;
/// How long WeCom is asked to suppress a copy; longer than any time-out and pause between two tries.
pub const DUPLICATE_CHECK: Duration = Duration::from_secs(120);
/// No retry is put off as long as this: what is, was so by a clock that has been set back.
const HORIZON: Duration = Duration::from_secs(60);
/// What counts as the origin of [`Monotonic`], so that what an earlier process sent lies after it.
const ORIGIN: Duration = Duration::from_secs(7 * 24 * 3600);

/// Why a sender's loop ended although nobody asked it to.
#[derive(Debug, thiserror::Error)]
pub enum Died {
    /// A send or a settling panicked: a defect.
    #[error("a task of the dispatcher panicked: {0}")]
    Panicked(#[from] JoinError),
    /// The outbox is gone.
    #[error(transparent)]
    Store(StoreError),
}

/// The dispatcher of one sender.
pub struct Dispatcher<O, W> {
    sender: SenderName,
    outbox: O,
    clock: Arc<dyn Clock>,
    rng: StdRng,
    service: Arc<Service<W>>,
    services: watch::Receiver<Arc<Service<W>>>,
    /// The latest app that there was: what is claimed is sent, though a reload has just removed it.
    wecom: Option<Arc<W>>,
    metrics: Arc<Metrics>,
    heartbeat: Heartbeat,
    pace: Pace,
    gate: Gate,
    started: Instant,
    turn: usize,
    sends: JoinSet<Ended<W>>,
    settles: JoinSet<()>,
    /// Results that the outbox did not take yet.
    unwritten: Arc<AtomicUsize>,
    holding: Holding,
    waits: Waits,
    /// Takes what is due while no limit applies.
    standing: Standing,
    /// Whether the last claim failed. The next one is asked for, so that somebody is told why.
    failed: bool,
    /// Since it is cancelled no slot is lent.
    stop: CancellationToken,
    /// Whether the last look found results that the outbox did not take yet.
    stalled: bool,
}

impl<O: Outbox, W: WeCom> Dispatcher<O, W> {
    /// A dispatcher that has not looked yet. It serves the sender with the latest of `services`.
    pub fn new(
        sender: SenderName,
        outbox: O,
        mut services: watch::Receiver<Arc<Service<W>>>,
        clock: Arc<dyn Clock>,
        rng: StdRng,
        metrics: Arc<Metrics>,
    ) -> Self {
        let now = clock.now();
        let service = Arc::clone(&services.borrow_and_update());
        let settings = &service.settings;
        let credentials = settings.credentials.clone();
        let gate = Gate::new(sender.clone(), credentials, &settings.policy, None, now, Monotonic(ORIGIN));
        Self {
            pace: Pace::new(settings.limits, settings.windows),
            gate,
            started: Instant::now(),
            turn: 0,
            sends: JoinSet::new(),
            settles: JoinSet::new(),
            unwritten: Arc::default(),
            holding: Holding::default(),
            waits: Waits::default(),
            wecom: service.wecom.clone(),
            standing: outbox.stand(&sender, settings.duplicate_check, Arc::clone(&clock)),
            failed: false,
            stop: CancellationToken::new(),
            stalled: false,
            sender,
            outbox,
            clock,
            rng,
            service,
            services,
            metrics,
            heartbeat: Heartbeat::default(),
        }
    }

    /// Ticks with each iteration of the loop.
    pub fn heartbeat(&self) -> Heartbeat {
        self.heartbeat.clone()
    }

    /// Serves the sender until `stop`, and then until nothing is in flight.
    ///
    /// # Errors
    /// [`Died`] when it cannot go on.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), Died> {
        self.stop = stop.clone();
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            restored = self.restore() => restored?,
        }
        let changed = self.outbox.changed();
        let notified = changed.notified();
        tokio::pin!(notified);
        let (mut look, mut wake) = (true, None);
        loop {
            self.heartbeat.tick();

            let stopping = stop.is_cancelled();
            if stopping {
                wake = None;
            } else if look {
                // Armed before the look and until the next one, so that what comes in between is not missed.
                notified.set(changed.notified());
                notified.as_mut().enable();
                wake = self.fill().await?;
                look = false;
            }
            self.lend();
            if !stopping && self.has_other_limits() && self.in_flight() == 0 && self.settles.is_empty() {
                tokio::select! {
                    () = stop.cancelled() => {}
                    counted = self.count_sent() => counted?,
                }
                look = true;
                continue;
            }
            if !stopping && self.settles.is_empty() && self.standing.is_wanted() {
                // Nothing is on its way to the outbox that it could be claimed with.
                look = true;
                continue;
            }
            if stopping && self.in_flight() == 0 && self.settles.is_empty() {
                return Ok(());
            }
            let alarm = wake.map(|at| self.started + at.since(Monotonic(ORIGIN)));
            tokio::select! {
                biased;
                () = stop.cancelled(), if !stopping => {}
                Some(ended) = self.sends.join_next() => look |= self.ended(ended?),
                used = self.standing.used(), if self.standing.lent() > 0 => match used {
                    Some(used) => look |= self.used(used, &mut wake).await,
                    // The next look is told why.
                    None => look = true,
                },
                Some(settled) = self.settles.join_next() => {
                    settled?;
                    look |= self.stalled;
                }
                Ok(()) = self.services.changed() => {
                    self.adopt();
                    look = true;
                }
                () = &mut notified, if !stopping => {
                    notified.set(changed.notified());
                    notified.as_mut().enable();
                    // After a failure the alarm decides: a store that is opened anew each time notifies each time.
                    look |= !self.lends() && !self.failed;
                }
                () = sleep_until(alarm), if !stopping => look = true,
                () = self.heartbeat.requested() => {}
            }
            while let Some(ended) = self.sends.try_join_next() {
                look |= self.ended(ended?);
            }
            while let Some(settled) = self.settles.try_join_next() {
                settled?;
                look |= self.stalled;
            }
        }
    }

    fn uptime(&self) -> Monotonic {
        Monotonic(ORIGIN) + self.started.elapsed()
    }

    /// What is being sent, or may be claimed already.
    fn in_flight(&self) -> usize {
        self.sends.len() + self.standing.lent() as usize
    }

    /// Whether all that is due may go out as soon as there is a slot. With limits it is for the plan to say what goes out.
    fn lends(&self) -> bool {
        !self.stop.is_cancelled()
            && !self.failed
            && self.standing.is_served()
            && self.service.wecom.is_some()
            && !self.has_other_limits()
            && !self.pace.is_limited()
            && self.unwritten.load(Ordering::Acquire) == 0
            && self.gate.admission(self.in_flight(), self.uptime()) == Admission::Open
    }

    /// Lends the slots that are free, or takes back what is lent.
    fn lend(&mut self) {
        if self.lends() { self.standing.lend(self.free()) } else { self.standing.withdraw() }
    }

    fn free(&self) -> u32 {
        let in_flight = u32::try_from(self.in_flight()).unwrap_or(u32::MAX);
        self.service.settings.concurrency.saturating_sub(in_flight)
    }

    /// Goes on with what a reload brought. Something was mended, or may have been: a held sender is tried.
    fn adopt(&mut self) {
        let service = Arc::clone(&self.services.borrow_and_update());
        let uptime = self.uptime();
        self.gate.renew(service.settings.credentials.clone(), &service.settings.policy, uptime);
        self.wecom = service.wecom.clone().or(self.wecom.take());
        self.service = service;
    }

    /// Whether a reload brought other limits than what was sent is counted for.
    fn has_other_limits(&self) -> bool {
        self.pace.limits() != self.service.settings.limits
    }

    /// Learns what an earlier process left: the hold, and what was sent.
    async fn restore(&mut self) -> Result<(), Died> {
        let holds = loop {
            match self.outbox.holds().await {
                Ok(holds) => break holds,
                Err(error) => self.store_failed(error).await?,
            }
        };
        let (now, uptime) = (self.clock.now(), self.uptime());
        let hold = holds.into_iter().find(|hold| hold.sender == self.sender);
        report::restored(&self.metrics, &self.sender, hold.as_ref());
        let Settings { credentials, policy, .. } = &self.service.settings;
        self.gate = Gate::new(self.sender.clone(), credentials.clone(), policy, hold, now, uptime);
        self.count_sent().await
    }

    /// Counts what was sent for the limits of now. Comes when nothing is in flight and all that ended is written down,
    /// so that nothing is missed. As after a start, a message in doubt and its
    /// copy count as two, and no slots are kept for parts to come.
    async fn count_sent(&mut self) -> Result<(), Died> {
        let Settings { limits, windows, .. } = self.service.settings;
        let mut pace = Pace::new(limits, windows);
        while let Some(reach) = pace.reach() {
            let (now, uptime) = (self.clock.now(), self.uptime());
            match self.outbox.sent_since(&self.sender, step::earlier(now, reach)).await {
                Ok(sent) => {
                    for send in sent {
                        // A send that the wall clock puts into the future ended just now at the latest.
                        let age = Duration::try_from(now.duration_since(send.ended_at)).unwrap_or_default();
                        pace.charge(&send.recipients, age, uptime);
                    }
                    break;
                }
                Err(error) => self.store_failed(error).await?,
            }
        }
        self.pace = pace;
        Ok(())
    }

    async fn store_failed(&self, error: StoreError) -> Result<(), Died> {
        if error == StoreError::Closed {
            return Err(Died::Store(error));
        }
        tracing::warn!(app = %self.sender, %error, "the outbox does not answer; trying again");
        tokio::time::sleep(STORE_PAUSE).await;
        self.heartbeat.tick();
        Ok(())
    }
}

async fn sleep_until(alarm: Option<Instant>) {
    match alarm {
        Some(alarm) => tokio::time::sleep_until(alarm).await,
        None => std::future::pending().await,
    }
}
