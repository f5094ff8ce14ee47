//! What is counted and measured, in Prometheus' own terms.
//!
//! - One value holds every family and is passed to those who count: a global registry was rejected, since two
//!   relays in one process, as tests run them, would count together.
//! - Names have the prefix `wecom_relay_`, but for `process_…`; times are in seconds.
//! - Every series of a configured app or receiver is there from the start with 0, so that its first increase is
//!   one. Labels have values from lists that end: nobody outside can make series.
//! - What is measured at the moment of asking, the queue and the process, is put into a registry that lives for
//!   one answer: nothing stale is left when a receiver is gone or the store does not answer.

mod labels;
mod process;
mod queue;

use std::{collections::BTreeMap, fmt, sync::atomic::AtomicU64, time::Duration};

use jiff::Timestamp;
use prometheus_client::{
    encoding::text,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Registry, Unit},
};

pub use self::queue::Waiting;
use self::{
    labels::{Attempted, ByApp, ByReceiver, Held, Invalid, Received, Refreshed, Settled},
    process::Process,
    queue::Queues,
};

/// Why a delivery may be dead: `reason` of `wecom_relay_deliveries_total`.
pub const DEAD_REASONS: [&str; 5] = ["refused", "nobody", "unknown_code", "expired", "discarded"];
/// Why a sender may be held: `reason` of `wecom_relay_channel_held`.
pub const HELD_REASONS: [&str; 2] = ["configuration", "rate_limited"];
/// What becomes of requests of which the receiver is known: `result` of
/// `wecom_relay_notifications_received_total`.
pub const RESULTS: [&str; 4] = ["accepted", "duplicate", "unwanted", "store"];
/// What becomes of other requests.
pub const RESULTS_OF_NOBODY: [&str; 4] = ["rejected", "incomplete", "overload", "draining"];
/// Fields of WeCom's answers that name who was passed over.
pub const INVALID_KINDS: [&str; 4] = ["invaliduser", "invalidparty", "invalidtag", "unlicenseduser"];
/// `errcode` when WeCom's answer is not known.
pub const NO_ERRCODE: &str = "none";
/// `errcode` of answers that are in no table.
pub const OTHER_ERRCODE: &str = "other";

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// All metrics of a relay.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    received: Family<Received, Counter>,
    unauthorized: Counter,
    template_fallbacks: Family<ByReceiver, Counter>,
    settled: Family<Settled, Counter>,
    attempts: Family<Attempted, Counter>,
    latency: Histograms<ByReceiver>,
    requests: Histograms<ByApp>,
    held: Family<Held, Gauge>,
    pace_waits: Histograms<ByApp>,
    folded: Family<ByApp, Counter>,
    refreshes: Family<Refreshed, Counter>,
    invalid: Family<Invalid, Counter>,
    reloaded: Gauge,
    reloaded_at: Gauge<f64, AtomicU64>,
    queues: Queues,
}

