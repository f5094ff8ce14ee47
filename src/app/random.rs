//! Randomness of the system.

/// A number that nobody can guess.
#[expect(clippy::disallowed_methods, reason = "the one place that asks the system for randomness")]
pub fn random_seed() -> u64 {
    rand::random()
}
