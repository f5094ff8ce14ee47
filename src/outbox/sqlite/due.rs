//! Claiming whatever is due in a sender.

use std::{collections::VecDeque, time::Duration};

use jiff::Timestamp;

use super::{
    claim,
    error::Done,
    rows::{ms, time},
    tx::Tx,
    waiting::{self, Head},
};
use crate::outbox::{Due, SenderName};

pub(super) const HEADS: &str = "SELECT destination, receiver, due_at, place, id FROM delivery
     INDEXED BY delivery_ready WHERE state = 1 AND sender = ?1
     ORDER BY destination, receiver, fresh, due_at, place LIMIT ?2";

/// So many heads are looked at one after the other; where there are more, only the first of each queue are.
const FEW: u32 = 64;

pub(super) fn claim(
    tx: &Tx<'_>,
    sender: &SenderName,
    (slots, turn): (u32, usize),
    interval: Duration,
    now: Timestamp,
) -> Done<Due> {
    if slots == 0 {
        return Ok(Due::default());
    }
    let Ready { ids, more, next_due } = ready(tx, sender, (slots, turn), now)?;
    let mut claimed = Vec::with_capacity(ids.len());
    for id in ids {
        claimed.extend(claim::mark(tx, id, interval, now)?);
    }
    Ok(Due { claimed, more, next_due: next_due.map(time).transpose()? })
}

/// What is due in a sender.
#[derive(Debug, Default)]
pub(super) struct Ready {
    /// In the order in which it is to be claimed.
    pub(super) ids: VecDeque<i64>,
    /// Whether there is more of it.
    pub(super) more: bool,
    /// When what is not due yet is; known if there is no more.
    pub(super) next_due: Option<i64>,
}

/// The first `limit` of what is due: queues take turns, beginning with queue `turn`.
pub(super) fn ready(
    tx: &Tx<'_>,
    sender: &SenderName,
    (limit, turn): (u32, usize),
    now: Timestamp,
) -> Done<Ready> {
    let (queues, is_cut) = queues(tx, sender, limit, now)?;
    let mut next_due = None;
    let mut due = Vec::with_capacity(queues.len());
    for queue in queues {
        let (mut ready, later): (Vec<Head>, Vec<Head>) =
            queue.into_iter().partition(|(due_at, ..)| *due_at <= ms(now));
        next_due = later.iter().map(|(due_at, ..)| *due_at).chain(next_due).min();
        ready.sort_unstable();
        due.push(ready);
    }
    let waiting: usize = due.iter().map(Vec::len).sum();
    let ids = in_turn(&due, limit as usize, turn);
    let more = is_cut || waiting > ids.len();
    Ok(Ready { ids, more, next_due })
}

/// The heads of each queue, and whether there may be more that are due.
fn queues(tx: &Tx<'_>, sender: &SenderName, slots: u32, now: Timestamp) -> Done<(Vec<Vec<Head>>, bool)> {
    let heads = tx.all(HEADS, (&sender.0, FEW), |row| {
        let queue = (row.get::<_, [u8; 16]>(0)?, row.get::<_, String>(1)?);
        Ok((queue, (row.get::<_, i64>(2)?, row.get::<_, i64>(3)?, row.get::<_, i64>(4)?)))
    })?;
    if heads.len() == FEW as usize {
        return waiting::first_heads(tx, sender, slots, now);
    }
    let queues = heads.chunk_by(|(a, _), (b, _)| a == b);
    Ok((queues.map(|queue| queue.iter().map(|(_, head)| *head).collect()).collect(), false))
}

/// The first `slots` of what is due: the first of each queue, then the second of each, beginning with queue `turn`.
fn in_turn(queues: &[Vec<Head>], slots: usize, turn: usize) -> VecDeque<i64> {
    let longest = queues.iter().map(Vec::len).max().unwrap_or(0);
    let (before, first) = queues.split_at(turn % queues.len().max(1));
    let round = |at: usize| first.iter().chain(before).filter_map(move |queue| queue.get(at));
    (0..longest).flat_map(round).map(|(.., id)| *id).take(slots).collect()
}

#[cfg(test)]
mod tests {
    use super::in_turn;

    #[test]
    fn queues_take_turns() {
        let queue = |ids: &[i64]| ids.iter().map(|id| (0, 0, *id)).collect::<Vec<_>>();
        let queues = [queue(&[1, 2, 3, 4]), queue(&[]), queue(&[9]), queue(&[5, 6])];
        assert_eq!(in_turn(&queues, 2, 0), [1, 9]);
        assert_eq!(in_turn(&queues, 99, 3), [5, 1, 9, 6, 2, 3, 4]);
        assert_eq!(in_turn(&queues, 1, 6), [9]);
        assert!(in_turn(&[], 1, 6).is_empty());
    }
}
