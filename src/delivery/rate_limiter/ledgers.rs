//! The messages that count for each recipient.
//!
//! Labels of alerts may name any number of recipients. So forgetting a message costs as much as it has recipients, a
//! recipient without counted messages takes no memory, and the number of recipients is bounded.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use crate::{delivery::Monotonic, outbox::DeliveryId, wecom::Addressee};

/// The maximum number of recipients with counted messages. Beyond it the oldest messages are not counted any more.
const MAX_RECIPIENTS: usize = 200_000;
/// A smaller table is not worth shrinking.
const SMALL: usize = 1024;

/// The ledgers of all recipients of one sender.
#[derive(Debug, Default)]
pub(super) struct Ledgers {
    hasher: RandomState,
    ledgers: HashMap<RecipientHash, Ledger>,
    /// The counted messages, oldest first.
    counted: VecDeque<Counted>,
}

/// The hash of a recipient takes less memory than its name. Recipients with the same hash share a ledger, so fewer
/// messages may go out, and never more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct RecipientHash(u64);

#[derive(Debug)]
struct Counted {
    at: Monotonic,
    hashes: Box<[RecipientHash]>,
}

/// The messages that count for one recipient.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// True if a message to `@all` reaches the recipient.
    is_of_members: bool,
    pub(super) in_flight: u32,
    pub(super) reserved: u32,
    ended: Vec<Ended>,
    /// The last start or end of a message.
    pub(super) last: Option<Monotonic>,
}

/// The end of a counted message.
#[derive(Debug, Clone, Copy)]
struct Ended {
    at: Monotonic,
    delivery: DeliveryId,
}

impl Ledgers {
    pub(super) fn get(&self, addressee: &Addressee) -> Option<&Ledger> {
        self.ledgers.get(&self.hash(addressee))
    }

    /// The ledgers of all users, departments and tags.
    pub(super) fn members(&self) -> impl Iterator<Item = &Ledger> {
        self.ledgers.values().filter(|ledger| ledger.is_of_members)
    }

    /// Changes the ledger of `addressee`, and forgets it if nothing counts any more.
    pub(super) fn update<T>(&mut self, addressee: &Addressee, change: impl FnOnce(&mut Ledger) -> T) -> T {
        let hash = self.hash(addressee);
        let ledger = self.ledgers.entry(hash).or_insert_with(|| Ledger::of(addressee));
        let result = change(ledger);
        if ledger.is_idle() {
            self.ledgers.remove(&hash);
        }
        result
    }

    /// Counts a message that ended at `at`.
    pub(super) fn count(&mut self, delivery: DeliveryId, addressees: &[Addressee], at: Monotonic) {
        let hashes: Box<[RecipientHash]> = addressees.iter().map(|addressee| self.hash(addressee)).collect();
        for (addressee, hash) in addressees.iter().zip(&hashes) {
            let ledger = self.ledgers.entry(*hash).or_insert_with(|| Ledger::of(addressee));
            ledger.insert(Ended { at, delivery });
        }
        self.counted.push_back(Counted { at, hashes });
    }

    /// Forgets the messages that ended before the last `reach`, and the oldest ones if there are too many recipients.
    pub(super) fn forget(&mut self, reach: Duration, now: Monotonic) {
        while let Some(oldest) = self.counted.front()
            && (now.since(oldest.at) >= reach || self.ledgers.len() > MAX_RECIPIENTS)
        {
            let at = oldest.at;
            for hash in self.counted.pop_front().into_iter().flat_map(|oldest| oldest.hashes) {
                if let Some(ledger) = self.ledgers.get_mut(&hash) {
                    ledger.forget_until(at);
                    if ledger.is_idle() {
                        self.ledgers.remove(&hash);
                    }
                }
            }
        }
        let needed = self.ledgers.len().max(SMALL);
        if self.ledgers.capacity() / 4 > needed {
            self.ledgers.shrink_to(2 * needed);
            self.counted.shrink_to(2 * self.counted.len());
        }
    }

    fn hash(&self, addressee: &Addressee) -> RecipientHash {
        RecipientHash(self.hasher.hash_one(addressee))
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.ledgers.len()
    }
}

