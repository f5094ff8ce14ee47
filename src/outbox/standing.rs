//! Claims that nobody asks for one by one: a dispatcher lends the engine slots, and what becomes due while there are
//! any is claimed in the very commit that makes it due. A message that meets an idle channel is on disk, and claimed,
//! after one wait for the disk.
//!
//! A claim that the engine parks until something is due was rejected: a caller that goes away just then would leave
//! it in flight with nobody who sends it. Here every slot comes back, with what was claimed for it or without.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::sync::mpsc;

use jiff::Timestamp;

use super::{Channel, Claimed};
use crate::clock::Clock;

/// The two ends of a standing claim of what `channel` sends, with [`super::Outbox::claim`]'s `duplicate_check`. The
/// moment of each claim is told by `clock`.
pub fn standing(channel: Channel, duplicate_check: Duration, clock: Arc<dyn Clock>) -> (Standing, Lent) {
    let slots = Arc::new(AtomicU32::new(0));
    let (used, back) = mpsc::unbounded_channel();
    let lent = Lent { channel, duplicate_check, clock, slots: Arc::clone(&slots), used };
    (Standing { slots, back, lent: 0 }, lent)
}

/// The dispatcher's end. What was lent when it is dropped may be in flight then, as after the end of a process.
#[derive(Debug)]
pub struct Standing {
    slots: Arc<AtomicU32>,
    back: mpsc::UnboundedReceiver<Used>,
    lent: u32,
}

/// The engine's end.
pub struct Lent {
    /// Of which channel.
    pub channel: Channel,
    /// What a first claim gets as its interval.
    pub duplicate_check: Duration,
    clock: Arc<dyn Clock>,
    slots: Arc<AtomicU32>,
    used: mpsc::UnboundedSender<Used>,
}

/// Slots that come back.
#[derive(Debug)]
struct Used {
    slots: u32,
    claimed: Vec<Claimed>,
}

impl Standing {
    /// How many slots are out: still to be used, or on their way back.
    pub fn lent(&self) -> u32 {
        self.lent
    }

    /// Lends so many more slots, unless nobody uses them any more.
    pub fn lend(&mut self, slots: u32) {
        if self.back.is_closed() {
            return;
        }
        self.lent = self.lent.saturating_add(slots);
        self.slots.fetch_add(slots, Ordering::AcqRel);
    }

    /// Takes back what is not used. What is then still [lent](Self::lent) is on its way.
    pub fn withdraw(&mut self) {
        self.lent = self.lent.saturating_sub(self.slots.swap(0, Ordering::AcqRel));
    }

    /// What [`Self::claimed`] has at this moment.
    pub fn claimed_so_far(&mut self) -> Option<Vec<Claimed>> {
        let used = self.back.try_recv().ok()?;
        Some(self.came(used))
    }

    /// The next deliveries that are in flight for this caller; `None` when the engine has ended. May be dropped at
    /// any moment without a loss.
    pub async fn claimed(&mut self) -> Option<Vec<Claimed>> {
        let Some(used) = self.back.recv().await else {
            self.lent = 0;
            return None;
        };
        Some(self.came(used))
    }

    fn came(&mut self, Used { slots, claimed }: Used) -> Vec<Claimed> {
        self.lent = self.lent.saturating_sub(slots);
        claimed
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        self.slots.store(0, Ordering::Release);
    }
}

impl Lent {
    /// The present moment. That of the call which makes something due may be long past when its turn comes.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Takes a slot, if there is one. It must be [given back](Self::give_back).
    pub fn take(&self) -> bool {
        self.slots.fetch_update(Ordering::AcqRel, Ordering::Acquire, |slots| slots.checked_sub(1)).is_ok()
    }

    /// Gives back so many slots, with what is in flight on disk because of them.
    pub fn give_back(&self, slots: u32, claimed: Vec<Claimed>) {
        // A dispatcher that is gone wants nothing back; what is in flight is in doubt for the next one.
        let _unheard = self.used.send(Used { slots, claimed });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    fn standing() -> (Standing, Lent) {
        super::standing(Channel("ops".to_owned()), Duration::ZERO, Arc::new(SystemClock))
    }

    #[tokio::test]
    async fn no_more_slots_are_used_than_were_lent_and_each_comes_back_once() {
        let (mut standing, lent) = standing();
        assert!(!lent.take());
        standing.lend(2);
        assert_eq!([lent.take(), lent.take(), lent.take()], [true, true, false]);
        standing.lend(3);
        standing.withdraw();
        assert_eq!(standing.lent(), 2);
        assert!(!lent.take());
        lent.give_back(2, Vec::new());
        assert_eq!(standing.claimed().await, Some(Vec::new()));
        assert_eq!(standing.lent(), 0);
    }

    #[tokio::test]
    async fn nothing_is_out_when_one_end_is_gone() {
        let (mut standing, lent) = self::standing();
        standing.lend(2);
        drop(lent);
        assert_eq!((standing.claimed().await, standing.lent()), (None, 0));
        standing.lend(2);
        assert_eq!(standing.lent(), 0);
        let (mut standing, lent) = self::standing();
        standing.lend(2);
        drop(standing);
        assert!(!lent.take());
    }
}
