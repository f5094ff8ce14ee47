//! The port, implemented by jobs for the worker and the reader.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    admin, adopt, claim, enqueue, hold,
    job::{Effect, Handle},
    open::{Access, OpenError, Settings},
    presses, purge, query, reader, relay_time, settle,
    transaction::{Look, Transaction},
    waiting, watches,
    worker::{self, Subscribers, WorkerHandle},
};
use crate::clock::{Reading, ReadingRecord};
use crate::outbox::{
    AcceptedPress, CardStore, ClaimId, ConfiguredSender, MovedSender, NewPress, Press, PressId, PressRecord,
    PressVerdict, WatchVerdict, WatchedCard, rules::adoption::Adopted,
};
use crate::outbox::{
    Backlog, Changed, Changes, Claims, DeliveryId, Depth, Destination, Detail, Enqueued, Filter, Hold, Lease,
    LeaseTerm, NewNotification, NoticeSubject, NotificationId, Outbox, OutboxQuery, OutboxSize, Page,
    PageRequest, Planner, ReceiverName, Requeue, Scheduled, SenderName, Sent, Settlement, StoreResult,
    Unnoticed,
};
use crate::secret::Secret;

/// The maximum number of dead letters that are requeued in one transaction. A running daemon must not be locked out for
/// long.
const REQUEUED_AT_ONCE: u32 = 500;

/// An outbox in a SQLite file. Clones share it. It closes when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct SqliteOutbox {
    worker: Handle,
    reader: Handle,
    subscribers: Subscribers,
}

impl SqliteOutbox {
    /// Opens the outbox. Blocks on the disk.
    ///
    /// # Errors
    /// [`OpenError`] says what the problem is and what to do.
    pub fn open(settings: Settings, access: Access) -> Result<Self, OpenError> {
        let path = settings.path.clone();
        let WorkerHandle { jobs, subscribers, reads } = worker::start(settings, access)?;
        let reader = reader::start(reads, path)?;
        Ok(Self { worker: jobs, reader, subscribers })
    }

    /// Returns when a thread of the outbox has panicked, and never otherwise. The daemon then ends.
    pub async fn failed(&self) {
        tokio::select! {
            () = self.worker.panicked() => {}
            () = self.reader.panicked() => {}
        }
    }

    /// Finishes all jobs that were handed over, merges the log into the file, and closes it. Other clones get
    /// [`crate::outbox::StoreError::Closed`] from then on.
    pub async fn close(self) {
        self.reader.close().await;
        self.worker.close().await;
    }
}

impl Outbox for SqliteOutbox {
    type Lease = SqliteLease;

    async fn enqueue_all(&self, new: Vec<NewNotification>, now: Timestamp) -> StoreResult<Vec<Enqueued>> {
        let enqueue =
            move |tx: &mut Transaction<'_>| new.iter().map(|new| enqueue::enqueue(tx, new, now)).collect();
        self.worker.run(Effect::Acceptance, enqueue).await
    }

