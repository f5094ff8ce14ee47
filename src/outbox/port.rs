//! The traits through which the daemon uses the outbox.

use std::future::Future;

use jiff::Timestamp;

use super::{
    Backlog, CardStore, Changes, Claims, ConfiguredSender, Destination, Enqueued, Folding, Hold, LeaseTerm,
    MovedSender, NewDigest, NewNotification, NoticeSubject, NotificationId, OutboxQuery, OutboxSize, Pick,
    ReceiverName, Scheduled, SenderName, Sent, Settlement, Sharing, StoreError, StoreResult, Unnoticed,
    Waiting,
};
use crate::{clock::ReadingRecord, metrics::StoreMetrics, secret::Secret};

/// The outbox as any process of the daemon may use it.
///
/// Every method may return any [`super::StoreError`]; then nothing has changed. A caller may drop a future at any time: the
/// change then happens completely or not at all.
///
/// An engine on a server cannot know whether a change without an answer was made. Then making it again changes nothing, and a
/// claim is undone by the next one.
pub trait Outbox: OutboxQuery + CardStore {
    /// The right to dispatch one sender.
    type Lease: Lease;

    /// [`Self::enqueue_all`] for one notification.
    fn enqueue(
        &self,
        notification: NewNotification,
        now: Timestamp,
    ) -> impl Future<Output = StoreResult<Enqueued>> + Send {
        async move {
            let enqueued = self.enqueue_all(vec![notification], now).await?.pop();
            enqueued.ok_or_else(|| {
                StoreError::Damaged(
                    "the outbox stored a notification and did not return its number; this is a bug"
                        .to_owned(),
                )
            })
        }
    }

    /// Stores the notifications of one webhook, all or none, and returns when they are on disk. A notification that is
    /// [`NewNotification::dead`] is stored as dead letters; it does not block its ordering key.
    ///
    /// A notification is a duplicate if the last accepted one of its ordering key has the same [`super::Dedupe::key`]
    /// and was accepted within [`super::Dedupe::window`]. [`super::rules::dedup`] has the reasons.
    fn enqueue_all(
        &self,
        notifications: Vec<NewNotification>,
        now: Timestamp,
    ) -> impl Future<Output = StoreResult<Vec<Enqueued>>> + Send;

    /// Begins the lease of `sender`, as soon as no other process has it. Deliveries that an earlier lease left in flight
    /// become unconfirmed: they are due now, before what waits, and an interrupted attempt is recorded, which counts as an
    /// attempt.
    fn acquire(
        &self,
        sender: &SenderName,
        now: Timestamp,
    ) -> impl Future<Output = StoreResult<Self::Lease>> + Send;

    /// Makes the deliveries of `sender` unconfirmed that an earlier lease left in flight, as [`Self::acquire`] does. Call it
    /// for a sender that this process does not dispatch. Another process may have its lease; then nothing changes.
    fn recover(&self, sender: &SenderName, now: Timestamp) -> impl Future<Output = StoreResult<()>> + Send;

    /// Names the senders of the configuration. What waits, counts or is held under another name of the same identity
    /// moves to the present name, and later notifications under the other name too. An identity that the configuration
    /// does not have any more leaves its deliveries to the sender with its name. Call it while no sender that moves has
    /// a lease. After an error some deliveries may have moved already, and the next call goes on.
    fn adopt(
        &self,
        senders: Vec<ConfiguredSender>,
        now: Timestamp,
    ) -> impl Future<Output = StoreResult<Vec<MovedSender>>> + Send;

    /// All senders that have unsettled deliveries, whether or not the configuration has them.
    fn senders(&self) -> impl Future<Output = StoreResult<Vec<SenderName>>> + Send;

    /// All holds.
    fn holds(&self) -> impl Future<Output = StoreResult<Vec<Hold>>> + Send;

    /// The first `limit` dead letters of `receiver` that died after `since` and that no notice has reported. Dead
    /// notices are left out. A dead digest is left out too, because its members are reported.
    fn unnoticed(
        &self,
        receiver: &ReceiverName,
        since: Timestamp,
        limit: u32,
    ) -> impl Future<Output = StoreResult<Vec<Unnoticed>>> + Send;

    /// The alerts of `receiver` that wait for `sender`: counted up to `count_to`, with the first `lines` summaries.
    /// `None` if the receiver's fallback was already notified of this hold.
    fn held_backlog(
        &self,
        sender: &SenderName,
        receiver: &ReceiverName,
        lines: u32,
        count_to: u32,
    ) -> impl Future<Output = StoreResult<Option<Backlog>>> + Send;

