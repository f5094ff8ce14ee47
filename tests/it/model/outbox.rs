//! The SQLite outbox with faults before and after every call: no answer, a delay, or the death of the process.
//!
//! A call to its threads blocks the runtime. So a paused clock does not move meanwhile, and a round is a function of
//! its seed.

use std::{
    future::Future,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Wake, Waker},
    thread::Thread,
    time::Duration,
};

use jiff::Timestamp;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::sync::Notify;
use wecom_relay::clock::{Reading, ReadingRecord};
use wecom_relay::outbox::{
    AcceptedPress, CardStore, ClaimId, ConfiguredSender, MovedSender, NewPress, Press, PressId, PressRecord,
    PressVerdict, WatchVerdict, WatchedCard,
};
use wecom_relay::outbox::{
    Backlog, Changed, Changes, Claims, DeliveryId, Depth, Destination, Detail, Enqueued, Filter, Hold, Lease,
    LeaseTerm, NewNotification, NoticeSubject, NotificationId, Outbox, OutboxQuery, OutboxSize, Page,
    PageRequest, Planner, ReceiverName, Requeue, Scheduled, SenderName, Sent, Settlement, StoreError,
    StoreResult, Unnoticed,
    sqlite::{SqliteLease, SqliteOutbox},
};
use wecom_relay::secret::Secret;

/// The number of faults in a thousand calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Rates {
    pub(super) unavailable: u32,
    pub(super) slow: u32,
}

/// The faults of all processes of a round.
#[derive(Debug)]
pub(super) struct Faults {
    state: Mutex<State>,
    crashed: Notify,
}

#[derive(Debug)]
struct State {
    rng: StdRng,
    rates: Rates,
    /// The number of fault points until the process dies. Each call has one before it and one after it.
    crash_in: Option<u32>,
    is_dead: bool,
}

impl Faults {
    pub(super) fn new(seed: u64) -> Arc<Self> {
        let rng = StdRng::seed_from_u64(seed);
        let state = State { rng, rates: Rates::default(), crash_in: None, is_dead: false };
        Arc::new(Self { state: Mutex::new(state), crashed: Notify::new() })
    }

    pub(super) fn set(&self, rates: Rates) {
        self.state().rates = rates;
    }

    /// Lets the process die at this fault point, counted from now. `None` lets it live.
    pub(super) fn crash_in(&self, points: Option<u32>) {
        self.state().crash_in = points;
    }

    /// Starts a new process.
    pub(super) fn revive(&self) {
        let mut state = self.state();
        state.is_dead = false;
        state.crash_in = None;
    }

