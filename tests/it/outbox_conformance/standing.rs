//! What becomes due while slots are lent for it.

use std::time::Duration;

use wecom_relay::outbox::{Claimed, Outbox, Standing, State, Used};

use super::fixture::{
    CHECK, alert, at, claim, deliver, from, kill, list, ops, owned, put_off, says, states, stopped, take,
};

/// Longer than any engine takes; what comes, comes at once.
const LONG: Duration = Duration::from_secs(10);

/// What the next slots that come back were used for.
async fn used(standing: &mut Standing) -> Used {
    tokio::time::timeout(LONG, standing.used()).await.unwrap().unwrap()
}

async fn claimed(standing: &mut Standing) -> Vec<Claimed> {
    used(standing).await.claimed.unwrap()
}

/// A standing claim of a sender in which nothing waits.
async fn stand<O: Outbox>(outbox: &O) -> Standing {
    let mut standing = outbox.stand(&ops(), CHECK, stopped(at(7)));
    standing.lend(1);
    claim(outbox, 1, at(0)).await;
    assert_eq!(claimed(&mut standing).await, []);
    standing
}

pub(crate) async fn what_is_accepted_while_slots_are_lent_is_claimed_with_it<O: Outbox>(outbox: O) {
    let mut standing = stand(&outbox).await;
    standing.lend(2);
    let id = take(&outbox, alert("a", "one"), at(0)).await;
    assert_eq!(states(&outbox).await, owned(&[("one", State::InFlight)]));
    let one = claimed(&mut standing).await.remove(0);
    assert_eq!((one.notification, one.claimed_at, one.message.duplicate_check), (id, at(7), Some(CHECK)));
    assert_eq!(standing.lent(), 1);
    assert_eq!(claim(&outbox, 9, at(8)).await, []);
    deliver(&outbox, &one, at(8)).await;
    assert_eq!(states(&outbox).await, owned(&[("one", State::Delivered)]));
}

pub(crate) async fn what_comes_when_all_slots_are_used_waits_for_a_claim<O: Outbox>(outbox: O) {
    let mut standing = stand(&outbox).await;
    standing.lend(1);
    let changed = outbox.changed();
    let notified = changed.notified();
    take(&outbox, alert("a", "one"), at(0)).await;
    take(&outbox, alert("b", "two"), at(0)).await;
    tokio::time::timeout(LONG, notified).await.unwrap();
    assert_eq!(says(&claimed(&mut standing).await), ["one"]);
    assert_eq!(standing.lent(), 0);
    assert_eq!(says(&claim(&outbox, 9, at(1)).await), ["two"]);
}

pub(crate) async fn what_waits_is_claimed_with_whatever_is_written_next<O: Outbox>(outbox: O) {
    let mut standing = stand(&outbox).await;
    for (group, text) in [("a", "one"), ("b", "two"), ("c", "three"), ("d", "four")] {
        take(&outbox, alert(group, text), at(0)).await;
    }
    let one = claim(&outbox, 1, at(1)).await.remove(0);
    standing.lend(1);
    assert!(standing.is_wanted());
    deliver(&outbox, &one, at(2)).await;
    assert_eq!(says(&claimed(&mut standing).await), ["two"]);
    standing.lend(9);
    outbox.probe(at(3)).await.unwrap();
    assert_eq!(says(&claimed(&mut standing).await), ["three", "four"]);
    standing.lend(9);
    assert!(!standing.is_wanted());
}

pub(crate) async fn what_was_given_up_or_put_off_meanwhile_is_not_claimed<O: Outbox>(outbox: O) {
    let mut standing = stand(&outbox).await;
    for (group, text) in [("a", "one"), ("b", "two"), ("c", "three"), ("d", "four")] {
        take(&outbox, alert(group, text), at(0)).await;
    }
    standing.lend(1);
    outbox.probe(at(1)).await.unwrap();
    assert_eq!(says(&claimed(&mut standing).await), ["one"]);
    let two = claim(&outbox, 1, at(2)).await.remove(0);
    put_off(&outbox, &two, at(60), at(3)).await;
    let three = list(&outbox).await.remove(2).id;
    outbox.discard(three, at(4)).await.unwrap();
    standing.lend(9);
    outbox.probe(at(5)).await.unwrap();
    let used = used(&mut standing).await;
    assert_eq!(used.next_due, Some(at(60)));
    assert_eq!(says(&used.claimed.unwrap()), ["four"]);
}

pub(crate) async fn what_is_due_later_is_told_with_the_slots_that_were_not_used<O: Outbox>(outbox: O) {
    let mut standing = stand(&outbox).await;
    take(&outbox, alert("a", "one"), at(0)).await;
    let one = claim(&outbox, 1, at(1)).await.remove(0);
    put_off(&outbox, &one, at(60), at(2)).await;
    standing.lend(2);
    take(&outbox, alert("b", "two"), at(3)).await;
    let used = used(&mut standing).await;
    assert_eq!((used.slots, used.next_due), (2, Some(at(60))));
    assert_eq!(says(&used.claimed.unwrap()), ["two"]);
}

pub(crate) async fn the_next_of_a_lane_is_claimed_with_the_end_of_the_one_before<O: Outbox>(outbox: O) {
    let mut standing = stand(&outbox).await;
    for text in ["one", "two", "three"] {
        take(&outbox, alert("a", text), at(0)).await;
    }
    let one = claim(&outbox, 9, at(1)).await.remove(0);
    standing.lend(9);
    kill(&outbox, &one, at(2)).await;
    let two = claimed(&mut standing).await;
    assert_eq!(says(&two), ["two"]);
    assert_eq!(standing.lent(), 0);
    standing.lend(9);
    assert!(!standing.is_wanted());
    deliver(&outbox, &two[0], at(3)).await;
    assert_eq!(says(&claimed(&mut standing).await), ["three"]);
    assert_eq!(standing.lent(), 8);
}

pub(crate) async fn nothing_is_claimed_for_slots_that_were_withdrawn<O: Outbox>(outbox: O) {
    let mut standing = stand(&outbox).await;
    standing.lend(3);
    standing.withdraw();
    take(&outbox, alert("a", "one"), at(0)).await;
    assert_eq!((states(&outbox).await, standing.lent()), (owned(&[("one", State::Ready)]), 0));
    standing.lend(3);
    drop(standing);
    take(&outbox, alert("b", "two"), at(0)).await;
    assert_eq!(says(&claim(&outbox, 9, at(1)).await), ["one", "two"]);
}

pub(crate) async fn a_copy_takes_no_slot<O: Outbox>(outbox: O) {
    let mut standing = stand(&outbox).await;
    standing.lend(3);
    take(&outbox, from("one", "a", "fires"), at(0)).await;
    outbox.enqueue(from("two", "a", "fires"), at(1)).await.unwrap();
    assert_eq!(says(&claimed(&mut standing).await), ["fires"]);
    standing.withdraw();
    assert_eq!(standing.lent(), 0);
}

pub(crate) async fn what_was_claimed_with_its_acceptance_is_in_doubt_after_a_recovery<O: Outbox>(outbox: O) {
    let mut standing = stand(&outbox).await;
    standing.lend(1);
    take(&outbox, alert("a", "one"), at(0)).await;
    drop(standing);
    assert_eq!(outbox.recover(at(8)).await.unwrap(), 1);
    assert_eq!(claim(&outbox, 9, at(9)).await.remove(0).unconfirmed_since, Some(at(7)));
}
