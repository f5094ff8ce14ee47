//! A running daemon, and the parts of it that a reload replaces.
//!
//! A reload prepares everything before it changes anything, so a mistake leaves the old configuration in use. Then
//! each part switches to the new configuration as a whole. A request or a send that has begun ends with the
//! configuration that it began with.

use std::{collections::BTreeMap, net::TcpListener, num::NonZeroU32, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{
    clock::relay_clock,
    console::{Board, console_settings},
    desk::Desk,
    doctor::{self as app_doctor, DoctorInput},
    drafts::Drafts,
    heartbeats::Heartbeats,
    prepare::Prepared,
    random::random_seed,
    receivers, secret_watch,
    setup::LiveSetup,
    token_metrics::RefreshCounter,
    tuning::Tuning,
};
use crate::{
    clock::{Clock as _, MachineClock, RelayClock},
    config::{self, Config, Database, Receiver, SecretFiles, Sender},
    console::{self, ConsoleHandle, ConsoleParts, SetupParts},
    delivery::{decide::Policy, rate_limiter::Limits},
    dispatch::{dispatcher, janitor, notices, service},
    doctor::{self, DoctorHandle, DoctorRequests},
    heartbeat::Heartbeat,
    http::{
        self, LogThrottles, MemoryBudget, Payloads, Readiness, Refusals, ReloadHandle, ReloadRequest,
        RenderPool, SecurityHandle, ServerState,
    },
    lifecycle::Tasks,
    metrics::Metrics,
    outbox::{MovedSender, Outbox, SenderName, StoreError},
    wecom::{client::SenderClient, token::TokenCaches},
};

type Service = service::Service<SenderClient>;

/// A key that needs a restart if more than the password changes.
const OUTBOX_URL: &str = "outbox.url";

/// A sender with a dispatcher.
struct ActiveSender {
    identity: String,
    /// The credentials and the timeout of the client.
    credentials: String,
    timeout: Duration,
    client: Arc<SenderClient>,
    /// It is closed when the dispatcher has ended.
    services: watch::Sender<Arc<Service>>,
    stop: CancellationToken,
}

/// A running daemon.
pub struct Running<O> {
    pub(super) requests: mpsc::Receiver<ReloadRequest>,
    reloads: ReloadHandle,
    pub(super) metrics: Arc<Metrics>,
    pub(super) clock: Arc<RelayClock>,
    pub(super) tuning: Tuning,
    pub(super) outbox: O,
    pub(super) tasks: Tasks,
    seeds: StdRng,
    /// The configuration of the start: some keys need a restart.
    started_with: Config,
    /// The configuration in use.
    pub(super) current: Config,
    pub(super) last_reload_failed: bool,
    pub(super) secret_files: watch::Sender<SecretFiles>,
    pub(super) secret_changes: mpsc::Receiver<SecretFiles>,
    token_caches: Arc<TokenCaches>,
    senders: BTreeMap<SenderName, ActiveSender>,
    /// False if what waits under former names of senders was not moved at the start, because the outbox did not answer.
    pub(super) is_adopted: bool,
    heartbeats: Heartbeats,
    render_pool: Arc<ArcSwap<RenderPool>>,
    security: SecurityHandle,
    console: ConsoleHandle,
    pub(super) board: Arc<Board>,
    desk: Arc<Desk>,
    payloads: Arc<Payloads>,
    refusals: Arc<Refusals>,
    routes: watch::Sender<Vec<notices::Route>>,
    retention: watch::Sender<Duration>,
    configs: watch::Sender<Arc<Config>>,
    doctor: DoctorHandle,
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
        let metrics = Arc::new(Metrics::new(&outbox.metrics()));
        match outbox.depths().await {
            Ok(depths) => metrics.discarded_before_start(&http::queue_depths(&depths, None)),
            Err(error) => start_without_outbox(error)?,
        }
        let clock = match relay_clock(&outbox, Arc::clone(&machine)).await {
            Ok(clock) => clock,
            Err(error) => {
                start_without_outbox(error)?;
                RelayClock::unknown(machine)
            }
        };
        let clock = Arc::new(clock);
        let started_at = clock.wall_time(clock.now());
        metrics.reloaded(true, started_at);
        let refusals = Arc::new(Refusals::default());
        let board = Arc::new(Board::new(&prepared.config, Arc::clone(&refusals), started_at));
        let payloads = Arc::new(Payloads::new(prepared.config.server.console.keep_payloads));
        let drafts = Drafts::new(prepared.tuning.program.clone(), prepared.tuning.draft_limit);
        let desk = Arc::new(Desk::new(drafts, Arc::clone(&payloads), clock.clone()));
        // One slot per connection, so that all clients that wait can share one reload.
        let (sender, requests) = mpsc::channel(http::MAX_CONNECTIONS);
        let tuning = prepared.tuning.clone();
        let secret_files = watch::Sender::new(prepared.config.origin.secret_files.clone());
        let (changes, secret_changes) = mpsc::channel(1);
        let (doctor, doctor_requests) = doctor::handle();
        let render_pool = RenderPool::new(Arc::clone(&prepared.intake), tuning.render_limit);
        let mut running = Self {
            requests,
            reloads: ReloadHandle::new(sender),
            seeds: rng(tuning.seed),
            started_with: prepared.config.clone(),
            current: prepared.config.clone(),
            last_reload_failed: false,
            secret_files,
            secret_changes,
            token_caches: Arc::clone(&prepared.token_caches),
            senders: BTreeMap::new(),
            is_adopted: false,
            heartbeats: Heartbeats::default(),
            render_pool: Arc::new(ArcSwap::from_pointee(render_pool)),
            security: SecurityHandle::new(prepared.config.server.security.clone()),
            console: ConsoleHandle::new(console_settings(&prepared.config)),
            board,
            desk,
            payloads,
            refusals,
            routes: watch::Sender::new(Vec::new()),
            retention: watch::Sender::new(prepared.config.outbox.retention),
            configs: watch::Sender::new(Arc::new(prepared.config.clone())),
            doctor,
            outbox,
            clock,
            tuning,
            tasks,
            metrics,
        };
        if let Err(error) = running.adopt_senders(&prepared.config).await {
            start_without_outbox(error)?;
        }
        running.apply(prepared);
        if let Err(error) = running.unconfigured_senders().await {
            start_without_outbox(error)?;
        }
        running.spawn(listener, changes, doctor_requests);
        Ok(running)
    }

    fn spawn(
        &mut self,
        listener: TcpListener,
        secret_changes: mpsc::Sender<SecretFiles>,
        doctor_requests: DoctorRequests,
    ) {
        let rng = StdRng::seed_from_u64(self.seeds.random());
        let is_on_loopback =
            listener.local_addr().is_ok_and(|address| address.ip().to_canonical().is_loopback());
        let stop = || self.tasks.stop();
        let notices = notices::run(self.outbox.clone(), self.routes.subscribe(), self.clock.clone(), stop());
        self.tasks.spawn_endless("notices", notices);
        let janitor =
            janitor::run(self.outbox.clone(), self.retention.subscribe(), Arc::clone(&self.clock), stop());
        self.tasks.spawn_endless("janitor", janitor);
        let watch = secret_watch::run(
            self.secret_files.subscribe(),
            secret_changes,
            self.tuning.secret_check,
            stop(),
        );
        self.tasks.spawn_endless("secret files", watch);
        let input = DoctorInput {
            config: self.configs.subscribe(),
            token_caches: Arc::clone(&self.token_caches),
            tuning: self.tuning.clone(),
            outbox: self.outbox.clone(),
            database: self.started_with.outbox.database.clone(),
            listen: listener.local_addr().unwrap_or(self.started_with.server.listen),
        };
        self.tasks.spawn_endless("doctor", app_doctor::run(doctor_requests, input, stop()));
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
            refusals: Arc::clone(&self.refusals),
            payloads: Arc::clone(&self.payloads),
            metrics: Arc::clone(&self.metrics),
            reloads: self.reloads.clone(),
        };
        let setup = LiveSetup {
            config: self.configs.subscribe(),
            render_pool: Arc::clone(&self.render_pool),
            reloads: self.reloads.clone(),
        };
        let console = ConsoleParts {
            outbox: self.outbox.clone(),
            clock: self.clock.clone(),
            settings: self.console.clone(),
            status: self.board.clone(),
            desk: self.desk.clone(),
            setup: SetupParts { relay: Arc::new(setup), doctor: self.doctor.clone() },
            metrics: Arc::clone(&self.metrics),
            is_on_loopback,
            rng,
        };
        let router = console::router(console, http::router(Arc::new(state)));
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

    pub fn doctor(&self) -> DoctorHandle {
        self.doctor.clone()
    }

    pub(super) fn token_caches(&self) -> &Arc<TokenCaches> {
        &self.token_caches
    }

    /// Serves `prepared` from now on. Returns the changed keys that need a restart.
    pub(super) fn apply(&mut self, prepared: Prepared) -> Vec<&'static str> {
        let Prepared { config, intake, clients, .. } = prepared;
        let names = clients.iter().map(|(sender, _)| sender.0.as_str());
        self.metrics.configured(names, config.receivers.iter().map(|receiver| receiver.name.as_str()));
        for (name, client) in clients {
            if let Some(sender) = config.sender(&name.0) {
                self.apply_sender(name, client, &sender, &config);
            }
        }
        self.security.replace(config.server.security.clone());
        self.payloads.keep(config.server.console.keep_payloads);
        self.desk.publish(&config, &intake);
        self.console.replace(console_settings(&config));
        let services = self.senders.iter().map(|(name, active)| (name.clone(), active.services.clone()));
        self.board.publish(&config, services.collect());
        self.render_pool.store(Arc::new(self.render_pool.load().with_intake(intake)));
        let routes = config.receivers.iter().filter_map(|receiver| route(&config, receiver));
        self.routes.send_replace(routes.collect());
        self.retention.send_replace(config.outbox.retention);
        self.secret_files.send_replace(config.origin.secret_files.clone());
        let keys = self.keys_that_need_a_restart(&config);
        self.outbox.use_config(config.fingerprint());
        self.configs.send_replace(Arc::new(config.clone()));
        if let Database::Postgres(database) = &config.outbox.database
            && !keys.contains(&OUTBOX_URL)
        {
            self.outbox.use_url(database.url.secret());
        }
        self.current = config;
        keys
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
        keys.extend(changed_database(&old.outbox.database, &new.outbox.database));
        if old.outbox.max_size_bytes != new.outbox.max_size_bytes {
            keys.push("outbox.max_size");
        }
        keys
    }

    /// Gives the dispatcher of a sender new settings; starts one if there is none.
    fn apply_sender(
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
            self.heartbeats.remove(&name);
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

/// The keys of `outbox` that name another database.
fn changed_database(old: &Database, new: &Database) -> Vec<&'static str> {
    match (old, new) {
        (Database::File(old), Database::File(new)) if old != new => vec!["outbox.path"],
        (Database::File(_), Database::File(_)) => Vec::new(),
        (Database::Postgres(old), Database::Postgres(new)) => {
            let changed = [
                (!old.url.is_same_but_for_password(&new.url), OUTBOX_URL),
                (old.extra_roots != new.extra_roots, "outbox.ca_file"),
                (old.replica != new.replica, "outbox.replica"),
            ];
            changed.into_iter().filter(|(is_changed, _)| *is_changed).map(|(_, key)| key).collect()
        }
        (Database::File(_), Database::Postgres(_)) | (Database::Postgres(_), Database::File(_)) => {
            vec!["outbox.path", OUTBOX_URL]
        }
    }
}

/// Lets the daemon start although the outbox does not answer: its file system may be full, or its server away.
fn start_without_outbox(error: StoreError) -> Result<(), StoreError> {
    match error {
        StoreError::Full(_) | StoreError::Unavailable(_) => {
            tracing::warn!(%error, "the outbox does not answer yet; alerts are answered with 503 until it does");
            Ok(())
        }
        StoreError::Damaged(_) | StoreError::LeaseLost | StoreError::Closed => Err(error),
    }
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

fn route(config: &Config, receiver: &Receiver) -> Option<notices::Route> {
    let to = receivers::fallback(receiver, config)?;
    Some(notices::Route {
        receiver: receivers::receiver_name(receiver),
        sender: receivers::sender_name(&receiver.sender, config),
        fallback: to.name,
        fallback_sender: to.sender,
        fallback_recipients: to.recipients,
        after: receiver.fallback.as_ref()?.after,
        language: to.language,
        zone: config.timezone.clone(),
    })
}

fn rng(seed: Option<u64>) -> StdRng {
    StdRng::seed_from_u64(seed.unwrap_or_else(random_seed))
}
