//! Retry schedules as data. The next delay depends on the number of attempts and on a random number.

use std::time::Duration;

use rand::{Rng, RngExt};

/// A list of stages. The last delay holds forever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    stages: Vec<Stage>,
    last: Duration,
}

/// A number of attempts, each followed by `delay`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stage {
    /// Number of attempts.
    pub times: u32,
    pub delay: Duration,
}

/// Maximum jitter, as a share of the delay.
const JITTER: f64 = 0.2;

impl Schedule {
    /// `last` is the delay after all stages.
    pub fn new(stages: Vec<Stage>, last: Duration) -> Self {
        Self { stages, last }
    }

    /// The delay after failed attempt number `attempts`, counted from 1. Jitter of up to a fifth spreads retries
    /// that failed together.
    pub fn delay(&self, attempts: u32, rng: &mut impl Rng) -> Duration {
        self.nominal(attempts).mul_f64(rng.random_range(1.0 - JITTER..=1.0 + JITTER))
    }

    /// [`Self::delay`] without jitter.
    pub fn nominal(&self, attempts: u32) -> Duration {
        let mut left = attempts.max(1);
        for stage in &self.stages {
            if left <= stage.times {
                return stage.delay;
            }
            left -= stage.times;
        }
        self.last
    }
}

/// The delays between the attempts of one delivery.
pub fn retry_delays() -> Schedule {
    seconds(&[1, 2, 5, 15, 30], 50)
}

/// The delays between the probes of a held sender. They allow some 65 failing calls in an hour. WeCom blocks a caller after
/// 2,000.
pub fn usual_probe_delays() -> Schedule {
    seconds(&[1, 2, 5, 15, 30], 60)
}

/// The delays between probes while WeCom limits the calls. It may limit them for seconds or for an hour.
pub fn rate_limited_delays() -> Schedule {
    seconds(&[1, 2, 5, 15, 30, 60, 60, 60, 60, 60], 300)
}

/// The delays between calls of `gettoken` with a refused secret. WeCom blocks an IP for an hour after many of them.
pub fn refused_secret_delays() -> Schedule {
    seconds(&[60, 120], 300)
}

fn seconds(first: &[u64], last: u64) -> Schedule {
    let stage = |secs: &u64| Stage { times: 1, delay: Duration::from_secs(*secs) };
    Schedule::new(first.iter().map(stage).collect(), Duration::from_secs(last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::{SeedableRng, rngs::StdRng};

    fn schedule() -> Schedule {
        let stage = |times, secs| Stage { times, delay: Duration::from_secs(secs) };
        Schedule::new(vec![stage(2, 1), stage(3, 5)], Duration::from_secs(60))
    }

    #[test]
    fn each_stage_lasts_for_its_number_of_attempts() {
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
