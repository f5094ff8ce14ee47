//! When each notification was posted, and when it arrived at the sink.

use std::{
    ops::Range,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

use crate::samples::Latencies;

/// How long nothing may arrive while something is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// The notifications `0..len` of one round.
pub(crate) struct Arrivals {
    origin: Instant,
    slots: Vec<Slot>,
    arrived: AtomicUsize,
    /// One for each connection that waits for what it posted.
    connections: Vec<Notify>,
    progress: Notify,
}

/// Nanoseconds since the origin; 0 is "not yet".
#[derive(Default)]
struct Slot {
    posted: AtomicU64,
    arrived: AtomicU64,
    connection: AtomicUsize,
}

impl Arrivals {
    pub(crate) fn new(len: u64, connections: usize) -> Self {
        Self {
            origin: Instant::now(),
            slots: (0..len).map(|_| Slot::default()).collect(),
            arrived: AtomicUsize::new(0),
            connections: (0..connections).map(|_| Notify::new()).collect(),
            progress: Notify::new(),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos()).unwrap().max(1)
    }

    pub(crate) fn posted(&self, id: u64, connection: usize) {
        let Some(slot) = self.slots.get(id as usize) else { return };
        slot.connection.store(connection, Ordering::Relaxed);
        slot.posted.store(self.now(), Ordering::Release);
    }

    /// A copy changes nothing.
    pub(crate) fn arrived(&self, id: u64) {
        let Some(slot) = self.slots.get(id as usize) else { return };
        if slot.arrived.compare_exchange(0, self.now(), Ordering::AcqRel, Ordering::Relaxed).is_err() {
            return;
        }
        if let Some(waiting) = self.connections.get(slot.connection.load(Ordering::Relaxed)) {
            waiting.notify_one();
        }
        self.arrived.fetch_add(1, Ordering::AcqRel);
        self.progress.notify_one();
    }

    /// Returns when what `connection` posted as `id` is at the sink.
    pub(crate) async fn one(&self, id: u64, connection: usize) {
        let slot = &self.slots[id as usize];
        while slot.arrived.load(Ordering::Acquire) == 0 {
            timeout(PATIENCE, self.connections[connection].notified()).await.expect("it never arrived");
        }
    }

    /// Returns when `count` are at the sink.
    pub(crate) async fn all(&self, count: usize) {
        while self.arrived.load(Ordering::Acquire) < count {
            timeout(PATIENCE, self.progress.notified()).await.expect("nothing arrives any more");
        }
    }

    /// From the POST to the arrival.
    pub(crate) fn latencies(&self, ids: Range<u64>) -> Latencies {
        let slots = &self.slots[ids.start as usize..ids.end as usize];
        let of = |slot: &Slot| {
            let (posted, arrived) =
                (slot.posted.load(Ordering::Acquire), slot.arrived.load(Ordering::Acquire));
            arrived.saturating_sub(posted)
        };
        Latencies::new(slots.iter().map(of).collect())
    }

    /// From the first POST to the last arrival of these.
    pub(crate) fn took(&self, ids: Range<u64>) -> Duration {
        let slots = &self.slots[ids.start as usize..ids.end as usize];
        let first = slots.iter().map(|slot| slot.posted.load(Ordering::Acquire)).min().unwrap();
        self.last(slots).saturating_sub(Duration::from_nanos(first))
    }

    /// From the first arrival to the last.
    pub(crate) fn spread(&self) -> Duration {
        let arrived = self.slots.iter().map(|slot| slot.arrived.load(Ordering::Acquire));
        let first = arrived.filter(|at| *at > 0).min().unwrap();
        self.last(&self.slots).saturating_sub(Duration::from_nanos(first))
    }

    fn last(&self, slots: &[Slot]) -> Duration {
        Duration::from_nanos(slots.iter().map(|slot| slot.arrived.load(Ordering::Acquire)).max().unwrap())
    }
}
