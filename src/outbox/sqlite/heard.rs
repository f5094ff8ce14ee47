//! What was heard of each lane within the dedupe window: what was accepted, and what each source said.
//!
//! It is kept in memory, and written as rows that are only ever appended, from which it is read again when the
//! database was opened or a transaction came to nothing: so it says what is on disk. A table or an index by lane was
//! rejected: lanes are random numbers, and every alert would write a page of the disk for itself.
//!
//! What is remembered is bounded, by lane ([`OF_A_LANE`]) and in all ([`REMEMBERED`]); it outlives the notifications
//! if it must.

use std::collections::{HashMap, VecDeque};

use jiff::Timestamp;
use rusqlite::Row;

use super::{
    error::Done,
    rows::{self, ms, span_ms},
    tx::Tx,
};
use crate::outbox::{Dedupe, Key, NotificationId};

pub(super) const PUT: &str = "INSERT INTO heard (lane, key_1, key_2, source, notification, at, until)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
pub(super) const LAST: &str = "SELECT id, lane, key_1, key_2, source, notification, at, until FROM heard
     WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
pub(super) const FORGET: &str =
    "DELETE FROM heard WHERE id IN (SELECT id FROM heard ORDER BY id LIMIT ?2) AND until < ?1";
pub(super) const TRIM: &str = "DELETE FROM heard WHERE id <= ?1";

/// The most notifications of one lane, and the most words of sources, that are remembered. Alertmanager sends a few
/// of a group in a window.
const OF_A_LANE: usize = 128;
/// The most events that are remembered: some megabytes. A window of two minutes has them at 136 a second.
const REMEMBERED: u32 = 16_384;
/// How many rows are read at once, from the last one back until none of them counts any more.
const PAGE: u32 = 256;
/// How many rows are written until as many are deleted that are not read again.
const TRIMMED: i64 = 256;

/// A notification that came.
#[derive(Debug, Clone, Copy)]
struct Event {
    lane: i64,
    key: Key,
    source: i64,
    /// What it was accepted as; `None` when it was a copy. A copy is remembered too: its source may be the last one
    /// alive of a pair.
    notification: Option<i64>,
    at: i64,
    until: i64,
}

impl Event {
    fn read(row: &Row<'_>) -> rusqlite::Result<(i64, Self)> {
        let event = Self {
            lane: row.get(1)?,
            key: key(row.get(2)?, row.get(3)?),
            source: row.get(4)?,
            notification: row.get(5)?,
            at: row.get(6)?,
            until: row.get(7)?,
        };
        Ok((row.get(0)?, event))
    }
}

/// What is known of all lanes.
#[derive(Debug, Default)]
pub(super) struct Heard {
    lanes: HashMap<i64, Known>,
    /// One entry for each event, the oldest first: its lane and until when it counts.
    order: VecDeque<(i64, i64)>,
}

/// What is known of one lane; the newest stands last.
#[derive(Debug, Default)]
struct Known {
    accepted: Vec<Accepted>,
    said: Vec<Said>,
    /// How many entries of [`Heard::order`] are of this lane.
    events: u32,
}

/// What was accepted last under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Accepted {
    key: Key,
    notification: i64,
    at: i64,
    times: i64,
}

/// How many times a source came to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Said {
    source: i64,
    key: Key,
    times: i64,
    until: i64,
}

/// Of what a notification that comes `now` to `lane` is a copy: when a source comes to say something for the nth
/// time, with something else in between, that is one as long as it was accepted n times.
pub(super) fn copy_of(
    tx: &Tx<'_>,
    lane: i64,
    dedupe: &Dedupe,
    now: Timestamp,
) -> Done<Option<NotificationId>> {
    tx.heard(now, |heard| heard.copy_of(&event(lane, dedupe, None, now)).map(NotificationId))
}

/// Remembers what came: accepted as `notification`, or a copy.
pub(super) fn remember(
    tx: &Tx<'_>,
    lane: i64,
    dedupe: &Dedupe,
    notification: Option<NotificationId>,
    now: Timestamp,
) -> Done<()> {
    let event = event(lane, dedupe, notification, now);
    let (key_1, key_2) = halves(event.key);
    tx.run(PUT, (lane, key_1, key_2, event.source, event.notification, event.at, event.until))?;
    let row = tx.inserted();
    if row % TRIMMED == 0 {
        tx.run(TRIM, [row - i64::from(REMEMBERED)])?;
    }
    tx.heard(now, |heard| heard.hear(&event))
}

