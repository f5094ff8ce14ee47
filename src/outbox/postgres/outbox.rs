//! The port, implemented by jobs for the workers.

use std::{
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::DropGuard;

use super::{
    admin, adopt, claim,
    engine::{self, Engine},
    hold,
    job::Life,
    lease::{self, Candidate, LeaseRow, Taken},
    leases::LeaseEnd,
    open_error::OpenError,
    presses, purge, query, relay_time,
    replica::{self, Overview},
    session::Transaction,
    settings::{Access, LeaseTimes, Settings},
    unused_lease::UnusedLease,
    url::PostgresUrl,
    waiting::{self, Look},
    wakeups::Subscription,
};
use crate::{
    clock::{Reading, ReadingRecord},
    outbox::{
        Backlog, Changed, Changes, Claims, ConfiguredSender, DeliveryId, Depth, Destination, Detail,
        Enqueued, Filter, Hold, Lease, LeaseTerm, MovedSender, NewNotification, NoticeSubject,
        NotificationId, Outbox, OutboxQuery, OutboxSize, Page, PageRequest, Planner, PressRecord,
        ReceiverName, Requeue, Scheduled, SenderName, Sent, Settlement, Sharing, StoreResult, Unnoticed,
        rules::adoption::Adopted,
    },
    secret::Secret,
};

/// The maximum number of dead letters that are requeued in one transaction. Others must not wait long.
const REQUEUED_AT_ONCE: u32 = 500;
/// The longest time between two looks at a lease of another process.
const MAX_LOOK: Duration = Duration::from_secs(1);
/// The time after the end of a lease until the next look, and the time between two looks at a free one that another process
/// should have.
const AFTER_END: Duration = Duration::from_millis(10);
const WHILE_FREE: Duration = Duration::from_millis(200);
/// A lease whose row stays the same this much longer than its time is free, whatever the clock of the server says.
const OVERDUE: Duration = Duration::from_secs(2);

/// The number of readings of the server's clock at a start. The one with the fastest answer counts.
const TIME_READINGS: usize = 3;

/// An outbox in a PostgreSQL database. Clones share it. It closes when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct PostgresOutbox {
    pub(super) engine: Engine,
    times: LeaseTimes,
    _closes: Arc<DropGuard>,
}

impl PostgresOutbox {
    /// Opens the outbox. Blocks on the network.
    ///
    /// # Errors
    /// [`OpenError`] says what the problem is and what to do.
    pub fn open(settings: Settings, access: Access) -> Result<Self, OpenError> {
        let times = settings.lease;
        let engine = engine::start(settings, access)?;
        let closes = Arc::new(engine.shared.closing.clone().drop_guard());
        Ok(Self { engine, times, _closes: closes })
    }

    /// Returns when the thread of the outbox has panicked, and never otherwise. The daemon then ends.
    pub async fn failed(&self) {
        let mut life = self.engine.life.clone();
        if life.wait_for(|life| *life == Life::Closed).await.is_ok() {
            std::future::pending::<()>().await;
        }
    }

    /// Finishes all jobs that were handed over, and closes the sessions. Other clones get
    /// [`crate::outbox::StoreError::Closed`] from then on.
    pub async fn close(self) {
        self.engine.shared.closing.cancel();
        let mut life = self.engine.life.clone();
        // An error means that the thread has panicked, so it has ended as well.
        _ = life.wait_for(|life| *life == Life::Closed).await;
    }

    /// All processes that share this outbox, and their leases.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn overview(&self) -> StoreResult<Overview> {
        self.engine.reader.run(replica::overview).await
    }

    fn candidate(&self) -> Candidate {
        Candidate { owner: self.engine.shared.name.clone(), ttl: self.times.ttl }
    }

    /// Takes the lease if it is free for this process. It is given back if this call is dropped.
    async fn take(
        &self,
        sender: &SenderName,
        overdue: Option<LeaseRow>,
        now: Timestamp,
    ) -> StoreResult<Option<(Taken, UnusedLease)>> {
        let (sender, candidate, leases) =
            (sender.clone(), self.candidate(), self.engine.shared.leases.clone());
        let take = async move |tx: &Transaction<'_>| {
            let taken = lease::take(tx, &sender, &candidate, overdue.as_ref(), now).await?;
            Ok(taken.map(|taken| {
                let unused = UnusedLease::new(&leases, taken.lease.clone());
                (taken, unused)
            }))
        };
        self.engine.owner.run(take).await
    }

    async fn look(&self, sender: &SenderName) -> StoreResult<Option<LeaseRow>> {
        let sender = sender.clone();
        self.engine.owner.run(async move |tx: &Transaction<'_>| lease::look(tx, &sender).await).await
    }

    fn begin(&self, taken: Taken, subscription: Subscription, asked_at: Instant) -> PostgresLease {
        let term = self.engine.shared.leases.begin(&taken.lease, asked_at, self.times);
        subscription.begin(&term);
        let outbox = self.clone();
        PostgresLease(Arc::new(HeldLease { outbox, subscription, term, taken, unsure: Mutex::default() }))
    }
}

