//! The port.

use jiff::Timestamp;

use super::{
    open_error::OpenError,
    settings::{Access, Settings},
};
use crate::{
    clock::{Reading, ReadingRecord},
    outbox::{
        Backlog, Changed, Changes, Claims, ConfiguredSender, DeliveryId, Depth, Destination, Detail,
        Enqueued, Filter, Hold, Lease, LeaseTerm, MovedSender, NewNotification, NoticeSubject,
        NotificationId, Outbox, OutboxQuery, OutboxSize, Page, PageRequest, Planner, ReceiverName, Requeue,
        Scheduled, SenderName, Sent, Settlement, StoreError, StoreResult, Unnoticed,
    },
};

/// An outbox in a PostgreSQL database. Clones share it. It closes when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct PostgresOutbox {}

impl PostgresOutbox {
    /// Opens the outbox. Blocks on the network.
    ///
    /// # Errors
    /// [`OpenError`] says what the problem is and what to do.
    pub fn open(settings: Settings, _access: Access) -> Result<Self, OpenError> {
        Err(OpenError::Unavailable {
            outbox: settings.url.to_string(),
            reason: "the engine is not built yet".to_owned(),
        })
    }

    /// Returns when the thread of the outbox has panicked, and never otherwise. The daemon then ends.
    pub async fn failed(&self) {
        std::future::pending::<()>().await;
    }

    /// Finishes all jobs that were handed over, and closes the sessions. Other clones get [`StoreError::Closed`] from then
    /// on.
    pub async fn close(self) {}
}

fn unbuilt<T>() -> StoreResult<T> {
    Err(StoreError::Unavailable("the engine is not built yet".to_owned()))
}

/// The right to dispatch one sender from a [`PostgresOutbox`].
#[derive(Debug, Clone)]
pub struct PostgresLease {
    changes: Changes,
    term: LeaseTerm,
}

impl Outbox for PostgresOutbox {
    type Lease = PostgresLease;

    async fn acquire(&self, _sender: &SenderName, _now: Timestamp) -> StoreResult<PostgresLease> {
        unbuilt()
    }

    async fn recover(&self, _sender: &SenderName, _now: Timestamp) -> StoreResult<()> {
        unbuilt()
    }

    async fn enqueue(&self, _notification: NewNotification, _now: Timestamp) -> StoreResult<Enqueued> {
        unbuilt()
    }

    async fn size(&self) -> StoreResult<OutboxSize> {
        unbuilt()
    }

    async fn adopt(&self, _senders: Vec<ConfiguredSender>, _now: Timestamp) -> StoreResult<Vec<MovedSender>> {
        unbuilt()
    }

    async fn senders(&self) -> StoreResult<Vec<SenderName>> {
        unbuilt()
    }

    async fn holds(&self) -> StoreResult<Vec<Hold>> {
        unbuilt()
    }

    async fn unnoticed(
        &self,
        _receiver: &ReceiverName,
        _since: Timestamp,
        _limit: u32,
    ) -> StoreResult<Vec<Unnoticed>> {
        unbuilt()
    }

    async fn held_backlog(
        &self,
        _sender: &SenderName,
        _receiver: &ReceiverName,
        _lines: u32,
        _count_to: u32,
    ) -> StoreResult<Option<Backlog>> {
        unbuilt()
    }

    async fn notice(
        &self,
        _notice: NewNotification,
        _subject: NoticeSubject,
        _now: Timestamp,
    ) -> StoreResult<Option<NotificationId>> {
        unbuilt()
    }

    async fn purge(&self, _before: Timestamp, _limit: u32) -> StoreResult<u32> {
        unbuilt()
    }

    async fn record_time(&self, _present: ReadingRecord) -> StoreResult<Timestamp> {
        unbuilt()
    }

    async fn probe(&self, _now: Timestamp) -> StoreResult<()> {
        unbuilt()
    }
}

impl Lease for PostgresLease {
    fn inherited_hold(&self) -> Option<&Hold> {
        None
    }

    fn recovered(&self) -> u32 {
        0
    }

    fn term(&self) -> &LeaseTerm {
        &self.term
    }

    fn changes(&self) -> &Changes {
        &self.changes
    }

    async fn scheduled(&self) -> StoreResult<Vec<Scheduled>> {
        unbuilt()
    }

    async fn claim<P: Planner>(
        &self,
        _destinations: Vec<Destination>,
        _count_to: u32,
        _planner: P,
        _now: Timestamp,
    ) -> StoreResult<Claims<P>> {
        unbuilt()
    }

    async fn settle(&self, _settlement: Settlement, _now: Timestamp) -> StoreResult<()> {
        unbuilt()
    }

    async fn hold(&self, _hold: Option<Hold>) -> StoreResult<()> {
        unbuilt()
    }

    async fn sent_since(&self, _since: Timestamp) -> StoreResult<Vec<Sent>> {
        unbuilt()
    }

    async fn release(self) {}
}

impl OutboxQuery for PostgresOutbox {
    async fn relay_time(&self, _reading: Reading) -> StoreResult<Timestamp> {
        unbuilt()
    }

    async fn list(&self, _filter: Filter, _page: PageRequest) -> StoreResult<Page> {
        unbuilt()
    }

    async fn show(&self, _id: DeliveryId) -> StoreResult<Option<Detail>> {
        unbuilt()
    }

    async fn depths(&self) -> StoreResult<Vec<Depth>> {
        unbuilt()
    }

    async fn requeue(&self, _which: Requeue, _now: Timestamp) -> StoreResult<Changed> {
        unbuilt()
    }

    async fn discard(&self, _id: DeliveryId, _now: Timestamp) -> StoreResult<Changed> {
        unbuilt()
    }
}
