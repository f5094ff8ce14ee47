//! The plan of one look: the deliveries to claim, to fold, and to leave waiting.
//!
//! | case of a destination | plan |
//! |---|---|
//! | a slot is reserved for the next part, or an earlier attempt left its slot | send it |
//! | no limit | send everything that is due |
//! | no free slot | wait for a slot |
//! | everything fits beside the reserve of the minute | send it |
//! | only the reserve is left | send one message at a time, evenly spaced |
//! | a notification was started before | send its next part |
//! | one notification waits, and it fits | send it |
//! | several notifications can be folded | send a digest |
//!
//! The reserve means that a storm never ends in a minute of silence. Destinations take turns, and so do the receivers of
//! one destination.

use std::collections::HashMap;

use super::{
    Monotonic, digest,
    rate_limiter::{Budget, Limits, RateLimiter},
};
use crate::{
    outbox::{Destination, Queue, ReceiverName, Waiting},
    wecom::{Addressee, Recipients},
};

/// The result of a look.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// The picks to claim, in this order.
    pub actions: Vec<Action>,
    /// The destinations to which nothing more can go out now.
    pub waits: Vec<Wait>,
}

/// One thing to claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send the due deliveries of a queue, while they fit into `slots`.
    Send {
        destination: Destination,
        receiver: ReceiverName,
        /// The number of messages. Each part of a text counts.
        slots: u32,
    },
    /// Send a digest of the notifications that can be folded.
    Fold { destination: Destination },
}

/// A destination that must wait for a free slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    pub destination: Destination,
    /// The time at which there may be a slot, if it does not depend on messages in flight alone.
    pub until: Option<Monotonic>,
    /// True if the end of a message in flight may free a slot.
    pub is_blocked: bool,
}

/// Plans for the due deliveries of some destinations, with `capacity` messages at once. `turn` changes from look to look
/// and decides which receiver is first.
pub fn plan(
    destinations: &[Waiting],
    limiter: &RateLimiter,
    capacity: u32,
    turn: usize,
    now: Monotonic,
) -> Plan {
    let mut planner =
        Planner { limiter, capacity, turn, now, planned: HashMap::new(), plan: Plan::default() };
    for waiting in destinations {
        if planner.capacity == 0 {
            break;
        }
        planner.destination(&waiting.queues);
    }
    planner.plan
}

/// The number up to which due deliveries are counted for `capacity` messages. A plan never needs more than the limit of a
/// minute. Without limits it needs no more than `capacity`.
pub fn count_to(limits: Limits, capacity: u32) -> u32 {
    let most = match limits {
        Limits { per_minute: 0, per_hour: 0 } => capacity,
        Limits { per_minute: 0, .. } => digest::MAX_MEMBERS,
        Limits { per_minute, .. } => per_minute.max(capacity),
    };
    most.saturating_add(1).min(digest::MAX_MEMBERS)
}

struct Planner<'a> {
    limiter: &'a RateLimiter,
    capacity: u32,
    turn: usize,
    now: Monotonic,
    /// The slots that this plan takes. Destinations may have recipients in common.
    planned: HashMap<Addressee, u32>,
    plan: Plan,
}

