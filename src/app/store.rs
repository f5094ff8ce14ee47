//! The outbox of a daemon: one type for both engines, so that the rest of the program is compiled once.

use jiff::Timestamp;

use crate::{
    clock::{Reading, ReadingRecord},
    outbox::{
        Backlog, Changed, Changes, Claims, ConfiguredSender, DeliveryId, Depth, Destination, Detail,
        Enqueued, Filter, Hold, Lease, LeaseTerm, MovedSender, NewNotification, NoticeSubject,
        NotificationId, Outbox, OutboxQuery, OutboxSize, Page, PageRequest, Planner, ReceiverName, Requeue,
        Scheduled, SenderName, Sent, Settlement, StoreResult, Unnoticed,
        postgres::{PostgresLease, PostgresOutbox},
        sqlite::{SqliteLease, SqliteOutbox},
    },
};

/// The outbox of a configuration.
#[derive(Debug, Clone)]
pub enum Store {
    Sqlite(SqliteOutbox),
    Postgres(PostgresOutbox),
}

/// The lease of a [`Store`].
#[derive(Debug, Clone)]
pub enum StoreLease {
    Sqlite(SqliteLease),
    Postgres(PostgresLease),
}

/// Calls a method of the engine.
macro_rules! engine {
    ($store:ident.$method:ident($($argument:expr),*)) => {
        match $store {
            Self::Sqlite(engine) => engine.$method($($argument),*).await,
            Self::Postgres(engine) => engine.$method($($argument),*).await,
        }
    };
}

impl Store {
    /// Returns when the outbox cannot work any more, and never otherwise. The daemon then ends.
    pub async fn failed(&self) {
        engine!(self.failed());
    }

    /// Finishes all jobs that were handed over, and closes the outbox.
    pub async fn close(self) {
        engine!(self.close());
    }
}

impl Outbox for Store {
    type Lease = StoreLease;

    async fn enqueue(&self, notification: NewNotification, now: Timestamp) -> StoreResult<Enqueued> {
        engine!(self.enqueue(notification, now))
    }

    async fn acquire(&self, sender: &SenderName, now: Timestamp) -> StoreResult<StoreLease> {
        match self {
            Self::Sqlite(engine) => engine.acquire(sender, now).await.map(StoreLease::Sqlite),
            Self::Postgres(engine) => engine.acquire(sender, now).await.map(StoreLease::Postgres),
        }
    }

    async fn recover(&self, sender: &SenderName, now: Timestamp) -> StoreResult<()> {
        engine!(self.recover(sender, now))
    }

    async fn adopt(&self, senders: Vec<ConfiguredSender>, now: Timestamp) -> StoreResult<Vec<MovedSender>> {
        engine!(self.adopt(senders, now))
    }

    async fn senders(&self) -> StoreResult<Vec<SenderName>> {
        engine!(self.senders())
    }

    async fn holds(&self) -> StoreResult<Vec<Hold>> {
        engine!(self.holds())
    }

    async fn unnoticed(
        &self,
        receiver: &ReceiverName,
        since: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<Unnoticed>> {
        engine!(self.unnoticed(receiver, since, limit))
    }

    async fn held_backlog(
        &self,
        sender: &SenderName,
        receiver: &ReceiverName,
        lines: u32,
        count_to: u32,
    ) -> StoreResult<Option<Backlog>> {
        engine!(self.held_backlog(sender, receiver, lines, count_to))
    }

    async fn notice(
        &self,
        notice: NewNotification,
        subject: NoticeSubject,
        now: Timestamp,
    ) -> StoreResult<Option<NotificationId>> {
        engine!(self.notice(notice, subject, now))
    }

    async fn purge(&self, before: Timestamp, limit: u32) -> StoreResult<u32> {
        engine!(self.purge(before, limit))
    }

    async fn record_time(&self, present: ReadingRecord) -> StoreResult<Timestamp> {
        engine!(self.record_time(present))
    }

    async fn size(&self) -> StoreResult<OutboxSize> {
        engine!(self.size())
    }

    async fn probe(&self, now: Timestamp) -> StoreResult<()> {
        engine!(self.probe(now))
    }
}

impl OutboxQuery for Store {
    async fn relay_time(&self, reading: Reading) -> StoreResult<Timestamp> {
        engine!(self.relay_time(reading))
    }

    async fn list(&self, filter: Filter, page: PageRequest) -> StoreResult<Page> {
        engine!(self.list(filter, page))
    }

    async fn show(&self, id: DeliveryId) -> StoreResult<Option<Detail>> {
        engine!(self.show(id))
    }

    async fn depths(&self) -> StoreResult<Vec<Depth>> {
        engine!(self.depths())
    }

    async fn requeue(&self, which: Requeue, now: Timestamp) -> StoreResult<Changed> {
        engine!(self.requeue(which, now))
    }

    async fn discard(&self, id: DeliveryId, now: Timestamp) -> StoreResult<Changed> {
        engine!(self.discard(id, now))
    }
}

impl Lease for StoreLease {
    fn inherited_hold(&self) -> Option<&Hold> {
        match self {
            Self::Sqlite(lease) => lease.inherited_hold(),
            Self::Postgres(lease) => lease.inherited_hold(),
        }
    }

    fn recovered(&self) -> u32 {
        match self {
            Self::Sqlite(lease) => lease.recovered(),
            Self::Postgres(lease) => lease.recovered(),
        }
    }

    fn term(&self) -> &LeaseTerm {
        match self {
            Self::Sqlite(lease) => lease.term(),
            Self::Postgres(lease) => lease.term(),
        }
    }

    fn changes(&self) -> &Changes {
        match self {
            Self::Sqlite(lease) => lease.changes(),
            Self::Postgres(lease) => lease.changes(),
        }
    }

    async fn scheduled(&self) -> StoreResult<Vec<Scheduled>> {
        engine!(self.scheduled())
    }

    async fn claim<P: Planner>(
        &self,
        destinations: Vec<Destination>,
        count_to: u32,
        planner: P,
        now: Timestamp,
    ) -> StoreResult<Claims<P>> {
        engine!(self.claim(destinations, count_to, planner, now))
    }

    async fn settle(&self, settlement: Settlement, now: Timestamp) -> StoreResult<()> {
        engine!(self.settle(settlement, now))
    }

    async fn hold(&self, hold: Option<Hold>) -> StoreResult<()> {
        engine!(self.hold(hold))
    }

    async fn sent_since(&self, since: Timestamp) -> StoreResult<Vec<Sent>> {
        engine!(self.sent_since(since))
    }

    async fn release(self) {
        engine!(self.release());
    }
}
