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
    dispatch::{channel, janitor, notices},
    http::{self, Bounded, Complaints, Entrance, Memory, Readiness, Refusals, Relay, ReloadRequest, Reloads},
    lifecycle::Tasks,
    metrics::{Metrics, Waiting},
    outbox::{Channel, Outbox, ReceiverName, StoreError},
    pulse::Pulse,
    wecom::{client::Client, token::TokenCaches},
};

type Service = channel::Service<Client>;

/// The pulses of all dispatchers.
#[derive(Debug, Clone, Default)]
pub struct Pulses(Arc<Mutex<BTreeMap<Channel, Pulse>>>);

impl Pulses {
    /// Each dispatcher's, by its channel.
    pub fn all(&self) -> Vec<(Channel, Pulse)> {
        let pulses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pulses.iter().map(|(channel, pulse)| (channel.clone(), pulse.clone())).collect()
    }

    fn add(&self, channel: Channel, pulse: Pulse) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(channel, pulse);
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
    channels: BTreeMap<Channel, watch::Sender<Arc<Service>>>,
    clients: BTreeMap<Channel, (String, Arc<Client>)>,
    pulses: Pulses,
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
        let in_doubt = outbox.recover(clock.now()).await?;
        if in_doubt > 0 {
            tracing::warn!(
                deliveries = in_doubt,
                "deliveries were in flight when the last process ended; they are sent again with WeCom's duplicate check"
            );
        }
        let metrics = Arc::new(Metrics::default());
        metrics.opened(&outbox.depths().await?.iter().map(Waiting::from).collect::<Vec<_>>());
        metrics.reloaded(true, clock.now());
        // Whoever can ask has room, so that all who wait can share one reload.
        let (sender, requests) = mpsc::channel(http::CONNECTIONS);
        let reloads = Reloads::new(sender);
        let bounded = Bounded::new(Arc::clone(&prepared.intake), tuning.render_limit);
        let mut running = Self {
            requests,
            reloads,
            seeds: super::rng(tuning.seed),
            served: prepared.config.clone(),
            caches: Arc::clone(&prepared.caches),
            channels: BTreeMap::new(),
            clients: BTreeMap::new(),
            pulses: Pulses::default(),
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

    /// The pulses of its dispatchers, those that come later too.
    pub fn pulses(&self) -> Pulses {
        self.pulses.clone()
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
        let present: BTreeSet<_> = clients.iter().map(|(channel, _)| channel.clone()).collect();
        for (channel, client) in clients {
            if let Some(app) = config.app(&channel.0) {
                self.serve(channel, client, app, &config);
            }
        }
        for (channel, service) in &self.channels {
            if !present.contains(channel) {
                self.clients.remove(channel);
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

    /// Has `app` served over `channel`, by a new dispatcher if it has none.
    fn serve(&mut self, channel: Channel, client: Arc<Client>, app: &App, config: &Config) {
        let credentials = credentials(app);
        // With the same credentials the connections stay, too.
        let client = match self.clients.get(&channel) {
            Some((same, client)) if *same == credentials => Arc::clone(client),
            _ => Arc::new(client.counting(self.metrics.refreshes(&channel.0))),
        };
        self.clients.insert(channel.clone(), (credentials.clone(), Arc::clone(&client)));
        let limit = |limit: Option<NonZeroU32>| limit.map_or(0, NonZeroU32::get);
        let settings = channel::Settings {
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
        if let Some(running) = self.channels.get(&channel) {
            running.send_replace(service);
            return;
        }
        let (sender, services) = watch::channel(service);
        let rng = StdRng::seed_from_u64(self.seeds.random());
        let dispatcher = channel::Dispatcher::new(
            channel.clone(),
            self.outbox.clone(),
            services,
            Arc::clone(&self.clock),
            rng,
            Arc::clone(&self.metrics),
        );
        self.pulses.add(channel.clone(), dispatcher.pulse());
        self.tasks.spawn(format!("dispatcher of {channel}"), dispatcher.run(self.tasks.stop()));
        self.channels.insert(channel, sender);
    }

    /// Says for which apps messages wait that are not in the configuration.
    ///
    /// # Errors
    /// When the outbox does not answer.
    pub(super) async fn tell_of_the_gone(&self) -> Result<(), StoreError> {
        let queued = self.outbox.channels().await?;
        for channel in queued.iter().filter(|channel| !self.clients.contains_key(*channel)) {
            tracing::error!(
                app = %channel,
                "messages wait for an app that is not in the configuration; they are kept until it is there again, \
                 or given up by `wecom-relay outbox discard`"
            );
        }
        Ok(())
    }
}

/// What makes a channel's credentials and its way to WeCom: when this changes, a hold may be over.
fn credentials(app: &App) -> String {
    let proxy = app.proxy_url.as_ref().map(|proxy| proxy.fingerprint()).unwrap_or_default();
    let (corp_id, agent_id, api_url) = (&app.corp_id, app.agent_id, app.api_url.as_str());
    format!("{corp_id} {agent_id} {api_url} {} {proxy}", app.api_secret.fingerprint())
}

fn route(config: &Config, receiver: &Receiver) -> Option<notices::Route> {
    let to = receivers::fallback(receiver, config)?;
    Some(notices::Route {
        receiver: ReceiverName(receiver.name.as_str().to_owned()),
        channel: receivers::channel_of(receiver),
        fallback: to.name,
        fallback_channel: to.channel,
        fallback_recipients: to.recipients,
        after: receiver.fallback.as_ref()?.after,
    })
}