/// The relay time at the moment `called`, when its caller read the other clocks, at the latest. `now` is that of the server
/// between then and the present.
fn at_call(now: Timestamp, called: Instant) -> Timestamp {
    now.checked_sub(called.elapsed()).unwrap_or(now)
}

impl Outbox for PostgresOutbox {
    type Lease = PostgresLease;

    async fn enqueue_all(&self, new: Vec<NewNotification>, now: Timestamp) -> StoreResult<Vec<Enqueued>> {
        self.engine.intake.accept(new, now).await
    }

    async fn acquire(&self, sender: &SenderName, now: Timestamp) -> StoreResult<PostgresLease> {
        let _candidacy = self.engine.shared.leases.announce(sender);
        let (started, owner) = (Instant::now(), &self.engine.shared.name);
        // The row as it was seen first, with the time of that.
        let mut seen: Option<(LeaseRow, Instant)> = None;
        loop {
            let mut released = pin!(self.engine.shared.wakeups.released());
            // From now on no release is missed.
            released.as_mut().enable();
            let row = self.look(sender).await?;
            let is_same = |row: &LeaseRow| seen.as_ref().is_some_and(|(first, _)| first.is_unchanged(row));
            if !row.as_ref().is_some_and(is_same) {
                seen = row.clone().map(|row| (row, Instant::now()));
            }
            let is_overdue = |since: &Instant| since.elapsed() > self.times.ttl + OVERDUE;
            let overdue = seen.as_ref().filter(|(_, since)| is_overdue(since)).map(|(row, _)| row.clone());
            let is_own = |row: &LeaseRow| row.owner == *owner;
            let is_free = row.as_ref().is_none_or(|row| row.is_free() || is_own(row)) || overdue.is_some();
            if is_free {
                tokio::time::sleep(self.engine.shared.leases.wait_before(row.as_ref(), owner)).await;
                // Changes count from before the lease, so that none is missed.
                let (subscription, asked_at) = (self.engine.shared.wakeups.subscribe(sender), Instant::now());
                let passed = started.elapsed();
                let now = now.checked_add(passed).unwrap_or(now);
                if let Some((taken, unused)) = self.take(sender, overdue, now).await? {
                    if let Some(row) = row.filter(|row| !is_own(row)) {
                        let before = if row.was_released() { LeaseEnd::Released } else { LeaseEnd::Expired };
                        self.engine.shared.leases.count_takeover(sender, before);
                    }
                    unused.begin();
                    return Ok(self.begin(taken, subscription, asked_at));
                }
            }
            let pause = match row {
                Some(row) if !row.is_free() => row.remaining() + AFTER_END,
                _ => WHILE_FREE,
            };
            tokio::select! {
                () = released => {}
                () = tokio::time::sleep(pause.min(MAX_LOOK)) => {}
            }
        }
    }

    async fn recover(&self, sender: &SenderName, now: Timestamp) -> StoreResult<()> {
        let (sender, owner) = (sender.clone(), self.engine.shared.name.clone());
        let recover = async move |tx: &Transaction<'_>| lease::recover(tx, &sender, &owner, now).await;
        self.engine.owner.run(recover).await
    }

