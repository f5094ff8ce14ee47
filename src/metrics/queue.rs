//! What waits, as it is at the moment of asking.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use prometheus_client::{
    metrics::{family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

use super::labels::ByReceiver;

/// What waits for one receiver at one app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting<'a> {
    /// The app.
    pub app: &'a str,
    /// The receiver.
    pub receiver: &'a str,
    /// How many deliveries.
    pub deliveries: u64,
    /// When the first of them was accepted.
    pub oldest_accepted_at: Option<Timestamp>,
    /// How many were given up by people, ever.
    pub discarded: u64,
}

/// What must be known to tell of queues.
#[derive(Debug, Default)]
pub(super) struct Queues(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    apps: BTreeSet<String>,
    receivers: BTreeSet<String>,
    /// What was given up so far, by app and receiver.
    discarded: HashMap<(String, String), u64>,
}

impl Queues {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn configured(&self, apps: Vec<String>, receivers: Vec<String>) {
        let mut known = self.known();
        known.apps = apps.into_iter().collect();
        known.receivers = receivers.into_iter().collect();
    }

    pub(super) fn is_configured(&self, app: &str) -> bool {
        self.known().apps.contains(app)
    }

    /// How many were given up since this was last asked.
    pub(super) fn newly_discarded(&self, waiting: &Waiting<'_>) -> u64 {
        let of = (waiting.app.to_owned(), waiting.receiver.to_owned());
        // Another outbox may have come to the place of this one.
        let before = self.known().discarded.insert(of, waiting.discarded).unwrap_or(0);
        waiting.discarded.saturating_sub(before)
    }

    /// A series for each configured receiver, and for each other one that something still waits for.
    pub(super) fn register(&self, waiting: &[Waiting<'_>], now: Timestamp, registry: &mut Registry) {
        let mut receivers: BTreeMap<String, (u64, Option<Timestamp>)> =
            self.known().receivers.iter().map(|receiver| (receiver.clone(), (0, None))).collect();
        for queue in waiting.iter().filter(|queue| queue.deliveries > 0) {
            let (deliveries, oldest) = receivers.entry(queue.receiver.to_owned()).or_default();
            *deliveries += queue.deliveries;
            *oldest = [*oldest, queue.oldest_accepted_at].into_iter().flatten().min();
        }
        let (depths, ages) = (Family::<ByReceiver, Gauge>::default(), Family::<ByReceiver, Age>::default());
        for (receiver, (deliveries, oldest)) in receivers {
            let labels = ByReceiver { receiver };
            depths.get_or_create(&labels).set(i64::try_from(deliveries).unwrap_or(i64::MAX));
            // A clock that was set back makes nothing younger than new.
            let age = oldest.map_or(0.0, |oldest| now.duration_since(oldest).as_secs_f64().max(0.0));
            ages.get_or_create(&labels).set(age);
        }
        registry.register("outbox_depth", "Deliveries that are not settled", depths);
        registry.register_with_unit(
            "outbox_oldest_age",
            "Time since the acceptance of the first delivery that is not settled; 0 without any",
            Unit::Seconds,
            ages,
        );
    }
}

type Age = Gauge<f64, std::sync::atomic::AtomicU64>;

#[cfg(test)]
mod tests {
    use super::super::Metrics;
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn told(metrics: &Metrics, waiting: &[Waiting<'_>]) -> Vec<String> {
        let text = metrics.encode(Some(waiting), at(60)).unwrap();
        let is_of_queue =
            |line: &&str| line.starts_with("wecom_relay_outbox") || line.contains("not_in_conf");
        let mut lines: Vec<_> = text.lines().filter(is_of_queue).map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    }

    #[test]
    fn a_receiver_has_one_series_whatever_apps_it_had_and_one_that_is_gone_has_it_while_something_waits() {
        let metrics = Metrics::default();
        metrics.configured(["ops"], ["idle", "team"]);
        let queue = |app, receiver, deliveries, second| {
            let oldest_accepted_at = Some(at(second)).filter(|_| deliveries > 0);
            Waiting { app, receiver, deliveries, oldest_accepted_at, discarded: 0 }
        };
        let waiting =
            [queue("former", "team", 1, 10), queue("ops", "gone", 0, 0), queue("ops", "team", 2, 70)];
        let lines = told(&metrics, &waiting);
        assert_eq!(
            lines,
            [
                r#"wecom_relay_channel_held{app="former",reason="not_in_configuration"} 1"#,
                r#"wecom_relay_outbox_depth{receiver="idle"} 0"#,
                r#"wecom_relay_outbox_depth{receiver="team"} 3"#,
                r#"wecom_relay_outbox_oldest_age_seconds{receiver="idle"} 0.0"#,
                r#"wecom_relay_outbox_oldest_age_seconds{receiver="team"} 50.0"#,
            ]
        );
        let lines = told(&metrics, &[queue("former", "team", 0, 0), queue("ops", "gone", 1, 70)]);
        assert_eq!(
            lines.first().unwrap(),
            r#"wecom_relay_channel_held{app="former",reason="not_in_configuration"} 0"#
        );
        assert!(lines.contains(&r#"wecom_relay_outbox_depth{receiver="gone"} 1"#.to_owned()), "{lines:?}");
        assert!(lines.contains(&r#"wecom_relay_outbox_oldest_age_seconds{receiver="gone"} 0.0"#.to_owned()));
    }

    #[test]
    fn without_an_answer_of_the_outbox_there_is_no_figure_of_it() {
        let metrics = Metrics::default();
        metrics.configured(["ops"], ["team"]);
        let text = metrics.encode(None, at(0)).unwrap();
        assert!(!text.contains("wecom_relay_outbox") && text.contains("wecom_relay_folded"), "{text}");
    }
}
