//! The outbox against a model that is a plain list. After any steps, both are in the same state. Every ordering key keeps
//! its order, no wake-up is lost, and in the end every delivery is sent.

mod cards;
mod model;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::Timestamp;
use proptest::prelude::*;
use wecom_relay::{
    outbox::{
        Changed, ClaimId, DeliveryId, Filter, Kind, Lease, ListOrder, NewDigest, NewNotification, Outbox,
        Requeue, Settlement, State, Verdict,
    },
    wecom::Receipt,
};

use self::model::{EndedClaim, Model, OrderingKey, Row};
use crate::{
    outbox_conformance::fixture::{
        self, Take, acquire, addressed, alert, at, attempt, claim_of, destination, drain, list, list_all,
        split, user, waiting_for,
    },
    outbox_postgres, outbox_sqlite,
};

#[derive(Debug, Clone)]
enum Step {
    Enqueue { group: u8, to: u8, parts: u16 },
    Claim { to: u8, slots: u32 },
    Fold { to: u8, members: usize, parts: u16 },
    Deliver(usize),
    Kill(usize),
    Undo(usize),
    Postpone(usize, i64),
    SettleEarlierClaim(usize),
    Acquire,
    Requeue(usize),
    RequeueDead,
    Discard(usize),
    Purge,
    Pass(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..3_u8, 0..2_u8, 1..3_u16).prop_map(|(group, to, parts)| Step::Enqueue { group, to, parts }),
        4 => (0..2_u8, 1..5_u32).prop_map(|(to, slots)| Step::Claim { to, slots }),
        2 => (0..2_u8, 1..6_usize, 1..3_u16).prop_map(|(to, members, parts)| Step::Fold { to, members, parts }),
        4 => (0..9_usize).prop_map(Step::Deliver),
        2 => (0..9_usize).prop_map(Step::Kill),
        3 => (0..9_usize).prop_map(Step::Undo),
        2 => (0..9_usize, 0..9_i64).prop_map(|(n, delay)| Step::Postpone(n, delay)),
        1 => (0..30_usize).prop_map(Step::SettleEarlierClaim),
        1 => Just(Step::Acquire),
        2 => (0..30_usize).prop_map(Step::Requeue),
        1 => Just(Step::RequeueDead),
        2 => (0..30_usize).prop_map(Step::Discard),
        1 => Just(Step::Purge),
        3 => (1..9_i64).prop_map(Step::Pass),
    ];
    proptest::collection::vec(step, 1..60)
}

async fn new_ids<O: Outbox>(outbox: &O, model: &Model) -> (i64, Vec<i64>) {
    let known = |id| model.rows.iter().any(|row| row.id == id);
    let new: Vec<_> = list(outbox).await.into_iter().filter(|listed| !known(listed.id.0)).collect();
    (new.first().unwrap().notification.0, new.iter().map(|listed| listed.id.0).collect())
}

fn to_name(to: u8) -> String {
    format!("user{to}")
}

/// The outbox with a lease, and the model that it must follow.
struct Both<O: Outbox> {
    outbox: O,
    lease: O::Lease,
    model: Model,
}

async fn settle<L: Lease>(lease: &L, id: i64, claim: ClaimId, verdict: Verdict, now: Timestamp) {
    let settlement = Settlement {
        delivery: DeliveryId(id),
        claim,
        attempt: attempt(now),
        verdict,
        tried_cards: Vec::new(),
    };
    lease.settle(settlement, now).await.unwrap();
}

