//! Interactive cards, and the presses of their buttons.
//!
//! A card has a row while its delivery is kept. It is *open* after it was sent and until its group is resolved. A press is on
//! disk before WeCom gets an answer. It is claimed and settled like a delivery, so it acts once whatever happens.

use std::future::Future;

use jiff::Timestamp;

use super::{
    Absence, CardLabels, ClaimId, DeliveryId, Handled, Key, NewNotification, ReceiverName, SenderName,
    StoreResult,
};
use crate::wecom::{Content, Recipients};

/// The number of a press. It depends on the press alone, so no other outbox gives it to another press.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PressId(pub i64);

impl PressId {
    /// The number of `press`. `queue` is the first name of its sender, because the number outlives a new name.
    pub fn of(queue: &SenderName, press: &NewPress) -> Self {
        let NewPress { sender: _, task_id, user, button, response_code, pressed_at } = press;
        let pressed_at = pressed_at.as_millisecond().to_le_bytes();
        let texts = ["press", &queue.0, task_id, user, button, response_code].map(str::as_bytes);
        let key = Key::of(texts.into_iter().chain([pressed_at.as_slice()]));
        Self(key.short() & i64::MAX)
    }
}

/// A button that a member pressed, as WeCom reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPress {
    pub sender: SenderName,
    pub task_id: String,
    /// `FromUserName`
    pub user: String,
    /// `EventKey`
    pub button: String,
    pub response_code: String,
    /// `CreateTime`, a wall-clock time. It counts in whole milliseconds.
    pub pressed_at: Timestamp,
}

/// The answer to [`CardStore::accept_press`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcceptedPress {
    /// It is on disk.
    Stored(PressId),
    /// WeCom has sent it again: it was on disk already.
    Duplicate(PressId),
}

/// A press that this process works on. The type is not `Clone`, because a claim is settled once.
#[derive(Debug, PartialEq, Eq)]
pub struct Press {
    pub id: PressId,
    pub claim: ClaimId,
    /// The present name of its sender.
    pub sender: SenderName,
    pub task_id: String,
    pub user: String,
    pub button: String,
    pub response_code: String,
    /// A wall-clock time.
    pub pressed_at: Timestamp,
    pub accepted_at: Timestamp,
    /// The number of claims before this one.
    pub attempts: u32,
    /// `None` if there is no such card any more, or if its row cannot be read.
    pub card: Option<StoredCard>,
}

/// An interactive card with its delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCard {
    pub task_id: String,
    pub delivery: DeliveryId,
    pub receiver: ReceiverName,
    pub group_key: String,
    /// The present name of its sender.
    pub sender: SenderName,
    pub recipients: Recipients,
    /// The card before the actions of members are added: its own content, or that of the last update that it shows. An
    /// update does not have the task id of this card.
    pub content: Content,
    pub summary: String,
    pub severity: String,
    pub labels: CardLabels,
    /// The actions so far, oldest first.
    pub handled: Vec<Handled>,
    /// True if its group is resolved.
    pub is_closed: bool,
    pub accepted_at: Timestamp,
}

/// The consequence of a claim of a press.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PressVerdict {
    /// The press is due again at `at`. `reason` is one line for `outbox show`.
    Retry { at: Timestamp, reason: String },
    Done {
        /// One line for `outbox show`.
        result: String,
        /// The card shows this from now on.
        handled: Option<Handled>,
        /// Watches the card until this time, see [`CardStore::watched_cards`]. A later end replaces an earlier one.
        watch_until: Option<Timestamp>,
        /// They are accepted as by [`super::Outbox::enqueue_all`], in the same transaction.
        notifications: Vec<NewNotification>,
    },
}

/// A card whose alerts are silenced, so that nobody reports their end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchedCard {
    pub card: StoredCard,
    pub watch_until: Timestamp,
    /// `None` if Alertmanager listed its alerts at the last look.
    pub absence: Option<Absence>,
}

/// The consequence of a look at a watched card.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "a verdict is passed on once, and never stored")]
pub enum WatchVerdict {
    /// The card is due again at `at`.
    Again { at: Timestamp, absence: Option<Absence> },
    /// The watch ends.
    Ended,
    /// The watch ends, and the notification is accepted in the same transaction.
    Resolved(NewNotification),
}

/// A press, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PressRecord {
    pub id: PressId,
    pub user: String,
    pub button: String,
    pub pressed_at: Timestamp,
    pub accepted_at: Timestamp,
    /// The reason of the last failed attempt, until the press is settled.
    pub last_failure: Option<String>,
    /// `None` until the press is settled.
    pub result: Option<String>,
}

/// The cards and presses of an outbox. All errors mean what they mean for [`super::Outbox`].
pub trait CardStore: Clone + Send + Sync + 'static {
    /// Stores a press, and returns when it is on disk. The same press again is a [`AcceptedPress::Duplicate`], until it is
    /// purged.
    fn accept_press(
        &self,
        press: NewPress,
        now: Timestamp,
    ) -> impl Future<Output = StoreResult<AcceptedPress>> + Send;

    /// Claims the press that is due for the longest time. Another process may claim it again after `until`, or as soon as it
    /// is sure that this process has ended.
    fn claim_press(
        &self,
        until: Timestamp,
        now: Timestamp,
    ) -> impl Future<Output = StoreResult<Option<Press>>> + Send;

    /// Ends the claim of a press, in one transaction. The settlement of a claim that has ended changes nothing.
    fn settle_press(
        &self,
        press: PressId,
        claim: ClaimId,
        verdict: PressVerdict,
        now: Timestamp,
    ) -> impl Future<Output = StoreResult<()>> + Send;

    /// The time at which the next press is due, or at which its claim ends.
    fn next_press_due(&self) -> impl Future<Output = StoreResult<Option<Timestamp>>> + Send;

    /// Up to `limit` watched cards that are due. Each is due again at `until`. A card that is resolved is not watched any
    /// more.
    fn watched_cards(
        &self,
        limit: u32,
        until: Timestamp,
        now: Timestamp,
    ) -> impl Future<Output = StoreResult<Vec<WatchedCard>>> + Send;

    /// Stores the result of a look at a watched card, in one transaction. `until` is that of [`Self::watched_cards`]. The
    /// result changes nothing if the watch has ended, if a silence was added since, or if somebody looked again after `until`.
    fn settle_watch(
        &self,
        delivery: DeliveryId,
        until: Timestamp,
        verdict: WatchVerdict,
        now: Timestamp,
    ) -> impl Future<Output = StoreResult<()>> + Send;

    /// Records that WeCom has taken a message back.
    fn recalled(&self, delivery: DeliveryId, at: Timestamp) -> impl Future<Output = StoreResult<()>> + Send;
}
