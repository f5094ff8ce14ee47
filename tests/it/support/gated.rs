//! An outbox whose doors a test holds shut, or slams.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::sync::{Notify, watch};
use wecom_relay::{
    clock::Clock,
    outbox::{
        Backlog, Changed, Claimed, DeliveryId, Depth, Destination, Detail, Due, Enqueued, Filter, Folding,
        Hold, Listed, NewNotification, NoticeOf, NotificationId, Outbox, OutboxQuery, Pick, ReceiverName,
        SenderName, Sent, Settlement, Standing, StoreError, StoreResult, Unnoticed, Waiting, Which,
        sqlite::SqliteOutbox, standing,
    },
};

/// The real outbox behind [`Gates`].
#[derive(Clone)]
pub(crate) struct Gated {
    inner: SqliteOutbox,
    gates: Arc<Gates>,
}

/// What a test does to an outbox.
#[derive(Default)]
pub(crate) struct Gates {
    pub(crate) enqueue: Gate,
    pub(crate) settle: Gate,
    pub(crate) claim: Gate,
    pub(crate) hasten: Gate,
    pub(crate) hold: Gate,
    pub(crate) holds: Gate,
    pub(crate) probe: Gate,
}

/// One method's door.
pub(crate) struct Gate {
    door: watch::Sender<Door>,
    came: watch::Sender<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    Open,
    /// Who comes waits.
    Held,
    /// Who comes is told that the disk is full.
    Full,
}

impl Default for Gate {
    fn default() -> Self {
        Self { door: watch::Sender::new(Door::Open), came: watch::Sender::new(0) }
    }
}

impl Gate {
    pub(crate) fn hold(&self) {
        self.door.send_replace(Door::Held);
    }

    pub(crate) fn fail(&self) {
        self.door.send_replace(Door::Full);
    }

    pub(crate) fn open(&self) {
        self.door.send_replace(Door::Open);
    }

    /// How many calls came so far.
    pub(crate) fn came(&self) -> usize {
        *self.came.borrow()
    }

    /// Returns when `count` calls came.
    pub(crate) async fn reached(&self, count: usize) {
        _ = self.came.subscribe().wait_for(|came| *came >= count).await;
    }

    async fn pass(&self) -> StoreResult<()> {
        self.came.send_modify(|came| *came += 1);
        match self.door.subscribe().wait_for(|door| *door != Door::Held).await {
            Ok(door) if *door == Door::Full => {
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

    /// Who fails has been opened anew, and tells all_recipients so.
    async fn pass_claim(&self) -> StoreResult<()> {
        let passed = self.gates.claim.pass().await;
        if passed.is_err() {
            self.inner.changed().notify_waiters();
        }
        passed
    }
}

impl Outbox for Gated {
    async fn enqueue(&self, notification: NewNotification, now: Timestamp) -> StoreResult<Enqueued> {
        self.gates.enqueue.pass().await?;
        self.inner.enqueue(notification, now).await
    }

    async fn claim_due(
        &self,
        sender: &SenderName,
        slots: u32,
        turn: usize,
        duplicate_check: Duration,
        now: Timestamp,
    ) -> StoreResult<Due> {
        self.pass_claim().await?;
        self.inner.claim_due(sender, slots, turn, duplicate_check, now).await
    }

    async fn claim(
        &self,
        sender: &SenderName,
        picks: Vec<Pick>,
        duplicate_check: Duration,
        now: Timestamp,
    ) -> StoreResult<Vec<Claimed>> {
        self.pass_claim().await?;
        self.inner.claim(sender, picks, duplicate_check, now).await
    }

    /// Nobody takes what is lent: all claims pass the gate.
    fn stand(&self, sender: &SenderName, duplicate_check: Duration, clock: Arc<dyn Clock>) -> Standing {
        standing(sender.clone(), duplicate_check, clock).0
    }

    async fn settle(&self, settlement: Settlement, now: Timestamp) -> StoreResult<()> {
        self.gates.settle.pass().await?;
        self.inner.settle(settlement, now).await
    }

    async fn waiting(&self, sender: &SenderName, count_to: u32, now: Timestamp) -> StoreResult<Waiting> {
        self.inner.waiting(sender, count_to, now).await
    }

    async fn foldable(
        &self,
        sender: &SenderName,
        destination: Destination,
        limit: u32,
    ) -> StoreResult<Option<Folding>> {
        self.inner.foldable(sender, destination, limit).await
    }

    async fn recover(&self, now: Timestamp) -> StoreResult<u32> {
        self.inner.recover(now).await
    }

    async fn hasten(&self, sender: &SenderName, horizon: Timestamp, now: Timestamp) -> StoreResult<()> {
        self.gates.hasten.pass().await?;
        self.inner.hasten(sender, horizon, now).await
    }

    async fn sent_since(&self, sender: &SenderName, since: Timestamp) -> StoreResult<Vec<Sent>> {
        self.inner.sent_since(sender, since).await
    }

    async fn senders(&self) -> StoreResult<Vec<SenderName>> {
        self.inner.senders().await
    }

    async fn holds(&self) -> StoreResult<Vec<Hold>> {
        self.gates.holds.pass().await?;
        self.inner.holds().await
    }

    async fn hold(&self, hold: Hold) -> StoreResult<()> {
        self.gates.hold.pass().await?;
        self.inner.hold(hold).await
    }

    async fn release(&self, sender: &SenderName) -> StoreResult<()> {
        self.inner.release(sender).await
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
        of: NoticeOf,
        now: Timestamp,
    ) -> StoreResult<NotificationId> {
        self.inner.notice(notice, of, now).await
    }

    async fn purge(&self, before: Timestamp, limit: u32) -> StoreResult<u32> {
        self.inner.purge(before, limit).await
    }

    async fn probe(&self, now: Timestamp) -> StoreResult<()> {
        self.gates.probe.pass().await?;
        self.inner.probe(now).await
    }

    fn changed(&self) -> Arc<Notify> {
        self.inner.changed()
    }
}

impl OutboxQuery for Gated {
    async fn list(&self, filter: Filter) -> StoreResult<Vec<Listed>> {
        self.inner.list(filter).await
    }

    async fn show(&self, id: DeliveryId) -> StoreResult<Option<Detail>> {
        self.inner.show(id).await
    }

    async fn depths(&self) -> StoreResult<Vec<Depth>> {
        self.inner.depths().await
    }

    async fn retry(&self, which: Which, now: Timestamp) -> StoreResult<Changed> {
        self.inner.retry(which, now).await
    }

    async fn discard(&self, id: DeliveryId, now: Timestamp) -> StoreResult<Changed> {
        self.inner.discard(id, now).await
    }
}
