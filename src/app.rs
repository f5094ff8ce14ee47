//! The composition root: from a configuration to a running daemon. The only place that names concrete types.

mod receivers;

use std::{net::TcpListener, sync::Arc, time::Duration};

use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::{
    clock::Clock,
    config::{Config, Place, Problem, Problems, Receiver},
    delivery::{
        pace::{Limits, Windows},
        step::{Policy, Probes, transient_schedule},
    },
    dispatch::{channel, janitor, notices},
    http::{self, Bounded, Memory, Relay},
    intake::{self, Intake},
    lifecycle::Lifecycle,
    metrics::Metrics,
    outbox::{
        Channel, Outbox, ReceiverName, StoreError,
        sqlite::{Access, OpenError, Settings, SqliteOutbox},
    },
    retry::Schedule,
    wecom::{
        client::{CALL_TIMEOUT, CONNECT_TIMEOUT, Client, ClientSettings},
        token::TokenCaches,
    },
};

/// A configuration that is ready to be served.
#[derive(Debug)]
pub struct Prepared {
    /// The configuration.
    pub config: Config,
    /// The webhook's side.
    pub intake: Arc<Intake>,
    /// The client of each app, in the configuration's order.
    pub clients: Vec<(Channel, Arc<Client>)>,
}

/// What a test turns that nobody else should.
#[derive(Debug, Clone)]
pub struct Tuning {
    /// What the limits are counted in.
    pub windows: Windows,
    /// How many sends a channel makes at once.
    pub concurrency: u32,
    /// `duplicate_check_interval`.
    pub duplicate_check: Duration,
    /// How long the templates of one message may take.
    pub render_limit: Duration,
    /// Delays after transient failures.
    pub transient: Schedule,
    /// When a held channel is probed.
    pub probes: Probes,
    /// How long a connection to WeCom may take.
    pub connect_timeout: Duration,
    /// How long one call of WeCom may take.
    pub call_timeout: Duration,
    /// What jitter is drawn from; `None` for the system's randomness.
    pub seed: Option<u64>,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            windows: Windows::default(),
            concurrency: channel::CONCURRENCY,
            duplicate_check: channel::DUPLICATE_CHECK,
            render_limit: http::RENDER_LIMIT,
            transient: transient_schedule(),
            probes: Probes::default(),
            connect_timeout: CONNECT_TIMEOUT,
            call_timeout: CALL_TIMEOUT,
            seed: None,
        }
    }
}

impl Prepared {
    /// Compiles the templates and makes the clients.
    ///
    /// # Errors
    /// All problems at once.
    pub fn new(config: Config) -> Result<Self, Problems> {
        Self::tuned(config, &Tuning::default())
    }

    /// [`Self::new`] with the time-outs of `tuning`.
    ///
    /// # Errors
    /// All problems at once.
    pub fn tuned(config: Config, tuning: &Tuning) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let templates = receivers::compile(&config).map_err(|found| problems.extend(found)).ok();
        let caches = TokenCaches::default();
        let mut clients = Vec::with_capacity(config.apps.len());
        for app in &config.apps {
            let settings = ClientSettings {
                corp_id: app.corp_id.clone(),
                agent_id: app.agent_id,
                api_secret: app.api_secret.clone(),
                api_url: app.api_url.clone(),
                proxy_url: app.proxy_url.clone(),
                connect_timeout: tuning.connect_timeout,
                call_timeout: tuning.call_timeout,
            };
            match Client::new(settings, &caches) {
                Ok(client) => clients.push((Channel(app.name.as_str().to_owned()), Arc::new(client))),
                Err(error) => problems.push(Problem::new(app.place.clone(), error.to_string(), "")),
            }
        }
        match (templates, Problems::new(problems)) {
            (Some(templates), None) => {
                let settings = intake::Settings {
                    dedupe_window: config.outbox.dedupe_window,
                    timezone: config.timezone.clone(),
                };
                let intake = Intake::new(receivers::receivers(&config), templates, settings);
                let intake = Arc::new(intake);
                Ok(Self { config, intake, clients })
            }
            (_, problems) => Err(problems.unwrap_or_else(|| {
                Problem::new(Place::default(), "the templates do not compile", "").into()
            })),
        }
    }

    /// The client of the app that sends for `receiver`.
    pub fn client(&self, receiver: &intake::Receiver) -> Option<&Arc<Client>> {
        self.clients.iter().find(|(channel, _)| *channel == receiver.channel).map(|(_, client)| client)
    }
}

