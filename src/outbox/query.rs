//! What people ask of the outbox, and do to it: the port of the `outbox` command, and of a web page later.

use std::future::Future;

use jiff::Timestamp;

use super::{Attempt, DeliveryId, Kind, NotificationId, Part, ReceiverName, SenderName, Status, StoreResult};
use crate::wecom::{Content, Recipients};

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Behind another delivery of its lane.
    Queued,
    /// At the head of its lane, due now or later.
    Ready,
    /// Being sent.
    InFlight,
    /// Told by a digest that is not yet settled.
    Folded,
    /// WeCom took it, or its digest.
    Delivered,
    /// It could not be delivered.
    Dead,
    /// A person gave it up.
    Discarded,
}

impl State {
    /// Every state, in the order of a delivery's life.
    pub const ALL: [Self; 7] = [
        Self::Queued,
        Self::Ready,
        Self::InFlight,
        Self::Folded,
        Self::Delivered,
        Self::Dead,
        Self::Discarded,
    ];

    /// The name that people use.
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
}

/// Which deliveries are asked for; an empty filter is everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// In one of these states; empty for all.
    pub states: Vec<State>,
    /// Of this receiver.
    pub receiver: Option<ReceiverName>,
    /// Accepted before this moment.
    pub accepted_before: Option<Timestamp>,
    /// Accepted at or after this moment.
    pub accepted_since: Option<Timestamp>,
    /// Told by this digest.
    pub digest: Option<DeliveryId>,
    /// After this one, for the next page.
    pub after: Option<DeliveryId>,
    /// At most so many.
    pub limit: u32,
}

/// A delivery in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub id: DeliveryId,
    /// The notification that it belongs to.
    pub notification: NotificationId,
    /// What the notification is.
    pub kind: Kind,
    /// Where it stands.
    pub state: State,
    /// Whose it is.
    pub receiver: ReceiverName,
    /// The app that sends it.
    pub sender: SenderName,
    /// Whether it fires.
    pub status: Status,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// When it is due again, if it waits.
    pub due_at: Option<Timestamp>,
    /// When it was settled.
    pub settled_at: Option<Timestamp>,
    /// Attempts that were charged.
    pub attempts: u32,
    /// Which part of its message it is.
    pub part: Part,
    /// The digest that tells it.
    pub digest: Option<DeliveryId>,
    /// Its line.
    pub summary: String,
    /// Why it is dead, or what the last attempt said.
    pub reason: String,
}

/// Everything about a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    /// As in a list.
    pub listed: Listed,
    /// Its group.
    pub group_key: String,
    /// Whom it is for.
    pub recipients: Recipients,
    /// What it says.
    pub content: Content,
    /// `msgid` of the accepted message; may be empty.
    pub msgid: String,
    /// Those whom WeCom passed over, as a line for people; empty when nobody was.
    pub missed: String,
    /// Since when it may have been delivered without WeCom's word.
    pub unconfirmed_since: Option<Timestamp>,
    /// Every attempt, the first one first.
    pub attempts: Vec<Attempt>,
}

/// What waits for one receiver in one sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Depth {
    /// The app that sends it.
    pub sender: SenderName,
    /// Whose it is.
    pub receiver: ReceiverName,
    /// Deliveries that are not settled.
    pub deliveries: u64,
    /// When the first of them, in order of acceptance, was accepted.
    pub oldest_accepted_at: Option<Timestamp>,
    /// How many deliveries people gave up instead of having them sent, since there is this outbox.
    pub discarded: u64,
}

/// Which dead letters are tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// This one.
    One(DeliveryId),
    /// All of them.
    AllDead,
}

/// What became of a person's wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// So many deliveries were changed.
    Deliveries(u32),
    /// There is no such delivery.
    Unknown,
    /// It is in this state, which does not allow it.
    NotIn(State),
}

/// The outbox as people see it. Safe beside a running daemon.
pub trait OutboxQuery {
    /// Deliveries in order of acceptance.
    fn list(&self, filter: Filter) -> impl Future<Output = StoreResult<Vec<Listed>>> + Send;

    /// One delivery.
    fn show(&self, id: DeliveryId) -> impl Future<Output = StoreResult<Option<Detail>>> + Send;

    /// How much waits, for all_recipients for whom anything ever waited; costs by their number, not by what waits.
    fn depths(&self) -> impl Future<Output = StoreResult<Vec<Depth>>> + Send;

    /// Puts dead or discarded letters at the end of their lanes again, due now, with no attempts charged. One that
    /// waits for its next attempt becomes due now.
    ///
    /// All of them come back in steps: after an error some may have. A digest that nobody got is not among all:
    /// its members are, and both would tell it twice. When it is named and then delivered, so are its members that
    /// are still dead.
    fn retry(&self, which: Which, now: Timestamp) -> impl Future<Output = StoreResult<Changed>> + Send;

    /// Gives up a delivery that waits or is dead; with all of a digest, its members. One that is in flight or
    /// folded is not touched.
    fn discard(&self, id: DeliveryId, now: Timestamp) -> impl Future<Output = StoreResult<Changed>> + Send;
}
