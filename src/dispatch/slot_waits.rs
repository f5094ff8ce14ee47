//! Measures the time that destinations wait for a free slot of the rate limiter.

use std::{collections::HashMap, time::Duration};

use crate::{delivery::Monotonic, outbox::Destination};

/// The destinations that wait for a slot, with the start of the wait.
#[derive(Debug, Default)]
pub(super) struct SlotWaits(HashMap<Destination, Monotonic>);

impl SlotWaits {
    /// Records that `destination` has no free slot. A wait that has begun continues.
    pub(super) fn begin(&mut self, destination: Destination, now: Monotonic) {
        self.0.entry(destination).or_insert(now);
    }

    /// Forgets the wait of `destination`, because nothing is due for it any more. An operator may have discarded it.
    pub(super) fn cancel(&mut self, destination: Destination) {
        self.0.remove(&destination);
    }

    /// Ends the wait of `destination`, because a message starts. Returns the length of the wait.
    pub(super) fn end(&mut self, destination: Destination, now: Monotonic) -> Duration {
        self.0.remove(&destination).map_or(Duration::ZERO, |since| now.since(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbox::Key;

    fn at(seconds: u64) -> Monotonic {
        Monotonic(Duration::from_secs(seconds))
    }

    #[test]
    fn a_wait_lasts_from_the_first_look_without_a_slot() {
        let (mut waits, destination) = (SlotWaits::default(), Destination(Key([1; 16])));
        assert_eq!(waits.end(destination, at(1)), Duration::ZERO);
        waits.begin(destination, at(2));
        waits.begin(destination, at(5));
        assert_eq!(waits.end(destination, at(9)), Duration::from_secs(7));
        assert_eq!(waits.end(destination, at(10)), Duration::ZERO);
    }

    #[test]
    fn a_cancelled_wait_is_forgotten() {
        let (mut waits, destination) = (SlotWaits::default(), Destination(Key([1; 16])));
        waits.begin(destination, at(2));
        waits.cancel(destination);
        assert_eq!(waits.end(destination, at(9)), Duration::ZERO);
    }
}
