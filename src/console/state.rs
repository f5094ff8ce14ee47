//! The state that all handlers share.

use std::sync::{Arc, Mutex, PoisonError};

use rand::rngs::StdRng;

use super::{
    password::Role,
    playground::TemplateDesk,
    request_limits::RequestLimits,
    search_throttle::SearchThrottle,
    session::Session,
    settings::{ConsoleHandle, ConsoleSettings},
    setup::{SetupParts, SetupState},
    snapshot::Snapshots,
    status::{Recaller, RelayStatus},
    templates,
    throttle::LoginThrottle,
};
use crate::{clock::Clock, lifecycle::Tasks, metrics::Metrics, pages::Pages};

/// The parts of the relay that the console uses.
pub struct ConsoleParts<O> {
    pub outbox: O,
    /// The clock of relay time.
    pub clock: Arc<dyn Clock>,
    pub settings: ConsoleHandle,
    pub status: Arc<dyn RelayStatus>,
    pub desk: Arc<dyn TemplateDesk>,
    pub recaller: Arc<dyn Recaller>,
    pub setup: SetupParts,
    pub metrics: Arc<Metrics>,
    pub tasks: Tasks,
    /// Only this machine can reach the listener.
    pub is_on_loopback: bool,
    pub rng: StdRng,
}

pub(super) struct ConsoleState<O> {
    pub(super) outbox: O,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) settings: ConsoleHandle,
    pub(super) status: Arc<dyn RelayStatus>,
    pub(super) desk: Arc<dyn TemplateDesk>,
    pub(super) recaller: Arc<dyn Recaller>,
    pub(super) setup: SetupState,
    pub(super) metrics: Arc<Metrics>,
    pub(super) tasks: Tasks,
    pub(super) is_on_loopback: bool,
    pub(super) throttle: LoginThrottle,
    pub(super) snapshots: Snapshots,
    pub(super) searches: SearchThrottle,
    pub(super) limits: RequestLimits,
    pub(super) pages: Pages,
    rng: Mutex<StdRng>,
}

impl<O> ConsoleState<O> {
    /// # Errors
    /// A template of the program is wrong.
    pub(super) fn new(parts: ConsoleParts<O>) -> Result<Self, tera::Error> {
        let ConsoleParts {
            outbox,
            clock,
            settings,
            status,
            setup,
            desk,
            recaller,
            metrics,
            tasks,
            is_on_loopback,
            rng,
        } = parts;
        Ok(Self {
            outbox,
            clock,
            settings,
            status,
            desk,
            recaller,
            setup: SetupState::new(setup),
            metrics,
            tasks,
            is_on_loopback,
            throttle: LoginThrottle::default(),
            snapshots: Snapshots::default(),
            searches: SearchThrottle::default(),
            limits: RequestLimits::default(),
            pages: templates::pages()?,
            rng: Mutex::new(rng),
        })
    }

    pub(super) fn wall_time(&self) -> jiff::Timestamp {
        self.clock.wall_time(self.clock.now())
    }

    pub(super) fn new_session(&self, role: Role, settings: &ConsoleSettings) -> Session {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        Session::new(role, self.wall_time(), settings.config.session, &mut *rng)
    }
}
