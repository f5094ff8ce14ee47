//! The values that go into the outbox and come out of it.

use std::{fmt, time::Duration};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::{CardLabels, OpenCard, TriedCard};
use crate::wecom::{Content, GroupMentions, Message, Receipt, Recipients};

/// The number of a notification: that of its first delivery. Numbers rise with acceptance and are never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NotificationId(pub i64);

/// The number of a delivery. Numbers rise with acceptance and are never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryId(pub i64);

/// The number of one call of [`super::Lease::claim`]. A settlement names it, so that a late result cannot settle a
/// later claim of the same delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClaimId(pub i64);

/// The name of a sender: an app of the configuration. WeCom counts messages by sender; the relay limits and holds them
/// by sender.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SenderName(pub String);

/// A sender of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfiguredSender {
    pub name: SenderName,
    /// The API URL, the corp and the agent: WeCom counts messages by it.
    pub identity: String,
    /// Further names of the configuration for the same identity.
    pub aliases: Vec<SenderName>,
}

/// Deliveries that wait moved from a former name of their sender to the present one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedSender {
    pub from: SenderName,
    pub to: SenderName,
    pub deliveries: usize,
}

/// The name of a receiver of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReceiverName(pub String);

macro_rules! display {
    ($($name:ty),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}
display!(NotificationId, DeliveryId, SenderName, ReceiverName);

/// A hash that identifies texts of any length: the first half of their SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(pub [u8; 16]);

impl Key {
    /// The key of a list of parts. Lengths are hashed too, so `["ab", "c"]` and `["a", "bc"]` differ.
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let digest = hash.finalize();
        let mut key = [0; 16];
        key.iter_mut().zip(digest.iter()).for_each(|(to, from)| *to = *from);
        Self(key)
    }

    /// The first eight bytes as a number, which makes an index half as large. Use it where a collision is harmless.
    pub fn short(self) -> i64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        i64::from_le_bytes([a, b, c, d, e, f, g, h])
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A sender and a set of recipients. Notifications of one destination can be folded together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Destination(pub Key);

impl Destination {
    /// The destination of deliveries to `recipients` through `sender`.
    pub fn of(sender: &SenderName, recipients: &Recipients) -> Self {
        Self(Key::of([sender.0.as_bytes(), recipients.canonical().as_bytes()]))
    }
}

/// A sender, a receiver and a group key. Deliveries with the same ordering key go out one after the other. What waits for
/// one sender does not delay what is accepted for another one, because a sender that is gone keeps its deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OrderingKey(pub Key);

impl OrderingKey {
    /// The ordering key of `group_key` at `receiver`. `queue` is the first name of the sender: the key outlives a new name.
    pub fn of(queue: &SenderName, receiver: &ReceiverName, group_key: &str) -> Self {
        let parts = ["group", &queue.0, &receiver.0, group_key];
        Self(Key::of(parts.map(str::as_bytes)))
    }
}

/// Identifies the request body of a delivery: its sender, recipients and content. Two deliveries with the same body look
/// alike to WeCom's duplicate check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BodyHash(pub i64);

impl BodyHash {
    /// The hash of `content` to `recipients` through `sender`. The order of the recipients does not matter.
    pub fn of(sender: &SenderName, recipients: &Recipients, content: &Content) -> Self {
        let recipients = recipients.canonical();
        let parts = [sender.0.as_str(), content.msgtype(), content.text(), &recipients];
        Self(Key::of(parts.map(str::as_bytes)).short())
    }
}

/// The origin of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A webhook.
    Alert,
    /// A digest of folded notifications.
    Digest,
    /// A notice to a fallback receiver. A dead notice is not reported by another notice.
    Notice,
}

/// The status of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// At least one alert is firing.
    Firing,
    /// All alerts are resolved.
    Resolved,
}

/// The data by which duplicates of a notification are recognized.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dedupe {
    /// The receiver, the group key, and each alert's fingerprint, status and start.
    pub key: Key,
    /// The time after the acceptance within which a duplicate is dropped.
    pub window: Duration,
}