impl Ledger {
    fn of(addressee: &Addressee) -> Self {
        let is_of_members = matches!(addressee, Addressee::User(_) | Addressee::Party(_) | Addressee::Tag(_));
        Self { is_of_members, ..Self::default() }
    }

    /// The number of counted messages that ended within the last `window`.
    pub(super) fn within(&self, window: Duration, now: Monotonic) -> u32 {
        u32::try_from(self.ended.len() - self.first_within(window, now)).unwrap_or(u32::MAX)
    }

    /// The time at which the oldest message of the last `window` leaves it.
    pub(super) fn first_release(&self, window: Duration, now: Monotonic) -> Option<Monotonic> {
        self.ended.get(self.first_within(window, now)).map(|ended| ended.at + window)
    }

    /// True if a message of `delivery` ended within the last `window`.
    pub(super) fn has(&self, delivery: DeliveryId, window: Duration, now: Monotonic) -> bool {
        self.ended.iter().rev().any(|ended| ended.delivery == delivery && now.since(ended.at) < window)
    }

    /// Takes the last message of `delivery` out, and returns its end.
    pub(super) fn take(&mut self, delivery: DeliveryId) -> Option<Monotonic> {
        let at = self.ended.iter().rposition(|ended| ended.delivery == delivery)?;
        Some(self.ended.remove(at).at)
    }

    fn insert(&mut self, ended: Ended) {
        if self.ended.capacity() == 0 {
            // Most recipients get one message an hour.
            self.ended.reserve_exact(1);
        }
        let place = self.ended.partition_point(|earlier| earlier.at <= ended.at);
        self.ended.insert(place, ended);
        self.last = self.last.max(Some(ended.at));
    }

    fn forget_until(&mut self, at: Monotonic) {
        let old = self.ended.partition_point(|ended| ended.at <= at);
        self.ended.drain(..old);
    }

    fn first_within(&self, window: Duration, now: Monotonic) -> usize {
        self.ended.partition_point(|ended| now.since(ended.at) >= window)
    }

    fn is_idle(&self) -> bool {
        self.in_flight == 0 && self.reserved == 0 && self.ended.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn at(second: u64) -> Monotonic {
        Monotonic(Duration::from_secs(1_000_000 + second))
    }

    fn users(first: usize, count: usize) -> Vec<Addressee> {
        (first..first + count).map(|n| Addressee::User(format!("u{n}"))).collect()
    }

    #[test]
    fn a_message_is_forgotten_for_all_its_recipients() {
        let mut ledgers = Ledgers::default();
        ledgers.count(DeliveryId(1), &users(0, 2), at(0));
        ledgers.count(DeliveryId(2), &users(1, 2), at(10));
        ledgers.forget(HOUR, at(3600));
        assert_eq!(ledgers.len(), 2);
        assert!(ledgers.get(&Addressee::User("u0".to_owned())).is_none());
        let second = ledgers.get(&Addressee::User("u1".to_owned())).unwrap();
        assert_eq!(second.within(HOUR, at(3600)), 1);
    }

    #[test]
    fn the_number_of_recipients_is_bounded_and_memory_is_given_back() {
        let mut ledgers = Ledgers::default();
        for message in 0..MAX_RECIPIENTS / 500 {
            ledgers.count(DeliveryId(message as i64), &users(1000 * message, 1000), at(message as u64));
            ledgers.forget(HOUR, at(message as u64));
            assert!(ledgers.len() <= MAX_RECIPIENTS);
        }
        assert_eq!(ledgers.len(), MAX_RECIPIENTS);
        ledgers.forget(HOUR, at(9_999));
        assert_eq!((ledgers.len(), ledgers.counted.len()), (0, 0));
        assert!(ledgers.ledgers.capacity() < 8 * SMALL, "{}", ledgers.ledgers.capacity());
    }

    #[test]
    fn a_recipient_with_a_message_in_flight_is_kept() {
        let mut ledgers = Ledgers::default();
        ledgers.update(&Addressee::All, |ledger| ledger.in_flight += 1);
        ledgers.forget(HOUR, at(9_999));
        assert_eq!((ledgers.len(), ledgers.members().count()), (1, 0));
        ledgers.update(&Addressee::All, |ledger| ledger.in_flight -= 1);
        assert_eq!(ledgers.len(), 0);
    }
}
