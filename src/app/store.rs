//! The outbox of a daemon: one type for both engines, so that the rest of the program is compiled once.

use jiff::Timestamp;
use tokio::time::Instant;

use crate::{
    clock::{Reading, ReadingRecord},
    metrics::{STORE_ERRORS, StoreMetrics},
    outbox::{
        AcceptedPress, Backlog, CardStore, Changed, Changes, ClaimId, Claims, ConfiguredSender, DeliveryId,
        Depth, Destination, Detail, Enqueued, Filter, Hold, Lease, LeaseTerm, MovedSender, NewNotification,
        NewPress, NoticeSubject, NotificationId, Outbox, OutboxQuery, OutboxSize, Page, PageRequest, Planner,
        Press, PressId, PressRecord, PressVerdict, ReceiverName, Requeue, Scheduled, SenderName, Sent,
        Settlement, Sharing, StoreError, StoreResult, Unnoticed, WatchVerdict, WatchedCard,
        postgres::{Overview, PostgresLease, PostgresOutbox},
        sqlite::{SqliteLease, SqliteOutbox},
    },
    secret::Secret,
};

/// The outbox of a configuration. It counts the durations and errors of the calls that the flow of alerts consists of.
#[derive(Debug, Clone)]
pub struct Store {
    engine: Engine<SqliteOutbox, PostgresOutbox>,
    metrics: StoreMetrics,
}

/// The lease of a [`Store`].
#[derive(Debug, Clone)]
pub struct StoreLease {
    engine: Engine<SqliteLease, PostgresLease>,
    metrics: StoreMetrics,
}

#[derive(Debug, Clone)]
enum Engine<S, P> {
    Sqlite(S),
    Postgres(P),
}

impl From<SqliteOutbox> for Store {
    fn from(engine: SqliteOutbox) -> Self {
        Self { engine: Engine::Sqlite(engine), metrics: StoreMetrics::default() }
    }
}

impl From<PostgresOutbox> for Store {
    fn from(engine: PostgresOutbox) -> Self {
        Self { engine: Engine::Postgres(engine), metrics: StoreMetrics::default() }
    }
}

/// Calls a method of the engine.
macro_rules! engine {
    ($store:ident.$method:ident($($argument:expr),*)) => {
        match $store.engine {
            Engine::Sqlite(ref engine) => engine.$method($($argument),*).await,
            Engine::Postgres(ref engine) => engine.$method($($argument),*).await,
        }
    };
}

/// [`engine!`] with its duration and its error counted.
macro_rules! measured {
    ($store:ident.$method:ident($($argument:expr),*)) => {
        measured!(stringify!($method), $store.$method($($argument),*))
    };
    ($name:expr, $store:ident.$method:ident($($argument:expr),*)) => {{
        let began = Instant::now();
        let result = engine!($store.$method($($argument),*));
        $store.metrics.called($name, began.elapsed());
        if let Err(error) = &result {
            count(&$store.metrics, error);
        }
        result
    }};
}

fn count(metrics: &StoreMetrics, error: &StoreError) {
    let [full, unavailable, damaged, lease_lost] = STORE_ERRORS;
    metrics.failed(match error {
        StoreError::Full(_) => full,
        StoreError::Unavailable(_) => unavailable,
        StoreError::Damaged(_) => damaged,
        StoreError::LeaseLost => lease_lost,
        StoreError::Closed => return,
    });
}

impl Store {
    /// Returns when the outbox cannot work any more, and never otherwise. The daemon then ends.
    pub async fn failed(&self) {
        engine!(self.failed());
    }

    /// The processes that share the outbox, and their leases. `None` for an outbox that cannot be shared.
    ///
    /// # Errors
    /// The outbox does not answer.
    pub async fn overview(&self) -> StoreResult<Option<Overview>> {
        match &self.engine {
            Engine::Sqlite(_) => Ok(None),
            Engine::Postgres(engine) => engine.overview().await.map(Some),
        }
    }

    /// Finishes all jobs that were handed over, and closes the outbox.
    pub async fn close(self) {
        match self.engine {
            Engine::Sqlite(engine) => engine.close().await,
            Engine::Postgres(engine) => engine.close().await,
        }
    }
}

impl Outbox for Store {
    type Lease = StoreLease;

    async fn enqueue_all(&self, new: Vec<NewNotification>, now: Timestamp) -> StoreResult<Vec<Enqueued>> {
        measured!("enqueue", self.enqueue_all(new, now))
    }

