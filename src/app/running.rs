//! A running daemon, and the parts of it that a reload replaces.
//!
//! A reload prepares everything before it changes anything, so a mistake leaves the old configuration in use. Then
//! each part switches to the new configuration as a whole. A request or a send that has begun ends with the
//! configuration that it began with.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::TcpListener,
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::sync::{mpsc, watch};

use super::{
    clock::{relay_clock, unrecorded_clock},
    heartbeats::Heartbeats,
    prepare::Prepared,
    receivers,
    token_metrics::RefreshCounter,
    tuning::Tuning,
};
use crate::{
    clock::{Clock as _, MachineClock, RelayClock},
    config::{App, Config, Receiver},
    delivery::{decide::Policy, rate_limiter::Limits},
    dispatch::{dispatcher, janitor, notices, service},
    heartbeat::Heartbeat,
    http::{
        self, LogThrottles, MemoryBudget, Readiness, ReloadHandle, ReloadRequest, RenderPool, SecurityHandle,
        ServerState,
    },
    lifecycle::Tasks,
    metrics::Metrics,
    outbox::{Lease as _, Outbox, SenderName, StoreError},
    wecom::{client::Client, token::TokenCaches},
};

type Service = service::Service<Client>;

/// A client, and the settings that it was created with.
struct ActiveClient {
    credentials: String,
    timeout: Duration,
    client: Arc<Client>,
}

/// A running daemon.
pub struct Running<O> {
    pub(super) requests: mpsc::Receiver<ReloadRequest>,
    reloads: ReloadHandle,
    pub(super) metrics: Arc<Metrics>,
    pub(super) clock: Arc<RelayClock>,
    pub(super) tuning: Tuning,
    outbox: O,
    pub(super) tasks: Tasks,
    seeds: StdRng,
    /// The configuration of the start: some keys need a restart.
    started_with: Config,
    token_caches: Arc<TokenCaches>,
    services: BTreeMap<SenderName, watch::Sender<Arc<Service>>>,
    clients: BTreeMap<SenderName, ActiveClient>,
    heartbeats: Heartbeats,
    render_pool: Arc<ArcSwap<RenderPool>>,
    security: SecurityHandle,
    routes: watch::Sender<Vec<notices::Route>>,
    retention: watch::Sender<Duration>,
}

impl<O: Outbox> Running<O> {
    /// Starts every task of the daemon, except the reloads ([`Self::run_reloads`]). Deliveries that the last
    /// process left in flight are unconfirmed when this returns.
    ///
    /// A full disk is no error: alerts are answered with 503 until it has space.
    ///
    /// # Errors
    /// The outbox does not answer.
    pub async fn start(
        prepared: Prepared,
        listener: TcpListener,
        outbox: O,
        machine: Arc<dyn MachineClock>,
        tasks: Tasks,
    ) -> Result<Self, StoreError> {
        let metrics = Arc::new(Metrics::default());
        match outbox.depths().await {
            Ok(depths) => metrics.discarded_before_start(&http::queue_depths(&depths)),
            Err(error) => wait_for_space(error)?,
        }
        let clock = match relay_clock(&outbox, Arc::clone(&machine)).await {
            Ok(clock) => clock,
            Err(error) => {
                wait_for_space(error)?;
                unrecorded_clock(machine)
            }
        };
        let clock = Arc::new(clock);
        metrics.reloaded(true, clock.wall_time(clock.now()));
        // One slot per connection, so that all clients that wait can share one reload.
        let (sender, requests) = mpsc::channel(http::MAX_CONNECTIONS);
        let tuning = prepared.tuning.clone();
        let render_pool = RenderPool::new(Arc::clone(&prepared.intake), tuning.render_limit);
        let mut running = Self {
            requests,
            reloads: ReloadHandle::new(sender),
            seeds: rng(tuning.seed),
            started_with: prepared.config.clone(),
            token_caches: Arc::clone(&prepared.token_caches),
            services: BTreeMap::new(),
            clients: BTreeMap::new(),
            heartbeats: Heartbeats::default(),
            render_pool: Arc::new(ArcSwap::from_pointee(render_pool)),
            security: SecurityHandle::new(prepared.config.server.security.clone()),
            routes: watch::Sender::new(Vec::new()),
            retention: watch::Sender::new(prepared.config.outbox.retention),
            outbox,
            clock,
            tuning,
            tasks,
            metrics,
        };
        running.apply(prepared);
        if let Err(error) = running.log_unconfigured_senders().await {
            wait_for_space(error)?;
        }
        running.spawn(listener);
        Ok(running)
    }

