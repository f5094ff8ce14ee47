//! The plan of one look: the deliveries to claim, to fold, and to leave waiting.
//!
//! | case of a destination | plan |
//! |---|---|
//! | a slot is reserved for the next part, or an earlier attempt left its slot | send it |
//! | no limit | send everything that is due |
//! | no free slot | wait for a slot |
//! | everything fits beside the reserve of the minute | send it |
//! | only the reserve is left | send one message at a time, evenly spaced |
//! | a delivery waits that is not folded: a later part, a resend, a requeued one | send it |
//! | one notification waits, and it fits | send it |
//! | several notifications can be folded | send a digest, in turns with those that are not folded |
//!
//! The reserve means that a storm never ends in a minute of silence. Destinations take turns. The deliveries of one
//! destination go out in the order in which they are due.

use std::collections::HashMap;

use jiff::Timestamp;

use super::{
    Monotonic, digest,
    rate_limiter::{Budget, Limits, RateLimiter},
};
use crate::{
    outbox::{Destination, Head, Pick, Waiting},
    wecom::{Addressee, Recipients},
};

/// The plan of one look, which is made destination by destination.
#[derive(Debug)]
pub struct Plan {
    now: Monotonic,
    /// The number of messages that may still be sent.
    capacity: u32,
    /// The slots that this plan takes. Destinations may have recipients in common.
    planned: HashMap<Addressee, u32>,
    rests: Vec<Rest>,
}

/// The state in which a plan leaves a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rest {
    pub destination: Destination,
    pub left: Left,
    /// The time at which the next delivery is due that is not due yet.
    pub next_due: Option<Timestamp>,
}

/// The due deliveries that a plan leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    Nothing,
    /// The next look decides about them.
    More,
    /// They wait for a free slot.
    Waits {
        /// The time at which there may be a slot, if it does not depend on messages in flight alone.
        until: Option<Monotonic>,
        /// True if the end of a message in flight may free a slot.
        is_blocked: bool,
    },
}

/// The number up to which due deliveries are counted for `capacity` messages. A plan never needs more than the limit of a
/// minute. Without limits it needs no more than `capacity`.
pub fn count_to(limits: Limits, capacity: u32) -> u32 {
    let max = match limits {
        Limits { per_minute: 0, per_hour: 0 } => capacity,
        Limits { per_minute: 0, .. } => digest::MAX_MEMBERS,
        Limits { per_minute, .. } => per_minute.max(capacity),
    };
    max.saturating_add(1).min(digest::MAX_MEMBERS)
}

impl Plan {
    /// An empty plan for `capacity` messages at once.
    pub fn new(capacity: u32, now: Monotonic) -> Self {
        Self { now, capacity, planned: HashMap::new(), rests: Vec::new() }
    }

    /// True if nothing more can be sent.
    pub fn is_full(&self) -> bool {
        self.capacity == 0
    }

    /// The destinations in the order in which they were added.
    pub fn rests(&self) -> &[Rest] {
        &self.rests
    }

    /// Plans for one more destination, and returns the picks.
    pub fn add(&mut self, waiting: &Waiting, limiter: &RateLimiter) -> Vec<Pick> {
        let Waiting { destination, next_due, .. } = *waiting;
        let mut one = OneDestination { plan: self, limiter, waiting, picks: Vec::new() };
        let left = one.choose();
        let picks = one.picks;
        self.rests.push(Rest { destination, left, next_due });
        picks
    }
}

/// The choice for one destination.
struct OneDestination<'a> {
    plan: &'a mut Plan,
    limiter: &'a RateLimiter,
    waiting: &'a Waiting,
    picks: Vec<Pick>,
}