    async fn adopt(&self, senders: Vec<ConfiguredSender>, now: Timestamp) -> StoreResult<Vec<MovedSender>> {
        let mut all: Vec<MovedSender> = Vec::new();
        loop {
            let (configured, owner) = (senders.clone(), self.engine.shared.name.clone());
            let step = async move |tx: &Transaction<'_>| adopt::adopt(tx, &configured, &owner, now).await;
            let Adopted { moved, is_complete } = self.engine.owner.run(step).await?;
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
        self.engine.reader.run(waiting::senders).await
    }

    async fn holds(&self) -> StoreResult<Vec<Hold>> {
        self.engine.owner.run(hold::holds).await
    }

    async fn unnoticed(
        &self,
        receiver: &ReceiverName,
        since: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<Unnoticed>> {
        let receiver = receiver.clone();
        let read = async move |tx: &Transaction<'_>| hold::unnoticed(tx, &receiver, since, limit).await;
        self.engine.reader.run(read).await
    }

    async fn held_backlog(
        &self,
        sender: &SenderName,
        receiver: &ReceiverName,
        lines: u32,
        count_to: u32,
    ) -> StoreResult<Option<Backlog>> {
        let (sender, receiver) = (sender.clone(), receiver.clone());
        let read = async move |tx: &Transaction<'_>| {
            hold::held_backlog(tx, &sender, &receiver, lines, count_to).await
        };
        self.engine.reader.run(read).await
    }

    async fn notice(
        &self,
        notice: NewNotification,
        subject: NoticeSubject,
        now: Timestamp,
    ) -> StoreResult<Option<NotificationId>> {
        let room = self.engine.shared.room.clone();
        let store = async move |tx: &Transaction<'_>| hold::notice(tx, &notice, &subject, &room, now).await;
        self.engine.intake.run(store).await
    }

    async fn purge(&self, before: Timestamp, limit: u32) -> StoreResult<u32> {
        let room = self.engine.shared.room.clone();
        let purge = async move |tx: &Transaction<'_>| purge::purge(tx, before, limit, &room).await;
        self.engine.reader.run(purge).await
    }

    async fn record_time(&self, present: ReadingRecord) -> StoreResult<Timestamp> {
        let called = Instant::now();
        let record = async move |tx: &Transaction<'_>| relay_time::record(tx, &present).await;
        self.engine.owner.run(record).await.map(|now| at_call(now, called))
    }

    async fn size(&self) -> StoreResult<OutboxSize> {
        let room = self.engine.shared.room.clone();
        self.engine.reader.run(async move |tx: &Transaction<'_>| room.look(tx).await).await
    }

    async fn console_secret(&self) -> StoreResult<Secret> {
        self.engine.reader.run(query::console_secret).await
    }

    fn use_config(&self, fingerprint: String) {
        self.engine.shared.config.send_replace(fingerprint);
    }

    fn use_url(&self, url: &Secret) {
        if let Ok(url) = PostgresUrl::parse(url) {
            self.engine.shared.url.send_replace(url);
        }
    }

    fn sharing(&self) -> Option<Sharing> {
        Some(self.engine.shared.leases.sharing(&self.engine.shared.name))
    }

    async fn probe(&self, now: Timestamp) -> StoreResult<()> {
        let room = self.engine.shared.room.clone();
        self.engine.intake.run(async move |tx: &Transaction<'_>| purge::probe(tx, &room, now).await).await
    }
}

/// The right to dispatch one sender from a [`PostgresOutbox`]. If it is dropped without [`Lease::release`], it runs out.
#[derive(Debug, Clone)]
pub struct PostgresLease(Arc<HeldLease>);

#[derive(Debug)]
struct HeldLease {
    outbox: PostgresOutbox,
    subscription: Subscription,
    term: LeaseTerm,
    taken: Taken,
    /// The numbers of claims that failed, although they may have been committed.
    unsure: Mutex<Vec<i64>>,
}

impl HeldLease {
    fn unsure(&self) -> MutexGuard<'_, Vec<i64>> {
        self.unsure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on the lease is not renewed.
    fn forget(&self) {
        self.subscription.end();
        self.outbox.engine.shared.leases.forget(&self.taken.lease);
    }
}

impl Drop for HeldLease {
    fn drop(&mut self) {
        self.forget();
    }
}

impl Lease for PostgresLease {
    fn inherited_hold(&self) -> Option<&Hold> {
        self.0.taken.hold.as_ref()
    }

    fn recovered(&self) -> u32 {
        self.0.taken.recovered
    }

    fn term(&self) -> &LeaseTerm {
        &self.0.term
    }

    fn changes(&self) -> &Changes {
        &self.0.subscription.changes
    }

    async fn scheduled(&self) -> StoreResult<Vec<Scheduled>> {
        let sender = self.0.taken.lease.sender.clone();
        let read = async move |tx: &Transaction<'_>| waiting::scheduled(tx, &sender).await;
        self.0.outbox.engine.owner.run(read).await
    }

    async fn claim<P: Planner>(
        &self,
        destinations: Vec<Destination>,
        count_to: u32,
        planner: P,
        now: Timestamp,
    ) -> StoreResult<Claims<P>> {
        let (lease, room) = (self.0.taken.lease.clone(), self.0.outbox.engine.shared.room.clone());
        let (unsure, number) = (self.0.unsure().clone(), Arc::new(AtomicI64::new(0)));
        let (undone, made) = (unsure.clone(), Arc::clone(&number));
        let claim = async move |tx: &Transaction<'_>| {
            let look = Look { sender: &lease.sender, count_to, now };
            let number = claim::fence(tx, &lease, !undone.is_empty()).await?;
            made.store(number.0, Ordering::Release);
            claim::undo(tx, &look, &undone).await?;
            claim::claim(tx, &look, number, &destinations, planner, &room).await
        };
        let claimed = self.0.outbox.engine.owner.run_once(claim).await;
        match claimed {
            Ok(_) => self.0.unsure().retain(|number| !unsure.contains(number)),
            // Perhaps it was committed. Without a number it did not begin.
            Err(_) => {
                let number = number.load(Ordering::Acquire);
                self.0.unsure().extend((number != 0).then_some(number));
            }
        }
        claimed
    }

    async fn settle(&self, settlement: Settlement, now: Timestamp) -> StoreResult<()> {
        self.0.outbox.engine.owner.settle(settlement, now).await
    }

    async fn hold(&self, hold: Option<Hold>) -> StoreResult<()> {
        let lease = self.0.taken.lease.clone();
        let store = async move |tx: &Transaction<'_>| {
            claim::hold_fence(tx, &lease).await?;
            match &hold {
                Some(hold) => hold::store(tx, hold).await,
                None => hold::delete(tx, &lease.sender).await,
            }
        };
        self.0.outbox.engine.owner.run(store).await
    }

    async fn sent_since(&self, since: Timestamp) -> StoreResult<Vec<Sent>> {
        let mut all: Vec<Sent> = Vec::new();
        for statement in waiting::ALL_COUNTED {
            let mut after = since;
            loop {
                let sender = self.0.taken.lease.sender.clone();
                let read = async move |tx: &Transaction<'_>| {
                    waiting::sent_after(tx, statement, &sender, after).await
                };
                let page = self.0.outbox.engine.owner.run(read).await?;
                let is_last = page.len() < waiting::COUNTED_AT_ONCE;
                after = page.last().map_or(after, |sent| sent.ended_at);
                all.extend(page);
                if is_last {
                    break;
                }
            }
        }
        all.sort_by_key(|sent| sent.ended_at);
        Ok(all)
    }

