//! The schedule of looks at destinations.
//!
//! The outbox reports a destination when one of its deliveries may be claimed. The dispatcher looks at it, claims what the
//! rate limiter allows, and puts it back for the moment at which more can go out. A destination without ready deliveries
//! is not in the schedule. So the cost of a look depends on the number of changes, and not on the length of the queue.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    time::Duration,
};

use jiff::Timestamp;

use super::Monotonic;
use crate::outbox::Destination;

/// No look is planned later than this, because the file of the outbox may be replaced by one with other times.
const HORIZON: Duration = Duration::from_secs(60);

/// The time until `due`, at most a minute.
pub fn time_until(due: Timestamp, clock: Timestamp) -> Duration {
    let wait = Duration::try_from(due.duration_since(clock)).unwrap_or_default();
    // A due time is stored in whole milliseconds.
    (wait + Duration::from_millis(1)).min(HORIZON)
}

/// The destinations of one sender that have ready deliveries.
#[derive(Debug, Default)]
pub struct Schedule {
    looks: HashMap<Destination, Look>,
    /// The same looks in the order in which they are due.
    order: BTreeSet<Look>,
    /// Destinations whose recipients have all slots taken by messages in flight. The end of any message may free one.
    blocked: HashSet<Destination>,
    /// Destinations that are not looked at before a time, or before they are released.
    held_back: HashMap<Destination, Option<Monotonic>>,
    next_turn: u64,
}

/// A planned look at a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Look {
    at: Monotonic,
    /// Destinations that are due at the same time take turns, because a later look gets a higher number.
    turn: u64,
    destination: Destination,
}

impl Schedule {
    /// Looks at `destination` now, unless an earlier look is planned already.
    pub fn touch(&mut self, destination: Destination, now: Monotonic) {
        let is_planned = self.looks.get(&destination).is_some_and(|look| look.at <= now);
        if !is_planned {
            self.set(destination, now);
        }
    }

    /// Looks at `destination` at `at`, in place of any look that was planned before.
    pub fn set(&mut self, destination: Destination, at: Monotonic) {
        self.remove(destination);
        let at = match self.held_back.get(&destination) {
            None => at,
            Some(Some(until)) => at.max(*until),
            // Its release plans a look.
            Some(None) => return,
        };
        let look = Look { at, turn: self.next_turn, destination };
        self.next_turn += 1;
        self.looks.insert(destination, look);
        self.order.insert(look);
    }

    /// Looks at `destination` when any message in flight ends, in addition to a planned look.
    pub fn block(&mut self, destination: Destination) {
        self.blocked.insert(destination);
    }

    /// Records the end of a message: every blocked destination is due.
    pub fn unblock(&mut self, now: Monotonic) {
        for destination in std::mem::take(&mut self.blocked) {
            self.touch(destination, now);
        }
    }

    /// Holds back these destinations, and no others: until a time, or until the next call if there is none.
    pub fn hold_back(&mut self, held_back: HashMap<Destination, Option<Monotonic>>, now: Monotonic) {
        let before = std::mem::replace(&mut self.held_back, held_back);
        let after = &self.held_back;
        let is_changed = |destination: &&Destination| before.get(*destination) != after.get(*destination);
        let changed: HashSet<_> = before.keys().chain(after.keys()).filter(is_changed).copied().collect();
        for destination in changed {
            // A look that finds nothing costs little, and a look that was dropped must be made.
            self.set(destination, now);
        }
    }

    /// Takes up to `limit` destinations that are due. The caller puts them back with [`Self::set`] if they have more. A
    /// destination of `alone` is taken alone.
    pub fn take_due(
        &mut self,
        limit: usize,
        alone: &HashSet<Destination>,
        now: Monotonic,
    ) -> Vec<Destination> {
        let mut due = Vec::new();
        for look in self.order.iter().take_while(|look| look.at <= now).take(limit) {
            let is_alone = alone.contains(&look.destination);
            if is_alone && !due.is_empty() {
                break;
            }
            due.push(look.destination);
            if is_alone {
                break;
            }
        }
        due.iter().for_each(|destination| self.remove(*destination));
        due
    }

    /// The time of the next look.
    pub fn next(&self) -> Option<Monotonic> {
        self.order.first().map(|look| look.at)
    }