impl OneDestination<'_> {
    fn choose(&mut self) -> Left {
        let mut open = Vec::with_capacity(self.waiting.heads.len());
        for head in &self.waiting.heads {
            if !self.plan.is_full() && self.has_own_slot(head) {
                self.send(head);
            } else {
                open.push(*head);
            }
        }
        if open.is_empty() || self.plan.is_full() {
            return if open.is_empty() { Left::Nothing } else { Left::More };
        }
        match self.budget() {
            Budget::Unlimited => self.send_in_order(&open, u32::MAX),
            Budget::Slots { free: 0, .. } if self.has_free_slot() => Left::More,
            Budget::Slots { free: 0, .. } => self.wait_for_slot(),
            Budget::Slots { free, reserve, last } => self.within_limits(&open, free, reserve, last),
        }
    }

    /// True if a delivery needs no free slot: an earlier part reserved one, or its earlier attempt had one.
    fn has_own_slot(&self, head: &Head) -> bool {
        head.started
            && (self.limiter.has_reserved(head.notification, head.delivery)
                || self.limiter.has_slot(head.delivery, &self.waiting.recipients, self.plan.now))
    }

    /// True if only this plan takes the slots. Then the next look decides.
    fn has_free_slot(&self) -> bool {
        let budget = self.limiter.budget(&self.waiting.recipients, self.plan.now);
        !matches!(budget, Budget::Slots { free: 0, .. })
    }

    /// The budget that this plan leaves.
    fn budget(&self) -> Budget {
        let recipients = &self.waiting.recipients;
        let budget = self.limiter.budget(recipients, self.plan.now);
        let Budget::Slots { free, reserve, last } = budget else { return budget };
        let planned = &self.plan.planned;
        let planned_for = |addressee: &Addressee| planned.get(addressee).copied().unwrap_or(0);
        let each = match recipients {
            Recipients::All => {
                planned.iter().filter(|(one, _)| **one != Addressee::All).map(|(_, slots)| *slots).max()
            }
            Recipients::Nobody | Recipients::Listed(_) | Recipients::Group | Recipients::Chat(_) => {
                recipients.addressees().iter().map(planned_for).max()
            }
        };
        let planned = each.unwrap_or(0).saturating_add(planned_for(&Addressee::All));
        Budget::Slots { free: free.saturating_sub(planned), reserve, last }
    }

    /// Chooses for a destination with `free` slots.
    fn within_limits(&mut self, open: &[Head], free: u32, reserve: u32, last: Option<Monotonic>) -> Left {
        let spare = free.saturating_sub(reserve);
        let foldable = self.waiting.foldable;
        let started = open.iter().filter(|head| head.started).count();
        let waiting = foldable.saturating_add(u32::try_from(started).unwrap_or(u32::MAX));
        let largest = open.iter().map(|head| head.slots).max().unwrap_or(1);
        if waiting <= spare && largest <= free {
            return self.send_in_order(open, spare.max(largest));
        }
        let next_reserved = last.map(|last| last + self.limiter.spacing());
        if let Some(at) = next_reserved.filter(|at| spare == 0 && *at > self.plan.now) {
            return self.wait(Some(at));
        }
        let is_for_digest = foldable > 1 && self.is_turn_of_digest();
        let single = open.iter().find(|head| head.started && !is_for_digest).or_else(|| {
            let mut fitting = open.iter().filter(|head| head.slots <= free);
            fitting.next().filter(|_| foldable < 2)
        });
        match single {
            Some(head) => self.send(head),
            None if foldable > 0 => {
                let Waiting { destination, .. } = *self.waiting;
                self.picks.push(Pick::Digest { destination, limit: digest::MAX_MEMBERS });
                self.take(1);
            }
            None => return self.wait_for_slot(),
        }
        Left::More
    }

    /// True if a digest goes first, before deliveries that are not folded. The time decides like a coin, so that neither
    /// waits for all of the other: hundreds may be requeued while new notifications arrive.
    fn is_turn_of_digest(&self) -> bool {
        self.plan.now.0.as_millis().count_ones() % 2 == 1
    }

    /// Sends the first of `open` that fit into `slots`. A delivery that does not fit blocks the later ones, so that a long
    /// text is not overtaken for ever.
    fn send_in_order(&mut self, open: &[Head], slots: u32) -> Left {
        let mut left = slots.min(self.plan.capacity);
        for (sent, head) in open.iter().enumerate() {
            // A text with more parts than the capacity is still sent, part by part.
            if left == 0 || sent > 0 && head.slots > left {
                return Left::More;
            }
            left = left.saturating_sub(head.slots);
            self.send(head);
        }
        Left::Nothing
    }

    fn send(&mut self, head: &Head) {
        self.picks.push(Pick::Delivery(head.delivery));
        self.take(head.slots);
    }

    fn take(&mut self, slots: u32) {
        self.plan.capacity = self.plan.capacity.saturating_sub(slots);
        for addressee in self.waiting.recipients.addressees() {
            *self.plan.planned.entry(addressee).or_default() += slots;
        }
    }

    fn wait_for_slot(&self) -> Left {
        self.wait(self.limiter.next_release(&self.waiting.recipients, self.plan.now))
    }

    fn wait(&self, until: Option<Monotonic>) -> Left {
        let is_blocked =
            until.is_none() || self.limiter.may_free_slot(&self.waiting.recipients, self.plan.now);
        Left::Waits { until, is_blocked }
    }
}

#[cfg(test)]
mod tests;
