//! A simulated WeCom. Its faults come from the seed. It keeps the messages that members see.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::time::Instant;
use wecom_relay::wecom::{
    Addressee, Api, ApiError, Errcode, Message, Outcome, Receipt, TransportError, TransportErrorKind, WeCom,
};

/// The state of WeCom and of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    /// Every message is accepted.
    Well,
    /// Faults of every kind happen now and then.
    Moody,
    /// Most outcomes are unknown.
    Foggy,
    /// WeCom cannot be reached.
    Away,
    /// The app's configuration is rejected.
    Misconfigured,
    /// Too many calls.
    Busy,
}

impl Mood {
    pub(super) const ALL: [Self; 6] =
        [Self::Well, Self::Moody, Self::Foggy, Self::Away, Self::Misconfigured, Self::Busy];
}

/// One call of `message/send`.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) message: Message,
    /// Recipients and text, by which a member can tell messages apart.
    pub(super) key: (String, String),
    /// The time at which WeCom accepted it.
    pub(super) taken: Option<Instant>,
    /// True if members see it: it was accepted and is no duplicate.
    pub(super) shown: bool,
    /// The outcome for the caller. `None` before it ends, and if the caller died.
    pub(super) outcome: Option<Outcome>,
}

impl Call {
    pub(super) fn addressees(&self) -> Vec<Addressee> {
        self.message.recipients.addressees()
    }
}

/// The service.
#[derive(Debug)]
pub(super) struct FakeWecom(Mutex<Inside>);

#[derive(Debug)]
struct Inside {
    rng: StdRng,
    mood: Mood,
    /// True if a suppressed duplicate prolongs the interval. WeCom's documentation does not say.
    duplicates_prolong: bool,
    calls: Vec<Call>,
    /// The calls in the order in which WeCom accepted and showed them.
    shown: Vec<usize>,
}

/// The course of a call.
struct Script {
    way_there: Duration,
    is_taken: bool,
    way_back: Duration,
    outcome: Outcome,
}

impl FakeWecom {
    pub(super) fn new(seed: u64) -> Arc<Self> {
        let mut rng = StdRng::seed_from_u64(seed);
        let duplicates_prolong = rng.random();
        let (calls, shown) = (Vec::new(), Vec::new());
        Arc::new(Self(Mutex::new(Inside { rng, mood: Mood::Well, duplicates_prolong, calls, shown })))
    }

    pub(super) fn set(&self, mood: Mood) {
        self.inside().mood = mood;
    }

    pub(super) fn calls(&self) -> Vec<Call> {
        self.inside().calls.clone()
    }

    /// The calls that members see, in the order in which they see them.
    pub(super) fn shown(&self) -> Vec<Call> {
        let inside = self.inside();
        inside.shown.iter().map(|at| inside.calls[*at].clone()).collect()
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WeCom for FakeWecom {
    async fn send(&self, message: &Message) -> Outcome {
        let (at, script) = self.inside().begin(message);
        tokio::time::sleep(script.way_there).await;
        if script.is_taken {
            self.inside().take(at);
        }
        tokio::time::sleep(script.way_back).await;
        self.inside().calls[at].outcome = Some(script.outcome.clone());
        script.outcome
    }
}

impl Inside {
    fn begin(&mut self, message: &Message) -> (usize, Script) {
        let script = self.script();
        let key = (message.recipients.canonical(), message.content.text().to_owned());
        self.calls.push(Call { message: message.clone(), key, taken: None, shown: false, outcome: None });
        (self.calls.len() - 1, script)
    }

    fn take(&mut self, at: usize) {
        let now = Instant::now();
        let call = &self.calls[at];
        let of = |other: &Call| {
            other.message.content == call.message.content
                && other.message.recipients == call.message.recipients
                && (other.shown || self.duplicates_prolong)
        };
        let last = self.calls.iter().filter(|other| of(other)).filter_map(|other| other.taken).max();
        let is_copy = match (call.message.duplicate_check, last) {
            (Some(interval), Some(last)) => now.duration_since(last) < interval,
            _ => false,
        };
        let call = &mut self.calls[at];
        call.taken = Some(now);
        call.shown = !is_copy;
        if call.shown {
            self.shown.push(at);
        }
    }

    fn script(&mut self) -> Script {
        let slow = self.rng.random_range(0..100) < 10;
        let mut ms = || Duration::from_millis(self.rng.random_range(0..if slow { 4_500 } else { 200 }));
        let (way_there, way_back) = (ms(), ms());
        let (is_taken, outcome) = self.end();
        Script { way_there, is_taken, way_back, outcome }
    }

    fn end(&mut self) -> (bool, Outcome) {
        let dice = self.rng.random_range(0..100);
        match self.mood {
            Mood::Well => (true, Outcome::Accepted(Receipt::default())),
            Mood::Moody => match dice {
                ..55 => (true, Outcome::Accepted(Receipt::default())),
                55..60 => (true, unknown(TransportErrorKind::Timeout)),
                60..65 => (false, unknown(TransportErrorKind::Lost)),
                65..72 => (false, not_sent(TransportErrorKind::Connect)),
                72..78 => (false, unknown(TransportErrorKind::Status(502))),
                78..84 => (false, rejected(-1)),
                84..86 => (false, rejected(45009)),
                86..88 => (false, rejected(60020)),
                88..89 => (false, rejected(42001)),
                89..92 => (false, rejected(44004)),
                92..94 => (false, rejected(81013)),
                94..96 => (false, rejected(123_456)),
                _ => (true, unknown(TransportErrorKind::InvalidReply)),
            },
            Mood::Foggy => match dice {
                ..20 => (true, Outcome::Accepted(Receipt::default())),
                20..60 => (true, unknown(TransportErrorKind::Timeout)),
                _ => (false, unknown(TransportErrorKind::Timeout)),
            },
            Mood::Away => (false, not_sent(TransportErrorKind::Connect)),
            Mood::Misconfigured => (false, rejected(if dice < 70 { 40001 } else { 60020 })),
            Mood::Busy => (false, rejected(if dice < 70 { 45009 } else { -1 })),
        }
    }
}

fn fault(kind: TransportErrorKind) -> TransportError {
    TransportError { api: Api::MessageSend, kind, detail: "the seed wants it".to_owned() }
}

fn not_sent(kind: TransportErrorKind) -> Outcome {
    Outcome::NotSent(fault(kind))
}

fn unknown(kind: TransportErrorKind) -> Outcome {
    Outcome::Unknown(fault(kind))
}

fn rejected(errcode: i64) -> Outcome {
    Outcome::Rejected(ApiError { api: Api::MessageSend, errcode: Errcode(errcode), errmsg: String::new() })
}
