//! The port of operators: the `outbox` command and web pages.

use std::future::Future;

use jiff::Timestamp;

use super::{
    Attempt, DeliveryId, Kind, NotificationId, Part, PressRecord, ReceiverName, SenderName, Status,
    StoreResult,
};
use crate::{
    clock::Reading,
    wecom::{Content, Recipients},
};

/// The state of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// It waits behind another delivery of its ordering key.
    Queued,
    /// It is the first of its ordering key, due now or later.
    Ready,
    /// It is being sent.
    InFlight,
    /// It is part of a digest that is not settled yet.
    Folded,
    /// WeCom accepted it or its digest.
    Delivered,
    /// It is a dead letter.
    Dead,
    /// An operator discarded it.
    Discarded,
}

impl State {
    /// All states in the order of a delivery's life.
    pub const ALL: [Self; 7] = [
        Self::Queued,
        Self::Ready,
        Self::InFlight,
        Self::Folded,
        Self::Delivered,
        Self::Dead,
        Self::Discarded,
    ];

    /// The name that operators see.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Ready => "ready",
            Self::InFlight => "in-flight",
            Self::Folded => "folded",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
            Self::Discarded => "discarded",
        }
    }

    /// True if the delivery has ended.
    pub fn is_settled(self) -> bool {
        matches!(self, Self::Delivered | Self::Dead | Self::Discarded)
    }
}

/// The order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ListOrder {
    /// In order of acceptance.
    #[default]
    OldestFirst,
    /// The latest acceptance first.
    NewestFirst,
}

/// Selects deliveries. The default selects all of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// The states; empty for all.
    pub states: Vec<State>,
    pub receiver: Option<ReceiverName>,
    pub sender: Option<SenderName>,
    pub kind: Option<Kind>,
    pub group_key: Option<String>,
    /// Only deliveries whose summary or group key has all of these words. Only ASCII letters are compared without case.
    pub words: Vec<String>,
    /// The words may also be in the content. A call looks at fewer rows then.
    pub in_content: bool,
    /// Only deliveries that were accepted before this time.
    pub accepted_before: Option<Timestamp>,
    /// Only deliveries that were accepted at or after this time.
    pub accepted_since: Option<Timestamp>,
    /// Only deliveries that are folded into this digest.
    pub digest: Option<DeliveryId>,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    pub order: ListOrder,
    /// Start behind this delivery; see [`Page::next`].
    pub after: Option<DeliveryId>,
    /// The largest number of deliveries to return.
    pub limit: u32,
}

/// The answer to [`OutboxQuery::list`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    pub deliveries: Vec<Listed>,
    /// The start of the next page; `None` after the last page. A page may hold fewer deliveries than the limit, or
    /// none, although there is a next page: a call looks at a bounded number of rows.
    pub next: Option<DeliveryId>,
}

/// A delivery in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub id: DeliveryId,
    pub notification: NotificationId,
    pub kind: Kind,
    pub state: State,
    pub receiver: ReceiverName,
    pub sender: SenderName,
    pub status: Status,
    pub accepted_at: Timestamp,
    /// The time of the next attempt, if it is ready.
    pub due_at: Option<Timestamp>,
    pub settled_at: Option<Timestamp>,
    /// The time at which WeCom took the message back.
    pub recalled_at: Option<Timestamp>,
    /// The number of attempts that count for the retry policy.
    pub attempts: u32,
    pub part: Part,
    /// The digest that it is folded into.
    pub digest: Option<DeliveryId>,
    pub summary: String,
    /// The reason for its death, or the detail of its last attempt.
    pub reason: String,
}

/// Everything about one delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    pub listed: Listed,
    pub group_key: String,
    pub recipients: Recipients,
    pub content: Content,
    /// WeCom's `msgid` of the accepted message; may be empty.
    pub msgid: String,
    /// The recipients that WeCom could not reach, as one line; empty if there are none.
    pub invalid_recipients: String,
    /// The start of the first attempt with an unknown outcome.
    pub unconfirmed_since: Option<Timestamp>,
    /// All attempts, oldest first.
    pub attempts: Vec<Attempt>,
}

/// The queue depth of one sender and receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Depth {
    pub sender: SenderName,
    pub receiver: ReceiverName,
    pub deliveries: u64,
    /// The acceptance of the oldest unsettled delivery.
    pub oldest_accepted_at: Option<Timestamp>,
    /// The number of deliveries that operators discarded before they were settled, since the outbox was created.
    pub discarded: u64,
}

/// The dead letters to requeue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requeue {
    /// This one.
    One(DeliveryId),
    /// All of them.
    AllDead,
}

/// The result of an operator's command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// This number of deliveries was changed.
    Deliveries(u32),
    /// There is no such delivery.
    Unknown,
    /// The delivery is in this state, which does not allow the command.
    NotIn(State),
    /// The delivery has no recipient, so it cannot be sent.
    NoRecipient,
}

/// The outbox as operators use it. Every call is safe beside a running daemon. Queries use their own connection, so they
/// never delay acceptance or delivery.
pub trait OutboxQuery {
    /// The relay time of `reading`, which goes on from the last recorded time.
    fn relay_time(&self, reading: Reading) -> impl Future<Output = StoreResult<Timestamp>> + Send;

    /// One page of the deliveries that `filter` selects. Its times and those of the page are wall-clock times.
    fn list(&self, filter: Filter, page: PageRequest) -> impl Future<Output = StoreResult<Page>> + Send;

    /// One delivery, with wall-clock times.
    fn show(&self, id: DeliveryId) -> impl Future<Output = StoreResult<Option<Detail>>> + Send;

    /// The presses of the card of a delivery, oldest first, with wall-clock times.
    fn presses(&self, delivery: DeliveryId) -> impl Future<Output = StoreResult<Vec<PressRecord>>> + Send;

    /// The queue depth of each sender and receiver that has unsettled or discarded deliveries.
    fn depths(&self) -> impl Future<Output = StoreResult<Vec<Depth>>> + Send;

    /// Puts dead or discarded deliveries at the end of their ordering keys, due now, as if they were never attempted. A
    /// ready delivery becomes due now.
    ///
    /// [`Requeue::AllDead`] works in batches; after an error some letters may already be requeued. It skips dead digests,
    /// because their members are requeued one by one. A digest that is requeued by its number and then delivered settles
    /// the members that are still dead.
    fn requeue(&self, which: Requeue, now: Timestamp) -> impl Future<Output = StoreResult<Changed>> + Send;

    /// Discards a delivery that waits or is dead. Discarding a digest discards its members. A delivery in flight and a
    /// folded delivery are not changed.
    fn discard(&self, id: DeliveryId, now: Timestamp) -> impl Future<Output = StoreResult<Changed>> + Send;
}
