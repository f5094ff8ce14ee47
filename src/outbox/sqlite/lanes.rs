//! Which lanes are occupied: a delivery of theirs is ready, in flight or folded, and what comes stands behind it.
//!
//! It is kept in memory for the deliveries after a mark, and read again from the index of heads, which is in the order
//! of their coming. When they are too many, all are written in the order of their lanes, and the mark moves: so a
//! page of the disk takes many of them. An index by lane was rejected: lanes are random numbers, and with many
//! waiting every alert would write a page for itself.
//!
//! What was written is not deleted when it is settled; whether it still counts is asked of the delivery, unless a filter
//! of a fixed size says that nothing was ever written of the lane.

use std::{collections::HashMap, ops::ControlFlow};

use super::{error::Done, tx::Tx};

pub(super) const HEADS: &str = "SELECT lane FROM delivery INDEXED BY delivery_head
     WHERE state > 0 AND state < 4 AND id > ?1";
pub(super) const SPILLED: &str = "SELECT lane FROM spilled";
pub(super) const SPILLED_TO: &str = "SELECT spilled_to FROM counter WHERE id = 1";
pub(super) const PUT_SPILLED_TO: &str = "UPDATE counter SET spilled_to = ?1 WHERE id = 1";
// The one statement that sorts: so a page takes many rows.
pub(super) const SPILL: &str = "INSERT OR IGNORE INTO spilled (lane, delivery)
     SELECT lane, id FROM delivery INDEXED BY delivery_head
     WHERE state > 0 AND state < 4 AND id > ?1 ORDER BY lane";
pub(super) const SPILL_ONE: &str = "INSERT OR IGNORE INTO spilled (lane, delivery) VALUES (?1, ?2)";
// Its rows count no more. Each promotion would leave one, and a long lane be looked through for each.
pub(super) const FORGET_LANE: &str = "DELETE FROM spilled WHERE lane = ?1";
pub(super) const IS_SPILLED: &str = "SELECT 1 FROM spilled s CROSS JOIN delivery d ON d.id = s.delivery
     WHERE s.lane = ?1 AND d.state > 0 AND d.state < 4 LIMIT 1";
pub(super) const LEFT: &str = "SELECT lane FROM delivery INDEXED BY delivery_head
     WHERE state > 0 AND state < 4 AND id <= ?1 LIMIT ?2";
pub(super) const FORGET_SPILLED: &str = "DELETE FROM spilled";

/// The heads after the mark.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    spilled_to: i64,
    spilled: Filter,
    /// How many of each lane: several where they are folded.
    heads: HashMap<i64, u32>,
    count: usize,
}

