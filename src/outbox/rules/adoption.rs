//! The rows that move from the former name of a sender to its present one, in steps.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::outbox::{Hold, MovedSender, SenderName};

/// Attempts that ended longer ago count for no rate limit and no duplicate check.
const REACH: SignedDuration = SignedDuration::from_hours(5);

/// Rows that are stored under a former name of a sender, and must move to the present one.
pub struct Move {
    pub from: SenderName,
    pub to: SenderName,
    /// Deliveries that are not settled.
    pub open: Vec<i64>,
    /// Deliveries with attempts that may count.
    pub counted: Vec<i64>,
    /// Attempts that may count although their deliveries are purged.
    pub purged: Vec<i64>,
    pub hold: Option<Hold>,
}

/// The rows of one step.
pub struct Adopted {
    pub moved: Vec<MovedSender>,
    /// False if more rows wait for the next step.
    pub is_complete: bool,
}

impl Move {
    pub fn is_empty(&self) -> bool {
        self.len() == 0 && self.hold.is_none()
    }

    /// The number of rows in the longest list.
    pub fn len(&self) -> usize {
        self.open.len().max(self.counted.len()).max(self.purged.len())
    }
}

impl Adopted {
    /// The result of a step that has moved at most `limit` rows of a kind.
    pub fn of(moves: Vec<Move>, limit: usize) -> Self {
        let is_complete = moves.iter().all(|moved| moved.len() < limit);
        let moved = moves.into_iter().filter(|moved| !moved.open.is_empty());
        let moved = moved.map(|Move { from, to, open, .. }| MovedSender { from, to, deliveries: open.len() });
        Self { moved: moved.collect(), is_complete }
    }
}

/// The maximum number of rows of a kind in one step. Senders that swap their names move in one step, because a name would
/// mean both of them in between.
pub fn limit(names: &BTreeMap<SenderName, SenderName>, of_step: usize) -> usize {
    let is_swap = names.keys().any(|from| names.values().any(|to| to == from));
    if is_swap { usize::MAX } else { of_step }
}

/// Attempts that ended before this time need not move.
pub fn counted_since(now: Timestamp) -> Timestamp {
    now.checked_sub(REACH).unwrap_or(Timestamp::MIN)
}
