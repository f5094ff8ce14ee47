//! A simulated WeCom. Its faults come from the seed. It keeps the messages that members see.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::scene::REFUSED;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::time::Instant;
use wecom_relay::wecom::{
    Addressee, Api, ApiError, Errcode, Message, Outcome, Receipt, Recipients, TransportError,
    TransportErrorKind, WeCom,
};

/// The state of WeCom and of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    /// Every message is accepted.
    Healthy,
    /// Faults of every kind happen now and then.
    Flaky,
    /// Most outcomes are unknown.
    MostlyUnknown,
    /// WeCom cannot be reached.
    Unreachable,
    /// The app's configuration is rejected.
    Misconfigured,
    /// Too many calls.
    Limited,
}

impl Condition {
    pub(super) const ALL: [Self; 6] = [
        Self::Healthy,
        Self::Flaky,
        Self::MostlyUnknown,
        Self::Unreachable,
        Self::Misconfigured,
        Self::Limited,
    ];
}

/// The errcode for a text that WeCom refuses.
pub(super) const MESSAGE_REFUSED: i64 = 40058;

/// One call of `message/send`.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) message: Message,
    /// Recipients and text, by which a member can tell messages apart.
    pub(super) key: (String, String),
    /// The time at which WeCom accepted it.
    pub(super) accepted_at: Option<Instant>,
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
pub(super) struct FakeWecom(Mutex<State>);

#[derive(Debug)]
struct State {
    rng: StdRng,
    condition: Condition,
    /// True if a suppressed duplicate prolongs the interval. WeCom's documentation does not say.
    duplicates_prolong: bool,
    /// The outcome of a text that is refused: by WeCom, or by a firewall that closes the connection.
    refusal: Outcome,
    calls: Vec<Call>,
    /// The calls in the order in which WeCom accepted and showed them.
    shown: Vec<usize>,
}

/// The course of a call.
struct Script {
    request_delay: Duration,
    is_accepted: bool,
    reply_delay: Duration,
    outcome: Outcome,
}

impl FakeWecom {
    pub(super) fn new(seed: u64) -> Arc<Self> {
        let mut rng = StdRng::seed_from_u64(seed);
        let duplicates_prolong = rng.random();
        let refusal =
            if rng.random() { rejected(MESSAGE_REFUSED) } else { unknown(TransportErrorKind::Lost) };
        let (calls, shown) = (Vec::new(), Vec::new());
        Arc::new(Self(Mutex::new(State {
            rng,
            condition: Condition::Healthy,
            duplicates_prolong,
            refusal,
            calls,
            shown,
        })))
    }

    pub(super) fn set(&self, condition: Condition) {
        self.state().condition = condition;
    }

    pub(super) fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// The calls that members see, in the order in which they see them.
    pub(super) fn shown(&self) -> Vec<Call> {
        let state = self.state();
        state.shown.iter().map(|at| state.calls[*at].clone()).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WeCom for FakeWecom {
    async fn send(&self, message: &Message) -> Outcome {
        let (at, script) = self.state().begin(message);
        tokio::time::sleep(script.request_delay).await;
        if script.is_accepted {
            self.state().accept(at);
        }
        tokio::time::sleep(script.reply_delay).await;
        self.state().calls[at].outcome = Some(script.outcome.clone());
        script.outcome
    }
}

impl State {
    fn begin(&mut self, message: &Message) -> (usize, Script) {
        let mut script = self.script();
        if message.content.text().contains(REFUSED) {
            (script.is_accepted, script.outcome) = (false, self.refusal.clone());
        }
        if message.recipients == Recipients::Group {
            script.outcome = by_robot(script.outcome);
        }
        let key = (message.recipients.canonical(), message.content.text().to_owned());
        self.calls.push(Call {
            message: message.clone(),
            key,
            accepted_at: None,
            shown: false,
            outcome: None,
        });
        (self.calls.len() - 1, script)
    }

    fn accept(&mut self, at: usize) {
        let now = Instant::now();
        let call = &self.calls[at];
        let repeats = |other: &Call| {
            other.message.content == call.message.content
                && other.message.recipients == call.message.recipients
                && (other.shown || self.duplicates_prolong)
        };
        let last =
            self.calls.iter().filter(|other| repeats(other)).filter_map(|other| other.accepted_at).max();
        let is_duplicate = match (call.message.duplicate_check, last) {
            (Some(interval), Some(last)) => now.duration_since(last) < interval,
            _ => false,
        };
        let call = &mut self.calls[at];
        call.accepted_at = Some(now);
        call.shown = !is_duplicate;
        if call.shown {
            self.shown.push(at);
        }
    }

    fn script(&mut self) -> Script {
        let slow = self.rng.random_range(0..100) < 10;
        let mut ms = || Duration::from_millis(self.rng.random_range(0..if slow { 4_500 } else { 200 }));
        let (request_delay, reply_delay) = (ms(), ms());
        let (is_accepted, outcome) = self.end();
        Script { request_delay, is_accepted, reply_delay, outcome }
    }

    fn end(&mut self) -> (bool, Outcome) {
        let dice = self.rng.random_range(0..100);
        match self.condition {
            Condition::Healthy => (true, Outcome::Accepted(Receipt::default())),
            Condition::Flaky => match dice {
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
            Condition::MostlyUnknown => match dice {
                ..20 => (true, Outcome::Accepted(Receipt::default())),
                20..60 => (true, unknown(TransportErrorKind::Timeout)),
                _ => (false, unknown(TransportErrorKind::Timeout)),
            },
            Condition::Unreachable => (false, not_sent(TransportErrorKind::Connect)),
            Condition::Misconfigured => (false, rejected(if dice < 70 { 40001 } else { 60020 })),
            Condition::Limited => (false, rejected(if dice < 70 { 45009 } else { -1 })),
        }
    }
}

/// The same outcome of `webhook/send`.
fn by_robot(outcome: Outcome) -> Outcome {
    let api = Api::WebhookSend;
    match outcome {
        Outcome::Accepted(receipt) => Outcome::Accepted(receipt),
        Outcome::Rejected(error) => Outcome::Rejected(ApiError { api, ..error }),
        Outcome::NotSent(fault) => Outcome::NotSent(TransportError { api, ..fault }),
        Outcome::Unknown(fault) => Outcome::Unknown(TransportError { api, ..fault }),
    }
}

fn fault(kind: TransportErrorKind) -> TransportError {
    TransportError { api: Api::MessageSend, kind, detail: "a fault of the test".to_owned() }
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
