//! Deduplication of accepted notifications, for one ordering key.
//!
//! A notification is a duplicate if its key was accepted within the window. But a source that sent a key, then something
//! else, then the key again reports that the alert changed back. This is news, unless the other Alertmanager of an HA
//! pair has already reported that change. So a source's nth return to a key is a duplicate if the key was accepted at
//! least n times:
//!
//! ```text
//! source one: firing (accepted)  resolved (accepted)  firing (accepted, second time)
//! source two:                                                                          firing (duplicate: 1 <= 2)
//! ```
//!
//! The history of an ordering key has at most [`MAX_ENTRIES`] entries of each kind. Alertmanager sends a few
//! notifications of a group within a window.

use std::time::Duration;

use jiff::Timestamp;

use crate::outbox::{Dedupe, Key, NotificationId};

/// The largest number of remembered keys, and of remembered returns of sources.
const MAX_ENTRIES: usize = 128;

/// One notification as deduplication sees it. Times are milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    key: Key,
    source: i64,
    at: i64,
    expires_at: i64,
}

impl Arrival {
    /// The arrival of a notification with `dedupe` at `now`.
    pub fn new(dedupe: &Dedupe, now: Timestamp) -> Self {
        let at = now.as_millisecond();
        Self {
            key: dedupe.key,
            source: Key::of([dedupe.source.as_bytes()]).short(),
            at,
            expires_at: at.saturating_add(millis(dedupe.window)),
        }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// The notifications that were received lately for one ordering key. The newest entries are last.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    accepted: Vec<Accepted>,
    received: Vec<Received>,
}

/// The last acceptance of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Accepted {
    key: Key,
    notification: i64,
    at: i64,
    times: i64,
}

/// The number of times that a source has returned to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Received {
    source: i64,
    key: Key,
    times: i64,
    expires_at: i64,
}

/// The bytes of a stored history are not a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a deduplication history of {0} bytes is malformed")]
pub struct MalformedHistory(pub usize);

impl History {
    /// The notification that `arrival` duplicates.
    pub fn duplicate_of(&self, arrival: &Arrival) -> Option<NotificationId> {
        let accepted = self.accepted.iter().find(|accepted| accepted.key == arrival.key)?;
        let is_duplicate =
            is_within_window(accepted, arrival) && self.times_received(arrival) <= accepted.times;
        is_duplicate.then_some(NotificationId(accepted.notification))
    }

    /// Records an arrival. `accepted_as` is `None` for a duplicate. A duplicate is recorded too, because its source may
    /// be the only one that is left of an HA pair.
    pub fn record(&mut self, arrival: &Arrival, accepted_as: Option<NotificationId>) {
        let Arrival { key, source, at, expires_at } = *arrival;
        let times = self.times_received(arrival);
        self.received.retain(|received| {
            received.expires_at > at && !(received.source == source && received.key == key)
        });
        let dropped = push_bounded(&mut self.received, Received { source, key, times, expires_at });
        if let Some(dropped) = dropped {
            // The returns of that source to that key can no longer be counted. An extra message is better than a lost
            // one, so the key must not cause duplicates any more.
            self.accepted.retain(|accepted| accepted.key != dropped.key);
        }
        if let Some(NotificationId(notification)) = accepted_as {
            self.accepted.retain(|accepted| accepted.key != key && is_within_window(accepted, arrival));
            push_bounded(&mut self.accepted, Accepted { key, notification, at, times });
        }
    }

    /// The number of times that the source has returned to this key, this arrival included.
    fn times_received(&self, arrival: &Arrival) -> i64 {
        let mut last_key = None;
        let mut times = None;
        for received in self.received.iter().filter(|received| received.source == arrival.source) {
            last_key = Some(received.key);
            if received.key == arrival.key && received.expires_at > arrival.at {
                times = Some(received.times);
            }
        }
        match times {
            Some(times) if last_key == Some(arrival.key) => times,
            Some(times) => times + 1,
            None => 1,
        }
    }

    /// The time at which this history loses its effect, in milliseconds since 1970.
    pub fn expires_at(&self) -> i64 {
        self.received.iter().map(|received| received.expires_at).max().unwrap_or(i64::MIN)
    }

