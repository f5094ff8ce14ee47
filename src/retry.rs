//! Retry schedules as data: the next delay is a function of the attempts made and a random number.

use std::time::Duration;

use rand::{Rng, RngExt};

/// A list of steps: so many attempts with this delay, then the next; the last step goes on for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    steps: Vec<Step>,
    last: Duration,
}

/// `times` attempts that are each followed by `delay`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// How many attempts.
    pub times: u32,
    /// How long to wait after each.
    pub delay: Duration,
}

/// The share of a delay by which jitter may shorten or lengthen it.
const JITTER: f64 = 0.2;

impl Schedule {
    /// The given steps, and `last` after them.
    pub fn new(steps: Vec<Step>, last: Duration) -> Self {
        Self { steps, last }
    }

    /// How long to wait after attempt number `attempts` (the first is 1) has failed, spread by up to a fifth
    /// so that what failed together does not come back together.
    pub fn delay(&self, attempts: u32, rng: &mut impl Rng) -> Duration {
        self.nominal(attempts).mul_f64(rng.random_range(1.0 - JITTER..=1.0 + JITTER))
    }

    /// [`Self::delay`] without jitter.
    pub fn nominal(&self, attempts: u32) -> Duration {
        let mut left = attempts.max(1);
        for step in &self.steps {
            if left <= step.times {
                return step.delay;
            }
            left -= step.times;
        }
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::{SeedableRng, rngs::StdRng};

    fn schedule() -> Schedule {
        let step = |times, secs| Step { times, delay: Duration::from_secs(secs) };
        Schedule::new(vec![step(2, 1), step(3, 5)], Duration::from_secs(60))
    }

    #[test]
    fn each_step_lasts_for_its_number_of_attempts() {
        let delays: Vec<u64> = (1..=7).map(|attempts| schedule().nominal(attempts).as_secs()).collect();
        assert_eq!(delays, [1, 1, 5, 5, 5, 60, 60]);
    }

    proptest! {
        #[test]
        fn jitter_stays_within_a_fifth(attempts in 0u32.., seed: u64) {
            let nominal = schedule().nominal(attempts).as_secs_f64();
            let delay = schedule().delay(attempts, &mut StdRng::seed_from_u64(seed)).as_secs_f64();
            prop_assert!(delay >= nominal * 0.799 && delay <= nominal * 1.201);
        }
    }
}