impl Planner<'_> {
    fn destination(&mut self, queues: &[Queue]) {
        let Some(first) = queues.first() else { return };
        let mut open = Vec::with_capacity(queues.len());
        for queue in queues {
            if self.has_own_slot(queue) && self.capacity > 0 {
                self.send(queue, 1);
            } else {
                open.push(queue);
            }
        }
        if open.is_empty() || self.capacity == 0 {
            return;
        }
        match self.budget(&first.recipients) {
            Budget::Unlimited => self.share(&open, self.capacity),
            Budget::Slots { free: 0, .. } if self.has_free_slot(&first.recipients) => {}
            Budget::Slots { free: 0, .. } => self.wait_for_slot(first),
            Budget::Slots { free, reserve, last } => self.within_limits(&open, free, reserve, last),
        }
    }

    /// True if the first delivery needs no free slot: an earlier part reserved one, or its earlier attempt had one.
    fn has_own_slot(&self, queue: &Queue) -> bool {
        queue.started
            && (self.limiter.has_reserved(queue.notification, queue.delivery)
                || self.limiter.has_slot(queue.delivery, &queue.recipients, self.now))
    }

    /// True if only this plan takes the slots of `recipients`. Then the next look decides, because the claim may find less
    /// than was planned.
    fn has_free_slot(&self, recipients: &Recipients) -> bool {
        !matches!(self.limiter.budget(recipients, self.now), Budget::Slots { free: 0, .. })
    }

    /// The budget that this plan leaves.
    fn budget(&self, recipients: &Recipients) -> Budget {
        let budget = self.limiter.budget(recipients, self.now);
        let Budget::Slots { free, reserve, last } = budget else { return budget };
        let of = |addressee: &Addressee| self.planned.get(addressee).copied().unwrap_or(0);
        let each = match recipients {
            Recipients::All => {
                self.planned.iter().filter(|(one, _)| **one != Addressee::All).map(|(_, n)| *n).max()
            }
            Recipients::Nobody | Recipients::Listed(_) => recipients.addressees().iter().map(of).max(),
        };
        let planned = each.unwrap_or(0).saturating_add(of(&Addressee::All));
        Budget::Slots { free: free.saturating_sub(planned), reserve, last }
    }

    /// Plans for a destination with `free` slots.
    fn within_limits(&mut self, queues: &[&Queue], free: u32, reserve: u32, last: Option<Monotonic>) {
        let Some(first) = queues.first() else { return };
        let spare = free.saturating_sub(reserve);
        let waiting: u32 = queues.iter().map(|queue| queue.due.max(queue.foldable)).sum();
        let all_fit = queues.iter().all(|queue| queue.slots <= free);
        if waiting <= spare && all_fit {
            let largest = queues.iter().map(|queue| queue.slots).max().unwrap_or(1);
            return self.share(queues, spare.max(largest));
        }
        let next_reserved = last.map(|last| last + self.limiter.spacing());
        if let Some(at) = next_reserved.filter(|at| spare == 0 && *at > self.now) {
            return self.wait(first, Some(at));
        }
        if let Some(started) = self.first_in_turn(queues, |queue| queue.started) {
            return self.send(started, 1);
        }
        let foldable: u32 = queues.iter().map(|queue| queue.foldable).sum();
        match self.first_in_turn(queues, |queue| queue.slots <= free) {
            Some(single) if foldable < 2 => self.send(single, single.slots),
            _ if foldable > 0 => {
                self.plan.actions.push(Action::Fold { destination: first.destination });
                self.capacity -= 1;
                self.take(&first.recipients, 1);
            }
            _ => self.wait_for_slot(first),
        }
    }

    /// Shares `slots` among queues, one notification at a time.
    fn share(&mut self, queues: &[&Queue], slots: u32) {
        let mut left = slots.min(self.capacity);
        let mut shares = vec![Share::default(); queues.len()];
        loop {
            let before = left;
            for at in 0..queues.len() {
                let at = (at + self.turn) % queues.len();
                let (Some(queue), Some(share)) = (queues.get(at), shares.get_mut(at)) else { continue };
                // A text with more parts than the capacity is still sent, part by part.
                let needs = if left == self.capacity { 1 } else { queue.slots.max(1) };
                if share.deliveries < queue.due && needs <= left {
                    share.deliveries += 1;
                    share.slots += queue.slots.max(1);
                    left = left.saturating_sub(queue.slots.max(1));
                }
            }
            if left == before || left == 0 {
                break;
            }
        }
        for (queue, share) in queues.iter().zip(shares) {
            if share.deliveries > 0 {
                self.send(queue, share.slots);
            }
        }
    }

    fn send(&mut self, queue: &Queue, slots: u32) {
        let Queue { destination, receiver, .. } = queue;
        self.plan.actions.push(Action::Send { destination: *destination, receiver: receiver.clone(), slots });
        self.capacity = self.capacity.saturating_sub(slots);
        self.take(&queue.recipients, slots);
    }

    fn take(&mut self, recipients: &Recipients, slots: u32) {
        for addressee in recipients.addressees() {
            *self.planned.entry(addressee).or_default() += slots;
        }
    }

    fn first_in_turn<'q>(&self, queues: &[&'q Queue], is: impl Fn(&Queue) -> bool) -> Option<&'q Queue> {
        let len = queues.len().max(1);
        (0..queues.len()).filter_map(|at| queues.get((at + self.turn) % len)).copied().find(|queue| is(queue))
    }

    fn wait_for_slot(&mut self, queue: &Queue) {
        self.wait(queue, self.limiter.next_release(&queue.recipients, self.now));
    }

    fn wait(&mut self, queue: &Queue, until: Option<Monotonic>) {
        let is_blocked = until.is_none() || self.limiter.has_pending(&queue.recipients, self.now);
        self.plan.waits.push(Wait { destination: queue.destination, until, is_blocked });
    }
}

/// The share of one queue.
#[derive(Debug, Clone, Copy, Default)]
struct Share {
    deliveries: u32,
    slots: u32,
}

#[cfg(test)]
mod tests;