fn event(lane: i64, dedupe: &Dedupe, notification: Option<NotificationId>, now: Timestamp) -> Event {
    Event {
        lane,
        key: dedupe.key,
        source: rows::short(Key::of([dedupe.source.as_bytes()])),
        notification: notification.map(|NotificationId(id)| id),
        at: ms(now),
        until: ms(now).saturating_add(span_ms(dedupe.window)),
    }
}

/// Reads what still counts.
pub(super) fn load(tx: &Tx<'_>, now: Timestamp) -> Done<Heard> {
    let mut events = Vec::new();
    let mut before = i64::MAX;
    while events.len() < REMEMBERED as usize {
        let page = tx.all(LAST, (before, PAGE), Event::read)?;
        let counts = page.iter().any(|(_, event)| event.until > ms(now));
        before = page.last().map_or(before, |(id, _)| *id);
        let is_last = page.len() < PAGE as usize;
        events.extend(page.into_iter().map(|(_, event)| event));
        if is_last || !counts {
            break;
        }
    }
    let mut heard = Heard::default();
    events.iter().rev().for_each(|event| heard.hear(event));
    Ok(heard)
}

/// Forgets up to `limit` rows that no longer counted at `before`.
pub(super) fn forget(tx: &Tx<'_>, before: Timestamp, limit: u32) -> Done<()> {
    tx.run(FORGET, (ms(before), limit))?;
    tx.heard_so_far(|heard| heard.forget(ms(before)));
    Ok(())
}

impl Heard {
    fn copy_of(&self, event: &Event) -> Option<i64> {
        let known = self.lanes.get(&event.lane)?;
        let accepted = known.accepted.iter().find(|accepted| accepted.key == event.key)?;
        let is_copy = within(accepted, event) && known.times(event) <= accepted.times;
        is_copy.then_some(accepted.notification)
    }

    fn hear(&mut self, event: &Event) {
        self.forget(event.at);
        while self.order.len() >= REMEMBERED as usize {
            self.forget_first();
        }
        self.order.push_back((event.lane, event.until));
        let known = self.lanes.entry(event.lane).or_default();
        known.events += 1;
        known.hear(event);
    }

    /// Forgets the oldest events, as far as they do not count at `now`.
    fn forget(&mut self, now: i64) {
        while self.order.front().is_some_and(|(_, until)| *until <= now) {
            self.forget_first();
        }
    }

    /// Forgets a lane with the last of its events.
    fn forget_first(&mut self) {
        let Some((lane, _)) = self.order.pop_front() else { return };
        let Some(known) = self.lanes.get_mut(&lane) else { return };
        known.events -= 1;
        if known.events == 0 {
            self.lanes.remove(&lane);
        }
    }
}

impl Known {
    /// How many times the source has come to this key when `event` comes.
    fn times(&self, event: &Event) -> i64 {
        let of_source = || self.said.iter().filter(|said| said.source == event.source);
        let last = of_source().next_back().map(|said| said.key);
        let before = of_source().find(|said| said.key == event.key && said.until > event.at);
        match before.map(|said| said.times) {
            Some(times) if last == Some(event.key) => times,
            Some(times) => times + 1,
            None => 1,
        }
    }

    fn hear(&mut self, event: &Event) {
        let Event { key, source, until, at, .. } = *event;
        let times = self.times(event);
        self.said.retain(|said| said.until > at && !(said.source == source && said.key == key));
        if let Some(Said { key: unsaid, .. }) = push(&mut self.said, Said { source, key, times, until }) {
            // How often that source came to it is no longer known: better a double too many than one that is lost.
            self.accepted.retain(|accepted| accepted.key != unsaid);
        }
        if let Some(notification) = event.notification {
            self.accepted.retain(|accepted| accepted.key != key && within(accepted, event));
            push(&mut self.accepted, Accepted { key, notification, at, times });
        }
    }
}

/// The clock may have been set back: the distance counts, in whichever direction.
fn within(accepted: &Accepted, event: &Event) -> bool {
    event.at.abs_diff(accepted.at) < event.until.abs_diff(event.at)
}

