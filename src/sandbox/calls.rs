//! The recorded calls and their responses.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;

use super::request::Api;

/// One call of WeCom's API.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    pub api: Api,
    pub at: Timestamp,
    /// The caller's address. It is only known behind `serve`.
    pub from: Option<IpAddr>,
    /// The agent id of the app that the token or secret belongs to.
    pub app: Option<u64>,
    /// The unchanged body.
    pub request: Arc<str>,
    /// True if WeCom handled the call. False if a fault answered instead.
    pub taken: bool,
    pub response: CallResponse,
}

/// The response that a caller got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallResponse {
    /// A reply of WeCom.
    Errcode(i64),
    /// The HTTP status of a fault.
    Status(u16),
    /// No complete reply: the connection hung or was closed.
    None,
}

impl CallResponse {
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
        *self.counts.entry(call.api.name()).or_default().entry(call.response.key()).or_default() += 1;
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
