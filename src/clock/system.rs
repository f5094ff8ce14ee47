//! The clocks of a machine.

use std::time::Duration;

use jiff::Timestamp;

/// A clock.
pub trait Clock: Send + Sync + 'static {
    fn now(&self) -> Timestamp;

    /// The wall-clock time of the moment `at` of this clock.
    fn wall_time(&self, at: Timestamp) -> Timestamp {
        at
    }

    /// False while this clock shows a time that may be wrong. Nothing is stored or sent with such a time.
    fn is_known(&self) -> bool {
        true
    }
}

/// The clocks of a machine.
pub trait MachineClock: Send + Sync + 'static {
    /// The wall-clock time.
    fn wall(&self) -> Timestamp;

    /// The time since the boot, including the time in which the machine was suspended.
    fn uptime(&self) -> Duration;

    /// Identifies the boot. Empty if the system has no such id.
    fn boot_id(&self) -> String;

    /// All clocks at the present moment.
    fn read(&self) -> Reading {
        Reading { boot_id: self.boot_id(), uptime: self.uptime(), wall: self.wall() }
    }
}

/// The clocks of a machine at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    pub boot_id: String,
    pub uptime: Duration,
    pub wall: Timestamp,
}

/// The clocks of this machine. As a [`Clock`] it is the wall clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

impl MachineClock for SystemClock {
    fn wall(&self) -> Timestamp {
        self.now()
    }

    fn uptime(&self) -> Duration {
        #[cfg(target_os = "linux")]
        const UPTIME: rustix::time::ClockId = rustix::time::ClockId::Boottime;
        #[cfg(not(target_os = "linux"))]
        const UPTIME: rustix::time::ClockId = rustix::time::ClockId::Monotonic;
        Duration::try_from(rustix::time::clock_gettime(UPTIME)).unwrap_or_default()
    }

    fn boot_id(&self) -> String {
        let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
        id.map(|id| id.trim().to_owned()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn the_boot_of_this_machine_is_known() {
        let (first, second) = (SystemClock.read(), SystemClock.read());
        assert!(!first.boot_id.is_empty());
        assert_eq!(first.boot_id, second.boot_id);
        assert!(Duration::ZERO < first.uptime && first.uptime <= second.uptime);
    }
}
