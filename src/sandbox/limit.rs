//! WeCom's silent limit: the messages that one app may show one member within sliding windows.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

use super::settings::Limit;
use super::time::later;

/// Corp id, agent id and userid.
type AppAndMember = (String, u64, String);

#[derive(Default)]
pub(super) struct MemberLimits {
    shown: HashMap<AppAndMember, VecDeque<Timestamp>>,
}

impl MemberLimits {
    /// Counts one more message and returns true if it may be shown now. A dropped message is not counted.
    pub(super) fn admit(&mut self, key: AppAndMember, limits: &[Limit], now: Timestamp) -> bool {
        let longest = limits.iter().map(|limit| limit.window).max().unwrap_or(Duration::ZERO);
        let shown = self.shown.entry(key).or_default();
        while shown.front().is_some_and(|at| later(*at, longest) <= now) {
            shown.pop_front();
        }
        let fits = |limit: &Limit| {
            let past = shown.partition_point(|at| later(*at, limit.window) <= now);
            shown.len() - past < limit.messages
        };
        let admitted = limits.iter().all(fits);
        if admitted {
            shown.push_back(now);
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_slides_and_ignores_dropped_messages() {
        let limits = [Limit { messages: 2, window: Duration::from_secs(10) }];
        let mut members = MemberLimits::default();
        let mut admit = |second| {
            let now = Timestamp::from_second(second).unwrap();
            members.admit(("ww1".into(), 1, "zhangsan".into()), &limits, now)
        };
        let admitted: Vec<bool> = [0, 6, 9, 10, 11, 16].map(&mut admit).into();
        assert_eq!(admitted, [true, true, false, true, false, true]);
    }
}
