//! What was claimed of a sender within WeCom's duplicate check, by body: what is said again meanwhile must not be
//! taken for a copy.
//!
//! It is kept in memory and read again from what was attempted and what is in flight. An index of bodies was rejected:
//! they are random numbers, and every claim would write a page of the disk for itself.

use std::collections::{HashMap, VecDeque};

use super::{error::Done, tx::Tx};

pub(super) const ATTEMPTED: &str = "SELECT d.body_hash, d.claimed_at
     FROM attempt a INDEXED BY attempt_counted CROSS JOIN delivery d ON d.id = a.delivery
     WHERE a.counted = 1 AND a.sender = ?1 AND a.ended_at > ?2 ORDER BY a.ended_at DESC LIMIT ?3";
pub(super) const IN_FLIGHT: &str = "SELECT body_hash, claimed_at FROM delivery INDEXED BY delivery_in_flight
     WHERE state = 2 AND sender = ?1";

/// The most claims that are remembered of a sender: more than WeCom takes in the time that counts.
const REMEMBERED: u32 = 32_768;

/// What was claimed, and when last.
#[derive(Debug, Default)]
pub(super) struct Bodies {
    claimed: HashMap<i64, i64>,
    /// Each claim, in the order of the calls.
    order: VecDeque<(i64, i64)>,
    /// When the last claim was that had to be forgotten: who asks further back gets no certain answer.
    forgotten: Option<i64>,
}

/// Reads what was claimed of `sender` after `since`.
pub(super) fn load(tx: &Tx<'_>, sender: &str, since: i64) -> Done<Bodies> {
    let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, Option<i64>>(1)?));
    // With one more than is remembered, it is known that something is forgotten.
    let mut claims = tx.all(ATTEMPTED, (sender, since, REMEMBERED + 1), read)?;
    claims.extend(tx.all(IN_FLIGHT, [sender], read)?);
    let mut claims: Vec<_> = claims.into_iter().filter_map(|(body, at)| Some((at?, body?))).collect();
    claims.sort_unstable();
    let mut bodies = Bodies::default();
    claims.into_iter().for_each(|(at, body)| bodies.claim(body, at, since));
    Ok(bodies)
}

impl Bodies {
    /// Whether `body` was, or may have been, claimed after `since`.
    pub(super) fn was_claimed(&self, body: i64, since: i64) -> bool {
        let last = self.claimed.get(&body).copied();
        last.max(self.forgotten).is_some_and(|at| at > since)
    }

    /// Remembers a claim `at` this moment; nobody will ask for what was claimed at `since` or before.
    pub(super) fn claim(&mut self, body: i64, at: i64, since: i64) {
        while let Some((first, old)) = self.order.front().copied()
            && (first <= since || self.order.len() >= REMEMBERED as usize)
        {
            self.order.pop_front();
            if self.claimed.get(&old) == Some(&first) {
                self.claimed.remove(&old);
                self.forgotten = self.forgotten.max((first > since).then_some(first));
            }
        }
        self.order.push_back((at, body));
        self.claimed.insert(body, at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_known_as_long_as_it_counts() {
        let mut bodies = Bodies::default();
        bodies.claim(1, 100, 0);
        assert!(bodies.was_claimed(1, 99));
        assert!(!bodies.was_claimed(1, 100));
        assert!(!bodies.was_claimed(2, 0));
        bodies.claim(1, 200, 50);
        bodies.claim(2, 250, 100);
        assert!(bodies.was_claimed(1, 150));
        assert_eq!((bodies.claimed.len(), bodies.order.len()), (2, 2));
    }

    #[test]
    fn what_had_to_be_forgotten_counts_as_claimed() {
        let mut bodies = Bodies::default();
        let many = i64::from(REMEMBERED);
        (0..=many).for_each(|body| bodies.claim(body, 1_000 + body, 0));
        assert_eq!((bodies.claimed.len(), bodies.order.len()), (32_768, 32_768));
        assert!(bodies.was_claimed(0, 999));
        assert!(bodies.was_claimed(-7, 999));
        assert!(!bodies.was_claimed(-7, 1_000));
    }
}
