//! Arithmetic with times.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// `start` plus `duration`, at most the last representable time.
pub(super) fn later(start: Timestamp, duration: Duration) -> Timestamp {
    let duration = SignedDuration::try_from(duration).ok();
    duration.and_then(|duration| start.checked_add(duration).ok()).unwrap_or(Timestamp::MAX)
}
