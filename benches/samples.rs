//! Measured values: one for each round, and the latencies of one round.

use std::time::Duration;

/// The values of one figure, one for each round.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    pub(crate) fn median(&self) -> f64 {
        median(self.0.clone())
    }

    /// The median of the rounds' quotients, because a disturbance of a whole round cancels out in its quotient.
    pub(crate) fn ratio_to(&self, other: &Self) -> f64 {
        median(self.0.iter().zip(&other.0).map(|(mine, others)| mine / others).collect())
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        even if even % 2 == 0 => f64::midpoint(values[middle - 1], values[middle]),
        _ => values[middle],
    }
}

/// Latencies, from the shortest to the longest.
#[derive(Debug, Clone)]
pub(crate) struct Latencies(Vec<u64>);

impl Latencies {
    pub(crate) fn new(mut nanos: Vec<u64>) -> Self {
        nanos.sort_unstable();
        Self(nanos)
    }

    /// The latency that `share` of all do not exceed, in microseconds.
    pub(crate) fn quantile_us(&self, share: f64) -> f64 {
        let last = self.0.len().saturating_sub(1);
        let at = (last as f64 * share).round() as usize;
        self.0.get(at).map_or(f64::NAN, |nanos| *nanos as f64 / 1e3)
    }
}

/// The figures of one server.
#[derive(Default)]
pub(crate) struct Measured {
    /// Notifications a second.
    pub(crate) rate: Samples,
    pub(crate) p50_us: Samples,
    pub(crate) p99_us: Samples,
    /// Processor time for each notification.
    pub(crate) cpu_us: Samples,
    /// The mean size of a request of `message/send`.
    pub(crate) bytes: Samples,
}

impl Measured {
    pub(crate) fn latencies(&mut self, latencies: &Latencies) {
        self.p50_us.push(latencies.quantile_us(0.5));
        self.p99_us.push(latencies.quantile_us(0.99));
    }
}

/// Events a second.
pub(crate) fn rate(count: u64, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}
