//! Durations and errors of the calls of the outbox.

use std::time::Duration;

use prometheus_client::{
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::labels::{ByCall, ByClass};

/// `call` of `wecom_relay_store_duration_seconds`.
pub const STORE_CALLS: [&str; 5] = ["enqueue", "claim", "settle", "scheduled", "probe"];
/// `class` of `wecom_relay_store_errors_total`.
pub const STORE_ERRORS: [&str; 4] = ["full", "unavailable", "damaged", "lease_lost"];

/// The durations and errors of the calls of one outbox. Clones are the same.
#[derive(Debug, Clone)]
pub struct StoreMetrics {
    durations: Family<ByCall, Histogram, fn() -> Histogram>,
    errors: Family<ByClass, Counter>,
}

impl Default for StoreMetrics {
    fn default() -> Self {
        let duration: fn() -> Histogram =
            || Histogram::new([0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.0, 5.0]);
        let metrics = Self { durations: Family::new_with_constructor(duration), errors: Family::default() };
        for call in STORE_CALLS {
            drop(metrics.durations.get_or_create(&ByCall { call }));
        }
        for class in STORE_ERRORS {
            drop(metrics.errors.get_or_create(&ByClass { class }));
        }
        metrics
    }
}

impl StoreMetrics {
    /// Records a call, one of [`STORE_CALLS`].
    pub fn called(&self, call: &'static str, duration: Duration) {
        self.durations.get_or_create(&ByCall { call }).observe(duration.as_secs_f64());
    }

    /// Records an error, one of [`STORE_ERRORS`].
    pub fn failed(&self, class: &'static str) {
        self.errors.get_or_create(&ByClass { class }).inc();
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register_with_unit(
            "store_duration",
            "Duration of a call of the outbox, with the wait for its turn",
            Unit::Seconds,
            self.durations.clone(),
        );
        registry.register("store_errors", "Failed calls of the outbox, by the reaction", self.errors.clone());
    }
}