/// A rendered notification that is to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNotification {
    pub kind: Kind,
    pub receiver: ReceiverName,
    /// Its group key. Sender, receiver and group key make the [`OrderingKey`].
    pub group_key: String,
    pub status: Status,
    /// The `severity` label of its alerts; may be empty.
    pub severity: String,
    /// The data for deduplication. `None` accepts every duplicate.
    pub dedupe: Option<Dedupe>,
    /// One line for digests, notices and lists.
    pub summary: String,
    /// The text that replaces a card if WeCom rejects the card. It fits into one message.
    pub text_form: Option<String>,
    pub sender: SenderName,
    /// All recipients. Sender and recipients make the [`Destination`].
    pub recipients: Recipients,
    /// The API calls that it needs, in order.
    pub deliveries: Vec<NewDelivery>,
    /// The reason why it cannot be delivered, if that is known already. Its deliveries are stored as dead letters.
    pub dead: Option<String>,
    /// The labels of its alerts, if it is an interactive card that actions can be taken on. A delivery whose content has a
    /// [`Content::task_id`] then stores a card.
    pub card: Option<CardLabels>,
}

/// One API call that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDelivery {
    /// The recipients of this call: those of the notification, or one batch of them.
    pub recipients: Recipients,
    pub content: Content,
    pub part: Part,
}

/// Part `number` of `total` parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// From 1.
    pub number: u16,
    pub total: u16,
}

impl Part {
    /// The only part of a text that is not split.
    pub const WHOLE: Self = Self { number: 1, total: 1 };
}

/// The answer to [`super::Outbox::enqueue`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enqueued {
    /// It is on disk.
    Accepted(NotificationId),
    /// It is a duplicate of this notification, which is on disk.
    Duplicate(NotificationId),
}

/// A destination that has ready deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scheduled {
    pub destination: Destination,
    /// The time at which its first delivery is due.
    pub due_at: Timestamp,
}

/// The due deliveries of one destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    pub destination: Destination,
    /// The recipients of the due deliveries; [`Recipients::Nobody`] if nothing is due.
    pub recipients: Recipients,
    /// The longest due first, up to the bound of the call.
    pub heads: Vec<Head>,
    /// The number of notifications that can be folded, up to the bound of the call.
    ///
    /// A notification can be folded if it is an alert, none of its deliveries was ever claimed, and only foldable
    /// notifications of the same destination are before it in its ordering key.
    pub foldable: u32,
    /// The time at which the next delivery is due that is not due yet.
    pub next_due: Option<Timestamp>,
}

/// A due delivery. It is the first of its ordering key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    pub delivery: DeliveryId,
    pub notification: NotificationId,
    /// The number of messages that it starts: all parts of a notification that can be folded, because a split text should
    /// not stop halfway; else 1.
    pub slots: u32,
    /// False if its notification can be folded.
    pub started: bool,
}

/// The delivery to claim, or the digest to create and claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pick {
    Delivery(DeliveryId),
    /// A digest of notifications that can be folded.
    Digest {
        destination: Destination,
        /// The maximum number of notifications that it may replace.
        limit: u32,
    },
}

/// A digest that takes the place of the first `members` notifications of a [`Folding`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDigest {
    pub members: usize,
    pub message: NewNotification,
}

/// The answer to [`super::Lease::claim`].
#[derive(Debug, PartialEq, Eq)]
pub struct Claims<P> {
    /// The planner, which knows what it has planned.
    pub planner: P,
    /// The deliveries that are in flight now.
    pub claimed: Vec<Claimed>,
}

/// The notifications of one destination that can be folded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folding {
    pub recipients: Recipients,
    /// The notifications in order of acceptance; not empty.
    pub notifications: Vec<Foldable>,
}

/// A notification that can be folded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foldable {
    pub notification: NotificationId,
    pub receiver: ReceiverName,
    pub accepted_at: Timestamp,
    pub status: Status,
    /// Its severity; may be empty.
    pub severity: String,
    pub summary: String,
    /// The maximum number of notifications in a digest with this one. See [`super::rules::fold`].
    pub limit: u32,
    /// The members whom its first part mentions, if it is for a group.
    pub mentions: GroupMentions,
}