async fn step<O: Outbox>(both: &mut Both<O>, step: Step, count: usize) {
    let Both { outbox, lease, model } = both;
    let now = at(model.now);
    let in_flight = |n: usize, model: &Model| {
        let rows: Vec<_> = model.rows.iter().filter(|row| row.state == State::InFlight).collect();
        (!rows.is_empty()).then(|| rows.get(n % rows.len()).unwrap().id)
    };
    let any = |n: usize, model: &Model| {
        (!model.rows.is_empty()).then(|| model.rows.get(n % model.rows.len()).unwrap().clone())
    };
    let id = DeliveryId;
    match step {
        Step::Enqueue { group, to, parts } => {
            let new =
                addressed(split(&group.to_string(), &format!("text {count}"), parts), &user(&to_name(to)));
            outbox.enqueue(new.clone(), now).await.unwrap();
            let (notification, ids) = new_ids(outbox, model).await;
            model.put(&new, notification, &ids, OrderingKey::Group(group), to);
        }
        Step::Claim { to, slots } => {
            let mut left = slots;
            let mut expected = Vec::new();
            for head in model.heads(to).iter().filter(|row| row.due <= model.now) {
                let Some(rest) = left.checked_sub(Model::slots(head)) else { break };
                left = rest;
                expected.push(head.id);
            }
            let destinations = [destination(&to_name(to))];
            let claimed = claim_of(lease, &destinations, Take::Slots(slots), now).await.claimed;
            assert_eq!(claimed.iter().map(|claimed| claimed.id.0).collect::<Vec<_>>(), expected);
            claimed.iter().for_each(|claimed| model.claim(claimed.id.0, claimed.claim));
        }
        Step::Fold { to, members, parts } => {
            let mut taken = model.foldable(to);
            taken.truncate(members);
            let text = format!("digest {count}");
            let message = NewNotification { kind: Kind::Digest, ..split("digest", &text, parts) };
            let new = addressed(message, &user(&to_name(to)));
            let take = Take::Digest(Some(Box::new(NewDigest { members, message: new.clone() })));
            let claimed = claim_of(lease, &[destination(&to_name(to))], take, now).await.claimed;
            assert_eq!(claimed.len(), usize::from(!taken.is_empty()));
            if let Some(claimed) = claimed.first() {
                assert_eq!(claimed.members.iter().map(|member| member.0).collect::<Vec<_>>(), taken);
                let first = claimed.id.0;
                let (notification, ids) = new_ids(outbox, model).await;
                model.put(&new, notification, &ids, OrderingKey::Digest(first), to);
                for row in model.rows.iter_mut().filter(|row| taken.contains(&row.notification)) {
                    (row.state, row.digest) = (State::Folded, Some(first));
                }
                model.claim(first, claimed.claim);
            }
        }
        Step::Deliver(n) | Step::Kill(n) | Step::Undo(n) | Step::Postpone(n, _) => {
            let Some(id) = in_flight(n, model) else { return };
            model.row(id).attempts += 1;
            let claim = model.end_claim(id);
            let verdict = match step {
                Step::Deliver(_) => {
                    model.settle(id, State::Delivered);
                    Verdict::Delivered(Receipt::default())
                }
                Step::Postpone(_, delay) => {
                    let due = model.now + delay;
                    let row = model.row(id);
                    (row.state, row.due) = (State::Queued, due);
                    Verdict::Retry { at: at(due), charged: true, unconfirmed: true, unknown_code: false }
                }
                Step::Undo(_) => {
                    model.undo(id);
                    Verdict::Undo("refused".to_owned())
                }
                _ => {
                    model.settle(id, State::Dead);
                    Verdict::Dead("rejected".to_owned())
                }
            };
            settle(lease, id, claim, verdict, now).await;
        }
        Step::SettleEarlierClaim(n) => {
            if model.ended.is_empty() {
                return;
            }
            let EndedClaim { id, claim } = model.ended[n % model.ended.len()];
            settle(lease, id, claim, Verdict::Dead("late".to_owned()), now).await;
        }
        Step::Acquire => {
            let in_flight: Vec<_> = model.rows.iter().filter(|row| row.state == State::InFlight).collect();
            let in_flight: Vec<_> = in_flight.into_iter().map(|row| row.id).collect();
            *lease = acquire(outbox, now).await;
            assert_eq!(lease.recovered() as usize, in_flight.len());
            for id in in_flight {
                model.end_claim(id);
                let row = model.row(id);
                (row.state, row.attempts) = (State::Queued, row.attempts + 1);
            }
        }
        Step::Requeue(n) => {
            let Some(row) = any(n, model) else { return };
            let state = model.state(&row);
            let expected = match state {
                State::Ready => {
                    let now = model.now;
                    let row = model.row(row.id);
                    row.due = row.due.min(now);
                    Changed::Deliveries(1)
                }
                State::Dead | State::Discarded => {
                    model.requeue(row.id);
                    Changed::Deliveries(1)
                }
                _ => Changed::NotIn(state),
            };
            assert_eq!(outbox.requeue(Requeue::One(id(row.id)), now).await.unwrap(), expected);
        }
        Step::RequeueDead => {
            let is_requeued = |row: &Row| {
                let mut parts = model.rows.iter().filter(|part| part.notification == row.notification);
                row.kind != Kind::Digest || parts.any(|part| part.state == State::Delivered)
            };
            let mut dead: Vec<_> =
                model.rows.iter().filter(|row| row.state == State::Dead && is_requeued(row)).collect();
            dead.sort_by_key(|row| row.id);
            let dead: Vec<_> = dead.into_iter().map(|row| row.id).collect();
            let changed = outbox.requeue(Requeue::AllDead, now).await.unwrap();
            assert_eq!(changed, Changed::Deliveries(u32::try_from(dead.len()).unwrap()));
            dead.into_iter().for_each(|id| model.requeue(id));
        }
        Step::Discard(n) => {
            let Some(row) = any(n, model) else { return };
            let state = model.state(&row);
            let expected = match state {
                State::Ready | State::Queued => {
                    model.break_up(row.notification);
                    model.settle(row.id, State::Discarded);
                    Changed::Deliveries(1)
                }
                State::Dead => {
                    model.settle(row.id, State::Discarded);
                    Changed::Deliveries(1)
                }
                _ => Changed::NotIn(state),
            };
            assert_eq!(outbox.discard(id(row.id), now).await.unwrap(), expected);
        }
        Step::Purge => {
            let gone: Vec<_> = model
                .settled_at
                .iter()
                .filter(|(_, settled)| **settled < model.now)
                .map(|(id, _)| *id)
                .collect();
            let purged = outbox.purge(now, 1000).await.unwrap();
            assert_eq!(usize::try_from(purged).unwrap(), gone.len());
            model.rows.retain(|row| !gone.contains(&row.id));
            model.settled_at.retain(|id, _| !gone.contains(id));
        }
        Step::Pass(seconds) => model.now += seconds,
    }
}

