//! A running daemon, and what a reload replaces of it.
//!
//! A reload prepares everything before it changes anything, so that a mistake leaves the old configuration at work.
//! Then each part takes the new one as a whole: a request or a send that has begun ends with what it began with.
//! Starting the tasks anew was rejected: what was sent in the last hour, tokens and connections would be lost, and
//! requests would be refused meanwhile.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::TcpListener,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::sync::{mpsc, watch};

use super::{Prepared, Tuning, receivers};
use crate::{
    clock::Clock,
    config::{App, Config, Receiver},
    delivery::{pace::Limits, step::Policy},
    dispatch::{dispatcher, janitor, notices},
    heartbeat::Heartbeat,
    http::{self, Bounded, Complaints, Entrance, Memory, Readiness, Refusals, Relay, ReloadRequest, Reloads},
    lifecycle::Tasks,
    metrics::{Metrics, Waiting},
    outbox::{Outbox, ReceiverName, SenderName, StoreError},
    wecom::{client::Client, token::TokenCaches},
};

type Service = dispatcher::Service<Client>;

/// The heartbeats of all dispatchers.
#[derive(Debug, Clone, Default)]
pub struct Heartbeats(Arc<Mutex<BTreeMap<SenderName, Heartbeat>>>);

impl Heartbeats {
    /// Each dispatcher's, by its sender.
    pub fn all(&self) -> Vec<(SenderName, Heartbeat)> {
        let heartbeats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heartbeats.iter().map(|(sender, heartbeat)| (sender.clone(), heartbeat.clone())).collect()
    }

    fn add(&self, sender: SenderName, heartbeat: Heartbeat) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(sender, heartbeat);
    }
}

/// The parts of a running daemon that a reload changes.
pub struct Running<O> {
    pub(super) requests: mpsc::Receiver<ReloadRequest>,
    reloads: Reloads,
    pub(super) metrics: Arc<Metrics>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) tuning: Tuning,
    outbox: O,
    pub(super) tasks: Tasks,
    seeds: StdRng,
    served: Config,
    caches: Arc<TokenCaches>,
    senders: BTreeMap<SenderName, watch::Sender<Arc<Service>>>,
    clients: BTreeMap<SenderName, (String, Arc<Client>)>,
    heartbeats: Heartbeats,
    intake: Arc<ArcSwap<Bounded>>,
    entrance: Entrance,
    routes: watch::Sender<Vec<notices::Route>>,
    retention: watch::Sender<Duration>,
}

impl<O: Outbox> Running<O> {
    /// Starts every task of the daemon. When this returns, what the last process left in flight is accounted for.
    ///
    /// # Errors
    /// When the outbox does not answer.
    pub async fn start(
        prepared: Prepared,
        listener: TcpListener,
        outbox: O,
        clock: Arc<dyn Clock>,
        tuning: Tuning,
        tasks: Tasks,
    ) -> Result<Self, StoreError> {
        let unconfirmed = outbox.recover(clock.now()).await?;
        if unconfirmed > 0 {
            tracing::warn!(
                deliveries = unconfirmed,
                "deliveries were in flight when the last process ended; they are sent again with WeCom's duplicate check"
            );
        }
        let metrics = Arc::new(Metrics::default());
        metrics.opened(&outbox.depths().await?.iter().map(Waiting::from).collect::<Vec<_>>());
        metrics.reloaded(true, clock.now());
        // Whoever can ask has room, so that all who wait can share one reload.
        let (asking, requests) = mpsc::channel(http::CONNECTIONS);
        let reloads = Reloads::new(asking);
        let bounded = Bounded::new(Arc::clone(&prepared.intake), tuning.render_limit);
        let mut running = Self {
            requests,
            reloads,
            seeds: super::rng(tuning.seed),
            served: prepared.config.clone(),
            caches: Arc::clone(&prepared.caches),
            senders: BTreeMap::new(),
            clients: BTreeMap::new(),
            heartbeats: Heartbeats::default(),
            intake: Arc::new(ArcSwap::from_pointee(bounded)),
            entrance: Entrance::new(prepared.config.server.admission.clone()),
            routes: watch::Sender::new(Vec::new()),
            retention: watch::Sender::new(prepared.config.outbox.retention),
            outbox,
            clock,
            tuning,
            tasks,
            metrics,
        };
        running.adopt(prepared);
        running.tell_of_the_gone().await?;
        running.spawn(listener);
        Ok(running)
    }

    fn spawn(&self, listener: TcpListener) {
        let stop = || self.tasks.stop();
        let notices =
            notices::run(self.outbox.clone(), self.routes.subscribe(), Arc::clone(&self.clock), stop());
        self.tasks.spawn_endless("notices", notices);
        let janitor =
            janitor::run(self.outbox.clone(), self.retention.subscribe(), Arc::clone(&self.clock), stop());
        self.tasks.spawn_endless("janitor", janitor);
        let relay = Relay {
            outbox: self.outbox.clone(),
            intake: Arc::clone(&self.intake),
            clock: Arc::clone(&self.clock),
            stop: stop(),
            readiness: Readiness::default(),
            memory: Memory::default(),
            entrance: self.entrance.clone(),
            refusals: Refusals::default(),
            complaints: Complaints::default(),
            metrics: Arc::clone(&self.metrics),
            reloads: self.reloads.clone(),
        };
        let (router, entrance) = (http::router(Arc::new(relay)), self.entrance.clone());
        let served = http::serve(listener, router, entrance, self.tuning.connections, stop());
        self.tasks.spawn("http server", served);
    }

