//! The duplicate check: it finds a repeated request of one app within the interval.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;

use super::time::later;

#[derive(Default)]
pub(super) struct Duplicates {
    /// The end of the interval, by corp, agent id and request.
    until: HashMap<(String, u64, String), Timestamp>,
    checks: u32,
}

impl Duplicates {
    /// True if this request was accepted within its interval. A duplicate does not prolong the interval.
    pub(super) fn suppresses(
        &mut self,
        key: (String, u64, String),
        interval: Duration,
        now: Timestamp,
    ) -> bool {
        self.forget_expired(now);
        if self.until.get(&key).is_some_and(|end| now < *end) {
            return true;
        }
        self.until.insert(key, later(now, interval));
        false
    }

    fn forget_expired(&mut self, now: Timestamp) {
        self.checks = self.checks.wrapping_add(1);
        if self.checks.is_multiple_of(1_024) {
            self.until.retain(|_, end| now < *end);
        }
    }
}