    async fn acquire(&self, sender: &SenderName, now: Timestamp) -> StoreResult<StoreLease> {
        let engine = match &self.engine {
            Engine::Sqlite(engine) => Engine::Sqlite(engine.acquire(sender, now).await?),
            Engine::Postgres(engine) => Engine::Postgres(engine.acquire(sender, now).await?),
        };
        Ok(StoreLease { engine, metrics: self.metrics.clone() })
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

    async fn console_secret(&self) -> StoreResult<Secret> {
        engine!(self.console_secret())
    }

    fn use_config(&self, fingerprint: String) {
        if let Engine::Postgres(engine) = &self.engine {
            engine.use_config(fingerprint);
        }
    }

    fn use_url(&self, url: &Secret) {
        if let Engine::Postgres(engine) = &self.engine {
            engine.use_url(url);
        }
    }

    fn sharing(&self) -> Option<Sharing> {
        match &self.engine {
            Engine::Sqlite(engine) => engine.sharing(),
            Engine::Postgres(engine) => engine.sharing(),
        }
    }

    fn metrics(&self) -> StoreMetrics {
        self.metrics.clone()
    }

    async fn probe(&self, now: Timestamp) -> StoreResult<()> {
        measured!(self.probe(now))
    }
}

impl CardStore for Store {
    async fn accept_press(&self, press: NewPress, now: Timestamp) -> StoreResult<AcceptedPress> {
        engine!(self.accept_press(press, now))
    }

    async fn claim_press(&self, until: Timestamp, now: Timestamp) -> StoreResult<Option<Press>> {
        engine!(self.claim_press(until, now))
    }

    async fn settle_press(
        &self,
        press: PressId,
        claim: ClaimId,
        verdict: PressVerdict,
        now: Timestamp,
    ) -> StoreResult<()> {
        engine!(self.settle_press(press, claim, verdict, now))
    }

    async fn next_press_due(&self) -> StoreResult<Option<Timestamp>> {
        engine!(self.next_press_due())
    }

    async fn watched_cards(
        &self,
        limit: u32,
        until: Timestamp,
        now: Timestamp,
    ) -> StoreResult<Vec<WatchedCard>> {
        engine!(self.watched_cards(limit, until, now))
    }

    async fn settle_watch(
        &self,
        delivery: DeliveryId,
        until: Timestamp,
        verdict: WatchVerdict,
        now: Timestamp,
    ) -> StoreResult<()> {
        engine!(self.settle_watch(delivery, until, verdict, now))
    }

    async fn recalled(&self, delivery: DeliveryId, at: Timestamp) -> StoreResult<()> {
        engine!(self.recalled(delivery, at))
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

    async fn presses(&self, delivery: DeliveryId) -> StoreResult<Vec<PressRecord>> {
        engine!(self.presses(delivery))
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
        match &self.engine {
            Engine::Sqlite(lease) => lease.inherited_hold(),
            Engine::Postgres(lease) => lease.inherited_hold(),
        }
    }

    fn recovered(&self) -> u32 {
        match &self.engine {
            Engine::Sqlite(lease) => lease.recovered(),
            Engine::Postgres(lease) => lease.recovered(),
        }
    }

    fn term(&self) -> &LeaseTerm {
        match &self.engine {
            Engine::Sqlite(lease) => lease.term(),
            Engine::Postgres(lease) => lease.term(),
        }
    }

    fn changes(&self) -> &Changes {
        match &self.engine {
            Engine::Sqlite(lease) => lease.changes(),
            Engine::Postgres(lease) => lease.changes(),
        }
    }

    async fn scheduled(&self) -> StoreResult<Vec<Scheduled>> {
        measured!(self.scheduled())
    }

    async fn claim<P: Planner>(
        &self,
        destinations: Vec<Destination>,
        count_to: u32,
        planner: P,
        now: Timestamp,
    ) -> StoreResult<Claims<P>> {
        measured!(self.claim(destinations, count_to, planner, now))
    }

    async fn settle(&self, settlement: Settlement, now: Timestamp) -> StoreResult<()> {
        measured!(self.settle(settlement, now))
    }

    async fn hold(&self, hold: Option<Hold>) -> StoreResult<()> {
        engine!(self.hold(hold))
    }

    async fn sent_since(&self, since: Timestamp) -> StoreResult<Vec<Sent>> {
        engine!(self.sent_since(since))
    }

    async fn release(self) {
        match self.engine {
            Engine::Sqlite(lease) => lease.release().await,
            Engine::Postgres(lease) => lease.release().await,
        }
    }
}
