//! The duplicate check: the same request JSON of the same app within the interval.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;

use super::later;

#[derive(Default)]
pub(super) struct Duplicates {
    /// Corp, agent id and canonical request; until when a copy is suppressed.
    until: HashMap<(String, u64, String), Timestamp>,
    looks: u32,
}

impl Duplicates {
    /// True if this request was taken within its interval. A copy does not prolong the interval.
    pub(super) fn suppresses(
        &mut self,
        key: (String, u64, String),
        interval: Duration,
        now: Timestamp,
    ) -> bool {
        self.forget_some(now);
        if self.until.get(&key).is_some_and(|end| now < *end) {
            return true;
        }
        self.until.insert(key, later(now, interval));
        false
    }

    fn forget_some(&mut self, now: Timestamp) {
        self.looks = self.looks.wrapping_add(1);
        if self.looks.is_multiple_of(1_024) {
            self.until.retain(|_, end| now < *end);
        }
    }
}
