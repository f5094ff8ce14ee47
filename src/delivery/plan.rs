//! What goes out next: which queues may send, which fold, which wait.
//!
//! A destination with room sends its messages as they are. When more waits than there is room for, less a
//! reserve for what comes later in the minute, whole messages that were never attempted are folded. The last
//! slots of a minute are spent one at a time, evenly, so that a storm never ends in a minute of silence.
//! Receivers that share a destination take turns, and so do destinations.

use std::collections::HashMap;

use super::{
    Monotonic,
    pace::{Budget, Pace},
};
use crate::{
    outbox::{Destination, Queue, ReceiverName},
    wecom::{Addressee, Recipients},
};

/// What to claim, and when to look again although nothing happened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// In this order.
    pub actions: Vec<Action>,
    /// When room that is missing now may be there.
    pub wake: Option<Monotonic>,
    /// Where nothing goes out now because there is no room.
    pub waits: Vec<Destination>,
}

/// One thing to claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// The due heads of a queue, while they fit into `slots`.
    Send {
        /// Where to.
        destination: Destination,
        /// Whose.
        receiver: ReceiverName,
        /// How many sends may be made, the parts of a message counted each.
        slots: u32,
    },
    /// A digest of what can be folded.
    Fold {
        /// Where to.
        destination: Destination,
    },
}

/// Plans for `queues`, of which those of one destination stand together, with room for `capacity` sends at once.
/// `turn` is a number that changes from call to call and decides who is first.
pub fn plan(queues: &[Queue], pace: &Pace, capacity: u32, turn: usize, now: Monotonic) -> Plan {
    let mut destinations: Vec<&[Queue]> = queues.chunk_by(|a, b| a.destination == b.destination).collect();
    if !destinations.is_empty() {
        let first = turn % destinations.len();
        destinations.rotate_left(first);
    }
    let mut planner = Planner { pace, capacity, turn, now, planned: HashMap::new(), plan: Plan::default() };
    for destination in destinations {
        if planner.capacity == 0 {
            break;
        }
        planner.destination(destination);
    }
    planner.plan
}

struct Planner<'a> {
    pace: &'a Pace,
    capacity: u32,
    turn: usize,
    now: Monotonic,
    /// Slots that this plan takes, so that destinations with recipients in common share what they have.
    planned: HashMap<Addressee, u32>,
    plan: Plan,
}

impl Planner<'_> {
    fn destination(&mut self, queues: &[Queue]) {
        let Some(head) = queues.first() else { return };
        let mut open: Vec<&Queue> = Vec::with_capacity(queues.len());
        for queue in queues {
            // Its slot is taken already: by a part before it, or by the attempt that it repeats.
            let own = self.pace.has_reserved(queue.notification, queue.delivery)
                || self.pace.has_slot(queue.delivery, &queue.recipients, self.now);
            if queue.started && own && self.capacity > 0 {
                self.send(queue, 1);
            } else {
                open.push(queue);
            }
        }
        if open.is_empty() || self.capacity == 0 {
            return;
        }
        match self.budget(&head.recipients) {
            Budget::Unlimited => self.share(&open, self.capacity),
            Budget::Slots { free: 0, .. } => {
                self.wait(head.destination, self.pace.next_release(&head.recipients, self.now));
            }
            Budget::Slots { free, reserve, last } => self.limited(&open, free, reserve, last),
        }
    }

    /// What is left of the pace's budget when this plan is carried out.
    fn budget(&self, recipients: &Recipients) -> Budget {
        let budget = self.pace.budget(recipients, self.now);
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

    fn limited(&mut self, queues: &[&Queue], free: u32, reserve: u32, last: Option<Monotonic>) {
        let Some(first) = queues.first() else { return };
        let spare = free.saturating_sub(reserve);
        let waiting: u32 = queues.iter().map(|queue| queue.due.max(queue.fresh)).sum();
        let fits = queues.iter().all(|queue| queue.slots <= free);
        if waiting <= spare && fits {
            let largest = queues.iter().map(|queue| queue.slots).max().unwrap_or(1);
            return self.share(queues, spare.max(largest));
        }
        if spare == 0
            && let Some(last) = last
            && last + self.pace.spacing() > self.now
        {
            return self.wait(first.destination, Some(last + self.pace.spacing()));
        }
        if let Some(started) = self.first(queues, |queue| queue.started) {
            return self.send(started, 1);
        }
        let fresh: u32 = queues.iter().map(|queue| queue.fresh).sum();
        match self.first(queues, |queue| queue.slots <= free) {
            Some(single) if fresh < 2 => self.send(single, single.slots),
            _ if fresh > 0 => {
                self.plan.actions.push(Action::Fold { destination: first.destination });
                self.capacity -= 1;
                self.take(&first.recipients, 1);
            }
            _ => self.wait(first.destination, self.pace.next_release(&first.recipients, self.now)),
        }
    }

    /// Shares `slots` among queues, a message at a time.
    fn share(&mut self, queues: &[&Queue], slots: u32) {
        let mut left = slots.min(self.capacity);
        let mut shares = vec![(0, 0); queues.len()];
        loop {
            let before = left;
            for at in 0..queues.len() {
                let at = (at + self.turn) % queues.len();
                let (Some(queue), Some((messages, share))) = (queues.get(at), shares.get_mut(at)) else {
                    continue;
                };
                // A message of many parts may take more than the capacity: its parts go out one after another.
                let needs = if left == self.capacity { 1 } else { queue.slots.max(1) };
                if *messages < queue.due && needs <= left {
                    *messages += 1;
                    *share += queue.slots.max(1);
                    left = left.saturating_sub(queue.slots.max(1));
                }
            }
            if left == before || left == 0 {
                break;
            }
        }
        for (queue, (messages, share)) in queues.iter().zip(shares) {
            if messages > 0 {
                self.send(queue, share);
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

    fn first<'q>(&self, queues: &[&'q Queue], is: impl Fn(&Queue) -> bool) -> Option<&'q Queue> {
        let len = queues.len().max(1);
        (0..queues.len()).filter_map(|at| queues.get((at + self.turn) % len)).copied().find(|queue| is(queue))
    }

    fn wait(&mut self, destination: Destination, at: Option<Monotonic>) {
        self.plan.waits.push(destination);
        self.plan.wake = [self.plan.wake, at].into_iter().flatten().min();
    }
}

#[cfg(test)]
mod tests;
