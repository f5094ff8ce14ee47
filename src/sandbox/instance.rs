//! [`Sandbox`]: the API for tests and commands.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use jiff::Timestamp;
use reqwest::Client;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;

use super::arrival::Arrival;
use super::calls::Call;
use super::directory::Directory;
use super::faults::Fault;
use super::phone::{DemoPress, PhoneExtras};
use super::record::{Delivered, Message};
use super::request::Api;
use super::settings::{Expired, Settings};
use super::state::State;
use crate::clock::Clock;

/// A running sandbox. Clones are handles of the same one.
#[derive(Clone)]
pub struct Sandbox {
    shared: Arc<Shared>,
}

struct Shared {
    settings: Settings,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    changes: watch::Sender<u64>,
    /// Makes the requests of callbacks.
    client: OnceLock<Client>,
    /// The callbacks that are on their way. Each has an end.
    tasks: Mutex<JoinSet<()>>,
}

impl Sandbox {
    /// Tokens, limits and timed faults use `clock`. Only latency is real time.
    pub fn new(directory: Directory, settings: Settings, clock: Arc<dyn Clock>) -> Self {
        let state = State::new(directory, &settings);
        let changes = watch::Sender::new(0);
        let shared = Shared {
            settings,
            clock,
            state: Mutex::new(state),
            changes,
            client: OnceLock::new(),
            tasks: Mutex::new(JoinSet::new()),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Makes callbacks with this client, which has no time limit of its own. Without a client no button works.
    pub fn use_client(&self, client: Client) {
        // A second client would be the same as the first.
        _ = self.shared.client.set(client);
    }

    /// The messages that the member was shown, oldest first. Empty for an unknown userid.
    pub fn delivered_to(&self, userid: &str) -> Vec<Delivered> {
        self.state().record.delivered_to(userid)
    }

    /// The messages that a group was shown, oldest first: that of a robot by its name in the directory, or a chat by its
    /// id. Empty for an unknown group.
    pub fn delivered_to_group(&self, name: &str) -> Vec<Delivered> {
        self.state().record.delivered_to_group(name)
    }

    /// Every accepted message, oldest first, with its result for each member.
    pub fn messages(&self) -> Vec<Message> {
        self.state().record.messages()
    }

    /// Deletes all messages. Limits, duplicates and calls are kept.
    pub fn clear_messages(&self) {
        self.change(|state| state.record.clear());
    }

    /// Every call, oldest first, including refused calls.
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.all()
    }

    pub fn gettoken_calls(&self) -> usize {
        self.state().calls.count(Api::Gettoken)
    }

    pub fn send_calls(&self) -> usize {
        self.state().calls.count(Api::MessageSend)
    }

    pub fn webhook_calls(&self) -> usize {
        self.state().calls.count(Api::WebhookSend)
    }

    /// Adds a fault to the active ones.
    pub fn inject(&self, fault: Fault) {
        let now = self.now();
        self.change(|state| state.faults.add(fault, now));
    }

    /// Ends all faults. A call that already hangs is still not answered.
    pub fn clear_faults(&self) {
        self.change(|state| state.faults.clear());
    }

    /// Expires all tokens that were granted so far.
    pub fn expire_tokens(&self, answer: Expired) {
        self.change(|state| state.tokens.expire_all(answer));
    }

    /// Replaces the directory. The tokens of an app that is removed, or has a new secret, are refused with 40014.
    pub fn replace_directory(&self, directory: Directory) {
        self.change(|state| state.directory = directory);
    }

    /// Adds what the page has beside the sandbox.
    pub fn extend_page(&self, extras: PhoneExtras) {
        self.change(|state| state.extras = extras);
    }

    pub(super) fn press_of_demo(&self, press: DemoPress) {
        if let Some(presses) = &self.state().extras.presses {
            // The demo may just have ended.
            _ = presses.send(press);
        }
    }

    /// Changes after every call and every change of the sandbox. Subscribe, check, then wait.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
    }

    /// Every call from now on, for a person who watches. A slow reader misses the oldest calls.
    pub fn arrivals(&self) -> broadcast::Receiver<Arrival> {
        self.state().arrivals.subscribe()
    }

    /// Waits until `holds`, which is checked after every call. There is no time limit.
    pub async fn wait_until(&self, mut holds: impl FnMut(&Self) -> bool) {
        let mut changes = self.changed();
        while !holds(self) {
            // The sender lives as long as `self`.
            _ = changes.changed().await;
        }
    }

    /// Waits until the member was shown at least `count` messages, and returns them.
    pub async fn wait_for_delivered(&self, userid: &str, count: usize) -> Vec<Delivered> {
        self.wait_until(|sandbox| sandbox.state().record.delivered_count(userid) >= count).await;
        self.delivered_to(userid)
    }

    /// Waits until the group was shown at least `count` messages, and returns them.
    pub async fn wait_for_group(&self, name: &str, count: usize) -> Vec<Delivered> {
        self.wait_until(|sandbox| sandbox.state().record.delivered_to_group_count(name) >= count).await;
        self.delivered_to_group(name)
    }

    pub(super) fn client(&self) -> Option<Client> {
        self.shared.client.get().cloned()
    }

    /// Runs a task that has an end. It is dropped with the runtime.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.shared.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }

    pub(super) fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // A poisoned state is still valid, because no change can panic halfway.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state());
        self.shared.changes.send_modify(|version| *version = version.wrapping_add(1));
        result
    }
}
