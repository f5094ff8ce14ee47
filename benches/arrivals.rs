//! The times at which each notification was posted and at which its message arrived at the sink.

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

/// The bench fails when nothing arrives for this time.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The arrivals of the notifications `0..count`.
pub(crate) struct Arrivals {
    origin: Instant,
    members: u64,
    slots: Vec<Slot>,
    arrived: AtomicU64,
    messages: AtomicU64,
    bytes: AtomicU64,
    /// One for each connection that waits until its notification has arrived.
    connections: Vec<Notify>,
    progress: Notify,
}

/// Times in nanoseconds since the origin; 0 means "not yet".
#[derive(Default)]
struct Slot {
    posted: AtomicU64,
    arrived: AtomicU64,
    connection: AtomicUsize,
}

impl Arrivals {
    pub(crate) fn new(count: u64, connections: usize, members: u64) -> Self {
        Self {
            origin: Instant::now(),
            members,
            slots: (0..count).map(|_| Slot::default()).collect(),
            arrived: AtomicU64::new(0),
            messages: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
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

    /// Records a message about notification `id` to `member`. A digest has no notification of its own.
    pub(crate) fn message(&self, id: Option<u64>, member: Option<u64>, bytes: usize) {
        self.messages.fetch_add(1, Ordering::AcqRel);
        self.bytes.fetch_add(bytes as u64, Ordering::AcqRel);
        if let Some(id) = id {
            assert_eq!(member, Some(id % self.members), "notification {id} went to the wrong member");
            self.arrived(id);
        }
    }

    fn arrived(&self, id: u64) {
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

    /// Waits until notification `id`, which `connection` posted, has arrived.
    pub(crate) async fn wait_for_one(&self, id: u64, connection: usize) {
        let slot = &self.slots[id as usize];
        while slot.arrived.load(Ordering::Acquire) == 0 {
            let arrival = timeout(TIMEOUT, self.connections[connection].notified()).await;
            arrival.expect("a notification did not arrive");
        }
    }

    /// Waits until `count` notifications have arrived, each in a message of its own.
    pub(crate) async fn wait_for_all(&self, count: u64) {
        while self.arrived.load(Ordering::Acquire) < count {
            let progress = timeout(TIMEOUT, self.progress.notified()).await;
            progress.expect(
                "some notifications did not arrive: they are still queued, or a digest replaced them",
            );
        }
    }

    /// Messages that arrived, digests and duplicates included.
    pub(crate) fn messages(&self) -> u64 {
        self.messages.load(Ordering::Acquire)
    }

    /// The mean size of the requests that arrived.
    pub(crate) fn mean_bytes(&self) -> f64 {
        self.bytes.load(Ordering::Acquire) as f64 / self.messages() as f64
    }

    /// The latencies of these notifications, from the POST to the arrival.
    pub(crate) fn latencies(&self, ids: Range<u64>) -> Latencies {
        let slots = &self.slots[ids.start as usize..ids.end as usize];
        let latency = |slot: &Slot| {
            let posted = slot.posted.load(Ordering::Acquire);
            slot.arrived.load(Ordering::Acquire).saturating_sub(posted)
        };
        Latencies::new(slots.iter().map(latency).collect())
    }

    /// The time from the first POST to the last arrival of these notifications.
    pub(crate) fn took(&self, ids: Range<u64>) -> Duration {
        let slots = &self.slots[ids.start as usize..ids.end as usize];
        let first = slots.iter().map(|slot| slot.posted.load(Ordering::Acquire)).min().unwrap();
        let last = slots.iter().map(|slot| slot.arrived.load(Ordering::Acquire)).max().unwrap();
        Duration::from_nanos(last - first)
    }
}
