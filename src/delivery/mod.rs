//! The decisions of delivery: whether a sender may send ([`gate`]), who may be sent to now ([`pace`]), what goes
//! out next ([`plan`]), what is told in one line instead ([`fold`]), what an end means ([`step`]).
//!
//! Pure and synchronous: the moment, the randomness and what is known of the queue come in as arguments, so that
//! a test drives hours in microseconds. Deciding inside the loop that sends was rejected: it cannot be tested
//! without sockets and sleeps.

pub mod fold;
pub mod gate;
mod instead;
pub mod pace;
pub mod plan;
pub mod step;

use std::{ops::Add, time::Duration};

/// A moment on a clock that never jumps: time since some origin of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Monotonic(pub Duration);

impl Monotonic {
    /// How long ago `earlier` was; zero when it was not.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// This moment `age` earlier.
    pub fn before(self, age: Duration) -> Self {
        Self(self.0.saturating_sub(age))
    }
}

impl Add<Duration> for Monotonic {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}
