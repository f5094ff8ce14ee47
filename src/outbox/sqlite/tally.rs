//! What almost every job of a batch changes in the same few rows: the last numbers given out, and how much waits. It
//! is kept in memory while the batch runs and written once before its commit.
//!
//! Triggers, and a statement for each job, were rejected: they wrote the same row hundreds of times for one commit.

use std::collections::BTreeMap;

use rusqlite::Row;

use super::{error::Done, tx::Tx};

pub(super) const LAST: &str = "SELECT notification, delivery FROM counter WHERE id = 1";
pub(super) const PUT_LAST: &str = "UPDATE counter SET notification = ?1, delivery = ?2 WHERE id = 1";
pub(super) const PUT_WAITING: &str =
    "INSERT INTO waiting (sender, receiver, deliveries, discarded) VALUES (?1, ?2, ?3, ?4)
     ON CONFLICT DO UPDATE SET deliveries = deliveries + excluded.deliveries,
     discarded = discarded + excluded.discarded";

/// Whose queue changes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Of {
    pub(super) sender: String,
    pub(super) receiver: String,
}

impl Of {
    /// Reads two columns from `first` on.
    pub(super) fn read(row: &Row<'_>, first: usize) -> rusqlite::Result<Self> {
        Ok(Self { sender: row.get(first)?, receiver: row.get(first + 1)? })
    }
}

/// What a batch changes so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    last: Option<Last>,
    waiting: Vec<(Of, i64, i64)>,
}

/// The last numbers given out. Those of a job that is undone stay given out.
#[derive(Debug, Clone, Copy)]
struct Last {
    notification: i64,
    delivery: i64,
    given: bool,
}

impl Tally {
    /// Gives out the next numbers, and returns the last of each.
    pub(super) fn numbers(&mut self, tx: &Tx<'_>, notifications: i64, deliveries: i64) -> Done<(i64, i64)> {
        let last = match self.last {
            Some(last) => last,
            None => tx.only(LAST, [], |row| {
                Ok(Last { notification: row.get(0)?, delivery: row.get(1)?, given: false })
            })?,
        };
        let notification = last.notification.saturating_add(notifications);
        let delivery = last.delivery.saturating_add(deliveries);
        self.last = Some(Last { notification, delivery, given: true });
        Ok((notification, delivery))
    }

    /// Notes that so many more wait, and that so many were given up.
    pub(super) fn note(&mut self, of: Of, deliveries: i64, discarded: i64) {
        self.waiting.push((of, deliveries, discarded));
    }

    /// How much is noted: a place to come back to.
    pub(super) fn mark(&self) -> usize {
        self.waiting.len()
    }

    /// Forgets what was noted after `mark`.
    pub(super) fn undo_to(&mut self, mark: usize) {
        self.waiting.truncate(mark);
    }

    /// Writes down what is noted.
    pub(super) fn write(&mut self, tx: &Tx<'_>) -> Done<()> {
        if let Some(last) = self.last.as_mut().filter(|last| last.given) {
            tx.run(PUT_LAST, (last.notification, last.delivery))?;
            last.given = false;
        }
        let mut sums: BTreeMap<Of, (i64, i64)> = BTreeMap::new();
        for (of, deliveries, discarded) in self.waiting.drain(..) {
            let sum = sums.entry(of).or_default();
            *sum = (sum.0 + deliveries, sum.1 + discarded);
        }
        for (of, sum) in sums.into_iter().filter(|(_, sum)| *sum != (0, 0)) {
            tx.run(PUT_WAITING, (of.sender, of.receiver, sum.0, sum.1))?;
        }
        Ok(())
    }
}