    fn spawn(&self, listener: TcpListener) {
        let is_on_loopback =
            listener.local_addr().is_ok_and(|address| address.ip().to_canonical().is_loopback());
        let stop = || self.tasks.stop();
        let notices = notices::run(self.outbox.clone(), self.routes.subscribe(), self.clock.clone(), stop());
        self.tasks.spawn_endless("notices", notices);
        let janitor =
            janitor::run(self.outbox.clone(), self.retention.subscribe(), Arc::clone(&self.clock), stop());
        self.tasks.spawn_endless("janitor", janitor);
        let state = ServerState {
            outbox: self.outbox.clone(),
            render_pool: Arc::clone(&self.render_pool),
            clock: self.clock.clone(),
            stop: stop(),
            readiness: Readiness::default(),
            memory: MemoryBudget::new(self.started_with.server.max_memory_bytes),
            security: self.security.clone(),
            is_on_loopback,
            log_throttles: LogThrottles::default(),
            metrics: Arc::clone(&self.metrics),
            reloads: self.reloads.clone(),
        };
        let router = http::router(Arc::new(state));
        let server = http::serve(listener, router, self.security.clone(), self.tuning.connections, stop());
        self.tasks.spawn("http server", server);
    }

    /// Heartbeats of all dispatchers, including those that a reload starts later.
    pub fn heartbeats(&self) -> Heartbeats {
        self.heartbeats.clone()
    }

    pub fn security(&self) -> SecurityHandle {
        self.security.clone()
    }

    pub fn reloads(&self) -> ReloadHandle {
        self.reloads.clone()
    }

    pub(super) fn token_caches(&self) -> &Arc<TokenCaches> {
        &self.token_caches
    }

    /// Serves `prepared` from now on. Returns the changed keys that need a restart.
    pub(super) fn apply(&mut self, prepared: Prepared) -> Vec<&'static str> {
        let Prepared { config, intake, clients, .. } = prepared;
        let apps = config.apps.iter().map(|app| app.name.as_str());
        self.metrics.configured(apps, config.receivers.iter().map(|receiver| receiver.name.as_str()));
        let configured: BTreeSet<_> = clients.iter().map(|(sender, _)| sender.clone()).collect();
        for (sender, client) in clients {
            if let Some(app) = config.app(&sender.0) {
                self.apply_app(sender, client, app, &config);
            }
        }
        for (sender, service) in &self.services {
            if !configured.contains(sender) {
                self.clients.remove(sender);
                service.send_modify(|service| {
                    *service = Arc::new(Service { wecom: None, settings: service.settings.clone() });
                });
            }
        }
        self.security.replace(config.server.security.clone());
        self.render_pool.store(Arc::new(self.render_pool.load().with_intake(intake)));
        let routes = config.receivers.iter().filter_map(|receiver| route(&config, receiver));
        self.routes.send_replace(routes.collect());
        self.retention.send_replace(config.outbox.retention);
        self.keys_that_need_a_restart(&config)
    }

    fn keys_that_need_a_restart(&self, config: &Config) -> Vec<&'static str> {
        let (old, new) = (&self.started_with, config);
        let mut keys = Vec::new();
        if old.server.listen != new.server.listen {
            keys.push("server.listen");
        }
        if old.server.max_memory_bytes != new.server.max_memory_bytes {
            keys.push("server.max_memory");
        }
        if old.outbox.path != new.outbox.path {
            keys.push("outbox.path");
        }
        if old.outbox.max_size_bytes != new.outbox.max_size_bytes {
            keys.push("outbox.max_size");
        }
        keys
    }

    /// Gives the dispatcher of `sender` new settings; starts one if there is none.
    fn apply_app(&mut self, sender: SenderName, client: Arc<Client>, app: &App, config: &Config) {
        let credentials = credentials(app);
        // A client with unchanged settings is kept, because its connections are kept with it.
        let client = match self.clients.get(&sender) {
            Some(active) if active.credentials == credentials && active.timeout == app.timeout => {
                Arc::clone(&active.client)
            }
            _ => {
                let metrics = Arc::clone(&self.metrics);
                let counter = RefreshCounter { metrics, app: sender.0.clone() };
                Arc::new(client.observed_by(Arc::new(counter)))
            }
        };
        let active = ActiveClient {
            credentials: credentials.clone(),
            timeout: app.timeout,
            client: Arc::clone(&client),
        };
        self.clients.insert(sender.clone(), active);
        let service = Arc::new(Service {
            wecom: Some(client),
            settings: dispatcher_settings(&self.tuning, app, config, credentials),
        });
        if let Some(publish) = self.services.get(&sender) {
            publish.send_replace(service);
            return;
        }
        let (publish, services) = watch::channel(service);
        let heartbeat = Heartbeat::default();
        self.heartbeats.add(sender.clone(), heartbeat.clone());
        let context = dispatcher::Context {
            sender: sender.clone(),
            outbox: self.outbox.clone(),
            services,
            clock: self.clock.clone(),
            rng: StdRng::seed_from_u64(self.seeds.random()),
            metrics: Arc::clone(&self.metrics),
            heartbeat,
        };
        self.tasks.spawn(format!("dispatcher of {sender}"), dispatcher::run(context, self.tasks.stop()));
        self.services.insert(sender, publish);
    }

    /// Logs each app that has queued deliveries but is not in the configuration.
    ///
    /// # Errors
    /// The outbox does not answer.
    pub(super) async fn log_unconfigured_senders(&self) -> Result<(), StoreError> {
        let queued = self.outbox.senders().await?;
        for sender in queued.iter().filter(|sender| !self.clients.contains_key(*sender)) {
            // Deliveries that the last process left in flight become unconfirmed, so that an operator can discard them.
            // The dispatcher of an app that a reload removed still has the lease, and may have messages in flight.
            if !self.services.contains_key(sender) {
                self.outbox.acquire(sender, self.clock.now()).await?.release().await;
            }
            tracing::error!(
                app = %sender,
                "deliveries are queued for an app that is not in the configuration; add it again, or remove them \
                 with `wecom-relay outbox discard`"
            );
        }
        Ok(())
    }
}