/// Opens the outbox of a configuration.
///
/// # Errors
/// [`OpenError`] says what to do.
pub fn open_outbox(config: &Config, access: Access) -> Result<SqliteOutbox, OpenError> {
    let settings = Settings::new(config.outbox.path.clone(), config.outbox.max_size_bytes);
    SqliteOutbox::open(settings, access)
}

/// Starts every task of the daemon under `lifecycle`. When this returns, what the last process left in flight is
/// accounted for.
///
/// # Errors
/// When the outbox does not answer.
pub async fn start<O: Outbox>(
    prepared: Prepared,
    listener: TcpListener,
    outbox: O,
    clock: Arc<dyn Clock>,
    tuning: Tuning,
    lifecycle: &Lifecycle,
) -> Result<(), StoreError> {
    let Prepared { config, intake, clients } = prepared;
    let in_doubt = outbox.recover(clock.now()).await?;
    if in_doubt > 0 {
        tracing::warn!(
            deliveries = in_doubt,
            "were in flight when the last process ended; sent again with WeCom's duplicate check"
        );
    }
    let queued = outbox.channels().await?;
    for channel in queued.iter().filter(|queued| clients.iter().all(|(channel, _)| channel != *queued)) {
        tracing::error!(
            %channel,
            "messages wait for an app that is not in the configuration; they are kept until it is there again, or \
             given up by `wecom-relay outbox discard`"
        );
    }
    let metrics = Arc::new(Metrics::default());
    let mut seeds = rng(tuning.seed);
    for (channel, client) in clients {
        let Some(app) = config.app(&channel.0) else { continue };
        let limit = |limit: Option<std::num::NonZeroU32>| limit.map_or(0, std::num::NonZeroU32::get);
        let settings = channel::Settings {
            concurrency: tuning.concurrency,
            limits: Limits { per_minute: limit(app.limits.per_minute), per_hour: limit(app.limits.per_hour) },
            windows: tuning.windows,
            duplicate_check: tuning.duplicate_check,
            policy: Policy {
                transient: tuning.transient.clone(),
                probes: tuning.probes.clone(),
                ..Policy::new(config.outbox.expire_after)
            },
            credentials: credentials(app),
        };
        let name = format!("dispatcher of {channel}");
        let rng = StdRng::seed_from_u64(seeds.random());
        let dispatcher = channel::Dispatcher::new(
            channel,
            outbox.clone(),
            client,
            Arc::clone(&clock),
            rng,
            settings,
            Arc::clone(&metrics),
        );
        lifecycle.spawn(name, dispatcher.run(lifecycle.stop()));
    }
    let routes = config.receivers.iter().filter_map(|receiver| route(&config, receiver)).collect();
    let (notices, stop) = (outbox.clone(), lifecycle.stop());
    let notices_clock = Arc::clone(&clock);
    lifecycle.spawn::<StoreError>("notices", async move {
        notices::run(notices, routes, notices_clock, stop).await;
        Ok(())
    });
    let (purged, stop, retention) = (outbox.clone(), lifecycle.stop(), config.outbox.retention);
    let purge_clock = Arc::clone(&clock);
    lifecycle.spawn::<StoreError>("janitor", async move {
        janitor::run(purged, retention, purge_clock, stop).await;
        Ok(())
    });
    let intake = Bounded::new(intake, tuning.render_limit);
    let relay = Relay { outbox, intake, clock, stop: lifecycle.stop(), memory: Memory::default(), metrics };
    lifecycle.spawn("http server", http::serve(listener, http::router(Arc::new(relay)), lifecycle.stop()));
    Ok(())
}

/// The randomness of this process: the one place that asks the system for it.
#[expect(clippy::disallowed_methods, reason = "the one place that asks the system for randomness")]
fn rng(seed: Option<u64>) -> StdRng {
    seed.map_or_else(|| StdRng::seed_from_u64(rand::random()), StdRng::seed_from_u64)
}

/// What makes a channel's credentials: when this changes, a hold may be over.
fn credentials(app: &crate::config::App) -> String {
    format!("{} {} {} {}", app.corp_id, app.agent_id, app.api_url.as_str(), app.api_secret.fingerprint())
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
