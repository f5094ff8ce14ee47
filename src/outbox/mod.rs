//! The outbox: what was accepted and is not yet settled.
//!
//! Invariants that every engine keeps, and `tests/it` checks through this port:
//!
//! 1. When [`Outbox::enqueue`] returns, the notification and all its deliveries are on disk, or none is.
//! 2. A delivery is a row of its own; nothing replaces it. It ends delivered, dead or discarded.
//! 3. The unsettled deliveries of one [`OrderingKey`] have an order, that of their acceptance, and only the first can
//!    be claimed. A folded delivery is unsettled until its digest is settled.
//! 4. What is claimed ([`Outbox::claim`], [`Outbox::claim_due`], [`Outbox::stand`]) is marked in flight on disk
//!    before anybody gets it. It is given to nobody else until it is settled, or until [`Outbox::recover`] puts it in doubt.
//! 5. What a delivery carries never changes after its first claim, unless WeCom refused it
//!    ([`Verdict::Replace`]).
//!
//! The port lists use cases, not tables, and a transaction never leaves a method. The present moment is an
//! argument, or told by a clock that is one. Order and dedupe are defined here, by acceptance and by [`Dedupe`], not by an engine's row numbers.
//! A queue in memory with a log beside it was rejected: it must be read whole at a start, and its size is the
//! backlog's.

mod query;
pub mod sqlite;
mod standing;
mod types;

use std::{future::Future, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::sync::Notify;

use crate::clock::Clock;

pub use self::{
    query::*,
    standing::{Lent, Standing, Used, standing},
    types::*,
};

/// How much later than its claim a message may reach WeCom: the longest that a send can last, and some more.
pub const DUPLICATE_CHECK_MARGIN: Duration = Duration::from_secs(50);

/// Why the store did not do what was asked, by what the caller can do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// There is no room; try again when deliveries have made some.
    #[error("the outbox is full: {0}")]
    Full(String),
    /// The disk or a lock is in the way; try again.
    #[error("the outbox cannot be written or read: {0}")]
    Unavailable(String),
    /// The file is damaged; a person must act.
    #[error("the outbox is damaged: {0}")]
    Damaged(String),
    /// The daemon is shutting down.
    #[error("the outbox is closed")]
    Closed,
}

/// A method's answer.
pub type StoreResult<T> = Result<T, StoreError>;