/// Starts without an answer of the outbox, because it answers as soon as the file system has space.
fn wait_for_space(error: StoreError) -> Result<(), StoreError> {
    match error {
        StoreError::Full(_) | StoreError::Unavailable(_) => {
            tracing::warn!(%error, "the outbox does not answer yet");
            Ok(())
        }
        StoreError::Damaged(_) | StoreError::Closed => Err(error),
    }
}

fn dispatcher_settings(
    tuning: &Tuning,
    app: &App,
    config: &Config,
    credentials: String,
) -> service::Settings {
    let limit = |limit: Option<NonZeroU32>| limit.map_or(0, NonZeroU32::get);
    service::Settings {
        concurrency: tuning.concurrency,
        limits: Limits { per_minute: limit(app.limits.per_minute), per_hour: limit(app.limits.per_hour) },
        windows: tuning.windows,
        duplicate_check: tuning.duplicate_check,
        policy: Policy {
            retries: tuning.retries.clone(),
            probes: tuning.probes.clone(),
            ..Policy::new(config.outbox.expire_after)
        },
        credentials,
    }
}

/// Fingerprint of the credentials and the route to WeCom. A change may end a hold.
fn credentials(app: &App) -> String {
    let proxy = app.proxy_url.as_ref().map(|proxy| proxy.fingerprint()).unwrap_or_default();
    let (corp_id, agent_id, api_url) = (&app.corp_id, app.agent_id, app.api_url.as_str());
    format!("{corp_id} {agent_id} {api_url} {} {proxy}", app.api_secret.fingerprint())
}

fn route(config: &Config, receiver: &Receiver) -> Option<notices::Route> {
    let to = receivers::fallback(receiver, config)?;
    Some(notices::Route {
        receiver: receivers::receiver_name(receiver),
        sender: receivers::sender_name(&receiver.app),
        fallback: to.name,
        fallback_sender: to.sender,
        fallback_recipients: to.recipients,
        after: receiver.fallback.as_ref()?.after,
    })
}

#[expect(clippy::disallowed_methods, reason = "the one place that asks the system for randomness")]
fn rng(seed: Option<u64>) -> StdRng {
    StdRng::seed_from_u64(seed.unwrap_or_else(rand::random))
}
