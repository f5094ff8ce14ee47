//! A running daemon, and the parts of it that a reload replaces.
//!
//! A reload prepares everything before it changes anything, so a mistake leaves the old configuration in use. Then
//! each part switches to the new configuration as a whole. A request or a send that has begun ends with the
//! configuration that it began with.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::sync::{mpsc, watch};

use super::{
    active_sender::ActiveSender,
    clock::relay_clock,
    console::{Board, console_settings},
    desk::Desk,
    drafts::Drafts,
    heartbeats::Heartbeats,
    listeners::Listeners,
    prepare::Prepared,
    press_settings::{PressSettings, press_settings},
    random::random_seed,
    tuning::Tuning,
};
use crate::{
    clock::{Clock as _, MachineClock, RelayClock},
    config::{Config, SecretFiles},
    console::ConsoleHandle,
    dispatch::notices,
    doctor::{self, DoctorHandle},
    http::{self, CallbackApps, Payloads, Refusals, ReloadHandle, ReloadRequest, RenderPool, SecurityHandle},
    lifecycle::Tasks,
    metrics::Metrics,
    outbox::{Outbox, PressWaker, SenderName, StoreError},
    secret::Secret,
    wecom::token::TokenCaches,
};

/// A running daemon.
pub struct Running<O> {
    pub(super) requests: mpsc::Receiver<ReloadRequest>,
    pub(super) reloads: ReloadHandle,
    pub(super) metrics: Arc<Metrics>,
    pub(super) clock: Arc<RelayClock>,
    pub(super) tuning: Tuning,
    pub(super) outbox: O,
    pub(super) tasks: Tasks,
    pub(super) seeds: StdRng,
    /// The configuration of the start: some keys need a restart.
    pub(super) started_with: Config,
    /// The configuration in use.
    pub(super) current: Config,
    pub(super) last_reload_failed: bool,
    pub(super) secret_files: watch::Sender<SecretFiles>,
    pub(super) secret_changes: mpsc::Receiver<SecretFiles>,
    pub(super) token_caches: Arc<TokenCaches>,
    pub(super) senders: BTreeMap<SenderName, ActiveSender>,
    /// False if what waits under former names of senders was not moved at the start, because the outbox did not answer.
    pub(super) is_adopted: bool,
    pub(super) heartbeats: Heartbeats,
    pub(super) render_pool: Arc<ArcSwap<RenderPool>>,
    pub(super) security: SecurityHandle,
    /// The security of the listener for the callback alone.
    pub(super) callback_security: SecurityHandle,
    pub(super) callback_apps: CallbackApps,
    /// Wakes the worker that acts on presses.
    pub(super) presses: PressWaker,
    pub(super) console: ConsoleHandle,
    /// Signs the sessions of the console.
    pub(super) console_secret: Secret,
    pub(super) board: Arc<Board>,
    pub(super) desk: Arc<Desk>,
    pub(super) payloads: Arc<Payloads>,
    pub(super) refusals: Arc<Refusals>,
    pub(super) routes: watch::Sender<Vec<notices::Route>>,
    pub(super) retention: watch::Sender<Duration>,
    pub(super) configs: watch::Sender<Arc<Config>>,
    pub(super) press_settings: watch::Sender<Arc<PressSettings>>,
    pub(super) doctor: DoctorHandle,
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
        listeners: impl Into<Listeners>,
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
        let mut seeds = rng(prepared.tuning.seed);
        let console_secret = match outbox.console_secret().await {
            Ok(secret) => secret,
            Err(error) => {
                start_without_outbox(error)?;
                // Sessions of this process only.
                Secret::new(format!("{:032x}{:032x}", seeds.random::<u128>(), seeds.random::<u128>()))
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
            seeds,
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
            callback_security: SecurityHandle::new(prepared.config.server.security.of_callback()),
            callback_apps: CallbackApps::default(),
            presses: PressWaker::default(),
            console: ConsoleHandle::new(console_settings(&prepared.config, &console_secret)),
            console_secret,
            board,
            desk,
            payloads,
            refusals,
            routes: watch::Sender::new(Vec::new()),
            retention: watch::Sender::new(prepared.config.outbox.retention),
            configs: watch::Sender::new(Arc::new(prepared.config.clone())),
            press_settings: watch::Sender::new(Arc::new(press_settings(
                &prepared.config,
                prepared.alertmanager.clone(),
                &BTreeMap::new(),
            ))),
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
        running.spawn(listeners.into(), changes, doctor_requests);
        Ok(running)
    }

    /// Heartbeats of all loops that must not hang, including those that a reload starts later.
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

fn rng(seed: Option<u64>) -> StdRng {
    StdRng::seed_from_u64(seed.unwrap_or_else(random_seed))
}
