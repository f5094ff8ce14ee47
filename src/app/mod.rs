//! The composition root: from a configuration to a running daemon. The only place that names concrete types.

mod receivers;
mod reload;
mod running;

use std::{net::TcpListener, sync::Arc, time::Duration};

use rand::{SeedableRng, rngs::StdRng};

use crate::{
    clock::Clock,
    config::{Config, Place, Problem, Problems},
    delivery::{
        pace::Windows,
        step::{Probes, transient_schedule},
    },
    dispatch::dispatcher,
    http,
    intake::{self, Intake},
    lifecycle::Lifecycle,
    outbox::{
        DUPLICATE_CHECK_MARGIN, Outbox, SenderName, StoreError,
        sqlite::{Access, OpenError, Settings, SqliteOutbox},
    },
    retry::Schedule,
    wecom::{
        client::{CALL_TIMEOUT, CONNECT_TIMEOUT, Client, ClientSettings},
        token::TokenCaches,
    },
};

pub use self::{
    reload::Source,
    running::{Heartbeats, Running},
};

// Two calls with an old access token and two with a new one.
const _: () = assert!(
    4 * CALL_TIMEOUT.as_secs() < DUPLICATE_CHECK_MARGIN.as_secs(),
    "a send is longer than DUPLICATE_CHECK_MARGIN"
);

/// A configuration that is ready to be served.
#[derive(Debug)]
pub struct Prepared {
    /// The configuration.
    pub config: Config,
    /// The webhook's side.
    pub intake: Arc<Intake>,
    /// The client of each app, in the configuration's order.
    pub clients: Vec<(SenderName, Arc<Client>)>,
    /// The tokens of the clients.
    pub caches: Arc<TokenCaches>,
}

/// What a test turns that nobody else should.
#[derive(Debug, Clone)]
pub struct Tuning {
    /// What the limits are counted in.
    pub windows: Windows,
    /// How many sends a sender makes at once.
    pub concurrency: u32,
    /// `duplicate_check_interval`.
    pub duplicate_check: Duration,
    /// How long the templates of one message may take.
    pub render_limit: Duration,
    /// Delays after transient failures.
    pub transient: Schedule,
    /// When a held sender is probed.
    pub probes: Probes,
    /// How long a connection to WeCom may take.
    pub connect_timeout: Duration,
    /// How long one call of WeCom may take.
    pub call_timeout: Duration,
    /// How many connections of clients are open at once.
    pub connections: usize,
    /// How long a reload may take to read the configuration and what it names.
    pub reload_limit: Duration,
    /// What jitter is drawn from; `None` for the system's randomness.
    pub seed: Option<u64>,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            windows: Windows::default(),
            concurrency: dispatcher::CONCURRENCY,
            duplicate_check: dispatcher::DUPLICATE_CHECK,
            render_limit: http::RENDER_LIMIT,
            transient: transient_schedule(),
            probes: Probes::default(),
            connect_timeout: CONNECT_TIMEOUT,
            call_timeout: CALL_TIMEOUT,
            connections: http::CONNECTIONS,
            reload_limit: Duration::from_secs(30),
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
        Self::sharing(config, tuning, Arc::default())
    }

    /// [`Self::tuned`] with the tokens that a running daemon has.
    ///
    /// # Errors
    /// All problems at once.
    pub fn sharing(config: Config, tuning: &Tuning, caches: Arc<TokenCaches>) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let templates = receivers::compile(&config).map_err(|found| problems.extend(found)).ok();
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
                Ok(client) => clients.push((SenderName(app.name.as_str().to_owned()), Arc::new(client))),
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
                Ok(Self { config, intake, clients, caches })
            }
            (_, problems) => Err(problems.unwrap_or_else(|| {
                Problem::new(Place::default(), "the templates do not compile", "").into()
            })),
        }
    }

    /// The client of the app that sends for `receiver`.
    pub fn client(&self, receiver: &intake::Receiver) -> Option<&Arc<Client>> {
        self.clients.iter().find(|(sender, _)| *sender == receiver.sender).map(|(_, client)| client)
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

/// Starts every task of the daemon under `lifecycle`, but its reloads: [`Running::run_reloads`]. When this returns,
/// what the last process left in flight is accounted for.
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
) -> Result<Running<O>, StoreError> {
    Running::start(prepared, listener, outbox, clock, tuning, lifecycle.tasks()).await
}

/// The randomness of this process: the one place that asks the system for it.
#[expect(clippy::disallowed_methods, reason = "the one place that asks the system for randomness")]
fn rng(seed: Option<u64>) -> StdRng {
    seed.map_or_else(|| StdRng::seed_from_u64(rand::random()), StdRng::seed_from_u64)
}
