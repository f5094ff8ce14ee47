//! Test messages reach people, so there are not many of them.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};

use crate::outbox::ReceiverName;

const PAUSE: SignedDuration = SignedDuration::from_secs(10);
const HOUR: SignedDuration = SignedDuration::from_hours(1);
const PER_HOUR: usize = 30;

/// The times of the test messages of the last hour.
#[derive(Debug, Default)]
pub(super) struct TestLimits(BTreeMap<ReceiverName, Vec<Timestamp>>);

impl TestLimits {
    /// Counts a test message, or returns the time until the next one is allowed.
    pub(super) fn take(&mut self, receiver: &ReceiverName, now: Timestamp) -> Result<(), Duration> {
        let sent = self.0.entry(receiver.clone()).or_default();
        // A time after `now` says only that the clock was set back, so nobody has to wait for it.
        sent.retain(|at| *at <= now && now.duration_since(*at) < HOUR);
        let wait_for = |at: Option<&Timestamp>, limit: SignedDuration| {
            at.map_or(SignedDuration::ZERO, |at| limit - now.duration_since(*at))
        };
        let oldest_that_counts = sent.len().checked_sub(PER_HOUR).and_then(|index| sent.get(index));
        let wait = wait_for(sent.last(), PAUSE).max(wait_for(oldest_that_counts, HOUR));
        match Duration::try_from(wait) {
            Ok(wait) if !wait.is_zero() => Err(wait),
            _ => {
                sent.push(now);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_gets_one_test_in_ten_seconds_and_thirty_an_hour() {
        let (mut limits, receiver) = (TestLimits::default(), ReceiverName("wechat".to_owned()));
        let start = Timestamp::UNIX_EPOCH;
        let mut take = |second: i64| limits.take(&receiver, start + SignedDuration::from_secs(second));
        assert_eq!(take(0), Ok(()));
        assert_eq!(take(4), Err(Duration::from_secs(6)));
        for number in 1..30 {
            assert_eq!(take(number * 10), Ok(()), "{number}");
        }
        assert_eq!(take(600), Err(Duration::from_secs(3000)));
        assert_eq!(take(3600), Ok(()));
    }

    #[test]
    fn a_clock_that_is_set_back_keeps_nobody_from_a_test() {
        let (mut limits, receiver) = (TestLimits::default(), ReceiverName("wechat".to_owned()));
        let start = Timestamp::UNIX_EPOCH;
        let mut take = |second: i64| limits.take(&receiver, start + SignedDuration::from_secs(second));
        assert_eq!(take(86_400), Ok(()));
        assert_eq!(take(0), Ok(()));
        assert_eq!(take(4), Err(Duration::from_secs(6)));
    }
}
