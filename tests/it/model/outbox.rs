//! The SQLite outbox with faults before and after every call: it does not answer, it is slow, the process dies.
//!
//! Its thread is waited for without giving way to the runtime, so that a paused clock stands still meanwhile and a
//! round is a function of its seed.

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
use wecom_relay::{
    clock::Clock,
    outbox::{
        Backlog, Changed, Claimed, DeliveryId, Depth, Destination, Detail, Due, Enqueued, Filter, Folding,
        Hold, Listed, NewNotification, NoticeOf, NotificationId, Outbox, OutboxQuery, Pick, ReceiverName,
        SenderName, Sent, Settlement, Standing, StoreError, StoreResult, Unnoticed, Waiting, Which,
        sqlite::SqliteOutbox,
    },
};

/// How often what goes wrong, of a thousand calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Rates {
    pub(super) unavailable: u32,
    pub(super) slow: u32,
}

/// What goes wrong; outlives the process that it befalls.
#[derive(Debug)]
pub(super) struct Faults {
    inside: Mutex<Inside>,
    crashed: Notify,
}

#[derive(Debug)]
struct Inside {
    rng: StdRng,
    rates: Rates,
    /// The process dies at this call, before it or right after.
    crash_in: Option<u32>,
    is_dead: bool,
}

impl Faults {
    pub(super) fn new(seed: u64) -> Arc<Self> {
        let rng = StdRng::seed_from_u64(seed);
        let inside = Inside { rng, rates: Rates::default(), crash_in: None, is_dead: false };
        Arc::new(Self { inside: Mutex::new(inside), crashed: Notify::new() })
    }

    pub(super) fn set(&self, rates: Rates) {
        self.inside().rates = rates;
    }

    /// The process dies at the `calls`th call from now; with `None` it lives.
    pub(super) fn crash_in(&self, calls: Option<u32>) {
        self.inside().crash_in = calls;
    }

    /// A new process.
    pub(super) fn revive(&self) {
        let mut inside = self.inside();
        inside.is_dead = false;
        inside.crash_in = None;
    }

    /// Returns when the process died.
    pub(super) async fn crashed(&self) {
        while !self.inside().is_dead {
            self.crashed.notified().await;
        }
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the process dies here.
    fn dies(&self) -> bool {
        let mut inside = self.inside();
        if let Some(calls) = &mut inside.crash_in {
            *calls = calls.saturating_sub(1);
            if *calls == 0 {
                inside.is_dead = true;
                self.crashed.notify_waiters();
                self.crashed.notify_one();
            }
        }
        inside.is_dead
    }

    fn delay(&self) -> Option<Duration> {
        let mut inside = self.inside();
        let slow = inside.rng.random_range(0..1000) < inside.rates.slow;
        slow.then(|| Duration::from_millis(inside.rng.random_range(0..60)))
    }

    fn unavailable(&self) -> bool {
        let mut inside = self.inside();
        inside.rng.random_range(0..1000) < inside.rates.unavailable
    }

    async fn point(&self) {
        if let Some(delay) = self.delay() {
            tokio::time::sleep(delay).await;
        }
        if self.dies() {
            std::future::pending::<()>().await;
        }
    }
}

/// The outbox of one process.
#[derive(Debug, Clone)]
pub(super) struct FaultyOutbox {
    pub(super) inner: SqliteOutbox,
    pub(super) faults: Arc<Faults>,
}

impl FaultyOutbox {
    async fn run<T: Send>(&self, call: impl Future<Output = StoreResult<T>> + Send) -> StoreResult<T> {
        self.faults.point().await;
        if self.faults.unavailable() {
            return Err(StoreError::Unavailable("the seed wants it so".to_owned()));
        }
        let result = at_once(call);
        self.faults.point().await;
        result
    }
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
    async fn enqueue(&self, notification: NewNotification, now: Timestamp) -> StoreResult<Enqueued> {
        self.run(self.inner.enqueue(notification, now)).await
    }

    async fn waiting(&self, sender: &SenderName, count_to: u32, now: Timestamp) -> StoreResult<Waiting> {
        self.run(self.inner.waiting(sender, count_to, now)).await
    }

