//! Standing claims: what a batch made due is claimed before the batch is committed, while slots are lent for it.

use std::collections::HashMap;

use super::{claim, error::Done, tx::Tx};
use crate::outbox::{Claimed, Lent};

/// By channel.
#[derive(Default)]
pub(super) struct Standings(HashMap<String, Lent>);

/// The slots that a batch took, and what it claimed for them. They go back when it is dropped, without a claim unless
/// it was [committed](Self::committed).
#[derive(Default)]
pub(super) struct Taken<'s>(HashMap<&'s str, (&'s Lent, u32, Vec<Claimed>)>);

impl Standings {
    pub(super) fn add(&mut self, lent: Lent) {
        self.0.insert(lent.channel.0.clone(), lent);
    }

    /// Claims what became due; wakes the dispatchers for what there are no slots for.
    pub(super) fn claim<'s>(&'s self, tx: &Tx<'_>, taken: &mut Taken<'s>) -> Done<()> {
        for due in tx.take_due() {
            match self.0.get_key_value(&due.channel).filter(|(_, lent)| lent.take()) {
                Some((channel, lent)) => {
                    let (_, slots, claimed) = taken.0.entry(channel).or_insert((lent, 0, Vec::new()));
                    *slots += 1;
                    claimed.extend(claim::mark(tx, due.delivery, lent.duplicate_check, lent.now())?);
                }
                None => tx.wake(),
            }
        }
        Ok(())
    }
}

impl Taken<'_> {
    /// What was claimed is on disk.
    pub(super) fn committed(mut self) {
        for (_, (lent, slots, claimed)) in self.0.drain() {
            lent.give_back(slots, claimed);
        }
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        for (_, (lent, slots, _)) in self.0.drain() {
            lent.give_back(slots, Vec::new());
        }
    }
}