/// The ready deliveries with the times at which they are due, by destination.
fn ready(model: &Model) -> BTreeSet<(u8, i64, i64)> {
    (0..2).flat_map(|to| model.heads(to).into_iter().map(move |row| (to, row.id, row.due))).collect()
}

/// Asserts that every query gives the model's answer.
async fn compare<O: Outbox>(both: &Both<O>) {
    let Both { outbox, lease, model } = both;
    let listed = list(outbox).await;
    let mut reversed = list_all(outbox, Filter::default(), ListOrder::NewestFirst, 7).await;
    reversed.reverse();
    assert_eq!(reversed, listed);
    let open: Vec<_> = listed.iter().filter(|row| !row.state.is_settled()).collect();
    let depths = outbox.depths().await.unwrap();
    assert!(depths.len() <= 1, "{depths:?}");
    assert_eq!(depths.iter().map(|depth| depth.deliveries).sum::<u64>(), open.len() as u64);
    let oldest = open.iter().min_by_key(|row| row.notification).map(|row| row.accepted_at);
    assert_eq!(depths.iter().find_map(|depth| depth.oldest_accepted_at), oldest);
    let settled_at: BTreeMap<_, _> =
        listed.iter().filter_map(|row| row.settled_at.map(|settled_at| (row.id.0, settled_at))).collect();
    let expected: BTreeMap<_, _> = model.settled_at.iter().map(|(id, second)| (*id, at(*second))).collect();
    assert_eq!(settled_at, expected);
    let stored: Vec<_> = listed
        .into_iter()
        .map(|row| (row.id.0, row.state, row.attempts, row.due_at, row.digest.map(|id| id.0)))
        .collect();
    let expected: Vec<_> = model
        .rows
        .iter()
        .map(|row| {
            let state = model.state(row);
            (row.id, state, row.attempts, (state == State::Ready).then_some(at(row.due)), row.digest)
        })
        .collect();
    assert_eq!(stored, expected);
    let destinations = [0, 1].map(|to| destination(&to_name(to)));
    let waiting = waiting_for(lease, &destinations, 4, at(model.now)).await;
    let scheduled = lease.scheduled().await.unwrap();
    assert!(scheduled.iter().all(|scheduled| destinations.contains(&scheduled.destination)));
    for ((to, destination), waiting) in (0..).zip(destinations).zip(waiting) {
        let scheduled = scheduled.iter().find(|scheduled| scheduled.destination == destination);
        let first_due = model.heads(to).first().map(|row| at(row.due));
        assert_eq!(scheduled.map(|scheduled| scheduled.due_at), first_due);
        let (due, later): (Vec<_>, Vec<_>) =
            model.heads(to).into_iter().partition(|row| row.due <= model.now);
        assert_eq!(waiting.next_due, later.into_iter().map(|row| row.due).min().map(at));
        let foldable = model.foldable(to);
        let found = fixture::found_foldable(lease, destination).await;
        let found: Vec<_> = found.iter().map(|found| (found.notification.0, found.limit)).collect();
        let limit = |id: &i64| model.rows.iter().find(|row| row.notification == *id).unwrap().limit;
        assert_eq!(found, foldable.iter().map(|id| (*id, limit(id))).collect::<Vec<_>>());
        // Notifications that were never attempted are due, unless the clock was set back.
        assert_eq!(waiting.foldable as usize, foldable.len().min(4));
        let stored: Vec<_> = waiting
            .heads
            .iter()
            .map(|head| (head.notification.0, head.delivery.0, head.slots, head.started))
            .collect();
        let head = |row: &Row| (row.notification, row.id, Model::slots(row), row.limit == 0);
        assert_eq!(stored, due.iter().take(4).map(head).collect::<Vec<_>>());
    }
}

