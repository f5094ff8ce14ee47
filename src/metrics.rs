//! What is counted and measured, in Prometheus' own terms.
//!
//! One value holds every family and is passed to those who count: a global registry was rejected, since two relays
//! in one process, as tests run them, would count together. Names have the prefix `wecom_relay_`, times are in
//! seconds. An app's own errcodes are a label; WeCom has some two hundred, and a sender meets a handful.

use std::{fmt, time::Duration};

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

/// All metrics of a relay.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    received: Family<Received, Counter>,
    template_fallbacks: Family<ByReceiver, Counter>,
    settled: Family<Settled, Counter>,
    attempts: Family<Attempted, Counter>,
    latency: Family<ByReceiver, Histogram, fn() -> Histogram>,
    requests: Family<ByApp, Histogram, fn() -> Histogram>,
    held: Family<ByApp, Gauge>,
    folded: Family<ByApp, Counter>,
    missed: Family<MissedLabels, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByReceiver {
    receiver: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByApp {
    app: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Received {
    receiver: String,
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Settled {
    receiver: String,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Attempted {
    app: String,
    errcode: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MissedLabels {
    app: String,
    kind: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        let latency: fn() -> Histogram =
            || Histogram::new([0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0, 300.0, 1800.0, 7200.0]);
        let request: fn() -> Histogram =
            || Histogram::new([0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0]);
        let mut metrics = Self {
            registry: Registry::with_prefix("wecom_relay"),
            received: Family::default(),
            template_fallbacks: Family::default(),
            settled: Family::default(),
            attempts: Family::default(),
            latency: Family::new_with_constructor(latency),
            requests: Family::new_with_constructor(request),
            held: Family::default(),
            folded: Family::default(),
            missed: Family::default(),
        };
        let registry = &mut metrics.registry;
        registry.register(
            "notifications_received",
            "Webhook requests by what became of them; receiver is empty when it is not known",
            metrics.received.clone(),
        );
        registry.register(
            "template_fallbacks",
            "Messages sent with the built-in template because another one failed",
            metrics.template_fallbacks.clone(),
        );
        registry.register(
            "deliveries",
            "Deliveries that came to their end: delivered or dead",
            metrics.settled.clone(),
        );
        registry.register(
            "attempts",
            "Calls of message/send by errcode; none means that WeCom's answer is not known",
            metrics.attempts.clone(),
        );
        registry.register(
            "delivery_latency_seconds",
            "Time from the acceptance of a notification to WeCom's acceptance of its message",
            metrics.latency.clone(),
        );
        registry.register(
            "request_duration_seconds",
            "Time that one send took, with what it needed to get an access token",
            metrics.requests.clone(),
        );
        registry.register(
            "channel_held",
            "1 while an app's queue waits for somebody to mend it, or for a rate limit to pass",
            metrics.held.clone(),
        );
        registry.register("folded", "Notifications that were told by a digest", metrics.folded.clone());
        registry.register(
            "missed_recipients",
            "Recipients that WeCom passed over in an errcode-0 answer",
            metrics.missed.clone(),
        );
        metrics
    }
}

impl Metrics {
    /// Everything in OpenMetrics' text format.
    ///
    /// # Errors
    /// Never in practice: writing to memory does not fail.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        Ok(text)
    }

    /// A webhook request came to `result`.
    pub fn received(&self, receiver: &str, result: &'static str) {
        self.received.get_or_create(&Received { receiver: receiver.to_owned(), result }).inc();
    }

    /// A template of `receiver` failed.
    pub fn template_fell_back(&self, receiver: &str) {
        self.template_fallbacks.get_or_create(&ByReceiver { receiver: receiver.to_owned() }).inc();
    }

    /// A send ended.
    pub fn attempted(&self, app: &str, errcode: Option<i64>, took: Duration) {
        let errcode = errcode.map_or_else(|| "none".to_owned(), |errcode| errcode.to_string());
        self.attempts.get_or_create(&Attempted { app: app.to_owned(), errcode }).inc();
        self.requests.get_or_create(&ByApp { app: app.to_owned() }).observe(took.as_secs_f64());
    }

    /// A delivery was delivered, so long after its acceptance.
    pub fn delivered(&self, receiver: &str, after: Duration) {
        self.settled.get_or_create(&Settled { receiver: receiver.to_owned(), state: "delivered" }).inc();
        self.latency
            .get_or_create(&ByReceiver { receiver: receiver.to_owned() })
            .observe(after.as_secs_f64());
    }

    /// A delivery is a dead letter.
    pub fn died(&self, receiver: &str) {
        self.settled.get_or_create(&Settled { receiver: receiver.to_owned(), state: "dead" }).inc();
    }

    /// The channel of `app` is held, or is no longer.
    pub fn held(&self, app: &str, held: bool) {
        self.held.get_or_create(&ByApp { app: app.to_owned() }).set(i64::from(held));
    }

    /// So many notifications were folded.
    pub fn folded(&self, app: &str, notifications: usize) {
        let count = u64::try_from(notifications).unwrap_or(u64::MAX);
        self.folded.get_or_create(&ByApp { app: app.to_owned() }).inc_by(count);
    }

    /// WeCom passed over so many recipients of a kind.
    pub fn missed(&self, app: &str, kind: &'static str, recipients: usize) {
        if recipients == 0 {
            return;
        }
        let count = u64::try_from(recipients).unwrap_or(u64::MAX);
        self.missed.get_or_create(&MissedLabels { app: app.to_owned(), kind }).inc_by(count);
    }
}
