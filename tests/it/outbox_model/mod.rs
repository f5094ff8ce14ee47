//! The outbox against a model that is plain lists: whatever happens in whatever order, both stand the same, every
//! lane keeps its order, and in the end everything was sent.

mod model;

use proptest::prelude::*;
use wecom_relay::{
    outbox::{
        Changed, Destination, Filter, Kind, NewNotification, Outbox, OutboxQuery, Pick, State, Verdict,
        Which, sqlite::SqliteOutbox,
    },
    wecom::Receipt,
};

use self::model::{Model, OrderingKey, Row, is_settled};
use crate::{
    outbox_conformance::fixture::{CHECK, alert, at, digest, drain, list, ops, settle, split, team, user},
    outbox_sqlite::fresh,
};

#[derive(Debug, Clone)]
enum Step {
    Enqueue { group: u8, to: u8, parts: u16 },
    Claim { to: u8, slots: u32 },
    Fold { to: u8, limit: u32, skip: usize },
    Deliver(usize),
    Kill(usize),
    PutOff(usize, i64),
    Recover,
    Retry(usize),
    RetryDead,
    Discard(usize),
    Purge,
    Pass(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..3_u8, 0..2_u8, 1..3_u16).prop_map(|(group, to, parts)| Step::Enqueue { group, to, parts }),
        4 => (0..2_u8, 1..5_u32).prop_map(|(to, slots)| Step::Claim { to, slots }),
        2 => (0..2_u8, 1..6_u32, 0..3_usize).prop_map(|(to, limit, skip)| Step::Fold { to, limit, skip }),
        4 => (0..9_usize).prop_map(Step::Deliver),
        2 => (0..9_usize).prop_map(Step::Kill),
        2 => (0..9_usize, 0..9_i64).prop_map(|(n, delay)| Step::PutOff(n, delay)),
        1 => Just(Step::Recover),
        2 => (0..30_usize).prop_map(Step::Retry),
        1 => Just(Step::RetryDead),
        2 => (0..30_usize).prop_map(Step::Discard),
        1 => Just(Step::Purge),
        3 => (1..9_i64).prop_map(Step::Pass),
    ];
    proptest::collection::vec(step, 1..60)
}

async fn new_ids(outbox: &SqliteOutbox, model: &Model) -> (i64, Vec<i64>) {
    let known = |id| model.rows.iter().any(|row| row.id == id);
    let new: Vec<_> = list(outbox).await.into_iter().filter(|listed| !known(listed.id.0)).collect();
    (new.first().unwrap().notification.0, new.iter().map(|listed| listed.id.0).collect())
}

fn to_name(to: u8) -> String {
    format!("user{to}")
}

fn addressed(mut new: NewNotification, to: u8) -> NewNotification {
    new.recipients = user(&to_name(to));
    new.deliveries.iter_mut().for_each(|delivery| delivery.recipients = user(&to_name(to)));
    new
}

