//! Queue depths and ages, read from the outbox at each scrape.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError, atomic::AtomicU64},
};

use jiff::Timestamp;
use prometheus_client::{
    metrics::{family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

use super::labels::ByReceiver;

/// Queue depth of one app and receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueDepth<'a> {
    pub app: &'a str,
    pub receiver: &'a str,
    /// Deliveries that are not settled.
    pub deliveries: u64,
    /// Acceptance of the first of them.
    pub oldest_accepted_at: Option<Timestamp>,
    /// Deliveries that were discarded since the outbox exists.
    pub discarded: u64,
    /// False if another process that shares the outbox reports it.
    pub is_reported: bool,
}

/// The figures of the outbox for one scrape.
#[derive(Debug)]
pub struct OutboxFigures<'a> {
    pub depths: Vec<QueueDepth<'a>>,
    /// The bytes in use.
    pub bytes: u64,
    /// `outbox.max_size`
    pub max_bytes: u64,
}

/// The state of the queue metrics between two scrapes.
#[derive(Debug, Default)]
pub(super) struct Queues(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    apps: BTreeSet<String>,
    receivers: BTreeSet<String>,
    /// The number of discarded deliveries at the last call, by app and receiver.
    discarded: HashMap<(String, String), u64>,
    /// True if there was a call.
    has_discarded: bool,
}

#[derive(Debug, Default)]
struct ReceiverQueue {
    deliveries: u64,
    oldest_accepted_at: Option<Timestamp>,
}

type Age = Gauge<f64, AtomicU64>;

impl Queues {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn configured(&self, apps: Vec<String>, receivers: Vec<String>) {
        let mut state = self.lock();
        state.apps = apps.into_iter().collect();
        state.receivers = receivers.into_iter().collect();
    }

    pub(super) fn apps(&self) -> Vec<String> {
        self.lock().apps.iter().cloned().collect()
    }

    pub(super) fn is_configured(&self, app: &str) -> bool {
        self.lock().apps.contains(app)
    }

    /// Deliveries of each of `depths` that were discarded since the last call. The first call only remembers their
    /// number, because they were discarded before this process started.
    pub(super) fn newly_discarded(&self, depths: &[QueueDepth<'_>]) -> Vec<u64> {
        let mut state = self.lock();
        let is_first = !std::mem::replace(&mut state.has_discarded, true);
        let mut newly = Vec::with_capacity(depths.len());
        for depth in depths {
            let key = (depth.app.to_owned(), depth.receiver.to_owned());
            let before = state.discarded.insert(key, depth.discarded).unwrap_or(0);
            // The number is smaller than before when the outbox was replaced, for example by a backup.
            newly.push(if is_first { 0 } else { depth.discarded.saturating_sub(before) });
        }
        newly
    }

    /// Registers one series per configured receiver, and one per other receiver with queued deliveries.
    pub(super) fn register(&self, figures: &OutboxFigures<'_>, now: Timestamp, registry: &mut Registry) {
        let mut queues: BTreeMap<String, ReceiverQueue> = self
            .lock()
            .receivers
            .iter()
            .map(|receiver| (receiver.clone(), ReceiverQueue::default()))
            .collect();
        for depth in figures.depths.iter().filter(|depth| depth.is_reported && depth.deliveries > 0) {
            let queue = queues.entry(depth.receiver.to_owned()).or_default();
            queue.deliveries += depth.deliveries;
            queue.oldest_accepted_at =
                [queue.oldest_accepted_at, depth.oldest_accepted_at].into_iter().flatten().min();
        }
        let (depths, ages) = (Family::<ByReceiver, Gauge>::default(), Family::<ByReceiver, Age>::default());
        for (receiver, queue) in queues {
            let labels = ByReceiver { receiver };
            depths.get_or_create(&labels).set(i64::try_from(queue.deliveries).unwrap_or(i64::MAX));
            // The age is not negative, even if the file of the outbox was replaced by one with later times.
            let age = queue
                .oldest_accepted_at
                .map_or(0.0, |oldest| now.duration_since(oldest).as_secs_f64().max(0.0));
            ages.get_or_create(&labels).set(age);
        }
        registry.register("outbox_depth", "Deliveries that are not settled", depths);
        registry.register_with_unit(
            "outbox_oldest_age",
            "Time since the acceptance of the oldest delivery that is not settled; 0 if there is none",
            Unit::Seconds,
            ages,
        );
        let bytes = |bytes: u64| {
            let gauge: Gauge = Gauge::default();
            gauge.set(i64::try_from(bytes).unwrap_or(i64::MAX));
            gauge
        };
        registry.register_with_unit(
            "outbox_size",
            "Size of the outbox: its database and the part of its log that is longer than usual",
            Unit::Bytes,
            bytes(figures.bytes),
        );
        registry.register_with_unit(
            "outbox_max_size",
            "outbox.max_size: new alerts are refused when the outbox has this size",
            Unit::Bytes,
            bytes(figures.max_bytes),
        );
    }
}
