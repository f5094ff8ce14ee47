//! Standing claims: what a batch made due, and what waits for slots, is claimed before the batch is committed, while
//! slots are lent for it.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
};

use jiff::Timestamp;

use super::{claim, due, due::Ready, error::Done, rows::time, tx::Tx};
use crate::outbox::{Claimed, Lent, Used};

/// How much of what waits is looked at ahead of the slots for it: a look at many queues costs as much for one slot as
/// for many. What comes meanwhile waits for no more than this.
const AHEAD: u32 = 64;

/// By sender.
#[derive(Default)]
pub(super) struct Standings(HashMap<String, Served>);

struct Served {
    lent: Lent,
    /// Which queue is first at the next look.
    turn: Cell<usize>,
    /// What the last look found and is not claimed yet.
    ready: RefCell<Ready>,
}

/// The slots that a batch took, and what it claimed for them. They go back when it is dropped, without a claim unless
/// it was [committed](Self::committed).
#[derive(Default)]
pub(super) struct Taken<'s>(HashMap<&'s str, Share<'s>>);

struct Share<'s> {
    served: &'s Served,
    slots: u32,
    claimed: Vec<Claimed>,
    next_due: Option<Timestamp>,
}

impl Standings {
    pub(super) fn add(&mut self, lent: Lent) {
        self.0
            .insert(lent.sender.0.clone(), Served { lent, turn: Cell::default(), ready: RefCell::default() });
    }

    /// Something may have become due in any sender, or be due later than it was.
    pub(super) fn look_again(&self) {
        self.0.values().for_each(Served::look_again);
    }

    /// Claims what became due, and what waits; wakes the dispatchers for what there are no slots for.
    pub(super) fn claim<'s>(&'s self, tx: &Tx<'_>, taken: &mut Taken<'s>) -> Done<()> {
        if tx.is_woken() {
            self.look_again();
        }
        let mut without = Vec::new();
        for due in tx.take_due() {
            let served = self.0.get_key_value(&due.sender);
            if let Some((sender, served)) = served.filter(|(_, served)| served.lent.take()) {
                let taken = taken.of(sender, served, 1);
                let lent = &served.lent;
                taken.claimed.extend(claim::mark(tx, due.delivery, lent.duplicate_check, lent.now())?);
                continue;
            }
            match served {
                Some((_, served)) => {
                    served.ready.borrow_mut().more = true;
                    served.lent.more();
                    without.push(served);
                }
                None => tx.wake(),
            }
        }
        for (sender, served) in &self.0 {
            while let Some(slots) = served.lent.take_all() {
                served.claim(tx, slots, taken.of(sender, served, slots))?;
            }
        }
        if without.iter().any(|served| served.lent.has_more()) {
            tx.wake();
        }
        Ok(())
    }
}

impl Served {
    /// What was seen no longer holds.
    fn look_again(&self) {
        *self.ready.borrow_mut() = Ready::default();
        self.lent.more();
    }

    /// Claims so many of what waits.
    fn claim(&self, tx: &Tx<'_>, slots: u32, taken: &mut Share<'_>) -> Done<()> {
        let (lent, now) = (&self.lent, self.lent.now());
        let mut ready = self.ready.borrow_mut();
        let mut left = slots as usize;
        let mut claim = |ready: &mut Ready| {
            while left > 0
                && let Some(id) = ready.ids.pop_front()
            {
                let claimed = claim::mark(tx, id, lent.duplicate_check, now)?;
                left -= claimed.iter().len();
                taken.claimed.extend(claimed);
            }
            Done::Ok(left > 0)
        };
        if claim(&mut ready)? {
            self.turn.set(self.turn.get().wrapping_add(1));
            *ready = due::ready(tx, &lent.sender, (slots.max(AHEAD), self.turn.get()), now)?;
            claim(&mut ready)?;
        }
        if !ready.ids.is_empty() || ready.more {
            lent.more();
        }
        taken.next_due = ready.next_due.map(time).transpose()?;
        Ok(())
    }
}

impl<'s> Taken<'s> {
    fn of(&mut self, sender: &'s str, served: &'s Served, slots: u32) -> &mut Share<'s> {
        let none = Share { served, slots: 0, claimed: Vec::new(), next_due: None };
        let share = self.0.entry(sender).or_insert(none);
        share.slots += slots;
        share
    }

    /// What was claimed is on disk.
    pub(super) fn committed(mut self) {
        for (_, Share { served, slots, claimed, next_due }) in self.0.drain() {
            served.lent.give_back(Used { slots, claimed: Some(claimed), next_due });
        }
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        for (_, Share { served, slots, .. }) in self.0.drain() {
            served.look_again();
            served.lent.give_back(Used { slots, claimed: None, next_due: None });
        }
    }
}
