//! Relay time: a clock that never jumps.
//!
//! It begins with the wall-clock time at the first start, and advances with the time since the boot of the machine. So a
//! wall clock that is set while the relay runs or is stopped changes nothing. After another boot only the wall clock knows
//! how long the machine was off. It is believed up to [`MAX_OFF`], because it may be wrong until NTP has corrected it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

use super::system::{Clock, MachineClock, Reading};

/// The longest time off that counts. No rate limit and no duplicate check of WeCom reaches further back, and the time
/// until `expire_after` passes mostly while the machine runs.
const MAX_OFF: SignedDuration = SignedDuration::from_hours(4);

/// A reading, and its relay time. The outbox keeps the last one, so that relay time goes on after a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadingRecord {
    pub reading: Reading,
    pub relay_time: Timestamp,
}

impl Reading {
    /// The relay time of this reading. `last` is the last record of the outbox, and `None` for a new outbox.
    pub fn relay_time(&self, last: Option<&ReadingRecord>) -> Timestamp {
        let Some(last) = last else { return self.wall };
        let passed = match self.uptime.checked_sub(last.reading.uptime) {
            Some(passed) if self.is_same_boot(&last.reading) => {
                SignedDuration::try_from(passed).unwrap_or(SignedDuration::MAX)
            }
            _ => self.wall.duration_since(last.reading.wall).clamp(SignedDuration::ZERO, MAX_OFF),
        };
        last.relay_time.checked_add(passed).unwrap_or(Timestamp::MAX)
    }

    /// True if both readings are surely of the same boot.
    pub fn is_same_boot(&self, other: &Self) -> bool {
        !self.boot_id.is_empty() && self.boot_id == other.boot_id
    }
}

/// The clock of relay time.
pub struct RelayClock {
    machine: Arc<dyn MachineClock>,
    /// Relay time minus uptime, in microseconds.
    offset: AtomicI64,
    /// False while the relay time of the outbox is not known.
    is_known: AtomicBool,
}

impl RelayClock {
    /// Creates a clock that shows the relay time of `record` at the moment of its reading.
    pub fn new(machine: Arc<dyn MachineClock>, record: &ReadingRecord) -> Self {
        Self { machine, offset: AtomicI64::new(offset(record)), is_known: AtomicBool::new(true) }
    }

    /// Creates a clock that shows the wall-clock time until it catches up with the outbox.
    pub fn unknown(machine: Arc<dyn MachineClock>) -> Self {
        let reading = machine.read();
        let relay_time = reading.relay_time(None);
        let clock = Self::new(machine, &ReadingRecord { reading, relay_time });
        clock.is_known.store(false, Ordering::Release);
        clock
    }

    /// Reads the clocks of the machine, with the relay time of the same moment.
    pub fn read(&self) -> ReadingRecord {
        let reading = self.machine.read();
        ReadingRecord { relay_time: self.at_uptime(reading.uptime), reading }
    }

    /// Continues with the relay time of `record`, unless this clock is ahead of it. This clock may be behind after the file
    /// of the outbox was replaced. A clock that did not know the relay time of the outbox continues with it in any case.
    pub fn catch_up(&self, record: &ReadingRecord) {
        if self.is_known() {
            self.offset.fetch_max(offset(record), Ordering::AcqRel);
        } else {
            self.offset.store(offset(record), Ordering::Release);
            self.is_known.store(true, Ordering::Release);
        }
    }

    fn at_uptime(&self, uptime: Duration) -> Timestamp {
        let relay_time = micros(uptime).saturating_add(self.offset.load(Ordering::Acquire));
        Timestamp::from_microsecond(relay_time).unwrap_or(Timestamp::MAX)
    }
}

impl Clock for RelayClock {
    fn now(&self) -> Timestamp {
        self.at_uptime(self.machine.uptime())
    }

    fn wall_time(&self, at: Timestamp) -> Timestamp {
        let age = self.now().duration_since(at);
        self.machine.wall().checked_sub(age).unwrap_or(at)
    }

    /// False while this clock shows the wall-clock time, because the relay time of the outbox is not known.
    fn is_known(&self) -> bool {
        self.is_known.load(Ordering::Acquire)
    }
}

fn offset(record: &ReadingRecord) -> i64 {
    record.relay_time.as_microsecond().saturating_sub(micros(record.reading.uptime))
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    fn reading(boot_id: &str, uptime: u64, wall: i64) -> Reading {
        Reading { boot_id: boot_id.to_owned(), uptime: Duration::from_secs(uptime), wall: at(wall) }
    }

    fn record(boot_id: &str, uptime: u64, wall: i64, relay_time: i64) -> ReadingRecord {
        ReadingRecord { reading: reading(boot_id, uptime, wall), relay_time: at(relay_time) }
    }

    #[test]
    fn relay_time_begins_with_the_wall_clock() {
        assert_eq!(reading("one", 50, 7).relay_time(None), at(7));
    }

    #[test]
    fn within_a_boot_the_wall_clock_does_not_matter() {
        let last = record("one", 50, 7, 7);
        for wall in [-86_400, 0, 17, 90_000] {
            assert_eq!(reading("one", 60, wall).relay_time(Some(&last)), at(17));
        }
    }

    #[test]
    fn after_another_boot_the_wall_clock_is_believed_within_reason() {
        let last = record("one", 50, 7, 1_007);
        for (wall, expected) in [(-86_400, 1_007), (7, 1_007), (67, 1_067), (1_000_000, 1_007 + 4 * 3600)] {
            assert_eq!(reading("two", 10, wall).relay_time(Some(&last)), at(expected));
            assert_eq!(reading("two", 99, wall).relay_time(Some(&last)), at(expected));
        }
    }

    #[test]
    fn an_unknown_boot_and_an_uptime_that_went_back_are_another_boot() {
        assert_eq!(reading("", 60, 9).relay_time(Some(&record("", 50, 7, 7))), at(9));
        assert_eq!(reading("one", 40, 9).relay_time(Some(&record("one", 50, 7, 7))), at(9));
    }

    struct Fixed(Reading);

    impl MachineClock for Fixed {
        fn wall(&self) -> Timestamp {
            self.0.wall
        }

        fn uptime(&self) -> Duration {
            self.0.uptime
        }

        fn boot_id(&self) -> String {
            self.0.boot_id.clone()
        }
    }

    #[test]
    fn the_clock_only_catches_up_forwards() {
        let clock = RelayClock::new(Arc::new(Fixed(reading("one", 60, 500))), &record("one", 50, 7, 7));
        assert_eq!((clock.now(), clock.wall_time(at(10))), (at(17), at(493)));
        clock.catch_up(&record("one", 60, 0, 3));
        assert_eq!(clock.now(), at(17));
        clock.catch_up(&record("one", 60, 0, 30));
        assert_eq!((clock.now(), clock.read()), (at(30), record("one", 60, 500, 30)));
    }

    #[test]
    fn an_unknown_relay_time_is_taken_from_the_outbox() {
        let clock = RelayClock::unknown(Arc::new(Fixed(reading("one", 60, 500))));
        assert_eq!((clock.now(), clock.is_known()), (at(500), false));
        clock.catch_up(&record("one", 60, 0, 30));
        assert_eq!((clock.now(), clock.is_known()), (at(30), true));
        clock.catch_up(&record("one", 60, 0, 3));
        assert_eq!(clock.now(), at(30));
    }
}
