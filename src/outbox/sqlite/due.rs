//! Claiming whatever is due in a channel.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    time::Duration,
};

use jiff::Timestamp;

use super::{
    claim,
    error::Done,
    rows::{ms, time},
    tx::Tx,
    waiting::{self, Head},
};
use crate::outbox::{Channel, Due};

pub(super) const HEADS: &str = "SELECT destination, receiver, due_at, place, id FROM delivery
     INDEXED BY delivery_ready WHERE state = 1 AND channel = ?1
     ORDER BY destination, receiver, fresh, due_at, place LIMIT ?2";

/// So many heads are looked at one after the other; where there are more, only the first of each queue are.
const FEW: u32 = 64;

pub(super) fn claim(
    tx: &Tx<'_>,
    channel: &Channel,
    slots: u32,
    interval: Duration,
    now: Timestamp,
) -> Done<Due> {
    let (queues, is_cut) = queues(tx, channel, slots, now)?;
    let mut next_due = None;
    let mut due = Vec::with_capacity(queues.len());
    for queue in queues {
        let (ready, later): (Vec<Head>, Vec<Head>) =
            queue.into_iter().partition(|(due_at, ..)| *due_at <= ms(now));
        next_due = later.iter().map(|(due_at, ..)| *due_at).chain(next_due).min();
        due.push(ready);
    }
    let waiting: usize = due.iter().map(Vec::len).sum();
    let chosen = in_turn(due, slots as usize);
    let more = is_cut || waiting > chosen.len();
    let mut claimed = Vec::with_capacity(chosen.len());
    for id in chosen {
        claimed.extend(claim::mark(tx, id, interval, now)?);
    }
    Ok(Due { claimed, more, next_due: next_due.map(time).transpose()? })
}

/// The heads of each queue, and whether there may be more that are due.
fn queues(tx: &Tx<'_>, channel: &Channel, slots: u32, now: Timestamp) -> Done<(Vec<Vec<Head>>, bool)> {
    let heads = tx.all(HEADS, (&channel.0, FEW), |row| {
        let queue = (row.get::<_, [u8; 16]>(0)?, row.get::<_, String>(1)?);
        Ok((queue, (row.get::<_, i64>(2)?, row.get::<_, i64>(3)?, row.get::<_, i64>(4)?)))
    })?;
    if heads.len() == FEW as usize {
        return waiting::first_heads(tx, channel, slots, now);
    }
    let queues = heads.chunk_by(|(a, _), (b, _)| a == b);
    Ok((queues.map(|queue| queue.iter().map(|(_, head)| *head).collect()).collect(), false))
}

/// The first `slots` of what is due, a round at a time: in each the queue whose next one is due longest is first.
fn in_turn(queues: Vec<Vec<Head>>, slots: usize) -> Vec<i64> {
    let mut next: BinaryHeap<_> = queues
        .into_iter()
        .filter_map(|mut queue| {
            queue.sort_unstable();
            let mut rest = queue.into_iter();
            rest.next().map(|head| Reverse(Turn { round: 0, head, rest: rest.collect() }))
        })
        .collect();
    let mut chosen = Vec::new();
    while chosen.len() < slots
        && let Some(Reverse(Turn { round, head: (.., id), mut rest })) = next.pop()
    {
        chosen.push(id);
        if let Some(head) = rest.pop_front() {
            next.push(Reverse(Turn { round: round + 1, head, rest }));
        }
    }
    chosen
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    round: usize,
    head: Head,
    rest: VecDeque<Head>,
}

#[cfg(test)]
mod tests {
    use super::in_turn;

    #[test]
    fn queues_take_turns_and_the_longest_due_is_first() {
        let queue = |heads: &[i64]| heads.iter().map(|id| (100 + id, *id, *id)).collect::<Vec<_>>();
        let queues = vec![queue(&[4, 1, 2, 3]), queue(&[]), queue(&[9]), queue(&[6, 5])];
        assert_eq!(in_turn(queues.clone(), 2), [1, 5]);
        assert_eq!(in_turn(queues, 99), [1, 5, 9, 2, 6, 3, 4]);
    }
}