/// A delivery that is in flight. The type is not `Clone`, because a claim is sent once and settled once.
#[derive(Debug, PartialEq, Eq)]
pub struct Claimed {
    pub id: DeliveryId,
    /// This claim.
    pub claim: ClaimId,
    pub notification: NotificationId,
    pub kind: Kind,
    /// The notifications that this claim has folded into it.
    pub members: Vec<NotificationId>,
    pub receiver: ReceiverName,
    pub group_key: String,
    /// The message. `duplicate_check` is `None`: the dispatcher decides about it.
    pub message: Message,
    pub body: BodyHash,
    /// All recipients of the notification. The message goes to them or to one batch of them.
    pub all_recipients: Recipients,
    /// The number of other deliveries of the notification that are not settled.
    pub unsettled_others: u32,
    pub part: Part,
    pub accepted_at: Timestamp,
    pub claimed_at: Timestamp,
    /// The number of attempts that count for the retry policy.
    pub attempts: u32,
    /// The number of attempts that ended with an unknown errcode.
    pub unknown_codes: u32,
    /// The start of the first attempt with an unknown outcome.
    pub unconfirmed_since: Option<Timestamp>,
    /// [`NewNotification::text_form`]
    pub text_form: Option<String>,
    /// The open cards of its ordering key that can be updated, newest first, if it is an update without a response code. If
    /// its notification has several batches of recipients, the cards of its batch.
    pub open_cards: Vec<OpenCard>,
}

/// One API call for a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub started_at: Timestamp,
    pub duration: Duration,
    /// WeCom's errcode, if it answered.
    pub errcode: Option<i64>,
    /// The outcome in words, for people.
    pub detail: String,
    /// True if WeCom accepted the message or may have accepted it. Such an attempt counts against rate limits.
    pub counted: bool,
}

/// The consequence of an attempt for its delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// WeCom accepted the message.
    Delivered(Receipt),
    /// The delivery stays the first of its ordering key and is due again at `at`.
    Retry {
        at: Timestamp,
        /// True if this attempt counts for the retry policy.
        charged: bool,
        /// True if WeCom may have accepted the message.
        unconfirmed: bool,
        unknown_code: bool,
    },
    /// WeCom rejected the content. The delivery is due now with this content instead.
    Replace {
        content: Content,
        /// The rejected content and the reason, for the reader of the plainer message.
        reason: String,
    },
    /// The delivery becomes a dead letter for this reason.
    Dead(String),
    /// The digest is discarded for this reason, with its parts that are queued. Its members wait again, in their old
    /// places, and only digests of half the size may replace them. If a part was delivered, or if no member is folded,
    /// the delivery becomes a dead letter instead.
    Undo(String),
}

/// The end of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    pub delivery: DeliveryId,
    pub claim: ClaimId,
    pub attempt: Attempt,
    pub verdict: Verdict,
    /// Those of [`Claimed::open_cards`] about which the attempt has said something.
    pub tried_cards: Vec<TriedCard>,
}

/// A past attempt that counts against rate limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    pub delivery: DeliveryId,
    pub recipients: Recipients,
    pub body: BodyHash,
    pub ended_at: Timestamp,
}

/// An open or half-open circuit breaker. It is stored, so that not even a crash loop floods WeCom with calls that must
/// fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    pub sender: SenderName,
    pub since: Timestamp,
    pub reason: String,
    /// WeCom's errcode, if it answered.
    pub errcode: Option<i64>,
    pub probes: u32,
    pub next_probe_at: Timestamp,
    /// A fingerprint of the credentials. Other credentials are tried at once.
    pub credentials: String,
}

/// A dead letter that no notice has reported yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unnoticed {
    pub delivery: DeliveryId,
    pub notification: NotificationId,
    pub summary: String,
    pub reason: String,
}

/// The subject of a notice, which later notices need not repeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoticeSubject {
    /// These dead letters.
    Dead(Vec<DeliveryId>),
    /// The hold of this sender, as it affects this receiver.
    Hold(SenderName, ReceiverName),
}

/// The alerts that wait behind a hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Backlog {
    /// The number of waiting notifications, up to the bound of the call.
    pub notifications: u32,
    pub summaries: Vec<String>,
}

/// The size of the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutboxSize {
    /// The bytes in use, which count against `max_bytes`.
    pub bytes: u64,
    /// New alerts are refused at this size.
    pub max_bytes: u64,
}