impl Default for Metrics {
    /// Of this version of the program, with nothing counted.
    fn default() -> Self {
        let latency: fn() -> Histogram =
            || Histogram::new([0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0, 300.0, 1800.0, 7200.0]);
        let request: fn() -> Histogram =
            || Histogram::new([0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0]);
        let pace: fn() -> Histogram =
            || Histogram::new([0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0]);
        let mut metrics = Self {
            registry: Registry::with_prefix("wecom_relay"),
            received: Family::default(),
            unauthorized: Counter::default(),
            template_fallbacks: Family::default(),
            settled: Family::default(),
            attempts: Family::default(),
            latency: Family::new_with_constructor(latency),
            requests: Family::new_with_constructor(request),
            held: Family::default(),
            pace_waits: Family::new_with_constructor(pace),
            folded: Family::default(),
            refreshes: Family::default(),
            invalid: Family::default(),
            reloaded: Gauge::default(),
            reloaded_at: Gauge::default(),
            queues: Queues::default(),
        };
        metrics.register();
        for result in RESULTS_OF_NOBODY {
            drop(metrics.received.get_or_create(&Received { receiver: String::new(), result }));
        }
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "notifications_received",
            "Webhook requests by what became of them; receiver is empty when it is not known",
            self.received.clone(),
        );
        registry.register(
            "unauthorized_requests",
            "Requests without the credentials that the configuration asks for",
            self.unauthorized.clone(),
        );
        registry.register(
            "template_fallbacks",
            "Messages made with the built-in template because another one failed",
            self.template_fallbacks.clone(),
        );
        registry.register(
            "deliveries",
            "Deliveries that came to their end, delivered or dead; a digest is one",
            self.settled.clone(),
        );
        registry.register(
            "attempts",
            "Sends that ended, by WeCom's errcode; none without an answer, other for unknown ones",
            self.attempts.clone(),
        );
        registry.register_with_unit(
            "delivery_latency",
            "Time from the acceptance of a notification to WeCom's acceptance of its message",
            Unit::Seconds,
            self.latency.clone(),
        );
        registry.register_with_unit(
            "request_duration",
            "Time that one send took, with what it needed to get an access token",
            Unit::Seconds,
            self.requests.clone(),
        );
        registry.register(
            "channel_held",
            "1 while an app's queue waits: to be mended, for a call limit to pass, or for its configuration",
            self.held.clone(),
        );
        registry.register_with_unit(
            "pace_wait",
            "Time that a message which was next for its recipients waited for room below WeCom's limits",
            Unit::Seconds,
            self.pace_waits.clone(),
        );
        registry.register("folded", "Notifications that were told by a digest", self.folded.clone());
        registry.register("token_refreshes", "Calls of gettoken by their result", self.refreshes.clone());
        registry.register(
            "invalid_recipients",
            "Recipients that WeCom passed over in an errcode-0 answer, by the field that named them",
            self.invalid.clone(),
        );
        let version = vec![("version", env!("CARGO_PKG_VERSION"))];
        registry.register("build", "The program", Info::new(version));
        registry.register(
            "config_last_reload_successful",
            "Whether the last start or reload of the configuration succeeded",
            self.reloaded.clone(),
        );
        registry.register_with_unit(
            "config_last_reload_success_timestamp",
            "When the configuration was last loaded with success, since 1970",
            Unit::Seconds,
            self.reloaded_at.clone(),
        );
    }

    /// Has every series of these apps and receivers there. What is not among them any more keeps its counts.
    pub fn configured<'n>(
        &self,
        apps: impl IntoIterator<Item = &'n str>,
        receivers: impl IntoIterator<Item = &'n str>,
    ) {
        let (mut known_apps, mut known_receivers) = (Vec::new(), Vec::new());
        for app in apps {
            known_apps.push(app.to_owned());
            for errcode in ["0", NO_ERRCODE] {
                drop(self.attempts.get_or_create(&attempted(app, errcode.to_owned())));
            }
            for reason in HELD_REASONS {
                drop(self.held.get_or_create(&Held { app: app.to_owned(), reason }));
            }
            for kind in INVALID_KINDS {
                drop(self.invalid.get_or_create(&Invalid { app: app.to_owned(), kind }));
            }
            drop(self.requests.get_or_create(&ByApp::of(app)));
            drop(self.pace_waits.get_or_create(&ByApp::of(app)));
            drop(self.folded.get_or_create(&ByApp::of(app)));
            drop(self.refreshes(app));
        }
        for receiver in receivers {
            known_receivers.push(receiver.to_owned());
            for result in RESULTS {
                drop(self.received.get_or_create(&Received { receiver: receiver.to_owned(), result }));
            }
            drop(self.settled.get_or_create(&Settled::delivered(receiver)));
            for reason in DEAD_REASONS {
                drop(self.settled.get_or_create(&Settled::dead(receiver, reason)));
            }
            drop(self.template_fallbacks.get_or_create(&ByReceiver::of(receiver)));
            drop(self.latency.get_or_create(&ByReceiver::of(receiver)));
        }
        self.queues.configured(known_apps, known_receivers);
    }

    /// The configuration was loaded at `now`, at the start or anew, or could not be.
    pub fn reloaded(&self, ok: bool, now: Timestamp) {
        self.reloaded.set(i64::from(ok));
        if ok {
            self.reloaded_at.set(now.as_duration().as_secs_f64());
        }
    }

    /// A webhook request came to `result`.
    pub fn received(&self, receiver: &str, result: &'static str) {
        self.received.get_or_create(&Received { receiver: receiver.to_owned(), result }).inc();
    }

    /// A request came without the right credentials.
    pub fn unauthorized(&self) {
        self.unauthorized.inc();
    }

    /// A template of `receiver` failed.
    pub fn template_fell_back(&self, receiver: &str) {
        self.template_fallbacks.get_or_create(&ByReceiver::of(receiver)).inc();
    }

    /// A send ended. `errcode` comes from a list that ends, or is [`NO_ERRCODE`] or [`OTHER_ERRCODE`].
    pub fn attempted(&self, app: &str, errcode: String, took: Duration) {
        self.attempts.get_or_create(&attempted(app, errcode)).inc();
        self.requests.get_or_create(&ByApp::of(app)).observe(took.as_secs_f64());
    }

    /// A delivery was delivered, so long after its acceptance.
    pub fn delivered(&self, receiver: &str, after: Duration) {
        self.settled.get_or_create(&Settled::delivered(receiver)).inc();
        self.latency.get_or_create(&ByReceiver::of(receiver)).observe(after.as_secs_f64());
    }

    /// A delivery is a dead letter, for one of [`DEAD_REASONS`].
    pub fn died(&self, receiver: &str, reason: &'static str) {
        self.settled.get_or_create(&Settled::dead(receiver, reason)).inc();
    }

    /// The sender of `app` is held for one of [`HELD_REASONS`], or is not.
    pub fn held(&self, app: &str, held_for: Option<&'static str>) {
        for reason in HELD_REASONS {
            let held = held_for == Some(reason);
            self.held.get_or_create(&Held { app: app.to_owned(), reason }).set(i64::from(held));
        }
    }

    /// A message was sent after it waited so long for room below the limits.
    pub fn paced(&self, app: &str, waited: Duration) {
        self.pace_waits.get_or_create(&ByApp::of(app)).observe(waited.as_secs_f64());
    }

    /// So many notifications were folded.
    pub fn folded(&self, app: &str, notifications: usize) {
        self.folded.get_or_create(&ByApp::of(app)).inc_by(count(notifications));
    }

    /// WeCom passed over so many recipients, of one of [`INVALID_KINDS`].
    pub fn invalid(&self, app: &str, kind: &'static str, recipients: usize) {
        self.invalid.get_or_create(&Invalid { app: app.to_owned(), kind }).inc_by(count(recipients));
    }

    /// Where the refreshes of the token of `app` are counted.
    pub fn refreshes(&self, app: &str) -> Refreshes {
        let of = |result| self.refreshes.get_or_create_owned(&Refreshed { app: app.to_owned(), result });
        Refreshes { ok: of("ok"), refused: of("refused"), failed: of("failed") }
    }

    /// Takes what people had given up before this process as counted.
    pub fn opened(&self, waiting: &[Waiting<'_>]) {
        for waiting in waiting {
            self.queues.newly_discarded(waiting);
        }
    }

    /// Everything in OpenMetrics' text format. Without `waiting` there is nothing of the queue in it: better no
    /// figure than an old one.
    ///
    /// # Errors
    /// Never in practice: writing to memory does not fail.
    pub fn encode(&self, waiting: Option<&[Waiting<'_>]>, now: Timestamp) -> Result<String, fmt::Error> {
        let mut moment = Registry::default();
        Process::read().register(&mut moment);
        if let Some(waiting) = waiting {
            self.queues.register(waiting, now, moment.sub_registry_with_prefix("wecom_relay"));
            for queue in waiting {
                let discarded = self.queues.newly_discarded(queue);
                if discarded > 0 {
                    self.settled.get_or_create(&Settled::dead(queue.receiver, "discarded")).inc_by(discarded);
                }
            }
            self.strangers(waiting);
        }
        let mut text = String::new();
        text::encode_registry(&mut text, &self.registry)?;
        text::encode_registry(&mut text, &moment)?;
        text::encode_eof(&mut text)?;
        Ok(text)
    }

    /// Tells of messages that wait for an app which is not in the configuration; that ends when none does.
    fn strangers(&self, waiting: &[Waiting<'_>]) {
        let mut apps: BTreeMap<&str, bool> = BTreeMap::new();
        for queue in waiting {
            *apps.entry(queue.app).or_default() |= queue.deliveries > 0;
        }
        for (app, waits) in apps {
            let held = waits && !self.queues.is_configured(app);
            let labels = Held { app: app.to_owned(), reason: "not_in_configuration" };
            let told = self.held.get(&labels).is_some();
            if held || told {
                self.held.get_or_create(&labels).set(i64::from(held));
            }
        }
    }
}

fn attempted(app: &str, errcode: String) -> Attempted {
    Attempted { app: app.to_owned(), errcode }
}

fn count(of: usize) -> u64 {
    u64::try_from(of).unwrap_or(u64::MAX)
}

/// Where the refreshes of a token are counted; by default, nowhere that is told.
#[derive(Debug, Clone, Default)]
pub struct Refreshes {
    /// WeCom granted one.
    pub ok: Counter,
    /// WeCom refused.
    pub refused: Counter,
    /// There was no word from WeCom.
    pub failed: Counter,
}