async fn step(outbox: &SqliteOutbox, model: &mut Model, step: Step, count: usize) {
    let now = at(model.now);
    let in_flight = |n: usize, model: &Model| {
        let rows: Vec<_> = model.rows.iter().filter(|row| row.state == State::InFlight).collect();
        (!rows.is_empty()).then(|| rows.get(n % rows.len()).unwrap().id)
    };
    let any = |n: usize, model: &Model| {
        (!model.rows.is_empty()).then(|| model.rows.get(n % model.rows.len()).unwrap().clone())
    };
    let id = wecom_relay::outbox::DeliveryId;
    match step {
        Step::Enqueue { group, to, parts } => {
            let new = addressed(split(&group.to_string(), &format!("message {count}"), parts), to);
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
            let destination = Destination::of(&ops(), &user(&to_name(to)));
            let pick = Pick::Heads { destination, receiver: team(), slots };
            let claimed = outbox.claim(&ops(), vec![pick], CHECK, now).await.unwrap();
            assert_eq!(claimed.iter().map(|claimed| claimed.id.0).collect::<Vec<_>>(), expected);
            expected.into_iter().for_each(|id| model.claim(id));
        }
        Step::Fold { to, limit, skip } => {
            let destination = Destination::of(&ops(), &user(&to_name(to)));
            let found = outbox.foldable(&ops(), destination, limit).await.unwrap();
            let found = found.map(|found| found.messages).unwrap_or_default();
            let members: Vec<_> =
                found.into_iter().map(|foldable| foldable.notification).skip(skip).collect();
            let taken = model.folds(to, &members.iter().map(|id| id.0).collect::<Vec<_>>());
            let parts =
                NewNotification { kind: Kind::Digest, ..split("digest", &format!("digest {count}"), 2) };
            let new = if skip == 1 { parts } else { digest(&format!("digest {count}")) };
            let new = addressed(new, to);
            let pick = Pick::Digest { members, digest: Box::new(new.clone()) };
            let claimed = outbox.claim(&ops(), vec![pick], CHECK, now).await.unwrap();
            assert_eq!(claimed.len(), usize::from(!taken.is_empty()));
            if let Some(first) = claimed.first().map(|claimed| claimed.id.0) {
                let (notification, ids) = new_ids(outbox, model).await;
                model.put(&new, notification, &ids, OrderingKey::Digest(first), to);
                for row in model.rows.iter_mut().filter(|row| taken.contains(&row.notification)) {
                    (row.state, row.digest) = (State::Folded, Some(first));
                }
                model.claim(first);
            }
        }
        Step::Deliver(n) | Step::Kill(n) | Step::PutOff(n, _) => {
            let Some(of) = in_flight(n, model) else { return };
            model.row(of).attempts += 1;
            let verdict = match step {
                Step::Deliver(_) => Verdict::Delivered(Receipt::default()),
                Step::PutOff(_, delay) => {
                    let due = model.now + delay;
                    let row = model.row(of);
                    (row.state, row.due) = (State::Queued, due);
                    Verdict::Retry { at: at(due), charged: true, unconfirmed: true, unknown: false }
                }
                _ => Verdict::Dead("refused".to_owned()),
            };
            match step {
                Step::Deliver(_) => model.end(of, State::Delivered),
                Step::Kill(_) => model.end(of, State::Dead),
                _ => {}
            }
            settle(outbox, id(of), verdict, now).await;
        }
        Step::Recover => {
            outbox.recover(now).await.unwrap();
            let due = model.now;
            for row in model.rows.iter_mut().filter(|row| row.state == State::InFlight) {
                (row.state, row.due, row.attempts) = (State::Queued, due, row.attempts + 1);
            }
        }
        Step::Retry(n) => {
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
                    model.again(row.id);
                    Changed::Deliveries(1)
                }
                _ => Changed::NotIn(state),
            };
            assert_eq!(outbox.retry(Which::One(id(row.id)), now).await.unwrap(), expected);
        }
        Step::RetryDead => {
            let told = |row: &Row| {
                let mut parts = model.rows.iter().filter(|part| part.notification == row.notification);
                row.kind != Kind::Digest || parts.any(|part| part.state == State::Delivered)
            };
            let mut dead: Vec<_> =
                model.rows.iter().filter(|row| row.state == State::Dead && told(row)).collect();
            dead.sort_by_key(|row| row.id);
            let dead: Vec<_> = dead.into_iter().map(|row| row.id).collect();
            let changed = outbox.retry(Which::AllDead, now).await.unwrap();
            assert_eq!(changed, Changed::Deliveries(u32::try_from(dead.len()).unwrap()));
            dead.into_iter().for_each(|id| model.again(id));
        }
        Step::Discard(n) => {
            let Some(row) = any(n, model) else { return };
            let state = model.state(&row);
            let expected = match state {
                State::Ready | State::Queued => {
                    model.break_up(row.notification);
                    model.end(row.id, State::Discarded);
                    Changed::Deliveries(1)
                }
                State::Dead => {
                    model.row(row.id).state = State::Discarded;
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
            model.rows.retain(|row| !gone.contains(&row.notification));
            model.settled_at.retain(|id, _| !gone.contains(id));
        }
        Step::Pass(seconds) => model.now += seconds,
    }
}

/// Everything that can be asked gives the model's answer.
async fn compare(outbox: &SqliteOutbox, model: &Model) {
    let listed = outbox.list(Filter { limit: 1000, ..Filter::default() }).await.unwrap();
    let open: Vec<_> = listed.iter().filter(|row| !is_settled(row.state)).collect();
    let depths = outbox.depths().await.unwrap();
    assert!(depths.len() <= 1, "{depths:?}");
    assert_eq!(depths.iter().map(|depth| depth.deliveries).sum::<u64>(), open.len() as u64);
    let oldest = open.iter().min_by_key(|row| row.notification).map(|row| row.accepted_at);
    assert_eq!(depths.iter().find_map(|depth| depth.oldest_accepted_at), oldest);
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
    let waiting = outbox.waiting(&ops(), 4, at(model.now)).await.unwrap();
    let mut next_due = Vec::new();
    for to in 0..2 {
        let destination = Destination::of(&ops(), &user(&to_name(to)));
        let queue = waiting.queues.iter().find(|queue| queue.destination == destination);
        let (due, later): (Vec<_>, Vec<_>) =
            model.heads(to).into_iter().partition(|row| row.due <= model.now);
        next_due.extend(later.into_iter().map(|row| row.due));
        let foldable = model.foldable(to);
        let found = outbox.foldable(&ops(), destination, 1000).await.unwrap();
        let found = found.map(|found| found.messages).unwrap_or_default();
        assert_eq!(found.iter().map(|foldable| foldable.notification.0).collect::<Vec<_>>(), foldable);
        let stored = queue.map(|queue| (queue.notification.0, queue.slots, queue.due, queue.fresh));
        let bounded = |count: usize| u32::try_from(count).unwrap().min(4);
        let expected = due.first().map(|first| {
            (first.notification, Model::slots(first), bounded(due.len()), bounded(foldable.len()))
        });
        assert_eq!(stored, expected);
    }
    assert_eq!(waiting.next_due, next_due.into_iter().min().map(at));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_order_is_kept_and_nothing_is_lost(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (outbox, _kept) = fresh();
            let mut model = Model::default();
            for (count, next) in steps.into_iter().enumerate() {
                step(&outbox, &mut model, next, count).await;
                compare(&outbox, &model).await;
            }
            model.now += 1000;
            step(&outbox, &mut model, Step::Recover, 0).await;
            drain(&outbox, at(model.now)).await;
            let open = list(&outbox).await.into_iter().filter(|row| !is_settled(row.state));
            assert_eq!(open.count(), 0);
            outbox.enqueue(alert("last", "last"), at(model.now)).await.unwrap();
            assert_eq!(drain(&outbox, at(model.now)).await, ["last"]);
        });
    }
}