    async fn foldable(
        &self,
        sender: &SenderName,
        destination: Destination,
        limit: u32,
    ) -> StoreResult<Option<Folding>> {
        self.run(self.inner.foldable(sender, destination, limit)).await
    }

    async fn claim_due(
        &self,
        sender: &SenderName,
        slots: u32,
        turn: usize,
        duplicate_check: Duration,
        now: Timestamp,
    ) -> StoreResult<Due> {
        self.run(self.inner.claim_due(sender, slots, turn, duplicate_check, now)).await
    }

    async fn claim(
        &self,
        sender: &SenderName,
        picks: Vec<Pick>,
        duplicate_check: Duration,
        now: Timestamp,
    ) -> StoreResult<Vec<Claimed>> {
        self.run(self.inner.claim(sender, picks, duplicate_check, now)).await
    }

    fn stand(&self, sender: &SenderName, duplicate_check: Duration, clock: Arc<dyn Clock>) -> Standing {
        self.inner.stand(sender, duplicate_check, clock)
    }

    async fn settle(&self, settlement: Settlement, now: Timestamp) -> StoreResult<()> {
        self.run(self.inner.settle(settlement, now)).await
    }

    async fn recover(&self, now: Timestamp) -> StoreResult<u32> {
        self.run(self.inner.recover(now)).await
    }

    async fn hasten(&self, sender: &SenderName, horizon: Timestamp, now: Timestamp) -> StoreResult<()> {
        self.run(self.inner.hasten(sender, horizon, now)).await
    }

    async fn sent_since(&self, sender: &SenderName, since: Timestamp) -> StoreResult<Vec<Sent>> {
        self.run(self.inner.sent_since(sender, since)).await
    }

    async fn senders(&self) -> StoreResult<Vec<SenderName>> {
        self.run(self.inner.senders()).await
    }

    async fn holds(&self) -> StoreResult<Vec<Hold>> {
        self.run(self.inner.holds()).await
    }

    async fn hold(&self, hold: Hold) -> StoreResult<()> {
        self.run(self.inner.hold(hold)).await
    }

    async fn release(&self, sender: &SenderName) -> StoreResult<()> {
        self.run(self.inner.release(sender)).await
    }

    async fn unnoticed(
        &self,
        receiver: &ReceiverName,
        since: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<Unnoticed>> {
        self.run(self.inner.unnoticed(receiver, since, limit)).await
    }

    async fn held_backlog(
        &self,
        sender: &SenderName,
        receiver: &ReceiverName,
        lines: u32,
        count_to: u32,
    ) -> StoreResult<Option<Backlog>> {
        self.run(self.inner.held_backlog(sender, receiver, lines, count_to)).await
    }

    async fn notice(
        &self,
        notice: NewNotification,
        of: NoticeOf,
        now: Timestamp,
    ) -> StoreResult<NotificationId> {
        self.run(self.inner.notice(notice, of, now)).await
    }

    async fn purge(&self, before: Timestamp, limit: u32) -> StoreResult<u32> {
        self.run(self.inner.purge(before, limit)).await
    }

    async fn probe(&self, now: Timestamp) -> StoreResult<()> {
        self.run(self.inner.probe(now)).await
    }

    fn changed(&self) -> Arc<Notify> {
        self.inner.changed()
    }
}

impl OutboxQuery for FaultyOutbox {
    async fn list(&self, filter: Filter) -> StoreResult<Vec<Listed>> {
        self.run(self.inner.list(filter)).await
    }

    async fn show(&self, id: DeliveryId) -> StoreResult<Option<Detail>> {
        self.run(self.inner.show(id)).await
    }

    async fn depths(&self) -> StoreResult<Vec<Depth>> {
        self.run(self.inner.depths()).await
    }

    async fn retry(&self, which: Which, now: Timestamp) -> StoreResult<Changed> {
        self.run(self.inner.retry(which, now)).await
    }

    async fn discard(&self, id: DeliveryId, now: Timestamp) -> StoreResult<Changed> {
        self.run(self.inner.discard(id, now)).await
    }
}