    /// Returns when the process died.
    pub(super) async fn crashed(&self) {
        while !self.state().is_dead {
            self.crashed.notified().await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True if the process dies here.
    fn dies(&self) -> bool {
        let mut state = self.state();
        if let Some(points) = &mut state.crash_in {
            *points = points.saturating_sub(1);
            if *points == 0 {
                state.is_dead = true;
                self.crashed.notify_waiters();
                self.crashed.notify_one();
            }
        }
        state.is_dead
    }

    fn delay(&self) -> Option<Duration> {
        let mut state = self.state();
        let slow = state.rng.random_range(0..1000) < state.rates.slow;
        slow.then(|| Duration::from_millis(state.rng.random_range(0..60)))
    }

    fn unavailable(&self) -> bool {
        let mut state = self.state();
        state.rng.random_range(0..1000) < state.rates.unavailable
    }

    /// Waits here if the seed says so, and for ever if the process dies here.
    async fn fault_point(&self) {
        if let Some(delay) = self.delay() {
            tokio::time::sleep(delay).await;
        }
        if self.dies() {
            std::future::pending::<()>().await;
        }
    }

    async fn run<T: Send>(&self, call: impl Future<Output = StoreResult<T>> + Send) -> StoreResult<T> {
        self.fault_point().await;
        if self.unavailable() {
            return Err(StoreError::Unavailable("a fault of the test".to_owned()));
        }
        let result = at_once(call);
        self.fault_point().await;
        result
    }
}

/// The outbox of one process.
#[derive(Debug, Clone)]
pub(super) struct FaultyOutbox {
    pub(super) inner: SqliteOutbox,
    pub(super) faults: Arc<Faults>,
}

/// A lease of one process.
#[derive(Debug, Clone)]
pub(super) struct FaultyLease {
    inner: SqliteLease,
    faults: Arc<Faults>,
}

/// Waits for `future` as if no time passed.
pub(super) fn at_once<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(tokio::task::unconstrained(future));
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(result) => return result,
            Poll::Pending => std::thread::park(),
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl Outbox for FaultyOutbox {
    type Lease = FaultyLease;

    async fn acquire(&self, sender: &SenderName, now: Timestamp) -> StoreResult<FaultyLease> {
        let inner = self.faults.run(self.inner.acquire(sender, now)).await?;
        Ok(FaultyLease { inner, faults: Arc::clone(&self.faults) })
    }

    async fn recover(&self, sender: &SenderName, now: Timestamp) -> StoreResult<()> {
        self.faults.run(self.inner.recover(sender, now)).await
    }

    async fn enqueue_all(&self, new: Vec<NewNotification>, now: Timestamp) -> StoreResult<Vec<Enqueued>> {
        self.faults.run(self.inner.enqueue_all(new, now)).await
    }

    async fn adopt(&self, senders: Vec<ConfiguredSender>, now: Timestamp) -> StoreResult<Vec<MovedSender>> {
        self.faults.run(self.inner.adopt(senders, now)).await
    }

    async fn senders(&self) -> StoreResult<Vec<SenderName>> {
        self.faults.run(self.inner.senders()).await
    }

    async fn holds(&self) -> StoreResult<Vec<Hold>> {
        self.faults.run(self.inner.holds()).await
    }

    async fn unnoticed(
        &self,
        receiver: &ReceiverName,
        since: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<Unnoticed>> {
        self.faults.run(self.inner.unnoticed(receiver, since, limit)).await
    }

    async fn held_backlog(
        &self,
        sender: &SenderName,
        receiver: &ReceiverName,
        lines: u32,
        count_to: u32,
    ) -> StoreResult<Option<Backlog>> {
        self.faults.run(self.inner.held_backlog(sender, receiver, lines, count_to)).await
    }

    async fn notice(
        &self,
        notice: NewNotification,
        subject: NoticeSubject,
        now: Timestamp,
    ) -> StoreResult<Option<NotificationId>> {
        self.faults.run(self.inner.notice(notice, subject, now)).await
    }

    async fn purge(&self, before: Timestamp, limit: u32) -> StoreResult<u32> {
        self.faults.run(self.inner.purge(before, limit)).await
    }

    async fn record_time(&self, present: ReadingRecord) -> StoreResult<Timestamp> {
        self.faults.run(self.inner.record_time(present)).await
    }

    async fn size(&self) -> StoreResult<OutboxSize> {
        self.faults.run(self.inner.size()).await
    }

    async fn console_secret(&self) -> StoreResult<Secret> {
        self.faults.run(self.inner.console_secret()).await
    }

    async fn probe(&self, now: Timestamp) -> StoreResult<()> {
        self.faults.run(self.inner.probe(now)).await
    }
}

impl Lease for FaultyLease {
    fn inherited_hold(&self) -> Option<&Hold> {
        self.inner.inherited_hold()
    }

    fn recovered(&self) -> u32 {
        self.inner.recovered()
    }

    fn term(&self) -> &LeaseTerm {
        self.inner.term()
    }

    fn changes(&self) -> &Changes {
        self.inner.changes()
    }

    async fn scheduled(&self) -> StoreResult<Vec<Scheduled>> {
        self.faults.run(self.inner.scheduled()).await
    }

    async fn claim<P: Planner>(
        &self,
        destinations: Vec<Destination>,
        count_to: u32,
        planner: P,
        now: Timestamp,
    ) -> StoreResult<Claims<P>> {
        self.faults.run(self.inner.claim(destinations, count_to, planner, now)).await
    }

    async fn settle(&self, settlement: Settlement, now: Timestamp) -> StoreResult<()> {
        self.faults.run(self.inner.settle(settlement, now)).await
    }

    async fn hold(&self, hold: Option<Hold>) -> StoreResult<()> {
        self.faults.run(self.inner.hold(hold)).await
    }

    async fn sent_since(&self, since: Timestamp) -> StoreResult<Vec<Sent>> {
        self.faults.run(self.inner.sent_since(since)).await
    }

    async fn release(self) {
        self.faults.fault_point().await;
        at_once(self.inner.release());
        self.faults.fault_point().await;
    }
}

impl CardStore for FaultyOutbox {
    async fn accept_press(&self, press: NewPress, now: Timestamp) -> StoreResult<AcceptedPress> {
        self.faults.run(self.inner.accept_press(press, now)).await
    }

    async fn claim_press(&self, until: Timestamp, now: Timestamp) -> StoreResult<Option<Press>> {
        self.faults.run(self.inner.claim_press(until, now)).await
    }

    async fn settle_press(
        &self,
        press: PressId,
        claim: ClaimId,
        verdict: PressVerdict,
        now: Timestamp,
    ) -> StoreResult<()> {
        self.faults.run(self.inner.settle_press(press, claim, verdict, now)).await
    }

    async fn next_press_due(&self) -> StoreResult<Option<Timestamp>> {
        self.faults.run(self.inner.next_press_due()).await
    }

    async fn watched_cards(
        &self,
        limit: u32,
        until: Timestamp,
        now: Timestamp,
    ) -> StoreResult<Vec<WatchedCard>> {
        self.faults.run(self.inner.watched_cards(limit, until, now)).await
    }

    async fn settle_watch(
        &self,
        delivery: DeliveryId,
        until: Timestamp,
        verdict: WatchVerdict,
        now: Timestamp,
    ) -> StoreResult<()> {
        self.faults.run(self.inner.settle_watch(delivery, until, verdict, now)).await
    }

    async fn recalled(&self, delivery: DeliveryId, at: Timestamp) -> StoreResult<()> {
        self.faults.run(self.inner.recalled(delivery, at)).await
    }
}

impl OutboxQuery for FaultyOutbox {
    async fn relay_time(&self, reading: Reading) -> StoreResult<Timestamp> {
        self.faults.run(self.inner.relay_time(reading)).await
    }

    async fn list(&self, filter: Filter, page: PageRequest) -> StoreResult<Page> {
        self.faults.run(self.inner.list(filter, page)).await
    }

    async fn show(&self, id: DeliveryId) -> StoreResult<Option<Detail>> {
        self.faults.run(self.inner.show(id)).await
    }

    async fn presses(&self, delivery: DeliveryId) -> StoreResult<Vec<PressRecord>> {
        self.faults.run(self.inner.presses(delivery)).await
    }

    async fn depths(&self) -> StoreResult<Vec<Depth>> {
        self.faults.run(self.inner.depths()).await
    }

    async fn requeue(&self, which: Requeue, now: Timestamp) -> StoreResult<Changed> {
        self.faults.run(self.inner.requeue(which, now)).await
    }

    async fn discard(&self, id: DeliveryId, now: Timestamp) -> StoreResult<Changed> {
        self.faults.run(self.inner.discard(id, now)).await
    }
}
