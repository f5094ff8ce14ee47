//! A sender with messages to some destinations, on a simulated clock.

use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::*;

use super::{UP, breaker, destination, fails, later, wall};
use crate::{
    delivery::{
        circuit_breaker::{Admission, CircuitBreaker, EndedMessage},
        evidence::{Evidence, Scope},
    },
    outbox::DeliveryId,
    retry::retry_delays,
};

/// The length of a step. A message ends within its step.
const STEP: Duration = Duration::from_millis(500);
const CONCURRENCY: usize = 32;

#[derive(Debug, Clone)]
struct Message {
    posted: u32,
    to: u8,
    due_at: Duration,
    attempts: u32,
}

/// A message that was delivered.
#[derive(Debug, Clone, Copy)]
struct Delivered {
    to: u8,
    took_steps: u32,
}

struct Simulation {
    breaker: CircuitBreaker,
    waiting: BTreeMap<i64, Message>,
    /// The step of each call that failed.
    failed_calls: Vec<u32>,
    delivered: Vec<Delivered>,
}

impl Simulation {
    fn new(posts: &[(u32, u8)]) -> Self {
        let mut waiting = BTreeMap::new();
        for (posted, to) in posts.iter().copied() {
            let message = Message { posted, to, due_at: STEP * posted, attempts: 0 };
            waiting.insert(i64::try_from(waiting.len()).unwrap(), message);
        }
        Self { breaker: breaker(None), waiting, failed_calls: Vec::new(), delivered: Vec::new() }
    }

    /// Runs for this number of steps. `is_failing` says if a message to a destination fails in a step.
    fn run(mut self, steps: u32, is_failing: impl Fn(u32, u8) -> bool) -> Self {
        for step in 0..steps {
            for _ in 0..CONCURRENCY {
                let Some(id) = self.next(step) else { break };
                let to = self.waiting[&id].to;
                self.breaker.start(destination(to));
                self.end(id, step, is_failing(step, to));
            }
        }
        self
    }

    /// The next message that may be sent.
    fn next(&self, step: u32) -> Option<i64> {
        let now = STEP * step;
        if !matches!(self.breaker.admission(0, UP + now), Admission::All | Admission::One) {
            return None;
        }
        let held_back = self.breaker.waiting();
        let is_ready = |message: &Message| {
            let until = held_back.get(&destination(message.to));
            message.due_at <= now && until.is_none_or(|until| until.is_some_and(|until| until <= UP + now))
        };
        let ready = self.waiting.iter().filter(|(_, message)| is_ready(message));
        ready.min_by_key(|(_, message)| message.due_at).map(|(id, _)| *id)
    }

    fn end(&mut self, id: i64, step: u32, failed: bool) {
        let now = STEP * step;
        let message = self.waiting.get_mut(&id).unwrap();
        let evidence = if failed { fails() } else { Evidence::Works };
        let ended = EndedMessage { delivery: DeliveryId(id), destination: destination(message.to), evidence };
        let recorded = self.breaker.record(&ended, later(wall(), now), UP + now);
        if failed {
            self.failed_calls.push(step);
            message.attempts += 1;
            let delay = match recorded.scope {
                Scope::Sender { retry_in } => retry_in,
                Scope::Message { .. } => retry_delays().nominal(message.attempts),
            };
            message.due_at = now + delay.max(Duration::from_millis(1));
            return;
        }
        self.delivered.push(Delivered { to: message.to, took_steps: step - message.posted });
        self.waiting.remove(&id);
    }

    /// The maximum number of failed calls in any time of this length.
    fn max_failed_calls_in(&self, time: Duration) -> usize {
        let steps = u32::try_from(time.as_millis() / STEP.as_millis()).unwrap();
        let since =
            |from: u32| self.failed_calls.iter().filter(|call| (from..from + steps).contains(*call)).count();
        self.failed_calls.iter().map(|from| since(*from)).max().unwrap_or(0)
    }
}

/// The step and the destination of each message.
fn posts(destinations: u8, steps: u32) -> impl Strategy<Value = Vec<(u32, u8)>> {
    prop::collection::vec((0..steps, 1..=destinations), 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 30, ..ProptestConfig::default() })]

    #[test]
    fn an_outage_costs_few_calls_and_is_over_within_a_minute(posts in posts(8, 1200), outage in 1..7200_u32) {
        let done = Simulation::new(&posts).run(outage.max(1200) + 130, |step, _| step < outage);
        prop_assert!(done.waiting.is_empty(), "{:?}", done.waiting);
        // Each of 8 destinations is tested once. Two messages are retried before the breaker is half-open.
        prop_assert!(done.max_failed_calls_in(Duration::from_secs(3600)) <= 66 + 8 + 2);
        prop_assert!(done.max_failed_calls_in(Duration::from_secs(60)) <= 6 + 8 + 2);
    }

    #[test]
    fn a_blip_of_five_seconds_costs_few_calls_and_is_over_soon(posts in posts(2, 4), blip in 1..=10_u32) {
        let done = Simulation::new(&posts).run(blip + 16, |step, _| step < blip);
        prop_assert!(done.waiting.is_empty(), "{:?}", done.waiting);
        prop_assert!(done.failed_calls.len() <= 10, "{:?}", done.failed_calls);
    }

    #[test]
    fn one_destination_never_delays_another(posts in posts(6, 1200), bad in 1..=6_u8) {
        let done = Simulation::new(&posts).run(1300, |_, to| to == bad);
        for Delivered { to, took_steps } in &done.delivered {
            prop_assert!(*to != bad && *took_steps == 0, "{to} took {took_steps} steps");
        }
        prop_assert_eq!(done.waiting.values().filter(|message| message.to != bad).count(), 0);
    }

    #[test]
    fn destinations_that_always_fail_do_not_delay_another(posts in posts(6, 1200)) {
        let done = Simulation::new(&posts).run(1300, |_, to| to <= 4);
        for Delivered { to, took_steps } in &done.delivered {
            prop_assert!(*to > 4 && *took_steps <= 1, "{to} took {took_steps} steps");
        }
        prop_assert_eq!(done.waiting.values().filter(|message| message.to > 4).count(), 0);
    }
}
