//! What was heard of a lane within the dedupe window: what was accepted, and what each source said.
//!
//! One row a lane, and not one a notification: keys are random, and each index of them costs a page of the disk for
//! every alert. What a row remembers is bounded ([`REMEMBERED`]); it outlives the notifications if it must.

use jiff::Timestamp;

use super::{
    error::{Done, Failure},
    rows::{self, ms, span_ms},
    tx::Tx,
};
use crate::outbox::{Dedupe, Key, NotificationId};

pub(super) const LOAD: &str = "SELECT accepted, said, until FROM heard WHERE lane = ?1";
pub(super) const PUT: &str = "REPLACE INTO heard (lane, until, accepted, said) VALUES (?1, ?2, ?3, ?4)";
pub(super) const FORGET: &str =
    "DELETE FROM heard WHERE lane IN (SELECT lane FROM heard INDEXED BY heard_until
     WHERE until < ?1 ORDER BY until LIMIT ?2)";

/// The most notifications of one lane, and the most words of sources, that are remembered. Alertmanager sends a few
/// of a group in a window.
const REMEMBERED: usize = 128;
/// The numbers that an entry takes in a row.
const WIDTH: usize = 5;

/// What is known of one lane; the newest stands last.
#[derive(Debug, Default)]
pub(super) struct Heard {
    accepted: Vec<Accepted>,
    said: Vec<Said>,
    until: i64,
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

impl Heard {
    pub(super) fn load(tx: &Tx<'_>, lane: i64) -> Done<Self> {
        let read = |row: &rusqlite::Row<'_>| {
            let bytes = |column| Ok::<_, rusqlite::Error>(entries(row.get_ref(column)?.as_blob()?));
            Ok((bytes(0)?, bytes(1)?, row.get::<_, i64>(2)?))
        };
        let Some((accepted, said, until)) = tx.first(LOAD, [lane], read)? else { return Ok(Self::default()) };
        let accepted = accepted?.into_iter().map(|[a, b, notification, at, times]| Accepted {
            key: key(a, b),
            notification,
            at,
            times,
        });
        let said = said?.into_iter().map(|[source, a, b, times, until]| Said {
            source,
            key: key(a, b),
            times,
            until,
        });
        Ok(Self { accepted: accepted.collect(), said: said.collect(), until })
    }

    /// Hears a source: how many times it came to this key, with something else in between.
    ///
    /// A copy is remembered too: its source may be the last one alive of a pair.
    pub(super) fn say(&mut self, dedupe: &Dedupe, now: Timestamp) -> i64 {
        let source = rows::short(Key::of([dedupe.source.as_bytes()]));
        let last = self.said.iter().rev().find(|said| said.source == source).map(|said| said.key);
        self.said.retain(|said| said.until > ms(now));
        let is_it = |said: &Said| said.source == source && said.key == dedupe.key;
        let before = self.said.iter().find(|said| is_it(said)).map(|said| said.times);
        let times = match before {
            Some(times) if last == Some(dedupe.key) => times,
            Some(times) => times + 1,
            None => 1,
        };
        let until = ms(now).saturating_add(span_ms(dedupe.window));
        self.said.retain(|said| !is_it(said));
        self.said.push(Said { source, key: dedupe.key, times, until });
        last_only(&mut self.said);
        self.until = self.until.max(until);
        times
    }

    /// Of what this is a copy: when a source comes to say something for the nth time, with something else in
    /// between, that is one as long as it was accepted n times.
    pub(super) fn copy_of(&self, dedupe: &Dedupe, times: i64, now: Timestamp) -> Option<NotificationId> {
        let accepted = self.accepted.iter().find(|accepted| accepted.key == dedupe.key)?;
        let is_copy = within(accepted, dedupe, now) && times <= accepted.times;
        is_copy.then_some(NotificationId(accepted.notification))
    }

    pub(super) fn accept(&mut self, dedupe: &Dedupe, of: NotificationId, times: i64, now: Timestamp) {
        self.accepted.retain(|accepted| accepted.key != dedupe.key && within(accepted, dedupe, now));
        self.accepted.push(Accepted { key: dedupe.key, notification: of.0, at: ms(now), times });
        last_only(&mut self.accepted);
    }

