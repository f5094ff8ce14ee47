//! Claims that nobody asks for one by one: a dispatcher lends the engine slots, and what becomes due while there are
//! any is claimed in the very commit that makes it due. A message that meets an idle sender is on disk, and claimed,
//! after one wait for the disk.
//!
//! What finds no slot waits, and the engine remembers that something does: it is claimed with the next commit that
//! finds slots, such as that of the settling of the send that a slot was lent for.
//!
//! A claim that the engine parks until something is due was rejected: a caller that goes away just then would leave
//! it in flight with nobody who sends it. Here every slot comes back, with what was claimed for it or without.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::{Claimed, SenderName};
use crate::clock::Clock;

/// The two ends of a standing claim of what `sender` sends, with [`super::Outbox::claim`]'s `duplicate_check`. The
/// moment of each claim is told by `clock`.
pub fn standing(sender: SenderName, duplicate_check: Duration, clock: Arc<dyn Clock>) -> (Standing, Lent) {
    let shared = Arc::new(Shared { slots: AtomicU32::new(0), more: AtomicBool::new(true) });
    let (used, back) = mpsc::unbounded_channel();
    let lent = Lent { sender, duplicate_check, clock, shared: Arc::clone(&shared), used };
    (Standing { shared, back, lent: 0 }, lent)
}

/// Both are written before the other is read, in one order for both ends: slots that are lent just when something
/// finds none are seen by the engine, or what waits is seen by the lender.
#[derive(Debug)]
struct Shared {
    slots: AtomicU32,
    /// Whether something may be due that no slot was lent for.
    more: AtomicBool,
}

/// The dispatcher's end. What was lent when it is dropped may be in flight then, as after the end of a process.
#[derive(Debug)]
pub struct Standing {
    shared: Arc<Shared>,
    back: mpsc::UnboundedReceiver<Used>,
    lent: u32,
}

/// The engine's end.
pub struct Lent {
    /// Of which sender.
    pub sender: SenderName,
    /// What a first claim gets as its interval.
    pub duplicate_check: Duration,
    clock: Arc<dyn Clock>,
    shared: Arc<Shared>,
    used: mpsc::UnboundedSender<Used>,
}

/// Slots that come back, some perhaps unused.
#[derive(Debug, PartialEq, Eq)]
pub struct Used {
    /// How many.
    pub slots: u32,
    /// What is in flight on disk because of them; `None` when that came to nothing.
    pub claimed: Option<Vec<Claimed>>,
    /// When what waits is due, as far as it was looked at.
    pub next_due: Option<Timestamp>,
}

impl Standing {
    /// How many slots are out: still to be used, or on their way back.
    pub fn lent(&self) -> u32 {
        self.lent
    }

    /// Whether slots that are lent are used.
    pub fn is_served(&self) -> bool {
        !self.back.is_closed()
    }

    /// Lends so many more slots, unless nobody uses them any more.
    pub fn lend(&mut self, slots: u32) {
        if self.is_served() {
            self.lent = self.lent.saturating_add(slots);
            self.shared.slots.fetch_add(slots, Ordering::SeqCst);
        }
    }

    /// Takes back what is not used. What is then still [lent](Self::lent) is on its way.
    pub fn withdraw(&mut self) {
        self.lent = self.lent.saturating_sub(self.shared.slots.swap(0, Ordering::SeqCst));
    }

    /// Whether something may wait for slots that nobody has taken yet. It is claimed with the next commit: who gives
    /// the engine nothing to write must ask for it.
    pub fn is_wanted(&self) -> bool {
        self.shared.slots.load(Ordering::SeqCst) > 0 && self.shared.more.load(Ordering::SeqCst)
    }

    /// Has the next commit that finds slots look for what is due.
    pub fn expect_more(&self) {
        self.shared.more.store(true, Ordering::SeqCst);
    }

    /// What [`Self::used`] has at this moment.
    pub fn used_so_far(&mut self) -> Option<Used> {
        let used = self.back.try_recv().ok()?;
        Some(self.came(used))
    }