impl Lanes {
    pub(super) fn load(tx: &Tx<'_>) -> Done<Self> {
        let spilled_to = tx.only(SPILLED_TO, [], |row| row.get(0))?;
        let mut lanes = Self { spilled_to, ..Self::default() };
        tx.each(HEADS, [spilled_to], |row| {
            lanes.add(row.get(0)?);
            Ok(ControlFlow::Continue(()))
        })?;
        tx.each(SPILLED, [], |row| {
            lanes.spilled.add(row.get(0)?);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(lanes)
    }

    fn add(&mut self, lane: i64) {
        *self.heads.entry(lane).or_default() += 1;
        self.count += 1;
    }

    fn remove(&mut self, lane: i64) {
        if let Some(count) = self.heads.get_mut(&lane) {
            *count -= 1;
            self.count -= 1;
            if *count == 0 {
                self.heads.remove(&lane);
            }
        }
    }

    /// Writes all down and forgets them.
    fn spill(&mut self, tx: &Tx<'_>) -> Done<()> {
        tx.run(SPILL, [self.spilled_to])?;
        let (_, last) = tx.numbers(0, 0)?;
        tx.run(PUT_SPILLED_TO, [last])?;
        self.heads.drain().for_each(|(lane, _)| self.spilled.add(lane));
        (self.spilled_to, self.count) = (last, 0);
        Ok(())
    }
}

/// What may be in a set: lanes are random numbers already, so that their bits are places of bits here. Empty until
/// something comes; with a million in it, one of twenty that are not in it may be.
#[derive(Debug, Default)]
struct Filter(Vec<u64>);

impl Filter {
    /// Of places: 1 MiB of bits.
    const BITS: u32 = 23;

    fn add(&mut self, lane: i64) {
        self.0.resize(1 << (Self::BITS - 6), 0);
        for (word, bit) in Self::places(lane) {
            if let Some(word) = self.0.get_mut(word) {
                *word |= bit;
            }
        }
    }

    fn may_have(&self, lane: i64) -> bool {
        Self::places(lane).iter().all(|(word, bit)| self.0.get(*word).is_some_and(|word| word & bit > 0))
    }

    fn places(lane: i64) -> [(usize, u64); 2] {
        [0, Self::BITS].map(|skipped| {
            let place = lane.cast_unsigned() >> skipped & ((1 << Self::BITS) - 1);
            (usize::try_from(place >> 6).unwrap_or(0), 1 << (place & 63))
        })
    }
}

/// Whether what comes to `lane` stands behind something.
pub(super) fn is_occupied(tx: &Tx<'_>, lane: i64) -> Done<bool> {
    let (is_known, may_be_spilled) =
        tx.lanes(|lanes| Ok((lanes.heads.contains_key(&lane), lanes.spilled.may_have(lane))))?;
    Ok(is_known || (may_be_spilled && tx.first(IS_SPILLED, [lane], |_| Ok(()))?.is_some()))
}

/// `delivery`, which is on its row already, became the one that others of its lane stand behind.
pub(super) fn occupy(tx: &Tx<'_>, lane: i64, delivery: i64) -> Done<()> {
    if tx.lanes(|lanes| Ok(delivery <= lanes.spilled_to))? {
        tx.run(FORGET_LANE, [lane])?;
    }
    occupy_too(tx, lane, delivery)
}

/// [`occupy`], beside others that do.
pub(super) fn occupy_too(tx: &Tx<'_>, lane: i64, delivery: i64) -> Done<()> {
    tx.lanes(|lanes| {
        if delivery <= lanes.spilled_to {
            tx.run(SPILL_ONE, (lane, delivery))?;
            lanes.spilled.add(lane);
            return Ok(());
        }
        lanes.add(lane);
        if lanes.count > tx.max_lanes() { lanes.spill(tx) } else { Ok(()) }
    })
}

/// `delivery` is settled, and was one that others stood behind.
pub(super) fn leave(tx: &Tx<'_>, lane: i64, delivery: i64) -> Done<()> {
    tx.lanes(|lanes| {
        if delivery > lanes.spilled_to {
            lanes.remove(lane);
        }
        Ok(())
    })
}

/// Deletes what was written down when what still counts of it has room in memory.
pub(super) fn forget_spilled(tx: &Tx<'_>) -> Done<()> {
    tx.lanes(|lanes| {
        if lanes.spilled_to == 0 {
            return Ok(());
        }
        // Half is left to what comes, so that it is not all written down again at once.
        let room = (tx.max_lanes() / 2).saturating_sub(lanes.count);
        let enough = i64::try_from(room).unwrap_or(i64::MAX).saturating_add(1);
        let left = tx.all(LEFT, (lanes.spilled_to, enough), |row| row.get(0))?;
        if left.len() > room {
            return Ok(());
        }
        tx.run(FORGET_SPILLED, [])?;
        tx.run(PUT_SPILLED_TO, [0])?;
        (lanes.spilled_to, lanes.spilled) = (0, Filter::default());
        left.into_iter().for_each(|lane| lanes.add(lane));
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_has_what_was_added_and_little_else() {
        let lane = |number: i64| number.wrapping_mul(0x9E37_79B9_7F4A_7C15_u64.cast_signed());
        let mut filter = Filter::default();
        assert!(!filter.may_have(0));
        (0..100_000).map(lane).for_each(|lane| filter.add(lane));
        assert!((0..100_000).map(lane).all(|lane| filter.may_have(lane)));
        let others = (100_000..200_000).map(lane).filter(|lane| filter.may_have(*lane)).count();
        assert!(others < 1_000, "{others}");
    }
}
