//! How long destinations wait for room below WeCom's limits.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use crate::{
    delivery::Monotonic,
    outbox::{Destination, Queue},
};

/// Since when nothing could go out to a destination for want of room.
#[derive(Debug, Default)]
pub(super) struct Waits(HashMap<Destination, Monotonic>);

impl Waits {
    /// A look at `queues`, of which those in `waits` got no room.
    pub(super) fn note(&mut self, waits: &[Destination], queues: &[Queue], now: Monotonic) {
        if !self.0.is_empty() {
            // What somebody gave up or what is put off waits for no room.
            let due: HashSet<Destination> = queues.iter().map(|queue| queue.destination).collect();
            self.0.retain(|destination, _| due.contains(destination));
        }
        for destination in waits {
            self.0.entry(*destination).or_insert(now);
        }
    }

    /// Something goes out to `destination`: how long it waited.
    pub(super) fn end(&mut self, destination: impl FnOnce() -> Destination, now: Monotonic) -> Duration {
        if self.0.is_empty() {
            return Duration::ZERO;
        }
        self.0.remove(&destination()).map_or(Duration::ZERO, |since| now.since(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        outbox::{DeliveryId, NotificationId, ReceiverName, SenderName},
        wecom::Recipients,
    };

    fn at(seconds: u64) -> Monotonic {
        Monotonic(Duration::from_secs(seconds))
    }

    fn queue() -> Queue {
        Queue {
            destination: Destination::of(&SenderName("ops".to_owned()), &Recipients::All),
            receiver: ReceiverName("team".to_owned()),
            recipients: Recipients::All,
            due_at: jiff::Timestamp::UNIX_EPOCH,
            slots: 1,
            delivery: DeliveryId(1),
            notification: NotificationId(1),
            started: false,
            due: 1,
            fresh: 1,
        }
    }

    #[test]
    fn a_wait_counts_from_the_first_look_without_room_to_the_next_send() {
        let (mut waits, queue) = (Waits::default(), queue());
        let (queues, to) = (std::slice::from_ref(&queue), queue.destination);
        assert_eq!(waits.end(|| to, at(1)), Duration::ZERO);
        waits.note(&[to], queues, at(2));
        waits.note(&[to], queues, at(5));
        waits.note(&[], queues, at(6));
        assert_eq!(waits.end(|| to, at(9)), Duration::from_secs(7));
        assert_eq!(waits.end(|| to, at(10)), Duration::ZERO);
    }

    #[test]
    fn what_is_no_longer_there_does_not_wait() {
        let (mut waits, queue) = (Waits::default(), queue());
        waits.note(&[queue.destination], std::slice::from_ref(&queue), at(2));
        waits.note(&[], &[], at(3));
        assert_eq!(waits.end(|| queue.destination, at(9)), Duration::ZERO);
    }
}