    /// The heartbeats of its dispatchers, those that come later too.
    pub fn heartbeats(&self) -> Heartbeats {
        self.heartbeats.clone()
    }

    /// Who gets in.
    pub fn entrance(&self) -> Entrance {
        self.entrance.clone()
    }

    /// Where reloads are asked for.
    pub fn reloads(&self) -> Reloads {
        self.reloads.clone()
    }

    /// The tokens that there are: what is prepared for a reload needs no others.
    pub fn caches(&self) -> &Arc<TokenCaches> {
        &self.caches
    }

    /// Serves `prepared` from now on. Gives the keys of what needs a restart.
    pub fn adopt(&mut self, prepared: Prepared) -> Vec<&'static str> {
        let Prepared { config, intake, clients, .. } = prepared;
        let names = config.apps.iter().map(|app| app.name.as_str());
        self.metrics.configured(names, config.receivers.iter().map(|receiver| receiver.name.as_str()));
        let present: BTreeSet<_> = clients.iter().map(|(sender, _)| sender.clone()).collect();
        for (sender, client) in clients {
            if let Some(app) = config.app(&sender.0) {
                self.serve(sender, client, app, &config);
            }
        }
        for (sender, service) in &self.senders {
            if !present.contains(sender) {
                self.clients.remove(sender);
                service.send_modify(|service| {
                    *service = Arc::new(Service { wecom: None, settings: service.settings.clone() });
                });
            }
        }
        self.entrance.replace(config.server.admission.clone());
        self.intake.store(Arc::new(self.intake.load().with(intake)));
        let routes = config.receivers.iter().filter_map(|receiver| route(&config, receiver));
        self.routes.send_replace(routes.collect());
        self.retention.send_replace(config.outbox.retention);
        let (old, new) = (&self.served, &config);
        let fixed = [
            ("server.listen", old.server.listen != new.server.listen),
            ("outbox.path", old.outbox.path != new.outbox.path),
            ("outbox.max_size", old.outbox.max_size_bytes != new.outbox.max_size_bytes),
        ];
        fixed.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
    }

    /// Has `app` served over `sender`, by a new dispatcher if it has none.
    fn serve(&mut self, sender: SenderName, client: Arc<Client>, app: &App, config: &Config) {
        let credentials = credentials(app);
        // With the same credentials the connections stay, too.
        let client = match self.clients.get(&sender) {
            Some((same, client)) if *same == credentials => Arc::clone(client),
            _ => Arc::new(client.counting(self.metrics.refreshes(&sender.0))),
        };
        self.clients.insert(sender.clone(), (credentials.clone(), Arc::clone(&client)));
        let limit = |limit: Option<NonZeroU32>| limit.map_or(0, NonZeroU32::get);
        let settings = dispatcher::Settings {
            concurrency: self.tuning.concurrency,
            limits: Limits { per_minute: limit(app.limits.per_minute), per_hour: limit(app.limits.per_hour) },
            windows: self.tuning.windows,
            duplicate_check: self.tuning.duplicate_check,
            policy: Policy {
                transient: self.tuning.transient.clone(),
                probes: self.tuning.probes.clone(),
                ..Policy::new(config.outbox.expire_after)
            },
            credentials,
        };
        let service = Arc::new(Service { wecom: Some(client), settings });
        if let Some(running) = self.senders.get(&sender) {
            running.send_replace(service);
            return;
        }
        let (publish, services) = watch::channel(service);
        let rng = StdRng::seed_from_u64(self.seeds.random());
        let dispatcher = dispatcher::Dispatcher::new(
            sender.clone(),
            self.outbox.clone(),
            services,
            Arc::clone(&self.clock),
            rng,
            Arc::clone(&self.metrics),
        );
        self.heartbeats.add(sender.clone(), dispatcher.heartbeat());
        self.tasks.spawn(format!("dispatcher of {sender}"), dispatcher.run(self.tasks.stop()));
        self.senders.insert(sender, publish);
    }

    /// Says for which apps messages wait that are not in the configuration.
    ///
    /// # Errors
    /// When the outbox does not answer.
    pub(super) async fn tell_of_the_gone(&self) -> Result<(), StoreError> {
        let queued = self.outbox.senders().await?;
        for sender in queued.iter().filter(|sender| !self.clients.contains_key(*sender)) {
            tracing::error!(
                app = %sender,
                "messages wait for an app that is not in the configuration; they are kept until it is there again, \
                 or given up by `wecom-relay outbox discard`"
            );
        }
        Ok(())
    }
}

/// What makes a sender's credentials and its way to WeCom: when this changes, a hold may be over.
fn credentials(app: &App) -> String {
    let proxy = app.proxy_url.as_ref().map(|proxy| proxy.fingerprint()).unwrap_or_default();
    let (corp_id, agent_id, api_url) = (&app.corp_id, app.agent_id, app.api_url.as_str());
    format!("{corp_id} {agent_id} {api_url} {} {proxy}", app.api_secret.fingerprint())
}

fn route(config: &Config, receiver: &Receiver) -> Option<notices::Route> {
    let to = receivers::fallback(receiver, config)?;
    Some(notices::Route {
        receiver: ReceiverName(receiver.name.as_str().to_owned()),
        sender: receivers::channel_of(receiver),
        fallback: to.name,
        fallback_channel: to.sender,
        fallback_recipients: to.recipients,
        after: receiver.fallback.as_ref()?.after,
    })
}
