//! What is put into the outbox and what comes out of it.

use std::{fmt, time::Duration};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::wecom::{Content, Message, Receipt, Recipients};

/// A notification's place in the order of acceptance, and its name for people. Given by the store, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NotificationId(pub i64);

/// A delivery's place in the order of acceptance, and its name for people. Given by the store, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryId(pub i64);

impl fmt::Display for NotificationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What WeCom counts by and what is held or paced as one: the name of an app.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SenderName(pub String);

/// The name of a receiver of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReceiverName(pub String);

impl fmt::Display for SenderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ReceiverName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A digest that stands for texts of any length.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(pub [u8; 16]);

impl Key {
    /// A key of `parts` in this order; where one part ends and the next begins counts.
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
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A sender and a canonical recipient set: what is folded together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Destination(pub Key);

impl Destination {
    /// The destination of what goes to `recipients` over `sender`.
    pub fn of(sender: &SenderName, recipients: &Recipients) -> Self {
        Self(Key::of([sender.0.as_bytes(), recipients.canonical().as_bytes()]))
    }
}

/// A receiver and a group key: what is delivered in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OrderingKey(pub Key);

impl OrderingKey {
    /// The lane of `group_key` at `receiver`.
    pub fn of(receiver: &ReceiverName, group_key: &str) -> Self {
        Self(Key::of([b"group".as_slice(), receiver.0.as_bytes(), group_key.as_bytes()]))
    }
}

/// What a notification is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// What Alertmanager sent.
    Alert,
    /// A digest of folded notifications.
    Digest,
    /// A notice to a fallback receiver; its own end gives no further notice.
    Notice,
}

/// Whether a notification says that something fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// At least one alert fires.
    Firing,
    /// All alerts are resolved.
    Resolved,
}

/// One alert of a notification, for `outbox list` and for cards that are updated later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertRef {
    /// Alertmanager's fingerprint: 16 hexadecimal digits.
    pub fingerprint: String,
    /// Whether it fires.
    pub status: Status,
}

/// By what a second copy of a notification is recognized.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dedupe {
    /// Receiver, group key, and each alert's fingerprint, status and start.
    pub key: Key,
    /// Which Alertmanager sent it (`externalURL`): one Alertmanager repeats itself in order, the other one of a
    /// pair may come late.
    pub source: String,
    /// For how long after the first acceptance a copy is not taken. Of one lane an engine may remember the last 128
    /// notifications only.
    pub window: Duration,
}

/// A rendered notification on its way into the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNotification {
    /// What it is.
    pub kind: Kind,
    /// Whose it is.
    pub receiver: ReceiverName,
    /// The group, which with the receiver makes the [`OrderingKey`].
    pub group_key: String,
    /// Whether it fires.
    pub status: Status,
    /// The `severity` of its alerts; empty when there is none.
    pub severity: String,
    /// Its alerts.
    pub alerts: Vec<AlertRef>,
    /// By what a copy is recognized; `None` takes every copy.
    pub dedupe: Option<Dedupe>,
    /// One line, for digests, notices and lists.
    pub summary: String,
    /// The text that takes the place of a card when WeCom refuses it; not longer than one message.
    pub text_form: Option<String>,
    /// The app that sends it.
    pub sender: SenderName,
    /// Everybody it is for; with the sender this makes the [`Destination`].
    pub recipients: Recipients,
    /// The calls of `message/send` that it takes, in order.
    pub deliveries: Vec<NewDelivery>,
    /// Why it cannot be delivered, if that is known before the first attempt: its deliveries are dead letters from
    /// the start, which nothing waits for.
    pub dead: Option<String>,
}

/// One call of `message/send` to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDelivery {
    /// Whom this call is for: the notification's recipients, or one batch of them.
    pub recipients: Recipients,
    /// What it says.
    pub content: Content,
    /// Which part of the message this is.
    pub part: Part,
}

/// Part `number` of `of`, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// From 1.
    pub number: u16,
    /// How many there are.
    pub of: u16,
}

impl Part {
    /// The one part of a message that is not split.
    pub const WHOLE: Self = Self { number: 1, of: 1 };
}

/// What became of a notification that was handed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enqueued {
    /// It is on disk.
    Accepted(NotificationId),
    /// It is a copy of this one, which is on disk.
    Duplicate(NotificationId),
}

/// What waits in a sender.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Waiting {
    /// What can be sent now, by destination and receiver.
    pub queues: Vec<Queue>,
    /// When the next delivery becomes due that is not due now.
    pub next_due: Option<Timestamp>,
}

/// The due heads of one destination and receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Where it goes.
    pub destination: Destination,
    /// Whose it is.
    pub receiver: ReceiverName,
    /// Everybody whom the first due notification is for: what is due here is for them or for batches of them.
    pub recipients: Recipients,
    /// When the first one became due.
    pub due_at: Timestamp,
    /// How many slots of each recipient's budget the first one needs: the parts of a message that has not been
    /// started, 1 for the next part of one that has.
    pub slots: u32,
    /// The first one.
    pub delivery: DeliveryId,
    /// The notification that the first one belongs to.
    pub notification: NotificationId,
    /// Whether anything of that notification was ever claimed.
    pub started: bool,
    /// How many due heads wait here, counted up to the bound that was asked for.
    pub due: u32,
    /// How many whole messages wait here that were never attempted and stand behind nothing attempted, counted
    /// up to the bound that was asked for. They can be folded.
    pub fresh: u32,
}