    /// The process that owns the file may dispatch every sender, so the lease is granted at once.
    async fn acquire(&self, sender: &SenderName, now: Timestamp) -> StoreResult<SqliteLease> {
        let changes = self.subscribers.subscribe(sender);
        let name = sender.clone();
        let recover = move |tx: &mut Transaction<'_>| {
            let hold = hold::holds(tx, Some(&name))?.pop();
            Ok(Inherited { hold, recovered: settle::recover(tx, &name, now)? })
        };
        let inherited = self.worker.run(Effect::FlushedWrite, recover).await?;
        Ok(SqliteLease {
            worker: self.worker.clone(),
            reader: self.reader.clone(),
            sender: sender.clone(),
            changes,
            term: LeaseTerm::default(),
            inherited: Arc::new(inherited),
        })
    }

    /// No other process can have a lease.
    async fn recover(&self, sender: &SenderName, now: Timestamp) -> StoreResult<()> {
        self.acquire(sender, now).await.map(drop)
    }

    async fn adopt(&self, senders: Vec<ConfiguredSender>, now: Timestamp) -> StoreResult<Vec<MovedSender>> {
        let mut all: Vec<MovedSender> = Vec::new();
        loop {
            let configured = senders.clone();
            let step = move |tx: &mut Transaction<'_>| adopt::adopt(tx, &configured, now);
            let Adopted { moved, is_complete } = self.worker.run(Effect::FlushedWrite, step).await?;
            for moved in moved {
                match all.iter_mut().find(|all| (&all.from, &all.to) == (&moved.from, &moved.to)) {
                    Some(all) => all.deliveries += moved.deliveries,
                    None => all.push(moved),
                }
            }
            if is_complete {
                return Ok(all);
            }
        }
    }

    async fn senders(&self) -> StoreResult<Vec<SenderName>> {
        self.reader.run(Effect::Read, |tx| waiting::senders(tx.sql)).await
    }

    async fn holds(&self) -> StoreResult<Vec<Hold>> {
        self.worker.run(Effect::Read, |tx| hold::holds(tx, None)).await
    }

    async fn unnoticed(
        &self,
        receiver: &ReceiverName,
        since: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<Unnoticed>> {
        let receiver = receiver.clone();
        self.worker.run(Effect::Read, move |tx| hold::unnoticed(tx, &receiver, since, limit)).await
    }

    async fn held_backlog(
        &self,
        sender: &SenderName,
        receiver: &ReceiverName,
        lines: u32,
        count_to: u32,
    ) -> StoreResult<Option<Backlog>> {
        let (sender, receiver) = (sender.clone(), receiver.clone());
        let read =
            move |tx: &mut Transaction<'_>| hold::held_backlog(tx, &sender, &receiver, lines, count_to);
        self.reader.run(Effect::Read, read).await
    }

    async fn notice(
        &self,
        notice: NewNotification,
        subject: NoticeSubject,
        now: Timestamp,
    ) -> StoreResult<Option<NotificationId>> {
        self.worker.run(Effect::FlushedWrite, move |tx| hold::notice(tx, &notice, &subject, now)).await
    }

    async fn purge(&self, before: Timestamp, limit: u32) -> StoreResult<u32> {
        self.worker.run(Effect::Write, move |tx| purge::purge(tx, before, limit)).await
    }

    async fn record_time(&self, present: ReadingRecord) -> StoreResult<Timestamp> {
        self.worker.run(Effect::Write, move |tx| relay_time::record(tx.sql, &present)).await
    }

    async fn size(&self) -> StoreResult<OutboxSize> {
        self.worker.run(Effect::Read, |tx| tx.size()).await
    }

    async fn console_secret(&self) -> StoreResult<Secret> {
        self.reader.run(Effect::Read, |tx| query::console_secret(tx.sql)).await
    }

    async fn probe(&self, now: Timestamp) -> StoreResult<()> {
        self.worker.run(Effect::Acceptance, move |tx| purge::probe(tx, now)).await
    }
}

impl CardStore for SqliteOutbox {
    async fn accept_press(&self, press: NewPress, now: Timestamp) -> StoreResult<AcceptedPress> {
        self.worker.run(Effect::Acceptance, move |tx| presses::accept(tx, &press, now)).await
    }

    async fn claim_press(&self, until: Timestamp, now: Timestamp) -> StoreResult<Option<Press>> {
        self.worker.run(Effect::Write, move |tx| presses::claim(tx, until, now)).await
    }

    async fn settle_press(
        &self,
        press: PressId,
        claim: ClaimId,
        verdict: PressVerdict,
        now: Timestamp,
    ) -> StoreResult<()> {
        let settle = move |tx: &mut Transaction<'_>| presses::settle(tx, press, claim, &verdict, now);
        self.worker.run(Effect::FlushedWrite, settle).await
    }

    async fn next_press_due(&self) -> StoreResult<Option<Timestamp>> {
        self.reader.run(Effect::Read, |tx| presses::next_due(tx.sql)).await
    }

    async fn watched_cards(
        &self,
        limit: u32,
        until: Timestamp,
        now: Timestamp,
    ) -> StoreResult<Vec<WatchedCard>> {
        self.worker.run(Effect::Write, move |tx| watches::claim(tx, limit, until, now)).await
    }

    async fn settle_watch(
        &self,
        delivery: DeliveryId,
        until: Timestamp,
        verdict: WatchVerdict,
        now: Timestamp,
    ) -> StoreResult<()> {
        let settle = move |tx: &mut Transaction<'_>| watches::settle(tx, delivery, until, &verdict, now);
        self.worker.run(Effect::FlushedWrite, settle).await
    }

    async fn recalled(&self, delivery: DeliveryId, at: Timestamp) -> StoreResult<()> {
        self.worker.run(Effect::FlushedWrite, move |tx| admin::recalled(tx, delivery, at)).await
    }
}

