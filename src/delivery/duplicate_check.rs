//! Decides whether WeCom may suppress a repeated message (`enable_duplicate_check`).
//!
//! A resend after a lost answer must be suppressed if the first attempt arrived. But WeCom compares bodies, and two
//! alerts may render to the same body. So a message is sent with the check only if no other delivery with the same body
//! was sent within the interval. The decision of the first attempt holds for all attempts of a delivery.
//!
//! While answers are lost, a delivery without the check may arrive with each attempt. This is better than the loss of an
//! alert whose text is equal to that of another one.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    time::Duration,
};

use super::Monotonic;
use crate::outbox::{BodyHash, DeliveryId};

/// The longest time from the start of a message to its arrival at WeCom: the longest send, with a margin.
pub const DUPLICATE_CHECK_MARGIN: Duration = Duration::from_secs(130);

/// The maximum number of sends that are remembered: those of an hour with 36 each second.
const REMEMBERED: usize = 131_072;

/// The bodies that one sender has sent within the interval of the duplicate check.
#[derive(Debug)]
pub struct DuplicateCheck {
    interval: Duration,
    sends: BTreeSet<Send>,
    /// The same sends in order of time, for forgetting them.
    order: VecDeque<Send>,
    /// The last send that was forgotten early, for lack of room. Until it would have expired, any body may have been
    /// sent before.
    forgotten_at: Option<Monotonic>,
    /// The decisions about deliveries that are not settled.
    decisions: HashMap<DeliveryId, Decision>,
}

/// One send. Sends of one body are neighbours in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Send {
    body: BodyHash,
    delivery: DeliveryId,
    at: Monotonic,
}

#[derive(Debug, Clone, Copy)]
struct Decision {
    body: BodyHash,
    check: Option<Duration>,
}

impl DuplicateCheck {
    /// Nothing was sent yet. WeCom gets `interval` as `duplicate_check_interval`; zero means that it never checks.
    pub fn new(interval: Duration) -> Self {
        Self {
            interval,
            sends: BTreeSet::new(),
            order: VecDeque::new(),
            forgotten_at: None,
            decisions: HashMap::new(),
        }
    }

    /// The time for which a past send counts.
    pub fn reach(&self) -> Duration {
        self.interval.saturating_add(DUPLICATE_CHECK_MARGIN)
    }

    /// Records a send of an earlier lease.
    pub fn record_past(&mut self, delivery: DeliveryId, body: BodyHash, at: Monotonic, now: Monotonic) {
        self.record(Send { body, delivery, at }, now);
    }

    /// The interval to send with, and records the send.
    pub fn start(&mut self, delivery: DeliveryId, body: BodyHash, now: Monotonic) -> Option<Duration> {
        let earlier = self.decisions.get(&delivery).filter(|decision| decision.body == body);
        let check = match earlier {
            Some(decision) => decision.check,
            None => (!self.interval.is_zero() && !self.was_sent_by_another(delivery, body, now))
                .then_some(self.interval),
        };
        self.decisions.insert(delivery, Decision { body, check });
        self.record(Send { body, delivery, at: now }, now);
        check
    }

    /// The delivery is settled, so its decision is not needed any more.
    pub fn settle(&mut self, delivery: DeliveryId) {
        self.decisions.remove(&delivery);
    }

    fn was_sent_by_another(&self, delivery: DeliveryId, body: BodyHash, now: Monotonic) -> bool {
        let counts = |at: Monotonic| now.since(at) < self.reach();
        let first = Send { body, delivery: DeliveryId(i64::MIN), at: Monotonic::default() };
        let mut same_body = self.sends.range(first..).take_while(|send| send.body == body);
        same_body.any(|send| send.delivery != delivery && counts(send.at))
            || self.forgotten_at.is_some_and(counts)
    }