/// The store as the daemon uses it. Every method may answer any [`StoreError`]; then nothing was changed.
///
/// A caller that goes away while a method runs leaves the store whole: the change happens or does not.
pub trait Outbox: OutboxQuery + Clone + Send + Sync + 'static {
    /// Takes a notification, and returns when it is on disk. One that is [`NewNotification::dead`] is kept as dead
    /// letters, and nothing of its lane waits for it.
    ///
    /// It is a duplicate when the same [`Dedupe::key`] was accepted less than [`Dedupe::window`] ago. But a source
    /// that comes back to a key after something else of the same lane says that the state has come back: its nth
    /// coming to a key is a duplicate only if that key was accepted n times.
    fn enqueue(
        &self,
        notification: NewNotification,
        now: Timestamp,
    ) -> impl Future<Output = StoreResult<Enqueued>> + Send;

    /// What waits in `sender`: the due heads by destination and receiver, each queue and what of it can be folded
    /// counted up to `count_to`.
    fn waiting(
        &self,
        sender: &SenderName,
        count_to: u32,
        now: Timestamp,
    ) -> impl Future<Output = StoreResult<Waiting>> + Send;

    /// Whole messages for `destination` that can be folded, the first `limit` in order of acceptance; `None` when
    /// there are none.
    ///
    /// These are alerts of which nothing was ever claimed, and which stand behind nothing in their lane but
    /// such messages for the same destination.
    fn foldable(
        &self,
        sender: &SenderName,
        destination: Destination,
        limit: u32,
    ) -> impl Future<Output = StoreResult<Option<Folding>>> + Send;

    /// Marks what `picks` name as in flight, in one transaction, and gives it out.
    ///
    /// With its first claim a delivery gets `duplicate_check` as its interval, unless another delivery with the
    /// same body and recipients was claimed within that time and [`DUPLICATE_CHECK_MARGIN`]: then it gets none, so that
    /// WeCom does not take the news for a copy.
    ///
    /// A digest is put in the place of its members: they are folded, and in each of their lanes nothing goes
    /// out before the digest is settled. What no longer can be claimed is passed over, and so is a member that
    /// stands behind something that this digest does not tell. Without any member there is no digest.
    fn claim(
        &self,
        sender: &SenderName,
        picks: Vec<Pick>,
        duplicate_check: Duration,
        now: Timestamp,
    ) -> impl Future<Output = StoreResult<Vec<Claimed>>> + Send;

    /// [`Self::claim`] of what is due in `sender`, up to so many deliveries: queues take turns, and `turn`, a number
    /// that changes from call to call, decides who is first. For a sender without limits, which needs no plan.
    ///
    /// With 0 slots it claims nothing itself: what waits for slots that are lent ([`Self::stand`]) is claimed with it.
    fn claim_due(
        &self,
        sender: &SenderName,
        slots: u32,
        turn: usize,
        duplicate_check: Duration,
        now: Timestamp,
    ) -> impl Future<Output = StoreResult<Due>> + Send;

    /// Claims of `sender` that ride in a commit, while slots are lent for them: of what it makes due, and where
    /// something [waits](Standing::is_wanted) for slots, of all that is due, as by [`Self::claim_due`]. The moment of a
    /// claim is the `clock`'s. Replaces an earlier one.
    fn stand(&self, sender: &SenderName, duplicate_check: Duration, clock: Arc<dyn Clock>) -> Standing;

    /// Ends a claim. A settled delivery lets the next one of its lane, or of all its members' lanes, come up.
    ///
    /// Settling what is not in flight changes nothing: it was settled before.
    fn settle(&self, settlement: Settlement, now: Timestamp) -> impl Future<Output = StoreResult<()>> + Send;

    /// Puts what was in flight when the last owner ended in doubt: due now, recorded as an interrupted attempt
    /// that counts. Returns how many there were. For the owner, before its first claim.
    fn recover(&self, now: Timestamp) -> impl Future<Output = StoreResult<u32>> + Send;

    /// Makes due at `now` what waits in `sender` for a moment after `horizon`. For what can only have got there
    /// because the clock was set back.
    fn hasten(
        &self,
        sender: &SenderName,
        horizon: Timestamp,
        now: Timestamp,
    ) -> impl Future<Output = StoreResult<()>> + Send;

    /// The sends over `sender` that ended after `since` and count against a budget.
    fn sent_since(
        &self,
        sender: &SenderName,
        since: Timestamp,
    ) -> impl Future<Output = StoreResult<Vec<Sent>>> + Send;

    /// Every sender that something unsettled waits for, whether or not it is in the configuration.
    fn senders(&self) -> impl Future<Output = StoreResult<Vec<SenderName>>> + Send;

    /// Every hold.
    fn holds(&self) -> impl Future<Output = StoreResult<Vec<Hold>>> + Send;

    /// Makes or changes the hold of a sender.
    fn hold(&self, hold: Hold) -> impl Future<Output = StoreResult<()>> + Send;

    /// Ends the hold of a sender, and forgets which receivers were told of it.
    fn release(&self, sender: &SenderName) -> impl Future<Output = StoreResult<()>> + Send;

    /// Dead letters of `receiver` that died after `since` and of which no notice was made, the first `limit`.
    /// Notices that died are not among them, nor a digest whose members died with it: they are.
    fn unnoticed(
        &self,
        receiver: &ReceiverName,
        since: Timestamp,
        limit: u32,
    ) -> impl Future<Output = StoreResult<Vec<Unnoticed>>> + Send;

    /// What alerts wait for `receiver` in `sender`: up to `count_to` messages counted, `lines` of them given.
    /// `None` when the receiver was told of this hold before.
    fn held_backlog(
        &self,
        sender: &SenderName,
        receiver: &ReceiverName,
        lines: u32,
        count_to: u32,
    ) -> impl Future<Output = StoreResult<Option<Backlog>>> + Send;

    /// Takes a notice and remembers what it tells of, in one transaction.
    fn notice(
        &self,
        notice: NewNotification,
        of: NoticeOf,
        now: Timestamp,
    ) -> impl Future<Output = StoreResult<NotificationId>> + Send;

    /// Deletes up to `limit` notifications of which everything was settled before `before`, gives the room back
    /// to the file system, and returns how many there were.
    fn purge(&self, before: Timestamp, limit: u32) -> impl Future<Output = StoreResult<u32>> + Send;

    /// Writes something and waits for the disk, to learn whether notifications would be taken.
    fn probe(&self, now: Timestamp) -> impl Future<Output = StoreResult<()>> + Send;

    /// Is notified when something may have become claimable, unless it was claimed for slots that are lent
    /// ([`Self::stand`]): by this process at once, by another within a second. Carries nothing; who is woken looks.
    fn changed(&self) -> Arc<Notify>;
}