    /// The stored form: the number of accepted entries, then all entries, each with five numbers of eight bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(8 + ENTRY_BYTES * (self.accepted.len() + self.received.len()));
        bytes.extend((self.accepted.len() as u64).to_le_bytes());
        for Accepted { key, notification, at, times } in &self.accepted {
            push_entry(&mut bytes, *key, [*notification, *at, *times]);
        }
        for Received { source, key, times, expires_at } in &self.received {
            push_entry(&mut bytes, *key, [*source, *times, *expires_at]);
        }
        bytes
    }

    /// Reads [`Self::to_bytes`]. Empty bytes are an empty history.
    ///
    /// # Errors
    /// [`MalformedHistory`] if the bytes were not written by [`Self::to_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MalformedHistory> {
        let malformed = MalformedHistory(bytes.len());
        let Some((count, rest)) = bytes.split_first_chunk::<8>() else {
            return if bytes.is_empty() { Ok(Self::default()) } else { Err(malformed) };
        };
        let (entries, []) = rest.as_chunks::<ENTRY_BYTES>() else { return Err(malformed) };
        let count = usize::try_from(u64::from_le_bytes(*count)).map_err(|_| malformed)?;
        let (accepted, received) = entries.split_at_checked(count).ok_or(malformed)?;
        let accepted = accepted.iter().map(|entry| {
            let (key, [notification, at, times]) = read_entry(entry);
            Accepted { key, notification, at, times }
        });
        let received = received.iter().map(|entry| {
            let (key, [source, times, expires_at]) = read_entry(entry);
            Received { source, key, times, expires_at }
        });
        Ok(Self { accepted: accepted.collect(), received: received.collect() })
    }
}

/// A key and three numbers.
const ENTRY_BYTES: usize = 40;

fn push_entry(bytes: &mut Vec<u8>, Key(key): Key, numbers: [i64; 3]) {
    bytes.extend(key);
    numbers.iter().for_each(|number| bytes.extend(number.to_le_bytes()));
}

fn read_entry(entry: &[u8; ENTRY_BYTES]) -> (Key, [i64; 3]) {
    let mut key = [0; 16];
    let (key_bytes, numbers) = entry.split_at(key.len());
    key.copy_from_slice(key_bytes);
    let mut read = [0; 3];
    let (chunks, _) = numbers.as_chunks::<8>();
    read.iter_mut().zip(chunks).for_each(|(to, from)| *to = i64::from_le_bytes(*from));
    (Key(key), read)
}

/// Compares distances, because a replaced file of the outbox may have later times.
fn is_within_window(accepted: &Accepted, arrival: &Arrival) -> bool {
    arrival.at.abs_diff(accepted.at) < arrival.expires_at.abs_diff(arrival.at)
}

/// Appends `entry` and returns the oldest entry if there was no room for both.
fn push_bounded<T>(entries: &mut Vec<T>, entry: T) -> Option<T> {
    let dropped = (entries.len() >= MAX_ENTRIES).then(|| entries.remove(0));
    entries.push(entry);
    dropped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WINDOW: i64 = 120_000;

    fn arrival(source: i64, key: u8, at: i64) -> Arrival {
        Arrival { key: Key([key; 16]), source, at, expires_at: at + WINDOW }
    }

    fn receive(history: &mut History, arrival: Arrival, number: i64) -> Option<i64> {
        let duplicate = history.duplicate_of(&arrival);
        history.record(&arrival, duplicate.is_none().then_some(NotificationId(number)));
        duplicate.map(|NotificationId(id)| id)
    }

    #[test]
    fn an_alert_that_changes_back_is_news_for_one_source() {
        let mut history = History::default();
        let story = [(1, b'f', 1, None), (1, b'r', 2, None), (1, b'f', 3, None), (1, b'f', 4, Some(3))];
        for (source, key, number, expected) in story {
            assert_eq!(receive(&mut history, arrival(source, key, number * 1000), number), expected);
        }
        for (key, expected) in [(b'f', Some(3)), (b'r', Some(2)), (b'f', Some(3))] {
            assert_eq!(receive(&mut history, arrival(2, key, 9_000), 9), expected, "the late twin");
        }
    }

    #[test]
    fn nothing_counts_after_the_window() {
        let mut history = History::default();
        assert_eq!(receive(&mut history, arrival(1, b'f', 0), 1), None);
        assert_eq!(receive(&mut history, arrival(1, b'f', WINDOW - 1), 2), Some(1));
        assert_eq!(receive(&mut history, arrival(1, b'f', WINDOW), 3), None);
        assert_eq!(history.expires_at(), 2 * WINDOW);
    }

    #[test]
    fn a_history_is_bounded_and_forgets_towards_news() {
        let mut history = History::default();
        for source in 0..1_000 {
            receive(&mut history, arrival(source, b'f', source), source);
        }
        assert!(history.to_bytes().len() <= 8 + 2 * MAX_ENTRIES * ENTRY_BYTES);
        assert_eq!(history.duplicate_of(&arrival(-1, b'x', 1_000)), None);
    }

    proptest! {
        #[test]
        fn the_stored_form_keeps_everything(
            arrivals in prop::collection::vec((0..3_i64, 0..4_u8, 0..300_000_i64), 0..60),
        ) {
            let mut history = History::default();
            for (number, (source, key, at)) in arrivals.into_iter().enumerate() {
                receive(&mut history, arrival(source, key, at), number as i64);
                prop_assert_eq!(&History::from_bytes(&history.to_bytes()).unwrap(), &history);
            }
        }

        #[test]
        fn malformed_bytes_are_an_error_and_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _read = History::from_bytes(&bytes);
        }
    }
}
