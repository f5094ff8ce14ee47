//! An outbox with calls that a test can hold back or let fail.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::watch;
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

/// The real outbox behind [`Gates`].
#[derive(Clone)]
pub(crate) struct Gated {
    inner: SqliteOutbox,
    gates: Arc<Gates>,
}

/// A lease of a [`Gated`] outbox.
#[derive(Clone)]
pub(crate) struct GatedLease {
    inner: SqliteLease,
    gates: Arc<Gates>,
}

/// The gates of an outbox, by method.
#[derive(Default)]
pub(crate) struct Gates {
    pub(crate) enqueue: Gate,
    pub(crate) settle: Gate,
    pub(crate) claim: Gate,
    pub(crate) hold: Gate,
    pub(crate) holds: Gate,
    pub(crate) probe: Gate,
    pub(crate) relay_time: Gate,
    pub(crate) press: Gate,
}

/// The gate of one method.
pub(crate) struct Gate {
    state: watch::Sender<GateState>,
    calls: watch::Sender<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GateState {
    Open,
    /// Calls wait.
    Held,
    /// Calls fail, because the disk is full.
    Full,
}

impl Default for Gate {
    fn default() -> Self {
        Self { state: watch::Sender::new(GateState::Open), calls: watch::Sender::new(0) }
    }
}

impl Gate {
    pub(crate) fn hold(&self) {
        self.state.send_replace(GateState::Held);
    }

    pub(crate) fn fail(&self) {
        self.state.send_replace(GateState::Full);
    }

    pub(crate) fn open(&self) {
        self.state.send_replace(GateState::Open);
    }

    /// The number of calls so far.
    pub(crate) fn calls(&self) -> usize {
        *self.calls.borrow()
    }

    /// Returns when there were `count` calls.
    pub(crate) async fn reached(&self, count: usize) {
        _ = self.calls.subscribe().wait_for(|calls| *calls >= count).await;
    }

    async fn pass(&self) -> StoreResult<()> {
        self.calls.send_modify(|calls| *calls += 1);
        match self.state.subscribe().wait_for(|state| *state != GateState::Held).await {
            Ok(state) if *state == GateState::Full => {
                Err(StoreError::Full("no space left on its device".to_owned()))
            }
            _ => Ok(()),
        }
    }
}

impl Gated {
    pub(crate) fn new(inner: SqliteOutbox, gates: &Arc<Gates>) -> Self {
        Self { inner, gates: Arc::clone(gates) }
    }
}

impl Outbox for Gated {
    type Lease = GatedLease;

    async fn acquire(&self, sender: &SenderName, now: Timestamp) -> StoreResult<GatedLease> {
        let inner = self.inner.acquire(sender, now).await?;
        Ok(GatedLease { inner, gates: Arc::clone(&self.gates) })
    }

    async fn recover(&self, sender: &SenderName, now: Timestamp) -> StoreResult<()> {
        self.inner.recover(sender, now).await
    }

    async fn enqueue_all(&self, new: Vec<NewNotification>, now: Timestamp) -> StoreResult<Vec<Enqueued>> {
        self.gates.enqueue.pass().await?;
        self.inner.enqueue_all(new, now).await
    }

    async fn size(&self) -> StoreResult<OutboxSize> {
        self.inner.size().await
    }

    async fn console_secret(&self) -> StoreResult<Secret> {
        self.inner.console_secret().await
    }

    async fn adopt(&self, senders: Vec<ConfiguredSender>, now: Timestamp) -> StoreResult<Vec<MovedSender>> {
        self.inner.adopt(senders, now).await
    }

    async fn senders(&self) -> StoreResult<Vec<SenderName>> {
        self.inner.senders().await
    }

    async fn holds(&self) -> StoreResult<Vec<Hold>> {
        self.gates.holds.pass().await?;
        self.inner.holds().await
    }

