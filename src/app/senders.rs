//! The senders of the running daemon: a reload starts, changes and stops their dispatchers.

use std::{collections::BTreeMap, num::NonZeroU32, sync::Arc};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::sync::watch;

use super::{
    active_sender::{ActiveSender, Service},
    receivers,
    running::Running,
    token_metrics::RefreshCounter,
    tuning::Tuning,
};
use crate::{
    clock::Clock as _,
    config::{self, Config, Sender},
    delivery::{decide::Policy, rate_limiter::Limits},
    dispatch::{dispatcher, service},
    heartbeat::Heartbeat,
    outbox::{MovedSender, Outbox, SenderName, StoreError},
    wecom::client::SenderClient,
};

impl<O: Outbox> Running<O> {
    /// Gives the dispatcher of a sender new settings; starts one if there is none.
    pub(super) fn apply_sender(
        &mut self,
        sender: SenderName,
        client: Arc<SenderClient>,
        configured: &Sender,
        config: &Config,
    ) {
        let credentials = credentials(configured);
        let timeout = configured.connection().call_timeout;
        // A client with unchanged settings is kept, because its connections are kept with it.
        let client = match self.senders.get(&sender) {
            Some(active) if active.credentials == credentials && active.timeout == timeout => {
                Arc::clone(&active.client)
            }
            _ => {
                let metrics = Arc::clone(&self.metrics);
                let counter = RefreshCounter { metrics, app: sender.0.clone() };
                Arc::new(observed(&client, counter))
            }
        };
        let settings = dispatcher_settings(&self.tuning, configured, config, credentials.clone());
        let service = Arc::new(Service { wecom: Arc::clone(&client), settings });
        if let Some(active) = self.senders.get_mut(&sender) {
            active.services.send_replace(service);
            (active.credentials, active.timeout, active.client) = (credentials, timeout, client);
            return;
        }
        let (publish, services) = watch::channel(service);
        let (heartbeat, stop) = (Heartbeat::default(), self.tasks.stop().child_token());
        self.heartbeats.add(dispatcher_of(&sender), heartbeat.clone());
        let context = dispatcher::Context {
            sender: sender.clone(),
            outbox: self.outbox.clone(),
            services,
            clock: self.clock.clone(),
            rng: StdRng::seed_from_u64(self.seeds.random()),
            metrics: Arc::clone(&self.metrics),
            heartbeat,
        };
        let run = dispatcher::run(context, stop.clone());
        self.tasks.spawn_until(format!("dispatcher of {sender}"), stop.clone(), run);
        let identity = receivers::identity(configured);
        let active = ActiveSender { identity, credentials, timeout, client, services: publish, stop };
        self.senders.insert(sender, active);
    }

    /// Stops the dispatchers of senders that are renamed or removed, and waits until their messages in flight have ended.
    pub(super) async fn stop_former_senders(&mut self, config: &Config) {
        let configured = receivers::configured_senders(config);
        // A dispatcher that began without the messages under a former name must count them.
        let is_adopted = self.is_adopted;
        let stays = |name: &SenderName, active: &ActiveSender| {
            is_adopted
                && configured.iter().any(|sender| sender.name == *name && sender.identity == active.identity)
        };
        let former = self.senders.iter().filter(|(name, active)| !stays(name, active));
        let former: Vec<_> = former.map(|(name, _)| name.clone()).collect();
        let former: Vec<_> = former.into_iter().filter_map(|name| self.senders.remove_entry(&name)).collect();
        former.iter().for_each(|(_, active)| active.stop.cancel());
        for (name, active) in former {
            active.services.closed().await;
            self.heartbeats.remove(&dispatcher_of(&name));
            self.metrics.held(&name.0, None);
        }
    }