    async fn release(self) {
        let HeldLease { outbox, taken: Taken { lease, .. }, .. } = self.0.as_ref();
        let next_owner = outbox.engine.shared.leases.next_owner(&lease.sender);
        self.0.forget();
        let released = lease.clone();
        let release =
            async move |tx: &Transaction<'_>| lease::release(tx, &released, next_owner.as_deref()).await;
        if let Err(error) = outbox.engine.owner.run(release).await {
            tracing::warn!(app = %lease.sender, %error, "the lease was not given back; it runs out by itself");
        }
    }
}

impl OutboxQuery for PostgresOutbox {
    async fn relay_time(&self, _reading: Reading) -> StoreResult<Timestamp> {
        let (called, mut latest) = (Instant::now(), Timestamp::MIN);
        for _ in 0..TIME_READINGS {
            let now = self.engine.reader.run(relay_time::now).await?;
            latest = latest.max(at_call(now, called));
        }
        Ok(latest)
    }

    async fn list(&self, filter: Filter, page: PageRequest) -> StoreResult<Page> {
        let list = async move |tx: &Transaction<'_>| query::list(tx, &filter, &page).await;
        self.engine.reader.run(list).await
    }

    async fn show(&self, id: DeliveryId) -> StoreResult<Option<Detail>> {
        self.engine.reader.run(async move |tx: &Transaction<'_>| query::show(tx, id).await).await
    }

    async fn presses(&self, delivery: DeliveryId) -> StoreResult<Vec<PressRecord>> {
        let read = async move |tx: &Transaction<'_>| presses::of_delivery(tx, delivery).await;
        self.engine.reader.run(read).await
    }

    async fn depths(&self) -> StoreResult<Vec<Depth>> {
        self.engine.reader.run(query::depths).await
    }

    async fn requeue(&self, which: Requeue, now: Timestamp) -> StoreResult<Changed> {
        let mut after = match which {
            Requeue::One(id) => {
                let requeue = async move |tx: &Transaction<'_>| admin::requeue(tx, id, now).await;
                return self.engine.reader.run(requeue).await;
            }
            Requeue::AllDead => i64::MIN,
        };
        let mut total = 0;
        loop {
            let requeue =
                async move |tx: &Transaction<'_>| admin::requeue_dead(tx, after, REQUEUED_AT_ONCE, now).await;
            let batch = self.engine.reader.run(requeue).await?;
            total += batch.count;
            if batch.last == after {
                return Ok(Changed::Deliveries(total));
            }
            after = batch.last;
        }
    }

    async fn discard(&self, id: DeliveryId, now: Timestamp) -> StoreResult<Changed> {
        let discard = async move |tx: &Transaction<'_>| admin::discard(tx, id, now).await;
        self.engine.reader.run(discard).await
    }
}
