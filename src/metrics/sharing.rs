//! The part of a process in an outbox that several may share, read at each scrape.

use jiff::SignedDuration;
use prometheus_client::{
    metrics::{
        counter::Counter,
        family::Family,
        gauge::{ConstGauge, Gauge},
    },
    registry::{Registry, Unit},
};

use super::labels::{ByApp, TakenOver};

/// `reason` of `wecom_relay_takeovers_total`.
pub const TAKEOVER_REASONS: [&str; 2] = ["expired", "released"];

/// The figures of one scrape.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SharingFigures {
    /// Each app that this process may dispatch, and true if it does.
    pub owned: Vec<(String, bool)>,
    pub takeovers: Vec<Takeover>,
    /// The number of processes that share the outbox.
    pub replicas: usize,
    /// The wall clock of this machine minus relay time.
    pub clock_offset: SignedDuration,
}

/// The leases of an app that this process took over for one of [`TAKEOVER_REASONS`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Takeover {
    pub app: String,
    pub reason: &'static str,
    pub count: u64,
}

impl SharingFigures {
    pub(super) fn register(&self, registry: &mut Registry) {
        let owned = Family::<ByApp, Gauge>::default();
        let takeovers = Family::<TakenOver, Counter>::default();
        for (app, is_owned) in &self.owned {
            owned.get_or_create(&ByApp::new(app)).set(i64::from(*is_owned));
            for reason in TAKEOVER_REASONS {
                drop(takeovers.get_or_create(&TakenOver { app: app.clone(), reason }));
            }
        }
        for Takeover { app, reason, count } in &self.takeovers {
            takeovers.get_or_create(&TakenOver { app: app.clone(), reason }).inc_by(*count);
        }
        registry.register("sender_owned", "1 if this process sends the messages of the app", owned);
        registry.register("takeovers", "Apps that this process took over from another one", takeovers);
        let replicas: ConstGauge<i64> = ConstGauge::new(i64::try_from(self.replicas).unwrap_or(i64::MAX));
        registry.register("replicas", "Processes that share the outbox, as this one sees them", replicas);
        registry.register_with_unit(
            "clock_offset",
            "Wall clock of this machine minus the clock of all stored times",
            Unit::Seconds,
            ConstGauge::new(self.clock_offset.as_secs_f64()),
        );
    }
}
