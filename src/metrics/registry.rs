//! The metrics with their names and help texts, and their export.

use std::{collections::BTreeMap, fmt, sync::atomic::AtomicU64};

use jiff::Timestamp;
use prometheus_client::{
    encoding::text,
    metrics::{
        counter::{ConstCounter, Counter},
        family::Family,
        gauge::Gauge,
        histogram::Histogram,
        info::Info,
    },
    registry::{Registry, Unit},
};

use super::{
    labels::{
        Attempted, ByAction, ByApp, ByReceiver, CALLBACK_RESULTS, CALLBACK_RESULTS_WITHOUT_APP,
        CONSOLE_ACTIONS, CalledBack, DEAD_REASONS, HELD_REASONS, Held, INVALID_KINDS, Invalid, NO_ERRCODE,
        NOT_IN_CONFIGURATION, PRESS_ACTIONS, PressResult, Pressed, REFRESH_RESULTS, REPAIR_KINDS, RESULTS,
        RESULTS_WITHOUT_RECEIVER, Received, Refreshed, Repaired, Settled,
    },
    process::Process,
    queue::{OutboxFigures, QueueDepth, Queues},
    sharing::SharingFigures,
    store::StoreMetrics,
};
use crate::telemetry::dropped_lines;

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// All metrics of one relay.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    pub(super) received: Family<Received, Counter>,
    pub(super) unauthorized: Counter,
    pub(super) forbidden: Counter,
    pub(super) callbacks: Family<CalledBack, Counter>,
    pub(super) console_changes: Family<ByAction, Counter>,
    pub(super) presses: Family<Pressed, Counter>,
    pub(super) repaired: Family<Repaired, Counter>,
    pub(super) template_fallbacks: Family<ByReceiver, Counter>,
    pub(super) settled: Family<Settled, Counter>,
    pub(super) attempts: Family<Attempted, Counter>,
    pub(super) latency: Histograms<ByReceiver>,
    pub(super) requests: Histograms<ByApp>,
    pub(super) held: Family<Held, Gauge>,
    pub(super) rate_limit_waits: Histograms<ByApp>,
    pub(super) folded: Family<ByApp, Counter>,
    refreshes: Family<Refreshed, Counter>,
    pub(super) invalid: Family<Invalid, Counter>,
    pub(super) reloaded: Gauge,
    pub(super) reloaded_at: Gauge<f64, AtomicU64>,
    queues: Queues,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new(&StoreMetrics::default())
    }
}