    pub(super) fn put(&self, tx: &Tx<'_>, lane: i64) -> Done<()> {
        let accepted = bytes(&self.accepted, |one| {
            let (a, b) = halves(one.key);
            [a, b, one.notification, one.at, one.times]
        });
        let said = bytes(&self.said, |one| {
            let (a, b) = halves(one.key);
            [one.source, a, b, one.times, one.until]
        });
        tx.run(PUT, (lane, self.until, accepted, said))?;
        Ok(())
    }
}

/// The clock may have been set back: the distance counts, in whichever direction.
fn within(accepted: &Accepted, dedupe: &Dedupe, now: Timestamp) -> bool {
    ms(now).abs_diff(accepted.at) < span_ms(dedupe.window).unsigned_abs()
}

/// Forgets up to `limit` lanes of which nothing counts any more since `before`.
pub(super) fn forget(tx: &Tx<'_>, before: Timestamp, limit: u32) -> Done<()> {
    // There is a lane for each notification at most.
    tx.run(FORGET, (ms(before), limit.saturating_mul(2)))?;
    Ok(())
}

fn last_only<T>(entries: &mut Vec<T>) {
    let over = entries.len().saturating_sub(REMEMBERED);
    entries.drain(..over);
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

fn bytes<T>(entries: &[T], numbers: impl Fn(&T) -> [i64; WIDTH]) -> Vec<u8> {
    entries.iter().flat_map(numbers).flat_map(i64::to_le_bytes).collect()
}

fn entries(bytes: &[u8]) -> Done<Vec<[i64; WIDTH]>> {
    let (entries, rest) = bytes.as_chunks::<{ 8 * WIDTH }>();
    if !rest.is_empty() {
        return Err(Failure::unreadable("what was heard", format!("{} bytes", bytes.len())));
    }
    let entry = |bytes: &[u8; 8 * WIDTH]| {
        let mut entry = [0; WIDTH];
        let (numbers, _) = bytes.as_chunks::<8>();
        entry.iter_mut().zip(numbers).for_each(|(to, from)| *to = i64::from_le_bytes(*from));
        entry
    };
    Ok(entries.iter().map(entry).collect())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn says(what: u32) -> Dedupe {
        let key = Key::of([what.to_le_bytes().as_slice()]);
        Dedupe { key, source: "one".to_owned(), window: Duration::from_secs(120) }
    }

    /// Hears what is no copy and accepts it.
    fn accept(heard: &mut Heard, what: u32, second: i64) {
        let times = heard.say(&says(what), at(second));
        assert_eq!(heard.copy_of(&says(what), times, at(second)), None);
        heard.accept(&says(what), NotificationId(i64::from(what)), times, at(second));
    }

    fn is_copy(heard: &mut Heard, what: u32, second: i64) -> bool {
        let other = Dedupe { source: "two".to_owned(), ..says(what) };
        let times = heard.say(&other, at(second));
        heard.copy_of(&other, times, at(second)) == Some(NotificationId(i64::from(what)))
    }

    #[test]
    fn a_lane_that_never_rests_does_not_grow_without_bound() {
        let mut heard = Heard::default();
        let many = u32::try_from(REMEMBERED).unwrap() + 9;
        (0..many).for_each(|what| accept(&mut heard, what, 0));
        assert_eq!((heard.accepted.len(), heard.said.len()), (REMEMBERED, REMEMBERED));
        assert!(is_copy(&mut heard, many - 1, 1));
        assert!(!is_copy(&mut heard, 0, 1));
    }

    #[test]
    fn what_is_out_of_the_window_goes_with_the_next_one() {
        let mut heard = Heard::default();
        accept(&mut heard, 1, 0);
        accept(&mut heard, 2, 60);
        accept(&mut heard, 3, 130);
        assert_eq!((heard.accepted.len(), heard.said.len()), (2, 2));
        assert!(is_copy(&mut heard, 2, 131));
    }

    #[test]
    fn what_is_written_is_read_back_and_nothing_else() {
        let key = says(7).key;
        let (a, b) = halves(key);
        assert_eq!(self::key(a, b), key);
        let rows = [[1, -2, i64::MAX, i64::MIN, 0], [5, 6, 7, 8, 9]];
        assert_eq!(entries(&bytes(&rows, |row| *row)).unwrap(), rows);
        assert!(entries(&[0; 41]).is_err());
    }
}