/// What is to be claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pick {
    /// Due heads of one queue, the longest due first, while they fit into `slots` (see [`Queue::slots`]).
    Heads {
        /// The queue's destination.
        destination: Destination,
        /// The queue's receiver.
        receiver: ReceiverName,
        /// How many sends may be made.
        slots: u32,
    },
    /// A digest in place of its members.
    Digest {
        /// The notifications that it stands for. One that cannot be folded any more is passed over.
        members: Vec<NotificationId>,
        /// The digest; `kind` is [`Kind::Digest`].
        digest: Box<NewNotification>,
    },
}

/// What can be folded for one destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folding {
    /// Everybody that each of the messages is for.
    pub recipients: Recipients,
    /// The messages in order of acceptance; not empty.
    pub messages: Vec<Foldable>,
}

/// A whole message that can be folded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foldable {
    /// Which one.
    pub notification: NotificationId,
    /// Whose it is.
    pub receiver: ReceiverName,
    /// Whether it fires.
    pub status: Status,
    /// Its severity; may be empty.
    pub severity: String,
    /// Its line.
    pub summary: String,
}

/// A delivery that is marked in flight, on disk, for this caller to send. Not `Clone`: it is sent once and then
/// settled.
#[derive(Debug, PartialEq, Eq)]
pub struct Claimed {
    /// Which delivery.
    pub id: DeliveryId,
    /// The notification that it belongs to.
    pub notification: NotificationId,
    /// What the notification is.
    pub kind: Kind,
    /// Whose it is.
    pub receiver: ReceiverName,
    /// Its group.
    pub group_key: String,
    /// What is sent, frozen with the first claim.
    pub message: Message,
    /// Everybody whom the notification is for; `message` is for them or for a batch of them.
    pub all_recipients: Recipients,
    /// How many other deliveries of the notification are not settled yet.
    pub to_come: u32,
    /// Which part of the message it is.
    pub part: Part,
    /// When the notification was accepted.
    pub accepted_at: Timestamp,
    /// When it was claimed now.
    pub claimed_at: Timestamp,
    /// How many attempts were charged so far.
    pub attempts: u32,
    /// How many attempts ended with an errcode that nobody knows.
    pub unknown: u32,
    /// When the first attempt began that ended without WeCom's word, if one did.
    pub unconfirmed_since: Option<Timestamp>,
    /// [`NewNotification::text_form`]
    pub text_form: Option<String>,
}

/// What was due in a sender.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// What is in flight.
    pub claimed: Vec<Claimed>,
    /// Whether something is due that there was no slot for.
    pub more: bool,
    /// When the next delivery becomes due that is not due now.
    pub next_due: Option<Timestamp>,
}

/// One attempt, for the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// When the send began.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration: Duration,
    /// WeCom's errcode, when there was one.
    pub errcode: Option<i64>,
    /// What was said or what went wrong, for a person.
    pub detail: String,
    /// Whether the message was taken, or may have been: then it counts against the recipients' budget.
    pub counted: bool,
}

/// What is to become of a delivery after an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// WeCom took it.
    Delivered(Receipt),
    /// It stays at the head of its lane and is due again at `at`.
    Retry {
        /// When.
        at: Timestamp,
        /// Whether this attempt counts towards the delivery's own.
        charged: bool,
        /// Whether the attempt may have delivered it.
        unconfirmed: bool,
        /// Whether WeCom answered with an errcode that nobody knows.
        unknown: bool,
    },
    /// WeCom refused what it carries, and it is due at once with this instead.
    Replace {
        /// What it carries from now on.
        content: Content,
        /// What WeCom refused, and why.
        reason: String,
    },
    /// It is a dead letter, for this reason.
    Dead(String),
}

/// The end of one claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// Which delivery.
    pub delivery: DeliveryId,
    /// The attempt.
    pub attempt: Attempt,
    /// What is to become of it.
    pub verdict: Verdict,
}

/// A send that counts against the budget of its recipients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Who was sent to.
    pub recipients: Recipients,
    /// When the send ended.
    pub ended_at: Timestamp,
}

/// Why a sender's queue waits, kept over a restart so that not even a crash loop hammers WeCom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Which sender.
    pub sender: SenderName,
    /// Since when.
    pub since: Timestamp,
    /// What is wrong and how to mend it.
    pub reason: String,
    /// WeCom's errcode, when there was one.
    pub errcode: Option<i64>,
    /// How many probes failed so far.
    pub probes: u32,
    /// When the next probe may go out.
    pub next_probe_at: Timestamp,
    /// What the credentials were, as a fingerprint: others are tried at once.
    pub credentials: String,
}

/// A dead letter that its fallback receiver was not told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unnoticed {
    /// Which delivery.
    pub delivery: DeliveryId,
    /// The notification that it belongs to.
    pub notification: NotificationId,
    /// Its line.
    pub summary: String,
    /// Why it is dead.
    pub reason: String,
}

/// What a notice tells, and so need not be told again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoticeOf {
    /// These dead letters.
    Dead(Vec<DeliveryId>),
    /// The hold of this sender, to this receiver's fallback.
    Hold(SenderName, ReceiverName),
}

/// The first lines of what waits, and how much there is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Backlog {
    /// How many messages wait, counted up to the bound that was asked for.
    pub messages: u32,
    /// The lines of the first ones.
    pub summaries: Vec<String>,
}