    fn record(&mut self, send: Send, now: Monotonic) {
        let reach = self.reach();
        while let Some(oldest) = self.order.front().copied()
            && (now.since(oldest.at) >= reach || self.order.len() >= REMEMBERED)
        {
            self.order.pop_front();
            self.sends.remove(&oldest);
            if now.since(oldest.at) < reach {
                self.forgotten_at = self.forgotten_at.max(Some(oldest.at));
            }
        }
        self.order.push_back(send);
        self.sends.insert(send);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(120);
    const BODY: BodyHash = BodyHash(7);

    fn at(seconds: u64) -> Monotonic {
        Monotonic(Duration::from_secs(1_000_000 + seconds))
    }

    #[test]
    fn an_equal_body_sent_soon_after_another_gets_no_check() {
        let mut checks = DuplicateCheck::new(INTERVAL);
        assert_eq!(checks.start(DeliveryId(1), BODY, at(0)), Some(INTERVAL));
        assert_eq!(checks.start(DeliveryId(2), BODY, at(249)), None);
        assert_eq!(checks.start(DeliveryId(3), BODY, at(249 + 250)), Some(INTERVAL));
        assert_eq!(checks.start(DeliveryId(4), BodyHash(8), at(500)), Some(INTERVAL));
    }

    #[test]
    fn the_first_decision_holds_for_all_attempts() {
        let mut checks = DuplicateCheck::new(INTERVAL);
        assert_eq!(checks.start(DeliveryId(1), BODY, at(0)), Some(INTERVAL));
        assert_eq!(checks.start(DeliveryId(2), BODY, at(1)), None);
        assert_eq!(checks.start(DeliveryId(1), BODY, at(2)), Some(INTERVAL));
        assert_eq!(checks.start(DeliveryId(2), BODY, at(9_000)), None);
        checks.settle(DeliveryId(2));
        assert_eq!(checks.start(DeliveryId(2), BODY, at(18_000)), Some(INTERVAL));
    }

    #[test]
    fn a_new_content_gets_a_new_decision() {
        let mut checks = DuplicateCheck::new(INTERVAL);
        checks.start(DeliveryId(1), BODY, at(0));
        assert_eq!(checks.start(DeliveryId(2), BODY, at(1)), None);
        assert_eq!(checks.start(DeliveryId(2), BodyHash(8), at(2)), Some(INTERVAL));
    }

    #[test]
    fn sends_of_an_earlier_lease_count() {
        let mut checks = DuplicateCheck::new(INTERVAL);
        checks.record_past(DeliveryId(1), BODY, at(0), at(10));
        assert_eq!(checks.start(DeliveryId(1), BODY, at(10)), Some(INTERVAL), "its own resend");
        checks.record_past(DeliveryId(2), BODY, at(0), at(10));
        assert_eq!(checks.start(DeliveryId(3), BODY, at(11)), None);
    }

    #[test]
    fn a_resend_after_a_restart_is_not_checked_against_others() {
        let mut checks = DuplicateCheck::new(INTERVAL);
        checks.record_past(DeliveryId(1), BODY, at(0), at(30));
        checks.record_past(DeliveryId(2), BODY, at(10), at(30));
        checks.record_past(DeliveryId(2), BODY, at(20), at(30));
        // WeCom would take it for a duplicate of the first delivery.
        assert_eq!(checks.start(DeliveryId(2), BODY, at(30)), None);
        checks.settle(DeliveryId(2));
        assert_eq!(checks.start(DeliveryId(2), BODY, at(250)), Some(INTERVAL), "the first one is forgotten");
    }

    #[test]
    fn a_send_that_had_to_be_forgotten_counts_for_every_body() {
        let mut checks = DuplicateCheck::new(INTERVAL);
        for number in 0..=REMEMBERED as i64 {
            checks.record_past(DeliveryId(number), BodyHash(number), at(0), at(0));
        }
        assert_eq!(checks.order.len(), REMEMBERED);
        assert_eq!(checks.start(DeliveryId(-1), BodyHash(-1), at(1)), None);
        assert_eq!(checks.start(DeliveryId(-2), BodyHash(-2), at(250)), Some(INTERVAL));
    }

    #[test]
    fn without_an_interval_nothing_is_checked() {
        assert_eq!(DuplicateCheck::new(Duration::ZERO).start(DeliveryId(1), BODY, at(0)), None);
    }
}