/// The hold and the deliveries in flight that an earlier lease left.
#[derive(Debug)]
struct Inherited {
    hold: Option<Hold>,
    recovered: u32,
}

/// The right to dispatch one sender from a [`SqliteOutbox`].
#[derive(Debug, Clone)]
pub struct SqliteLease {
    worker: Handle,
    reader: Handle,
    sender: SenderName,
    changes: Changes,
    term: LeaseTerm,
    inherited: Arc<Inherited>,
}

impl Lease for SqliteLease {
    fn inherited_hold(&self) -> Option<&Hold> {
        self.inherited.hold.as_ref()
    }

    fn recovered(&self) -> u32 {
        self.inherited.recovered
    }

    /// The process that owns the file has the lease for ever.
    fn term(&self) -> &LeaseTerm {
        &self.term
    }

    fn changes(&self) -> &Changes {
        &self.changes
    }

    async fn scheduled(&self) -> StoreResult<Vec<Scheduled>> {
        let sender = self.sender.clone();
        self.reader.run(Effect::Read, move |tx| waiting::scheduled(tx.sql, &sender)).await
    }

    async fn claim<P: Planner>(
        &self,
        destinations: Vec<Destination>,
        count_to: u32,
        planner: P,
        now: Timestamp,
    ) -> StoreResult<Claims<P>> {
        let sender = self.sender.clone();
        let claim = move |tx: &mut Transaction<'_>| {
            claim::claim(tx, &Look { sender: &sender, count_to, now }, &destinations, planner)
        };
        self.worker.run(Effect::Write, claim).await
    }

    async fn settle(&self, settlement: Settlement, now: Timestamp) -> StoreResult<()> {
        self.worker.run(Effect::Write, move |tx| settle::settle(tx, &settlement, now)).await
    }

    async fn hold(&self, hold: Option<Hold>) -> StoreResult<()> {
        let sender = self.sender.clone();
        let store = move |tx: &mut Transaction<'_>| match hold {
            Some(hold) => hold::store(tx, &hold),
            None => hold::delete(tx, &sender),
        };
        self.worker.run(Effect::FlushedWrite, store).await
    }

    async fn sent_since(&self, since: Timestamp) -> StoreResult<Vec<Sent>> {
        let sender = self.sender.clone();
        self.reader.run(Effect::Read, move |tx| waiting::sent_since(tx.sql, &sender, since)).await
    }

    /// The file's owner keeps the right to dispatch, so there is nothing to give back.
    async fn release(self) {}
}

impl OutboxQuery for SqliteOutbox {
    async fn relay_time(&self, reading: Reading) -> StoreResult<Timestamp> {
        self.reader.run(Effect::Read, move |tx| relay_time::relay_time(tx.sql, &reading)).await
    }

    async fn list(&self, filter: Filter, page: PageRequest) -> StoreResult<Page> {
        self.reader.run(Effect::Read, move |tx| query::list(tx.sql, &filter, &page)).await
    }

    async fn show(&self, id: DeliveryId) -> StoreResult<Option<Detail>> {
        self.reader.run(Effect::Read, move |tx| query::show(tx.sql, id)).await
    }

    async fn presses(&self, delivery: DeliveryId) -> StoreResult<Vec<PressRecord>> {
        self.reader.run(Effect::Read, move |tx| presses::of_delivery(tx.sql, delivery)).await
    }

    async fn depths(&self) -> StoreResult<Vec<Depth>> {
        self.reader.run(Effect::Read, |tx| query::depths(tx.sql)).await
    }

    async fn requeue(&self, which: Requeue, now: Timestamp) -> StoreResult<Changed> {
        let mut after = match which {
            Requeue::One(id) => {
                return self.worker.run(Effect::FlushedWrite, move |tx| admin::requeue(tx, id, now)).await;
            }
            Requeue::AllDead => i64::MIN,
        };
        let mut total = 0;
        loop {
            let requeue =
                move |tx: &mut Transaction<'_>| admin::requeue_dead(tx, after, REQUEUED_AT_ONCE, now);
            let batch = self.worker.run(Effect::FlushedWrite, requeue).await?;
            total += batch.count;
            if batch.last == after {
                return Ok(Changed::Deliveries(total));
            }
            after = batch.last;
        }
    }

    async fn discard(&self, id: DeliveryId, now: Timestamp) -> StoreResult<Changed> {
        self.worker.run(Effect::FlushedWrite, move |tx| admin::discard(tx, id, now)).await
    }
}
