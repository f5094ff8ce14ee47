//! A WeCom that runs on the own machine: for tests, demonstrations and staging.
//!
//! It serves `gettoken`, `message/send` and the reads `agent/get`, `user/get`, `department/get` and `tag/get` under
//! `/cgi-bin/` with WeCom's checks in WeCom's order, its errcodes, reply shapes and headers, and keeps what every member
//! of its [`Directory`] was *shown*, which is not what the reply says:
//!
//! - Over 30 messages a minute or 1,000 an hour from one app to one member are answered with errcode 0 and dropped.
//! - Text over 2,048 bytes is answered with errcode 0 and shown cut.
//! - A repeated request with `enable_duplicate_check` is answered with errcode 0 and not shown again.
//!
//! So a test asserts on [`Sandbox::delivered_to`]. Where WeCom's own behaviour is not known, the stricter of the
//! possible ones is the default and the other one is a field of [`Settings`].
//!
//! # Control
//!
//! The same over HTTP, in JSON; unknown fields are refused, and a refusal says what would be right:
//!
//! | request | what it does |
//! |---|---|
//! | `GET /sandbox/members/{userid}/messages` | what the member was shown, oldest first |
//! | `GET /sandbox/messages` | every accepted message with each member's `shown`, `dropped` or `duplicate` |
//! | `DELETE /sandbox/messages` | forgets all messages; limits, duplicates and counts stay |
//! | `GET /sandbox/calls` | counts by api and errcode, or `http_500`, or `none` where no whole answer was given |
//! | `GET /sandbox/faults` | the faults in force |
//! | `POST /sandbox/faults` | adds a [`Fault`]: `{"api":"message/send","fault":{"errcode":45009},"count":3}` |
//! | `DELETE /sandbox/faults` | ends all faults |
//! | `POST /sandbox/tokens/expire` | `{"errcode":42001}` or `{"errcode":40014}`: how all tokens are refused from now on |
//! | `GET /sandbox/directory` | the directory, secrets included: they are worth nothing elsewhere |
//! | `PUT /sandbox/directory` | another directory, as YAML |
//!
//! A fault is one of `{"errcode":N,"errmsg":"…"}`, `{"http_status":N,"body":"…"}`, `{"hang":true}`,
//! `{"drop":"before"|"after"}`, `{"truncate":true}`, `{"latency_ms":N}` and `{"clock_skew_s":N}`, by which the answer's
//! `Date` is off. The first three take `"taken":true`: the message is delivered, and the answer lies. It lasts for
//! `"count"` calls, `"for_ms"` milliseconds or until it is cleared, on `"api"` (a name such as `"message/send"`, or
//! `"*"`), and may be narrowed to an `"app"` (agent id) or a `"member"` (named in `touser`).

mod api;
mod ban;
mod calls;
mod card;
mod checks;
mod control;
mod directory;
mod duplicate;
mod fault_json;
mod faults;
mod json;
mod limit;
mod reads;
mod record;
mod reply;
mod send;
mod serve;
mod settings;
mod token;

pub use api::Api;
pub use calls::{Answer, Call};
pub use directory::{BUILTIN_YAML, Directory, DirectoryError};
pub use faults::{Effect, Fault, Lasts, Moment};
pub use record::{Delivered, Message, Outcome};
pub use settings::{Limit, LongMarkdown, Settings};
pub use token::Expired;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::watch;

use crate::clock::Clock;

/// A running WeCom; clones are handles of the same one.
#[derive(Clone)]
pub struct Sandbox {
    shared: Arc<Shared>,
}

struct Shared {
    settings: Settings,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    changes: watch::Sender<u64>,
}

struct State {
    directory: Directory,
    rng: StdRng,
    tokens: token::Tokens,
    ban: ban::Ban,
    limits: limit::MemberLimits,
    duplicates: duplicate::Duplicates,
    faults: faults::Faults,
    record: record::Record,
    calls: calls::Calls,
}

impl Sandbox {
    /// A WeCom that nobody has called yet. Tokens, limits and timed faults go by `clock`; only latency is real time.
    pub fn new(directory: Directory, settings: Settings, clock: Arc<dyn Clock>) -> Self {
        let state = State {
            directory,
            rng: StdRng::seed_from_u64(settings.seed),
            tokens: token::Tokens::default(),
            ban: ban::Ban::default(),
            limits: limit::MemberLimits::default(),
            duplicates: duplicate::Duplicates::default(),
            faults: faults::Faults::default(),
            record: record::Record::new(settings.history),
            calls: calls::Calls::new(settings.history),
        };
        let changes = watch::Sender::new(0);
        Self { shared: Arc::new(Shared { settings, clock, state: Mutex::new(state), changes }) }
    }

    /// What the member was shown, oldest first; a userid that does not exist was shown nothing.
    pub fn delivered_to(&self, userid: &str) -> Vec<Delivered> {
        self.state().record.delivered_to(userid)
    }

    /// Every accepted message, oldest first, with what became of it for each member.
    pub fn messages(&self) -> Vec<Message> {
        self.state().record.messages()
    }

    /// Forgets all messages; limits, duplicates and calls stay.
    pub fn clear_messages(&self) {
        self.change(|state| state.record.clear());
    }

    /// Every call of an API, oldest first, refused ones too.
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.all()
    }

    /// How often `gettoken` was called.
    pub fn gettoken_calls(&self) -> usize {
        self.state().calls.count(Api::Gettoken)
    }

    /// How often `message/send` was called.
    pub fn send_calls(&self) -> usize {
        self.state().calls.count(Api::MessageSend)
    }

    /// Adds a fault to those in force.
    pub fn inject(&self, fault: Fault) {
        let now = self.now();
        self.change(|state| state.faults.add(fault, now));
    }

    /// Ends all faults; a call that hangs goes on hanging.
    pub fn clear_faults(&self) {
        self.change(|state| state.faults.clear());
    }

    /// Ends the life of every token given out so far.
    pub fn expire_tokens(&self, answer: Expired) {
        self.change(|state| state.tokens.expire_all(answer));
    }

    /// Puts another directory in the place of the present one. Tokens of apps that are gone, or whose secret is another
    /// one now, are refused with 40014.
    pub fn replace_directory(&self, directory: Directory) {
        self.change(|state| state.directory = directory);
    }

    /// Changes with every call and every change of the sandbox, after it: subscribe, look, then wait.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
    }

    /// Waits until `holds`; looks again after every call. Without a time limit: that is the caller's.
    pub async fn wait_until(&self, mut holds: impl FnMut(&Self) -> bool) {
        let mut changes = self.changed();
        while !holds(self) {
            // The sender lives as long as `self`.
            _ = changes.changed().await;
        }
    }

    /// Waits until the member was shown `count` messages, and returns them.
    pub async fn wait_for_delivered(&self, userid: &str, count: usize) -> Vec<Delivered> {
        self.wait_until(|sandbox| sandbox.state().record.delivered_count(userid) >= count).await;
        self.delivered_to(userid)
    }

    fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is complete when it can panic no more: a poisoned state is still a valid one.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state());
        self.shared.changes.send_modify(|version| *version = version.wrapping_add(1));
        result
    }
}

/// `then` plus `by`, or the end of time.
fn later(then: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| then.checked_add(by).ok()).unwrap_or(Timestamp::MAX)
}

/// Text of the alphabet that WeCom's opaque values have.
fn opaque(rng: &mut impl rand::Rng, length: usize) -> String {
    use rand::RngExt;

    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let pick = |_| ALPHABET.get(rng.random_range(0..ALPHABET.len())).map_or('A', |byte| char::from(*byte));
    (0..length).map(pick).collect()
}
