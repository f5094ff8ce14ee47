//! Decides when alerts that Alertmanager does not list any more count as resolved. One empty answer is no proof: an
//! Alertmanager that has started again knows no alerts until they are sent to it.

use std::{collections::HashMap, time::Duration};

use jiff::Timestamp;

use crate::outbox::DeliveryId;

/// The smallest number of empty answers, one after the other.
const MIN_LOOKS: u32 = 3;
/// A card that nobody looked at for this time is forgotten, for example because its group has resolved.
const KEPT: Duration = Duration::from_secs(3600);

/// The cards whose alerts Alertmanager did not list at the last look.
#[derive(Debug, Default)]
pub(super) struct Absences(HashMap<DeliveryId, Absence>);

#[derive(Debug, Clone, Copy)]
struct Absence {
    since: Timestamp,
    last: Timestamp,
    looks: u32,
}

impl Absences {
    /// Records an empty answer. True if the alerts have been absent for `needed` and at several looks.
    pub(super) fn record(&mut self, card: DeliveryId, needed: Duration, now: Timestamp) -> bool {
        self.0.retain(|_, absence| now.duration_since(absence.last).unsigned_abs() < KEPT);
        let absence = self.0.entry(card).or_insert(Absence { since: now, last: now, looks: 0 });
        absence.looks += 1;
        absence.last = now;
        let lasted = Duration::try_from(now.duration_since(absence.since)).unwrap_or_default();
        absence.looks >= MIN_LOOKS && lasted >= needed
    }

    /// Alertmanager lists the alerts, or its answer says nothing about them.
    pub(super) fn forget(&mut self, card: DeliveryId) {
        self.0.remove(&card);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEEDED: Duration = Duration::from_secs(180);

    fn record(absences: &mut Absences, second: i64) -> bool {
        absences.record(DeliveryId(1), NEEDED, Timestamp::from_second(second).unwrap())
    }

    #[test]
    fn alerts_are_resolved_after_several_empty_answers_over_minutes() {
        let mut absences = Absences::default();
        let looks = [0, 30, 60, 179, 180].map(|second| record(&mut absences, second));
        assert_eq!(looks, [false, false, false, false, true]);
        let mut absences = Absences::default();
        let looks = [0, 500, 501].map(|second| record(&mut absences, second));
        assert_eq!(looks, [false, false, true], "two looks are too few");
    }

    #[test]
    fn an_alert_that_is_listed_again_starts_the_count_anew() {
        let mut absences = Absences::default();
        for second in [0, 30, 170] {
            assert!(!record(&mut absences, second));
        }
        absences.forget(DeliveryId(1));
        for (second, is_resolved) in [(190, false), (200, false), (300, false), (370, true)] {
            assert_eq!(record(&mut absences, second), is_resolved, "{second}");
        }
    }

    #[test]
    fn a_card_that_nobody_looks_at_is_forgotten() {
        let mut absences = Absences::default();
        record(&mut absences, 0);
        absences.record(DeliveryId(2), NEEDED, Timestamp::from_second(3600).unwrap());
        assert_eq!(absences.0.len(), 1);
    }
}