    fn remove(&mut self, destination: Destination) {
        if let Some(look) = self.looks.remove(&destination) {
            self.order.remove(&look);
        }
        self.blocked.remove(&destination);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::outbox::Key;

    fn at(seconds: u64) -> Monotonic {
        Monotonic(Duration::from_secs(seconds))
    }

    fn destination(number: u8) -> Destination {
        Destination(Key([number; 16]))
    }

    #[test]
    fn destinations_are_due_in_order_and_take_turns() {
        let mut schedule = Schedule::default();
        for number in [1, 2, 3] {
            schedule.touch(destination(number), at(5));
        }
        assert_eq!(schedule.take_due(2, &HashSet::new(), at(5)), [destination(1), destination(2)]);
        schedule.set(destination(1), at(5));
        assert_eq!(schedule.take_due(9, &HashSet::new(), at(5)), [destination(3), destination(1)]);
        assert_eq!(schedule.next(), None);
    }

    #[test]
    fn a_touch_moves_a_later_look_forward_and_keeps_a_due_one() {
        let mut schedule = Schedule::default();
        schedule.set(destination(1), at(60));
        schedule.touch(destination(2), at(5));
        schedule.touch(destination(1), at(5));
        schedule.touch(destination(2), at(6));
        assert_eq!(schedule.take_due(9, &HashSet::new(), at(5)), [destination(2), destination(1)]);
    }

    #[test]
    fn a_blocked_destination_is_due_when_a_message_ends() {
        let mut schedule = Schedule::default();
        schedule.set(destination(1), at(60));
        schedule.block(destination(1));
        assert!(schedule.take_due(9, &HashSet::new(), at(5)).is_empty());
        schedule.unblock(at(5));
        assert_eq!(schedule.take_due(9, &HashSet::new(), at(5)), [destination(1)]);
        schedule.unblock(at(6));
        assert_eq!(schedule.next(), None);
    }

    #[test]
    fn a_destination_that_is_held_back_waits() {
        let mut schedule = Schedule::default();
        let due = |schedule: &mut Schedule, second| schedule.take_due(9, &HashSet::new(), at(second));
        schedule.touch(destination(1), at(5));
        schedule.hold_back(HashMap::from([(destination(1), Some(at(8))), (destination(2), None)]), at(5));
        schedule.touch(destination(1), at(6));
        schedule.touch(destination(2), at(6));
        assert_eq!(schedule.next(), Some(at(8)));
        assert!(due(&mut schedule, 7).is_empty());
        schedule.hold_back(HashMap::from([(destination(2), Some(at(9)))]), at(7));
        assert_eq!(due(&mut schedule, 7), [destination(1)]);
        assert_eq!(due(&mut schedule, 9), [destination(2)]);
        schedule.hold_back(HashMap::new(), at(9));
        assert_eq!(due(&mut schedule, 9), [destination(2)]);
    }

    #[test]
    fn a_destination_can_be_taken_alone() {
        let mut schedule = Schedule::default();
        for number in [1, 2, 3, 4] {
            schedule.touch(destination(number), at(5));
        }
        let alone = HashSet::from([destination(2)]);
        let mut due = || schedule.take_due(9, &alone, at(5));
        assert_eq!(due(), [destination(1)]);
        assert_eq!(due(), [destination(2)]);
        assert_eq!(due(), [destination(3), destination(4)]);
    }

    #[test]
    fn no_look_is_planned_behind_the_horizon() {
        let clock = Timestamp::UNIX_EPOCH;
        let after = |seconds| time_until(clock + Duration::from_secs(seconds), clock);
        assert_eq!(after(5), Duration::from_millis(5001));
        assert_eq!(after(86_400), HORIZON);
        assert_eq!(time_until(clock, clock + Duration::from_secs(9)), Duration::from_millis(1));
    }

    proptest! {
        #[test]
        fn every_destination_is_taken_once_and_at_its_last_time(
            sets in prop::collection::vec((0..8_u8, 0..50_u64), 0..40),
        ) {
            let mut schedule = Schedule::default();
            let mut last = HashMap::new();
            for (number, seconds) in sets {
                schedule.set(destination(number), at(seconds));
                last.insert(destination(number), at(seconds));
            }
            let mut seen = HashMap::new();
            for second in 0..50 {
                for destination in schedule.take_due(usize::MAX, &HashSet::new(), at(second)) {
                    prop_assert!(seen.insert(destination, at(second)).is_none());
                }
            }
            prop_assert_eq!(seen, last);
        }
    }
}