    /// Moves what waits or counts under a former name of a sender to its present name.
    ///
    /// # Errors
    /// The outbox does not answer.
    pub(super) async fn adopt_senders(&mut self, config: &Config) -> Result<(), StoreError> {
        self.is_adopted = false;
        let senders = receivers::configured_senders(config);
        for MovedSender { from, to, deliveries } in self.outbox.adopt(senders, self.clock.now()).await? {
            tracing::info!(app = %to, former = %from, deliveries, "sender renamed; its deliveries are sent by its new name");
        }
        self.is_adopted = true;
        Ok(())
    }

    /// Logs each app that has queued deliveries but is not in the configuration. Returns the same warnings as sentences.
    ///
    /// # Errors
    /// The outbox does not answer.
    pub(super) async fn unconfigured_senders(&self) -> Result<Vec<String>, StoreError> {
        let mut waiting: BTreeMap<SenderName, u64> = BTreeMap::new();
        for depth in self.outbox.depths().await? {
            if depth.deliveries > 0 && !self.senders.contains_key(&depth.sender) {
                *waiting.entry(depth.sender).or_default() += depth.deliveries;
            }
        }
        let mut sentences = Vec::new();
        for (sender, deliveries) in waiting {
            // Deliveries that the last process left in flight become unconfirmed, so that an operator can discard them.
            self.outbox.recover(&sender, self.clock.now()).await?;
            tracing::error!(
                app = %sender,
                deliveries,
                "deliveries are queued for an app that is not in the configuration; add it again, or remove them \
                 with `wecom-relay outbox discard`"
            );
            let wait = if deliveries == 1 { "delivery waits" } else { "deliveries wait" };
            sentences.push(format!(
                "{deliveries} {wait} for the app {sender}, which is not in the configuration; add it again, or remove \
                 them with `wecom-relay outbox discard`"
            ));
        }
        Ok(sentences)
    }
}

/// The name of a dispatcher for the watchdog.
fn dispatcher_of(sender: &SenderName) -> String {
    format!("the dispatcher of {sender}")
}

fn dispatcher_settings(
    tuning: &Tuning,
    sender: &Sender,
    config: &Config,
    credentials: String,
) -> service::Settings {
    let same = receivers::same_sender(sender, config);
    let least = |limit: fn(config::Limits) -> Option<NonZeroU32>| {
        same.iter().filter_map(|sender| limit(sender.limits())).min().map_or(0, NonZeroU32::get)
    };
    let limits =
        Limits { per_minute: least(|limits| limits.per_minute), per_hour: least(|limits| limits.per_hour) };
    service::Settings {
        concurrency: tuning.concurrency,
        limits,
        windows: tuning.windows,
        duplicate_check: tuning.duplicate_check,
        policy: Policy {
            retries: tuning.retries.clone(),
            probes: tuning.probes.clone(),
            languages: config.receivers.iter().map(receivers::language).collect(),
            zone: config.timezone.clone(),
            ..Policy::new(config.outbox.expire_after)
        },
        credentials,
    }
}

/// Fingerprint of the credentials and the route to WeCom. A change may end a hold.
fn credentials(sender: &Sender) -> String {
    let connection = sender.connection();
    let proxy = connection.proxy_url.as_ref().map(|proxy| proxy.fingerprint()).unwrap_or_default();
    let api_url = connection.api_url.as_str();
    // Without extra roots the text is that of earlier versions, so that an upgrade ends no hold.
    let roots = connection.extra_roots.fingerprint();
    match sender {
        Sender::App(app) => {
            let (corp_id, agent_id, secret) = (&app.corp_id, app.agent_id, app.api_secret.fingerprint());
            format!("{corp_id} {agent_id} {api_url} {secret} {proxy}{roots}")
        }
        Sender::Robot(robot) => format!("robot {api_url} {} {proxy}{roots}", robot.key.fingerprint()),
    }
}

/// The same client, whose calls of `gettoken` are counted. A robot makes none.
fn observed(client: &SenderClient, counter: RefreshCounter) -> SenderClient {
    match client {
        SenderClient::App(client) => SenderClient::App(client.observed_by(Arc::new(counter))),
        SenderClient::Robot(robot) => SenderClient::Robot(robot.clone()),
    }
}