impl Metrics {
    /// All metrics with value 0, and those of the outbox.
    pub fn new(store: &StoreMetrics) -> Self {
        let latency: fn() -> Histogram =
            || Histogram::new([0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0, 300.0, 1800.0, 7200.0]);
        let request: fn() -> Histogram =
            || Histogram::new([0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0]);
        let wait: fn() -> Histogram =
            || Histogram::new([0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0]);
        let mut metrics = Self {
            registry: Registry::with_prefix("wecom_relay"),
            received: Family::default(),
            unauthorized: Counter::default(),
            forbidden: Counter::default(),
            callbacks: Family::default(),
            console_changes: Family::default(),
            presses: Family::default(),
            repaired: Family::default(),
            template_fallbacks: Family::default(),
            settled: Family::default(),
            attempts: Family::default(),
            latency: Family::new_with_constructor(latency),
            requests: Family::new_with_constructor(request),
            held: Family::default(),
            rate_limit_waits: Family::new_with_constructor(wait),
            folded: Family::default(),
            refreshes: Family::default(),
            invalid: Family::default(),
            reloaded: Gauge::default(),
            reloaded_at: Gauge::default(),
            queues: Queues::default(),
        };
        metrics.register();
        store.register(&mut metrics.registry);
        for result in RESULTS_WITHOUT_RECEIVER {
            drop(metrics.received.get_or_create(&Received::new("", result)));
        }
        for result in CALLBACK_RESULTS_WITHOUT_APP {
            drop(metrics.callbacks.get_or_create(&CalledBack { app: String::new(), result }));
        }
        for action in CONSOLE_ACTIONS {
            drop(metrics.console_changes.get_or_create(&ByAction { action }));
        }
        for action in PRESS_ACTIONS {
            for result in PressResult::ALL.map(PressResult::name) {
                drop(metrics.presses.get_or_create(&Pressed { action, result }));
            }
        }
        for kind in REPAIR_KINDS {
            drop(metrics.repaired.get_or_create(&Repaired { kind }));
        }
        metrics
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "notifications_received",
            "Webhook requests by result; receiver is empty when it is not known",
            self.received.clone(),
        );
        registry.register(
            "unauthorized_requests",
            "Requests without valid credentials, answered with 401",
            self.unauthorized.clone(),
        );
        registry.register(
            "forbidden_requests",
            "Requests of browsers for pages of another site, answered with 403",
            self.forbidden.clone(),
        );
        registry.register(
            "callbacks",
            "Requests of /callback by result; app is empty when it is not known",
            self.callbacks.clone(),
        );
        registry.register(
            "console_changes",
            "Changes that people made in the console, by action",
            self.console_changes.clone(),
        );
        registry.register(
            "presses",
            "Presses of buttons of cards that were handled, by action and result",
            self.presses.clone(),
        );
        registry.register(
            "payload_repairs",
            "Webhooks with an odd value that was repaired or ignored, by kind",
            self.repaired.clone(),
        );
        registry.register(
            "template_fallbacks",
            "Notifications that were rendered with the built-in template because a template failed",
            self.template_fallbacks.clone(),
        );
        registry.register(
            "deliveries",
            "Deliveries that are delivered or dead; a digest is one delivery",
            self.settled.clone(),
        );
        registry.register(
            "attempts",
            "Finished attempts by WeCom's errcode; none without a reply, other for unknown errcodes",
            self.attempts.clone(),
        );
        registry.register_with_unit(
            "delivery_latency",
            "Time from the acceptance of a notification to WeCom's acceptance of its delivery",
            Unit::Seconds,
            self.latency.clone(),
        );
        registry.register_with_unit(
            "request_duration",
            "Duration of one attempt, including the time to get an access token",
            Unit::Seconds,
            self.requests.clone(),
        );
        registry.register(
            "sender_held",
            "1 while the app is held: no message of it succeeds",
            self.held.clone(),
        );
        registry.register_with_unit(
            "rate_limit_wait",
            "Time that a delivery at the head of its queue waited for the rate limiter",
            Unit::Seconds,
            self.rate_limit_waits.clone(),
        );
        registry.register("folded", "Notifications that were folded into a digest", self.folded.clone());
        registry.register("token_refreshes", "Calls of gettoken by result", self.refreshes.clone());
        registry.register(
            "invalid_recipients",
            "Recipients that did not get an accepted message, by the field of WeCom's reply that names them",
            self.invalid.clone(),
        );
        let version = vec![("version", env!("CARGO_PKG_VERSION"))];
        registry.register("build", "Version of the program", Info::new(version));
        registry.register(
            "config_last_reload_successful",
            "1 if the last start or reload of the configuration succeeded",
            self.reloaded.clone(),
        );
        registry.register_with_unit(
            "config_last_reload_success_timestamp",
            "Unix time of the last successful start or reload of the configuration",
            Unit::Seconds,
            self.reloaded_at.clone(),
        );
    }

    /// Creates every series of these apps and receivers. Names that are no longer configured keep their counts.
    pub fn configured<'n>(
        &self,
        apps: impl IntoIterator<Item = &'n str>,
        receivers: impl IntoIterator<Item = &'n str>,
    ) {
        let apps: Vec<_> = apps.into_iter().map(str::to_owned).collect();
        let receivers: Vec<_> = receivers.into_iter().map(str::to_owned).collect();
        apps.iter().for_each(|app| self.create_app_series(app));
        receivers.iter().for_each(|receiver| self.create_receiver_series(receiver));
        self.queues.configured(apps, receivers);
    }

    /// Creates every series of an app with a callback.
    pub fn configured_callback(&self, app: &str) {
        for result in CALLBACK_RESULTS {
            drop(self.callbacks.get_or_create(&CalledBack { app: app.to_owned(), result }));
        }
    }

    fn create_app_series(&self, app: &str) {
        for errcode in ["0", NO_ERRCODE] {
            drop(self.attempts.get_or_create(&Attempted::new(app, errcode.to_owned())));
        }
        for reason in HELD_REASONS {
            drop(self.held.get_or_create(&Held::new(app, reason)));
        }
        for kind in INVALID_KINDS {
            drop(self.invalid.get_or_create(&Invalid::new(app, kind)));
        }
        drop(self.requests.get_or_create(&ByApp::new(app)));
        drop(self.rate_limit_waits.get_or_create(&ByApp::new(app)));
        drop(self.folded.get_or_create(&ByApp::new(app)));
        for result in REFRESH_RESULTS {
            drop(self.refreshes.get_or_create(&Refreshed::new(app, result)));
        }
    }

    fn create_receiver_series(&self, receiver: &str) {
        for result in RESULTS {
            drop(self.received.get_or_create(&Received::new(receiver, result)));
        }
        drop(self.settled.get_or_create(&Settled::delivered(receiver)));
        for reason in DEAD_REASONS {
            drop(self.settled.get_or_create(&Settled::dead(receiver, reason)));
        }
        drop(self.template_fallbacks.get_or_create(&ByReceiver::new(receiver)));
        drop(self.latency.get_or_create(&ByReceiver::new(receiver)));
    }

    /// The apps of the configuration.
    pub fn apps(&self) -> Vec<String> {
        self.queues.apps()
    }

    /// A `gettoken` call for `app` ended with one of [`REFRESH_RESULTS`].
    pub fn token_refreshed(&self, app: &str, result: &'static str) {
        self.refreshes.get_or_create(&Refreshed::new(app, result)).inc();
    }

    /// Remembers the deliveries that were discarded before this process, so that they are not counted.
    pub fn discarded_before_start(&self, depths: &[QueueDepth<'_>]) {
        self.queues.newly_discarded(depths);
    }

    /// Exports everything in OpenMetrics' text format. Without `figures` the export has no series of the outbox: no
    /// figure is better than an old one.
    ///
    /// # Errors
    /// Never in practice, because writing to memory does not fail.
    pub fn encode(
        &self,
        figures: Option<&OutboxFigures<'_>>,
        sharing: &SharingFigures,
        now: Timestamp,
    ) -> Result<String, fmt::Error> {
        let mut scrape = Registry::default();
        Process::read().register(&mut scrape);
        scrape.sub_registry_with_prefix("wecom_relay").register(
            "log_lines_dropped",
            "Log lines that could not be written to standard error",
            ConstCounter::new(dropped_lines()),
        );
        sharing.register(scrape.sub_registry_with_prefix("wecom_relay"));
        // Another process reports the hold of an app that it sends for.
        for (app, _) in sharing.owned.iter().filter(|(_, is_owned)| !is_owned) {
            self.held(app, None);
        }
        if let Some(figures) = figures {
            self.queues.register(figures, now, scrape.sub_registry_with_prefix("wecom_relay"));
            self.count_discarded(&figures.depths);
            self.update_unconfigured_apps(&figures.depths);
        }
        let mut text = String::new();
        text::encode_registry(&mut text, &self.registry)?;
        text::encode_registry(&mut text, &scrape)?;
        text::encode_eof(&mut text)?;
        Ok(text)
    }

    /// Another process discards deliveries, so the outbox is the only source of their number.
    fn count_discarded(&self, depths: &[QueueDepth<'_>]) {
        for (depth, discarded) in depths.iter().zip(self.queues.newly_discarded(depths)) {
            if discarded > 0 && depth.is_reported {
                let labels = Settled::dead(depth.receiver, "discarded");
                self.settled.get_or_create(&labels).inc_by(discarded);
            }
        }
    }

    /// Sets the gauge of each app that has queued deliveries but is not configured, and resets it afterwards.
    fn update_unconfigured_apps(&self, depths: &[QueueDepth<'_>]) {
        let mut has_deliveries: BTreeMap<&str, bool> = BTreeMap::new();
        for depth in depths.iter().filter(|depth| depth.is_reported) {
            *has_deliveries.entry(depth.app).or_default() |= depth.deliveries > 0;
        }
        for (app, has_deliveries) in has_deliveries {
            let held = has_deliveries && !self.queues.is_configured(app);
            let labels = Held::new(app, NOT_IN_CONFIGURATION);
            let was_exported = self.held.get(&labels).is_some();
            if held || was_exported {
                self.held.get_or_create(&labels).set(i64::from(held));
            }
        }
    }
}
