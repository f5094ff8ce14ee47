//! The loop of one channel.
//!
//! Promises: at most [`Settings::concurrency`] sends at a time; nothing is sent that is not marked in flight on
//! disk; a result that cannot be written is kept and written as soon as it can be, and nothing is claimed before
//! that; on shutdown nothing new is claimed and what is in flight is settled.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use rand::rngs::StdRng;
use tokio::{
    sync::watch,
    task::{JoinError, JoinSet},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{
    STORE_PAUSE,
    report::{self, End, story},
    text::Text,
    unwritten::{Holding, Unwritten},
    waits::Waits,
};
use crate::{
    clock::Clock,
    delivery::{
        Uptime, fold,
        gate::{Admission, Gate},
        pace::{Limits, Pace, Windows},
        plan::{self, Action},
        step::{self, Health, Policy},
    },
    metrics::Metrics,
    outbox::{
        Attempt, COPY_MARGIN, Channel, Claimed, Destination, Kind, NotificationId, Outbox, Pick, Queue,
        ReceiverName, Settlement, StoreError,
    },
    pulse::Pulse,
    wecom::{Outcome, WeCom},
};

/// How a channel is served.
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

/// With what a channel is served. Replaced as a whole by a reload.
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
/// No retry is put off as long as this.
const HORIZON: Duration = Duration::from_secs(600);
/// What counts as the origin of [`Uptime`], so that what an earlier process sent lies after it.
const ORIGIN: Duration = Duration::from_secs(7 * 24 * 3600);

/// Why a channel's loop ended although nobody asked it to.
#[derive(Debug, thiserror::Error)]
pub enum Died {
    /// A send or a settling panicked: a defect.
    #[error("a task of the dispatcher panicked: {0}")]
    Panicked(#[from] JoinError),
    /// The outbox is gone.
    #[error(transparent)]
    Store(StoreError),
}

/// The dispatcher of one channel.
pub struct Dispatcher<O, W> {
    channel: Channel,
    outbox: O,
    clock: Arc<dyn Clock>,
    rng: StdRng,
    service: Arc<Service<W>>,
    services: watch::Receiver<Arc<Service<W>>>,
    metrics: Arc<Metrics>,
    pulse: Pulse,
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
    /// Whether the last look left nothing that could have gone out with more room.
    exhausted: bool,
    /// Whether the last look found results that the outbox did not take yet.
    stalled: bool,
}

/// A send that ended.
struct Ended<W> {
    service: Arc<Service<W>>,
    claimed: Claimed,
    outcome: Outcome,
    started_at: Timestamp,
    duration: Duration,
}

impl<O: Outbox, W: WeCom> Dispatcher<O, W> {
    /// A dispatcher that has not looked yet. It serves the channel with the latest of `services`.
    pub fn new(
        channel: Channel,
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
        let gate = Gate::new(channel.clone(), credentials, &settings.policy, None, now, Uptime(ORIGIN));
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
            exhausted: false,
            stalled: false,
            channel,
            outbox,
            clock,
            rng,
            service,
            services,
            metrics,
            pulse: Pulse::default(),
        }
    }

    /// Beats with each turn of the loop, which turns when [`Outbox::changed`] is notified.
    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// Serves the channel until `stop`, and then until nothing is in flight.
    ///
    /// # Errors
    /// [`Died`] when it cannot go on.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), Died> {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            restored = self.restore() => restored?,
        }
        let changed = self.outbox.changed();
        let notified = changed.notified();
        tokio::pin!(notified);
        let (mut look, mut wake) = (true, None);
        loop {
            self.pulse.beat();

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
            if stopping && self.sends.is_empty() && self.settles.is_empty() {
                return Ok(());
            }
            let alarm = wake.map(|at| self.started + at.since(Uptime(ORIGIN)));
            tokio::select! {
                biased;
                () = stop.cancelled(), if !stopping => {}
                Some(ended) = self.sends.join_next() => look |= self.ended(ended?),
                Some(settled) = self.settles.join_next() => {
                    settled?;
                    look |= self.stalled;
                }
                Ok(()) = self.services.changed() => {
                    self.adopt();
                    look = true;
                }
                () = &mut notified, if !stopping => look = true,
                () = sleep_until(alarm), if !stopping => look = true,
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

    fn uptime(&self) -> Uptime {
        Uptime(ORIGIN) + self.started.elapsed()
    }

    /// Goes on with what a reload brought. Something was mended, or may have been: a held channel is tried.
    fn adopt(&mut self) {
        let service = Arc::clone(&self.services.borrow_and_update());
        let uptime = self.uptime();
        self.pace.set_limits(service.settings.limits);
        self.gate.renew(service.settings.credentials.clone(), &service.settings.policy, uptime);
        self.service = service;
    }

    /// Learns what an earlier process left: the hold, and what was sent in the last hour.
    async fn restore(&mut self) -> Result<(), Died> {
        loop {
            let (now, uptime) = (self.clock.now(), self.uptime());
            let since = step::earlier(now, self.service.settings.windows.hour);
            let read = async {
                let holds = self.outbox.holds().await?;
                Ok((holds, self.outbox.sent_since(&self.channel, since).await?))
            };
            match read.await {
                Ok((holds, sent)) => {
                    let hold = holds.into_iter().find(|hold| hold.channel == self.channel);
                    let credentials = self.service.settings.credentials.clone();
                    report::restored(&self.metrics, &self.channel, hold.as_ref());
                    let policy = &self.service.settings.policy;
                    self.gate = Gate::new(self.channel.clone(), credentials, policy, hold, now, uptime);
                    for send in sent {
                        // A send that the wall clock puts into the future ended just now at the latest.
                        let age = Duration::try_from(now.duration_since(send.ended_at)).unwrap_or_default();
                        self.pace.charge(&send.recipients, age, uptime);
                    }
                    return Ok(());
                }
                Err(error) => self.store_failed(error).await?,
            }
        }
    }

    async fn store_failed(&self, error: StoreError) -> Result<(), Died> {
        if error == StoreError::Closed {
            return Err(Died::Store(error));
        }
        tracing::warn!(app = %self.channel, %error, "the outbox does not answer; trying again");
        tokio::time::sleep(STORE_PAUSE).await;
        self.pulse.beat();
        Ok(())
    }

    /// Claims and starts what may go out now; says when to look again.
    async fn fill(&mut self) -> Result<Option<Uptime>, Died> {
        loop {
            self.exhausted = false;
            self.stalled = self.unwritten.load(Ordering::Acquire) > 0;
            if self.stalled {
                // The end of the settling wakes the loop.
                return Ok(None);
            }
            let Some(wecom) = self.service.wecom.clone() else {
                // A reload wakes the loop.
                return Ok(None);
            };
            let in_flight = self.sends.len();
            let capacity = match self.gate.admission(in_flight, self.uptime()) {
                Admission::Open => self
                    .service
                    .settings
                    .concurrency
                    .saturating_sub(u32::try_from(in_flight).unwrap_or(u32::MAX)),
                Admission::Probe => 1,
                Admission::Probing => 0,
                Admission::Wait(at) => return Ok(Some(at)),
            };
            if capacity == 0 {
                return Ok(None);
            }
            match self.claim(capacity).await {
                Ok(Claims { claimed, wake, exhausted }) => {
                    let none = claimed.is_empty();
                    claimed.into_iter().for_each(|claimed| self.start(claimed, Arc::clone(&wecom)));
                    self.exhausted = exhausted;
                    if none || exhausted {
                        return Ok(wake);
                    }
                }
                Err(StoreError::Closed) => return Err(Died::Store(StoreError::Closed)),
                Err(error) => {
                    tracing::warn!(app = %self.channel, %error, "the outbox does not answer; trying again");
                    return Ok(Some(self.uptime() + STORE_PAUSE));
                }
            }
        }
    }

    async fn claim(&mut self, capacity: u32) -> Result<Claims, StoreError> {
        let now = self.clock.now();
        // More than a minute's limit need not be told apart.
        let limit = self.service.settings.limits.per_minute;
        let count_to = match self.pace.is_limited() {
            true if limit > 0 => limit.max(capacity).saturating_add(1).min(fold::MAX_MEMBERS),
            true => fold::MAX_MEMBERS,
            false => capacity,
        };
        let fold_to = if self.pace.is_limited() { count_to } else { 0 };
        let waiting = self.outbox.waiting(&self.channel, count_to, fold_to, now).await?;
        self.turn = self.turn.wrapping_add(1);
        let uptime = self.uptime();
        self.pace.lapse(uptime);
        let plan = plan::plan(&waiting.queues, &self.pace, capacity, self.turn, uptime);
        self.waits.note(&plan.waits, &waiting.queues, uptime);
        let mut picks = Vec::with_capacity(plan.actions.len());
        let mut digests = Vec::new();
        let mut planned = 0;
        for action in plan.actions {
            match action {
                Action::Send { destination, receiver, slots } => {
                    planned += slots;
                    picks.push(Pick::Heads { destination, receiver, slots });
                }
                Action::Fold { destination } => {
                    if let Some((pick, members)) = self.fold(destination, &waiting.queues).await? {
                        picks.push(pick);
                        digests.push((destination, members));
                    }
                }
            }
        }
        let horizon = step::later(now, HORIZON);
        if waiting.next_due.is_some_and(|due| due > horizon) {
            tracing::warn!(app = %self.channel, "the clock was set back; what waits is tried now");
            self.outbox.hasten(&self.channel, horizon, now).await?;
        }
        let due = waiting.next_due.map(|due| {
            let wait = Duration::try_from(due.duration_since(now)).unwrap_or_default();
            // A due time is stored in whole milliseconds.
            uptime + wait + Duration::from_millis(1)
        });
        let wake = [plan.wake, due].into_iter().flatten().min();
        if picks.is_empty() {
            let exhausted = waiting.queues.is_empty() && !self.pace.is_limited();
            return Ok(Claims { claimed: Vec::new(), wake, exhausted });
        }
        let claimed =
            self.outbox.claim(&self.channel, picks, self.service.settings.duplicate_check, now).await?;
        for (destination, members) in digests {
            // Not an older one that is sent again.
            let is_it = |one: &&Claimed| {
                one.kind == Kind::Digest
                    && one.attempts == 0
                    && one.claimed_at == now
                    && self.destination(one) == destination
            };
            if let Some(digest) = claimed.iter().find(is_it) {
                report::folded(&self.metrics, &self.channel, digest, &members);
            }
        }
        // What was planned was not there: look again, though nothing may happen that says so.
        let again = claimed.is_empty().then(|| uptime + STORE_PAUSE);
        // Without limits a look with room to spare claims all that is due; what comes after it is notified.
        let whole = waiting.queues.iter().all(|queue| queue.slots == 1);
        let came = u32::try_from(claimed.len()).is_ok_and(|came| came == planned);
        let exhausted = !self.pace.is_limited() && planned < capacity && whole && came;
        Ok(Claims { claimed, wake: [wake, again].into_iter().flatten().min(), exhausted })
    }

    /// A digest of what waits for `destination`.
    async fn fold(&self, destination: Destination, queues: &[Queue]) -> Result<Option<Digest>, StoreError> {
        let folding = self.outbox.foldable(&self.channel, destination, fold::MAX_MEMBERS).await?;
        let (Some(folding), Some(queue)) =
            (folding, queues.iter().find(|queue| queue.destination == destination))
        else {
            return Ok(None);
        };
        let Some(digest) = fold::digest(&folding.messages) else { return Ok(None) };
        let members = digest.members;
        let told = folding.messages.into_iter().take(members.len());
        let told = told.map(|message| (message.notification, message.receiver)).collect();
        let message = Text {
            kind: Kind::Digest,
            receiver: queue.receiver.clone(),
            status: digest.status,
            summary: digest.summary,
            text: digest.text,
        };
        let digest = Box::new(message.to(self.channel.clone(), folding.recipients));
        Ok(Some((Pick::Digest { members, digest }, told)))
    }

    fn destination(&self, claimed: &Claimed) -> Destination {
        Destination::of(&self.channel, &claimed.everybody)
    }

    fn start(&mut self, claimed: Claimed, wecom: Arc<W>) {
        let uptime = self.uptime();
        let recipients = &claimed.message.recipients;
        let repeats = claimed.in_doubt_since.is_some_and(|since| {
            let age = Duration::try_from(claimed.claimed_at.duration_since(since)).unwrap_or_default();
            claimed.message.duplicate_check.is_some_and(|interval| age < interval)
        });
        self.pace.start(claimed.id, recipients, uptime);
        let waited = self.waits.end(self.destination(&claimed), uptime);
        self.metrics.paced(&self.channel.0, waited);
        let parts = claimed.part.of.saturating_sub(claimed.part.number);
        // This part may be to come for other batches of the recipients.
        let parts_left = claimed.to_come.min(u32::from(parts) + 1);
        self.pace.reserve(claimed.notification, claimed.id, &claimed.everybody, parts_left, uptime);
        if let Some(since) = claimed.in_doubt_since
            && !repeats
        {
            story!(
                warn, self.channel, claimed, %since,
                "sent again although an earlier attempt may have delivered it, later than WeCom's duplicate check \
                 reaches; a copy is possible"
            );
        }
        story!(debug, self.channel, claimed, attempts = claimed.attempts, "sending");
        let span = tracing::debug_span!(
            "send", app = %self.channel, receiver = %claimed.receiver, group = claimed.group_key,
            notification = %claimed.notification, delivery = %claimed.id,
        );
        let (service, clock) = (Arc::clone(&self.service), Arc::clone(&self.clock));
        let send = async move {
            let (started_at, started) = (clock.now(), Instant::now());
            let outcome = wecom.send(&claimed.message).await;
            Ended { service, claimed, outcome, started_at, duration: started.elapsed() }
        };
        self.sends.spawn(send.instrument(span));
    }

    /// Writes down how a send ended. Whether another may go out for it.
    fn ended(&mut self, ended: Ended<W>) -> bool {
        let Ended { service, claimed, outcome, started_at, duration } = ended;
        let (now, uptime) = (self.clock.now(), self.uptime());
        let step = step::step(&claimed, &outcome, &self.service.settings.policy, now, &mut self.rng);
        // Reckoned from the start, and so that the copy arrives before.
        let interval = claimed.message.duplicate_check.filter(|_| matches!(outcome, Outcome::Doubtful(_)));
        let suppressed_until =
            interval.map(|interval| uptime.before(duration) + interval.saturating_sub(COPY_MARGIN));
        let recipients = &claimed.message.recipients;
        self.pace.end(claimed.id, recipients, step.counted, suppressed_until, uptime);
        // What older credentials met says nothing of those that a reload brought meanwhile.
        let is_news = service.settings.credentials == self.service.settings.credentials
            || !matches!(step.health, Health::Blocked(_));
        let change = is_news.then(|| self.gate.note(&step.health, now, uptime, &mut self.rng)).flatten();
        if let Some(change) = change {
            report::gate(&self.metrics, &change, &step.health);
            let result = self.holding.change(change);
            self.write(result);
        }
        let (channel, cause) = (&self.channel, step.cause);
        let end = End { channel, claimed: &claimed, outcome: &outcome, verdict: &step.verdict, cause };
        report::attempt(&self.metrics, &end, duration, now);
        let (errcode, detail) = (report::errcode(&outcome), step::describe(&outcome));
        let attempt = Attempt { started_at, duration, errcode, detail, counted: step.counted };
        let settlement = Settlement { delivery: claimed.id, attempt, verdict: step.verdict };
        self.write(Unwritten::Settlement(settlement, now));
        !self.exhausted || self.gate.admission(self.sends.len(), uptime) != Admission::Open
    }

    /// Writes `result` down, however long the outbox does not take it.
    fn write(&mut self, result: Unwritten) {
        let (unwritten, channel) = (Arc::clone(&self.unwritten), self.channel.clone());
        let outbox = self.outbox.clone();
        self.settles.spawn(async move {
            let Err(error) = result.write(&outbox).await else { return };
            unwritten.fetch_add(1, Ordering::AcqRel);
            let delivery = result.delivery().map(tracing::field::display);
            tracing::error!(
                app = %channel, delivery, %error,
                "a result cannot be written to the outbox; it is kept in memory and nothing more is sent until it is"
            );
            loop {
                tokio::time::sleep(STORE_PAUSE).await;
                match result.write(&outbox).await {
                    Ok(()) => break,
                    Err(StoreError::Closed) => return,
                    Err(_) => {}
                }
            }
            unwritten.fetch_sub(1, Ordering::AcqRel);
            tracing::info!(app = %channel, "the outbox takes results again");
        });
    }
}

/// A digest to be made, and whose notifications it tells.
type Digest = (Pick, Vec<(NotificationId, ReceiverName)>);

struct Claims {
    claimed: Vec<Claimed>,
    wake: Option<Uptime>,
    exhausted: bool,
}

async fn sleep_until(alarm: Option<Instant>) {
    match alarm {
        Some(alarm) => tokio::time::sleep_until(alarm).await,
        None => std::future::pending().await,
    }
}