/// Appends `entry`, and returns the one that had to go for it.
fn push<T>(entries: &mut Vec<T>, entry: T) -> Option<T> {
    let oldest = (entries.len() >= OF_A_LANE).then(|| entries.remove(0));
    // Most lanes have one entry, and there are many lanes.
    if entries.is_empty() {
        entries.reserve_exact(1);
    }
    entries.push(entry);
    oldest
}

fn halves(Key(bytes): Key) -> (i64, i64) {
    let (halves, _) = bytes.as_chunks::<8>();
    let half = |at: usize| halves.get(at).copied().map_or(0, i64::from_le_bytes);
    (half(0), half(1))
}

fn key(a: i64, b: i64) -> Key {
    let mut key = [0; 16];
    key.iter_mut().zip(a.to_le_bytes().into_iter().chain(b.to_le_bytes())).for_each(|(to, from)| *to = from);
    Key(key)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn says(lane: i64, source: &str, what: u32, as_number: Option<i64>, second: i64) -> Event {
        let key = Key::of([what.to_le_bytes().as_slice()]);
        let dedupe = Dedupe { key, source: source.to_owned(), window: Duration::from_secs(120) };
        event(lane, &dedupe, as_number.map(NotificationId), at(second))
    }

    /// Hears what is no copy and accepts it.
    fn accept(heard: &mut Heard, lane: i64, what: u32, second: i64) {
        let event = says(lane, "one", what, Some(what.into()), second);
        assert_eq!(heard.copy_of(&event), None);
        heard.hear(&event);
    }

    fn is_copy(heard: &Heard, lane: i64, what: u32, second: i64) -> bool {
        heard.copy_of(&says(lane, "two", what, None, second)) == Some(what.into())
    }

    #[test]
    fn a_lane_that_never_rests_does_not_grow_without_bound() {
        let mut heard = Heard::default();
        let many = u32::try_from(OF_A_LANE).unwrap() + 9;
        (0..many).for_each(|what| accept(&mut heard, 1, what, 0));
        let known = &heard.lanes[&1];
        assert_eq!((known.accepted.len(), known.said.len()), (OF_A_LANE, OF_A_LANE));
        assert!(is_copy(&heard, 1, many - 1, 1));
        assert!(!is_copy(&heard, 1, 0, 1));
    }

    #[test]
    fn what_comes_back_after_many_others_is_no_copy() {
        for others in [1, 63, 64, 127, 128] {
            let mut heard = Heard::default();
            for what in 0..=others {
                accept(&mut heard, 1, what, 0);
                let second = says(1, "two", what, None, 0);
                assert_eq!(heard.copy_of(&second), Some(what.into()));
                heard.hear(&second);
            }
            assert_eq!(heard.copy_of(&says(1, "one", 0, None, 1)), None, "after {others} others");
        }
    }

    #[test]
    fn the_oldest_lanes_go_when_there_are_too_many() {
        let mut heard = Heard::default();
        let many = i64::from(REMEMBERED) + 9;
        (0..many).for_each(|lane| accept(&mut heard, lane, 7, 0));
        assert_eq!((heard.lanes.len(), heard.order.len()), (16_384, 16_384));
        assert!(!is_copy(&heard, 8, 7, 1));
        assert!(is_copy(&heard, 9, 7, 1));
    }

    #[test]
    fn what_is_out_of_the_window_goes_with_the_next_one() {
        let mut heard = Heard::default();
        accept(&mut heard, 1, 1, 0);
        accept(&mut heard, 1, 2, 60);
        accept(&mut heard, 2, 9, 60);
        accept(&mut heard, 1, 3, 130);
        let known = &heard.lanes[&1];
        assert_eq!((known.accepted.len(), known.said.len(), known.events), (2, 2, 2));
        assert!(is_copy(&heard, 1, 2, 131));
        accept(&mut heard, 1, 4, 200);
        assert_eq!(heard.lanes.len(), 1);
    }

    #[test]
    fn a_key_is_made_of_its_halves() {
        let key = says(1, "one", 7, None, 0).key;
        let (a, b) = halves(key);
        assert_eq!(self::key(a, b), key);
    }
}
