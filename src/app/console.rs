//! The state of the running relay for the console, and the settings of the console.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::{FutureExt, future::BoxFuture};
use jiff::Timestamp;
use tokio::sync::watch;

use super::receivers;
use crate::{
    config::Config,
    console::{
        ConfigStatus, ConsoleSettings, Recaller, ReceiverStatus, Refused, RefusedWebhook, RelayStatus,
        SenderStatus, SessionKey,
    },
    dispatch::service::Service,
    http::{RefusalCounts, Refusals, RefusedRequest},
    outbox::SenderName,
    secret::Secret,
    wecom::{WecomError, client::SenderClient},
};

/// Publishes the service of a sender to its dispatcher.
pub(super) type Services = watch::Sender<Arc<Service<SenderClient>>>;

/// The state of the relay for the console. A reload replaces it.
#[derive(Debug)]
pub(super) struct Board {
    refusals: Arc<Refusals>,
    state: Mutex<BoardState>,
}

#[derive(Debug)]
struct BoardState {
    senders: Vec<SenderStatus>,
    receivers: Vec<ReceiverStatus>,
    config: ConfigStatus,
    services: HashMap<SenderName, Services>,
}

impl Board {
    /// A board without senders, for a relay that starts now.
    pub(super) fn new(config: &Config, refusals: Arc<Refusals>, now: Timestamp) -> Self {
        let config = ConfigStatus {
            path: config.origin.path.display().to_string(),
            started_at: now,
            loaded_at: now,
            problems: None,
        };
        let state =
            BoardState { senders: Vec::new(), receivers: Vec::new(), config, services: HashMap::new() };
        Self { refusals, state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, BoardState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows `config`, and the dispatchers that are running.
    pub(super) fn publish(&self, config: &Config, services: HashMap<SenderName, Services>) {
        let senders = receivers::configured_senders(config);
        let senders = senders
            .into_iter()
            .map(|sender| SenderStatus { is_robot: config.is_robot(&sender.name.0), name: sender.name });
        let receiver = |receiver| ReceiverStatus {
            name: receivers::receiver_name(receiver),
            sender: receivers::sender_name(&receiver.sender, config),
        };
        let mut state = self.lock();
        state.senders = senders.collect();
        state.receivers = config.receivers.iter().map(receiver).collect();
        state.services = services;
    }

    /// Shows the result of a reload.
    pub(super) fn reloaded(&self, result: Result<(), String>, now: Timestamp) {
        let mut state = self.lock();
        if result.is_ok() {
            state.config.loaded_at = now;
        }
        state.config.problems = result.err();
    }
}

impl RelayStatus for Board {
    fn senders(&self) -> Vec<SenderStatus> {
        self.lock().senders.clone()
    }

    fn receivers(&self) -> Vec<ReceiverStatus> {
        self.lock().receivers.clone()
    }

    fn config(&self) -> ConfigStatus {
        self.lock().config.clone()
    }

    fn refused(&self) -> Refused {
        let RefusalCounts { count, last } = self.refusals.counts();
        let webhook = |refused: RefusedRequest| RefusedWebhook {
            at: refused.at,
            peer: refused.peer,
            path: refused.path,
            status: refused.status,
            answer: refused.answer,
        };
        Refused { count, last: last.into_iter().map(webhook).collect() }
    }

    fn probe(&self, sender: &SenderName) -> bool {
        let state = self.lock();
        let Some(services) = state.services.get(sender) else { return false };
        // The dispatcher probes when it gets a service, also if that is the same.
        services.send_modify(|_| {});
        true
    }
}

impl Recaller for Board {
    fn recall(
        &self,
        sender: &SenderName,
        msgid: String,
    ) -> Option<BoxFuture<'static, Result<(), WecomError>>> {
        let client = Arc::clone(&self.lock().services.get(sender)?.borrow().wecom);
        match client.as_ref() {
            SenderClient::App(client) => {
                let client = client.clone();
                Some(async move { client.recall(&msgid).await }.boxed())
            }
            SenderClient::Robot(_) => None,
        }
    }
}

/// The settings of the console in `config`.
pub(super) fn console_settings(config: &Config, secret: &Secret) -> ConsoleSettings {
    let console = config.server.console.clone();
    ConsoleSettings {
        key: SessionKey::derive(secret, &console.passwords),
        config: console,
        has_tls: config.server.security.tls.is_some(),
        zone: config.timezone.clone(),
    }
}
