//! Decides when alerts that Alertmanager does not list any more count as resolved. One empty answer is no proof: an
//! Alertmanager that has started again knows no alerts until they are sent to it.

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    alertmanager::{Silences, SilencesError},
    clock::Clock,
    outbox::Absence,
};

/// The smallest number of empty answers, one after the other.
const MIN_LOOKS: u32 = 3;
/// After a pause of this length between two looks the count starts anew, because nobody knows what happened meanwhile.
const MAX_PAUSE: Duration = Duration::from_secs(3600);

/// The absence after an empty answer. `before` is that of the last look.
pub(super) fn absent_again(before: Option<Absence>, now: Timestamp) -> Absence {
    match before {
        Some(Absence { since, last, looks }) if now.duration_since(last).unsigned_abs() < MAX_PAUSE => {
            Absence { since, last: now, looks: looks.saturating_add(1) }
        }
        _ => Absence { since: now, last: now, looks: 1 },
    }
}

/// True if the alerts have been absent for `needed` and at several looks.
pub(super) fn is_resolved(absence: Absence, needed: Duration) -> bool {
    let Absence { since, last, looks } = absence;
    let lasted = Duration::try_from(last.duration_since(since)).unwrap_or_default();
    looks >= MIN_LOOKS && lasted >= needed
}

/// An Alertmanager, as far as it knows all alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Knowledge {
    Complete,
    /// It has started so recently that some alerts were not sent to it yet.
    Incomplete,
    /// Grafana does not say when it started.
    Unknown,
}

/// Asks an Alertmanager when it started. It knows all alerts after `warm_up`.
pub(super) async fn knowledge(
    silences: &impl Silences,
    warm_up: Duration,
    clock: &dyn Clock,
) -> Result<Knowledge, SilencesError> {
    let Some(started_at) = silences.started_at().await? else { return Ok(Knowledge::Unknown) };
    let age = clock.wall_time(clock.now()).duration_since(started_at);
    let is_warm = Duration::try_from(age).unwrap_or_default() >= warm_up;
    Ok(if is_warm { Knowledge::Complete } else { Knowledge::Incomplete })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The answers after empty answers of Alertmanager in these seconds.
    fn answers<const N: usize>(seconds: [i64; N]) -> [bool; N] {
        let mut before = None;
        seconds.map(|second| {
            let now = absent_again(before, Timestamp::from_second(second).unwrap());
            before = Some(now);
            is_resolved(now, Duration::from_secs(180))
        })
    }

    #[test]
    fn alerts_are_resolved_after_several_empty_answers_over_minutes() {
        assert_eq!(answers([0, 30, 60, 179, 180]), [false, false, false, false, true]);
        assert_eq!(answers([0, 500, 501]), [false, false, true], "two looks are too few");
    }

    #[test]
    fn a_long_pause_starts_the_count_anew() {
        assert_eq!(answers([0, 30, 3629, 3630]), [false, false, true, true]);
        assert_eq!(answers([0, 30, 3630, 3660, 3810]), [false, false, false, false, true]);
    }
}
