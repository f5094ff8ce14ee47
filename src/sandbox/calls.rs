//! Who called what, and how it was answered.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;

use super::Api;

/// One call of an API.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Which one.
    pub api: Api,
    /// When it arrived.
    pub at: Timestamp,
    /// The caller's address, if the sandbox was reached through `serve`.
    pub from: Option<IpAddr>,
    /// The agent id of the app whose token or secret was used, if it is one.
    pub app: Option<u64>,
    /// The body, as it came.
    pub request: Arc<str>,
    /// Whether WeCom itself dealt with it; false if a fault answered in its place.
    pub taken: bool,
    /// What the caller was given.
    pub answer: Answer,
}

/// What a caller was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// A reply.
    Errcode(i64),
    /// An HTTP status without a reply, from a fault.
    Status(u16),
    /// Nothing, or half a reply: the connection hung or was lost.
    None,
}

impl Answer {
    fn key(self) -> String {
        match self {
            Self::Errcode(errcode) => errcode.to_string(),
            Self::Status(status) => format!("http_{status}"),
            Self::None => "none".to_owned(),
        }
    }
}

pub(super) struct Calls {
    history: usize,
    calls: VecDeque<Call>,
    counts: BTreeMap<&'static str, BTreeMap<String, usize>>,
}

impl Calls {
    pub(super) fn new(history: usize) -> Self {
        let counts = [Api::Gettoken, Api::MessageSend].map(|api| (api.name(), BTreeMap::new())).into();
        Self { history, calls: VecDeque::new(), counts }
    }

    pub(super) fn add(&mut self, call: Call) {
        *self.counts.entry(call.api.name()).or_default().entry(call.answer.key()).or_default() += 1;
        self.calls.push_back(call);
        while self.calls.len() > self.history {
            self.calls.pop_front();
        }
    }

    pub(super) fn all(&self) -> Vec<Call> {
        self.calls.iter().cloned().collect()
    }

    pub(super) fn count(&self, api: Api) -> usize {
        self.counts.get(api.name()).map_or(0, |answers| answers.values().sum())
    }

    pub(super) fn counts(&self) -> &BTreeMap<&'static str, BTreeMap<String, usize>> {
        &self.counts
    }
}