    /// Stores a notice and records what it reports, in one transaction. `None` if any of it was reported meanwhile, by
    /// another process; then nothing is stored.
    fn notice(
        &self,
        notice: NewNotification,
        subject: NoticeSubject,
        now: Timestamp,
    ) -> impl Future<Output = StoreResult<Option<NotificationId>>> + Send;

    /// Deletes up to `limit` deliveries that were settled before `before`, and returns freed space to the file
    /// system. Returns the number of deleted deliveries. [`Self::enqueue`] deletes the oldest settled ones earlier when
    /// it needs their room.
    fn purge(&self, before: Timestamp, limit: u32) -> impl Future<Output = StoreResult<u32>> + Send;

    /// Records the present time, so that relay time goes on from it after a restart or another boot. Returns the relay
    /// time, which is later than that of `present` if the outbox has later times.
    fn record_time(&self, present: ReadingRecord) -> impl Future<Output = StoreResult<Timestamp>> + Send;

    /// The size of the outbox and its limit.
    fn size(&self) -> impl Future<Output = StoreResult<OutboxSize>> + Send;

    /// A random text that all processes of this outbox share, and that stays the same.
    fn console_secret(&self) -> impl Future<Output = StoreResult<Secret>> + Send;

    /// Reports the fingerprint of the configuration that is in use from now on to the other processes.
    fn use_config(&self, _fingerprint: String) {}

    /// New sessions log in with `url`, which differs at most in its password from that of the start. Sessions that are open
    /// stay.
    fn use_url(&self, _url: &Secret) {}

    /// The part of this process among those that share the outbox. `None` if the outbox cannot be shared.
    fn sharing(&self) -> Option<Sharing> {
        None
    }

    /// The durations and errors of its calls.
    fn metrics(&self) -> StoreMetrics {
        StoreMetrics::default()
    }

    /// Writes and flushes one row. An error means that [`Self::enqueue`] would fail too.
    fn probe(&self, now: Timestamp) -> impl Future<Output = StoreResult<()>> + Send;
}

/// The right of this process to dispatch one sender. Clones are the same lease.
pub trait Lease: Clone + Send + Sync + 'static {
    /// The hold that an earlier lease left.
    fn inherited_hold(&self) -> Option<&Hold>;

    /// The number of deliveries that an earlier lease left in flight.
    fn recovered(&self) -> u32;

    /// The time until which this lease is valid. [`Self::claim`] and [`Self::hold`] fail with
    /// [`super::StoreError::LeaseLost`] when another process has taken the lease, and [`Self::claim`] also when it has run
    /// out.
    fn term(&self) -> &LeaseTerm;

    /// Reports destinations whose deliveries may have become claimable.
    fn changes(&self) -> &Changes;

    /// All destinations that have a ready delivery, with the time at which the first of them is due.
    fn scheduled(&self) -> impl Future<Output = StoreResult<Vec<Scheduled>>> + Send;

    /// Looks at `destinations` one after the other, until the planner is full or, in some engines, has a digest. Marks the
    /// deliveries that it picks as in flight, all in one transaction. Deliveries are counted up to `count_to`.
    ///
    /// A digest takes the place of its members: they become folded, and their ordering keys wait until the digest is
    /// settled.
    ///
    /// The mark survives a crash of the process. After a power failure it may be lost; the deliveries are then claimed
    /// again.
    fn claim<P: Planner>(
        &self,
        destinations: Vec<Destination>,
        count_to: u32,
        planner: P,
        now: Timestamp,
    ) -> impl Future<Output = StoreResult<Claims<P>>> + Send;

    /// Ends a claim. When a delivery is settled for good, the next delivery of its ordering key becomes ready.
    /// Settling a claim that has already ended changes nothing. A result can be stored after the lease has ended.
    fn settle(&self, settlement: Settlement, now: Timestamp) -> impl Future<Output = StoreResult<()>> + Send;

    /// Stores the hold of this sender, or deletes it.
    fn hold(&self, hold: Option<Hold>) -> impl Future<Output = StoreResult<()>> + Send;

    /// The attempts that ended after `since` and count against rate limits, in the order in which they ended.
    fn sent_since(&self, since: Timestamp) -> impl Future<Output = StoreResult<Vec<Sent>>> + Send;

    /// Gives the lease back. Call this when nothing is in flight.
    fn release(self) -> impl Future<Output = ()> + Send;
}

/// The decisions of [`Lease::claim`]. They are pure, because they are made inside a transaction.
pub trait Planner: Send + 'static {
    /// The deliveries to claim for one destination, in this order.
    fn plan(&mut self, waiting: &Waiting) -> Vec<Pick>;

    /// True if nothing more can be claimed, so no other destination is looked at.
    fn is_full(&self) -> bool;

    /// A digest of the first notifications of `folding`.
    fn digest(&self, folding: &Folding) -> Option<NewDigest>;
}
