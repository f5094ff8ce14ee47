//! Deduplication of accepted notifications, for one ordering key.
//!
//! A notification is a duplicate if it repeats the notification that was accepted last. Alertmanager repeats a request
//! whose answer was lost, and the other Alertmanager of an HA pair sends the same notification a moment later:
//!
//! ```text
//! one: firing (accepted)                       resolved (accepted)
//! two:                    firing (duplicate)                        resolved (duplicate)
//! ```
//!
//! After a change, an earlier notification is accepted again, because members must see the last state:
//!
//! ```text
//! one: firing (accepted)  resolved (accepted)  (dies)
//! two:                                                  firing (accepted)
//! ```
//!
//! The second Alertmanager may only be late with its first notification. The relay cannot tell the difference, and an
//! extra message is better than a lost alert.

use std::time::Duration;

use jiff::Timestamp;

use crate::outbox::{Dedupe, Key, NotificationId};

/// The notification that was accepted last for an ordering key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastAccepted {
    pub key: Key,
    pub notification: NotificationId,
    pub at: Timestamp,
}

impl LastAccepted {
    /// True if a notification with `dedupe` that is received at `now` is a duplicate of this one.
    pub fn is_repeated_by(&self, dedupe: &Dedupe, now: Timestamp) -> bool {
        // A replaced file of the outbox may have later times.
        let distance = now.duration_since(self.at).unsigned_abs();
        dedupe.key == self.key && distance < dedupe.window
    }
}

/// The end of the time in which a notification that is accepted at `now` can be repeated.
pub fn expires_at(window: Duration, now: Timestamp) -> Timestamp {
    now.checked_add(window).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WINDOW: Duration = Duration::from_secs(120);

    #[derive(Debug, Clone, Copy)]
    struct Arrival {
        key: u8,
        second: i64,
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    /// The arrivals that are accepted.
    fn accepted(arrivals: &[Arrival]) -> Vec<Arrival> {
        let (mut last, mut accepted): (Option<LastAccepted>, _) = (None, Vec::new());
        for (number, arrival) in (1..).zip(arrivals) {
            let (key, now) = (Key([arrival.key; 16]), at(arrival.second));
            if last.is_some_and(|last| last.is_repeated_by(&Dedupe { key, window: WINDOW }, now)) {
                continue;
            }
            last = Some(LastAccepted { key, notification: NotificationId(number), at: now });
            accepted.push(*arrival);
        }
        accepted
    }

    fn keys(arrivals: &[Arrival]) -> String {
        arrivals.iter().map(|arrival| char::from(arrival.key)).collect()
    }

    fn accepted_of(story: &[(i64, char)]) -> String {
        let arrivals: Vec<_> =
            story.iter().map(|(second, key)| Arrival { key: *key as u8, second: *second }).collect();
        keys(&accepted(&arrivals))
    }

    #[test]
    fn a_pair_that_reports_each_change_has_one_message_for_each() {
        assert_eq!(accepted_of(&[(0, 'f'), (15, 'f'), (20, 'r'), (35, 'r'), (40, 'f'), (55, 'f')]), "frf");
    }

    #[test]
    fn an_alert_that_fires_again_is_accepted_from_any_source() {
        // The one that reported both changes is dead, and the other one has been silent, or said so before, or repeats.
        assert_eq!(accepted_of(&[(0, 'f'), (10, 'r'), (20, 'f')]), "frf");
        assert_eq!(accepted_of(&[(0, 'f'), (1, 'f'), (10, 'r'), (20, 'f'), (30, 'f')]), "frf");
        assert_eq!(accepted_of(&[(0, 'f'), (1, 'f'), (10, 'r'), (11, 'r'), (20, 'f')]), "frf");
    }

    #[test]
    fn a_repeat_is_accepted_after_the_window_of_the_first() {
        assert_eq!(accepted_of(&[(0, 'f'), (60, 'f'), (119, 'f'), (120, 'f'), (130, 'f')]), "ff");
        assert_eq!(
            accepted_of(&[(1000, 'f'), (990, 'f'), (0, 'f')]),
            "ff",
            "a replaced file has later times"
        );
    }

    /// The changes of one group, as each Alertmanager of a cluster reports them with a delay.
    #[derive(Debug, Clone)]
    struct Cluster {
        changes: Vec<u8>,
        /// The seconds between two changes.
        interval: i64,
        /// The delay of each Alertmanager; `None` if it reports nothing.
        delays: Vec<Vec<Option<i64>>>,
    }

    impl Cluster {
        fn arrivals(&self) -> Vec<Arrival> {
            let mut arrivals = Vec::new();
            for (n, (key, delays)) in (0..).zip(self.changes.iter().zip(&self.delays)) {
                let reports = delays.iter().flatten();
                arrivals
                    .extend(reports.map(|delay| Arrival { key: *key, second: n * self.interval + delay }));
            }
            arrivals.sort_by_key(|arrival| arrival.second);
            arrivals
        }
    }

    prop_compose! {
        fn clusters()(count in 1..12_usize)(
            changes in prop::collection::vec(b'a'..b'd', count),
            interval in 15..110_i64,
            delays in prop::collection::vec(prop::collection::vec(prop::option::of(0..15_i64), 1..4), count),
        ) -> Cluster {
            let mut changes = changes;
            changes.dedup();
            Cluster { changes, interval, delays }
        }
    }

    proptest! {
        #[test]
        fn the_last_accepted_notification_is_the_last_state(
            mut arrivals in prop::collection::vec((b'a'..b'e', 0..119_i64), 1..60),
        ) {
            arrivals.sort_by_key(|(_, second)| *second);
            let arrivals: Vec<_> =
                arrivals.into_iter().map(|(key, second)| Arrival { key, second }).collect();
            for end in 1..=arrivals.len() {
                let accepted = accepted(&arrivals[..end]);
                prop_assert_eq!(accepted.last().unwrap().key, arrivals[end - 1].key);
            }
            let accepted = accepted(&arrivals);
            prop_assert!(accepted.windows(2).all(|pair| pair[0].key != pair[1].key), "{:?}", accepted);
        }

        #[test]
        fn a_cluster_has_one_message_for_each_reported_change(cluster in clusters()) {
            let reported = cluster.changes.iter().zip(&cluster.delays);
            let mut reported: Vec<u8> = reported
                .filter(|(_, delays)| delays.iter().any(Option::is_some))
                .map(|(key, _)| *key)
                .collect();
            let accepted: Vec<_> =
                accepted(&cluster.arrivals()).iter().map(|arrival| arrival.key).collect();
            prop_assert!(accepted.len() <= reported.len());
            // A state that returns without a report of the change between is a repeat within the window only.
            reported.dedup();
            let mut without_repeats = accepted;
            without_repeats.dedup();
            prop_assert_eq!(without_repeats, reported);
        }
    }
}
