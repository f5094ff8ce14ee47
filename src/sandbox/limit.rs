//! WeCom's limits within sliding windows: the messages that one app may show one member, which are silently dropped beyond
//! that, and those of one robot, which are refused.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

use super::settings::Limit;
use super::time::later;

/// Corp id, agent id and userid.
type AppAndMember = (String, u64, String);

/// The limit of each robot, by its key. A robot that exceeds it is blocked for a while.
#[derive(Default)]
pub(super) struct RobotLimits {
    messages: MemberLimits,
    blocked_until: HashMap<String, Timestamp>,
}

impl RobotLimits {
    pub(super) fn is_blocked(&self, key: &str, now: Timestamp) -> bool {
        self.blocked_until.get(key).is_some_and(|until| now < *until)
    }

    /// Counts one more message and returns true if it may be shown now. Otherwise the robot is blocked from now on.
    pub(super) fn admit(&mut self, key: &str, limit: Limit, block: Duration, now: Timestamp) -> bool {
        let admitted = self.messages.admit((key.to_owned(), 0, String::new()), &[limit], now);
        if !admitted {
            self.blocked_until.insert(key.to_owned(), later(now, block));
        }
        admitted
    }
}

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
    fn a_robot_that_exceeds_its_limit_is_blocked() {
        let limit = Limit { messages: 2, window: Duration::from_secs(10) };
        let mut robots = RobotLimits::default();
        let mut admit = |second| {
            let now = Timestamp::from_second(second).unwrap();
            !robots.is_blocked("k", now) && robots.admit("k", limit, Duration::from_secs(60), now)
        };
        let admitted: Vec<bool> = [0, 6, 9, 30, 68, 69].map(&mut admit).into();
        assert_eq!(admitted, [true, true, false, false, false, true]);
    }

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
