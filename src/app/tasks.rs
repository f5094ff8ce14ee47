//! Starts the tasks of the daemon that a reload does not restart.

use std::sync::Arc;

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::sync::mpsc;

use super::{
    doctor::{self as app_doctor, DoctorInput},
    listeners::Listeners,
    running::Running,
    secret_watch,
    setup::LiveSetup,
};
use crate::{
    actions::{watch, worker},
    config::SecretFiles,
    console::{self, ConsoleParts, SetupParts},
    dispatch::{janitor, notices},
    doctor::DoctorRequests,
    heartbeat::Heartbeat,
    http::{self, LogThrottles, MemoryBudget, Readiness, ServerState},
    outbox::Outbox,
};

impl<O: Outbox> Running<O> {
    /// Presses are handled while senders are held, and a reload changes their settings.
    fn spawn_actions(&self) {
        let heartbeat = Heartbeat::default();
        self.heartbeats.add("the worker for presses".to_owned(), heartbeat.clone());
        let presses = worker::Worker {
            outbox: self.outbox.clone(),
            settings: self.press_settings.subscribe(),
            clock: self.clock.clone(),
            metrics: Arc::clone(&self.metrics),
            waker: self.presses.clone(),
            heartbeat,
            timing: self.tuning.actions.clone(),
        };
        self.tasks.spawn_endless("presses", worker::run(presses, self.tasks.stop()));
        let silenced = watch::Watch {
            outbox: self.outbox.clone(),
            settings: self.press_settings.subscribe(),
            clock: self.clock.clone(),
            timing: self.tuning.actions.clone(),
        };
        self.tasks.spawn_endless("silenced cards", watch::run(silenced, self.tasks.stop()));
    }

    pub(super) fn spawn(
        &mut self,
        listeners: Listeners,
        secret_changes: mpsc::Sender<SecretFiles>,
        doctor_requests: DoctorRequests,
    ) {
        let rng = StdRng::seed_from_u64(self.seeds.random());
        let is_on_loopback = listeners.is_on_loopback();
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
        self.spawn_actions();
        let input = DoctorInput {
            config: self.configs.subscribe(),
            token_caches: Arc::clone(&self.token_caches),
            tuning: self.tuning.clone(),
            outbox: self.outbox.clone(),
            database: self.started_with.outbox.database.clone(),
            listen: listeners.main.local_addr().unwrap_or(self.started_with.server.listen),
            callback: listeners.callback_address().unwrap_or(self.started_with.server.listen),
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
            recaller: self.board.clone(),
            desk: self.desk.clone(),
            setup: SetupParts { relay: Arc::new(setup), doctor: self.doctor.clone() },
            metrics: Arc::clone(&self.metrics),
            tasks: self.tasks.clone(),
            is_on_loopback,
            rng,
        };
        let callback = self.serve_callback(listeners.callback);
        let router = console::router(console, http::router(Arc::new(state), callback));
        let (security, connections) = (self.security.clone(), self.tuning.connections);
        self.tasks.spawn("http server", http::serve(listeners.main, router, security, connections, stop()));
    }
}