/// Asserts that every delivery that became ready was reported. Otherwise the dispatcher would not look at it.
fn check_changes<O: Outbox>(both: &Both<O>, ready_before: &BTreeSet<(u8, i64, i64)>) {
    let changed = both.lease.changes().take();
    let ready_now = ready(&both.model);
    let new: HashSet<_> =
        ready_now.difference(ready_before).map(|(to, ..)| destination(&to_name(*to))).collect();
    assert!(changed.everything || new.is_subset(&changed.destinations), "{new:?} {changed:?}");
}

/// Takes all steps, and then sends what is left.
async fn follow(outbox: impl Outbox, steps: Vec<Step>) {
    let lease = acquire(&outbox, at(0)).await;
    lease.changes().take();
    let mut both = Both { outbox, lease, model: Model::default() };
    for (count, next) in steps.into_iter().enumerate() {
        let ready_before = ready(&both.model);
        step(&mut both, next, count).await;
        check_changes(&both, &ready_before);
        compare(&both).await;
    }
    both.model.now += 1000;
    step(&mut both, Step::Acquire, 0).await;
    let now = at(both.model.now);
    drain(&both.lease, now).await;
    let open = list(&both.outbox).await.into_iter().filter(|row| !row.state.is_settled());
    assert_eq!(open.count(), 0);
    both.outbox.enqueue(alert("last", "last"), now).await.unwrap();
    assert_eq!(drain(&both.lease, now).await, ["last"]);
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(test);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn order_is_kept_and_nothing_is_lost_after_any_steps(steps in steps()) {
        let (outbox, _kept) = outbox_sqlite::fresh();
        run(follow(outbox, steps));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn postgres_keeps_order_and_loses_nothing_after_any_steps(steps in steps()) {
        let (outbox, _kept) = outbox_postgres::fresh();
        run(follow(outbox, steps));
    }
}
