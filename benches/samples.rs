//! What was measured: values by round, and latencies of one round.

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

    /// The median of each round's quotient, so that what disturbs a whole round does not count.
    pub(crate) fn ratio_to(&self, other: &Self) -> f64 {
        self.with(other, |mine, others| mine / others).median()
    }

    /// Each round's value put together with the other's.
    pub(crate) fn with(&self, other: &Self, both: fn(f64, f64) -> f64) -> Self {
        self.0.iter().zip(&other.0).map(|(mine, others)| both(*mine, *others)).collect()
    }
}

impl FromIterator<f64> for Samples {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        Self(values.into_iter().collect())
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

    pub(crate) fn p50_us(&self) -> f64 {
        self.quantile_us(0.5)
    }

    pub(crate) fn p99_us(&self) -> f64 {
        self.quantile_us(0.99)
    }
}

/// What was found of a server.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) rate: Samples,
    pub(crate) p50: Samples,
    pub(crate) p99: Samples,
    pub(crate) cpu_us: Samples,
}

impl Found {
    pub(crate) fn note(&mut self, latencies: &Latencies) {
        self.p50.push(latencies.p50_us());
        self.p99.push(latencies.p99_us());
    }
}

/// How many a second.
pub(crate) fn rate(count: u64, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}