    /// The next deliveries that are in flight for this caller; `None` when the engine has ended. May be dropped at
    /// any moment without a loss.
    pub async fn used(&mut self) -> Option<Used> {
        let Some(used) = self.back.recv().await else {
            self.lent = 0;
            return None;
        };
        Some(self.came(used))
    }

    fn came(&mut self, used: Used) -> Used {
        self.lent = self.lent.saturating_sub(used.slots);
        used
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        self.shared.slots.store(0, Ordering::SeqCst);
    }
}

impl Lent {
    /// The present moment. That of the call which makes something due may be long past when its turn comes.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Takes a slot for what became due, if there is one and nothing else waits for it. It must be [given
    /// back](Self::give_back).
    pub fn take(&self) -> bool {
        let take = || {
            self.shared.slots.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |slots| slots.checked_sub(1))
        };
        !self.has_more() && take().is_ok()
    }

    /// Takes all slots, if there are any, for what waits, if anything does. They must be [given
    /// back](Self::give_back), and what still waits then be [said](Self::more).
    pub fn take_all(&self) -> Option<u32> {
        if !self.has_more() {
            return None;
        }
        let slots = self.shared.slots.swap(0, Ordering::SeqCst);
        if slots > 0 {
            self.shared.more.store(false, Ordering::SeqCst);
        }
        (slots > 0).then_some(slots)
    }

    /// Says that something is due that no slot was there for.
    pub fn more(&self) {
        self.shared.more.store(true, Ordering::SeqCst);
    }

    /// Whether something may be due that no slot was there for.
    pub fn has_more(&self) -> bool {
        self.shared.more.load(Ordering::SeqCst)
    }

    /// Gives back what was taken.
    pub fn give_back(&self, used: Used) {
        // A dispatcher that is gone wants nothing back; what is in flight is in doubt for the next one.
        let _unheard = self.used.send(used);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    fn standing() -> (Standing, Lent) {
        super::standing(SenderName("ops".to_owned()), Duration::ZERO, Arc::new(SystemClock))
    }

    fn used(slots: u32) -> Used {
        Used { slots, claimed: Some(Vec::new()), next_due: None }
    }

    #[tokio::test]
    async fn no_more_slots_are_used_than_were_lent_and_each_comes_back_once() {
        let (mut standing, lent) = standing();
        assert_eq!(lent.take_all(), None);
        standing.lend(2);
        assert_eq!((lent.take_all(), lent.take_all()), (Some(2), None));
        lent.give_back(used(2));
        assert_eq!(standing.used().await, Some(used(2)));
        standing.lend(2);
        assert_eq!([lent.take(), lent.take(), lent.take()], [true, true, false]);
        standing.lend(3);
        standing.withdraw();
        assert_eq!(standing.lent(), 2);
        assert!(!lent.take());
        lent.give_back(used(2));
        assert_eq!(standing.used().await, Some(used(2)));
        assert_eq!(standing.lent(), 0);
    }

    #[tokio::test]
    async fn what_waits_goes_before_what_comes_and_is_told_to_who_lends() {
        let (mut standing, lent) = standing();
        assert!(!standing.is_wanted());
        standing.lend(1);
        assert!(standing.is_wanted() && !lent.take());
        assert_eq!(lent.take_all(), Some(1));
        standing.lend(1);
        assert!(!standing.is_wanted() && lent.take());
        lent.more();
        assert!(!standing.is_wanted());
        standing.lend(1);
        assert!(standing.is_wanted() && !lent.take());
        standing.withdraw();
        assert_eq!((lent.take_all(), standing.is_wanted(), lent.has_more()), (None, false, true));
    }

    #[tokio::test]
    async fn nothing_is_out_when_one_end_is_gone() {
        let (mut standing, lent) = self::standing();
        standing.lend(2);
        drop(lent);
        assert_eq!((standing.used().await, standing.lent()), (None, 0));
        standing.lend(2);
        assert_eq!((standing.lent(), standing.is_served()), (0, false));
        let (mut standing, lent) = self::standing();
        standing.lend(2);
        drop(standing);
        assert_eq!(lent.take_all(), None);
    }
}