    async fn unnoticed(
        &self,
        receiver: &ReceiverName,
        since: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<Unnoticed>> {
        self.inner.unnoticed(receiver, since, limit).await
    }

    async fn held_backlog(
        &self,
        sender: &SenderName,
        receiver: &ReceiverName,
        lines: u32,
        count_to: u32,
    ) -> StoreResult<Option<Backlog>> {
        self.inner.held_backlog(sender, receiver, lines, count_to).await
    }

    async fn notice(
        &self,
        notice: NewNotification,
        subject: NoticeSubject,
        now: Timestamp,
    ) -> StoreResult<Option<NotificationId>> {
        self.inner.notice(notice, subject, now).await
    }

    async fn purge(&self, before: Timestamp, limit: u32) -> StoreResult<u32> {
        self.inner.purge(before, limit).await
    }

    async fn record_time(&self, present: ReadingRecord) -> StoreResult<Timestamp> {
        self.inner.record_time(present).await
    }

    async fn probe(&self, now: Timestamp) -> StoreResult<()> {
        self.gates.probe.pass().await?;
        self.inner.probe(now).await
    }
}

impl Lease for GatedLease {
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
        self.inner.scheduled().await
    }

    async fn claim<P: Planner>(
        &self,
        destinations: Vec<Destination>,
        count_to: u32,
        planner: P,
        now: Timestamp,
    ) -> StoreResult<Claims<P>> {
        let passed = self.gates.claim.pass().await;
        if passed.is_err() {
            // A failed connection is opened again, and that marks every destination as changed.
            self.inner.changes().mark_everything();
        }
        passed?;
        self.inner.claim(destinations, count_to, planner, now).await
    }

    async fn settle(&self, settlement: Settlement, now: Timestamp) -> StoreResult<()> {
        self.gates.settle.pass().await?;
        self.inner.settle(settlement, now).await
    }

    async fn hold(&self, hold: Option<Hold>) -> StoreResult<()> {
        // The deletion of a hold is never held back.
        if hold.is_some() {
            self.gates.hold.pass().await?;
        }
        self.inner.hold(hold).await
    }

    async fn sent_since(&self, since: Timestamp) -> StoreResult<Vec<Sent>> {
        self.inner.sent_since(since).await
    }

    async fn release(self) {
        self.inner.release().await;
    }
}

impl CardStore for Gated {
    async fn accept_press(&self, press: NewPress, now: Timestamp) -> StoreResult<AcceptedPress> {
        self.gates.press.pass().await?;
        self.inner.accept_press(press, now).await
    }

    async fn claim_press(&self, until: Timestamp, now: Timestamp) -> StoreResult<Option<Press>> {
        self.inner.claim_press(until, now).await
    }

    async fn settle_press(
        &self,
        press: PressId,
        claim: ClaimId,
        verdict: PressVerdict,
        now: Timestamp,
    ) -> StoreResult<()> {
        self.inner.settle_press(press, claim, verdict, now).await
    }

    async fn next_press_due(&self) -> StoreResult<Option<Timestamp>> {
        self.inner.next_press_due().await
    }

    async fn watched_cards(
        &self,
        limit: u32,
        until: Timestamp,
        now: Timestamp,
    ) -> StoreResult<Vec<WatchedCard>> {
        self.inner.watched_cards(limit, until, now).await
    }

    async fn settle_watch(
        &self,
        delivery: DeliveryId,
        until: Timestamp,
        verdict: WatchVerdict,
        now: Timestamp,
    ) -> StoreResult<()> {
        self.inner.settle_watch(delivery, until, verdict, now).await
    }

    async fn recalled(&self, delivery: DeliveryId, at: Timestamp) -> StoreResult<()> {
        self.inner.recalled(delivery, at).await
    }
}

impl OutboxQuery for Gated {
    async fn relay_time(&self, reading: Reading) -> StoreResult<Timestamp> {
        self.gates.relay_time.pass().await?;
        self.inner.relay_time(reading).await
    }

    async fn list(&self, filter: Filter, page: PageRequest) -> StoreResult<Page> {
        self.inner.list(filter, page).await
    }

    async fn show(&self, id: DeliveryId) -> StoreResult<Option<Detail>> {
        self.inner.show(id).await
    }

    async fn presses(&self, delivery: DeliveryId) -> StoreResult<Vec<PressRecord>> {
        self.inner.presses(delivery).await
    }

    async fn depths(&self) -> StoreResult<Vec<Depth>> {
        self.inner.depths().await
    }

    async fn requeue(&self, which: Requeue, now: Timestamp) -> StoreResult<Changed> {
        self.inner.requeue(which, now).await
    }

    async fn discard(&self, id: DeliveryId, now: Timestamp) -> StoreResult<Changed> {
        self.inner.discard(id, now).await
    }
}
