use std::{collections::BTreeMap, time::Duration};

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{
    delivery::rate_limiter::{Limits, Windows},
    outbox::{DeliveryId, NotificationId, SenderName},
};

const NOW: Monotonic = Monotonic(Duration::from_secs(1_000_000));

fn limiter(per_minute: u32) -> RateLimiter {
    RateLimiter::new(Limits { per_minute, per_hour: 0 }, Windows::default())
}

fn user(ids: &str) -> Recipients {
    Recipients::parse(ids, "", "").unwrap()
}

/// `due` notifications of `slots` parts each that were never attempted. `number` makes their ids unique.
fn waiting(number: i64, recipients: &Recipients, slots: u32, due: u32) -> Waiting {
    let head = |n: u32| {
        let id = 1000 * number + i64::from(n);
        Head { delivery: DeliveryId(id), notification: NotificationId(id), slots, started: false }
    };
    Waiting {
        destination: Destination::of(&SenderName("ops".to_owned()), recipients),
        recipients: recipients.clone(),
        heads: (0..due).map(head).collect(),
        foldable: due,
        next_due: None,
    }
}

/// The picks of a plan, and the states in which it leaves the destinations.
#[derive(Debug)]
struct Planned {
    picks: Vec<Pick>,
    left: Vec<Left>,
}

fn plan_for(all: &[Waiting], limiter: &RateLimiter, capacity: u32) -> Planned {
    plan_at(NOW, all, limiter, capacity)
}

fn plan_at(now: Monotonic, all: &[Waiting], limiter: &RateLimiter, capacity: u32) -> Planned {
    let mut plan = Plan::new(capacity, now);
    let mut picks = Vec::new();
    for waiting in all {
        if !plan.is_full() {
            picks.extend(plan.add(waiting, limiter));
        }
    }
    Planned { picks, left: plan.rests().iter().map(|rest| rest.left).collect() }
}

impl Planned {
    fn sent(&self) -> Vec<i64> {
        let sent = self.picks.iter().filter_map(|pick| match pick {
            Pick::Delivery(DeliveryId(id)) => Some(*id),
            Pick::Digest { .. } => None,
        });
        sent.collect()
    }

    fn folds(&self) -> usize {
        self.picks.len() - self.sent().len()
    }
}

/// Uses slots of `recipients` at `at`.
fn spend(limiter: &mut RateLimiter, recipients: &Recipients, slots: u32, at: Monotonic) {
    for n in 0..slots {
        let id = DeliveryId(1000 + i64::from(n));
        limiter.start(id, recipients, at);
        limiter.end(id, recipients, true, None, at);
    }
}

#[test]
fn notifications_that_fit_beside_the_reserve_are_sent() {
    let plan = plan_for(&[waiting(1, &user("u1"), 1, 25)], &limiter(30), 32);
    assert_eq!((plan.sent().len(), plan.folds()), (25, 0));
}

#[test]
fn notifications_beyond_the_reserve_are_folded() {
    let plan = plan_for(&[waiting(1, &user("u1"), 1, 26)], &limiter(30), 32);
    assert_eq!((plan.sent().len(), plan.folds()), (0, 1));
}

#[test]
fn deliveries_go_out_in_order_while_capacity_lasts() {
    let all = [1, 2, 3].map(|number| waiting(number, &user(&format!("u{number}")), 1, 2));
    let plan = plan_for(&all, &limiter(30), 3);
    assert_eq!(plan.sent(), [1000, 1001, 2000]);
    assert_eq!(plan.left, [Left::Nothing, Left::More]);
}

#[test]
fn a_text_that_does_not_fit_blocks_later_deliveries() {
    let mut all = waiting(1, &user("u1"), 1, 3);
    all.heads[1].slots = 5;
    let plan = plan_for(&[all], &limiter(0), 4);
    assert_eq!((plan.sent(), plan.left), (vec![1000], vec![Left::More]));
}

#[test]
fn a_text_with_more_parts_than_the_capacity_is_still_sent() {
    let plan = plan_for(&[waiting(1, &user("u1"), 5, 2)], &limiter(30), 2);
    assert_eq!((plan.sent(), plan.left), (vec![1000], vec![Left::More]));
}

#[test]
fn a_split_text_is_folded_when_its_parts_do_not_fit() {
    let mut split = waiting(1, &user("u1"), 1, 2);
    split.heads[0].slots = 3;
    let mut limiter = limiter(30);
    spend(&mut limiter, &user("u1"), 28, NOW.before(Duration::from_secs(30)));
    let plan = plan_for(&[split], &limiter, 32);
    assert_eq!((plan.sent().len(), plan.folds()), (0, 1));
}

#[test]
fn a_started_text_uses_the_slots_reserved_for_its_parts() {
    let mut limiter = limiter(3);
    limiter.start(DeliveryId(1), &user("u1"), NOW);
    limiter.reserve(NotificationId(1000), DeliveryId(1), &user("u1"), 2, NOW);
    let mut next = waiting(1, &user("u1"), 1, 1);
    (next.heads[0].started, next.foldable) = (true, 0);
    assert_eq!(plan_for(&[next], &limiter, 32).sent(), [1000]);
}

#[test]
fn no_slot_is_planned_twice_for_a_common_recipient() {
    let all = [waiting(1, &user("u1"), 1, 20), waiting(2, &user("u1|u2"), 1, 20)];
    let plan = plan_for(&all, &limiter(30), 32);
    assert!(plan.picks.len() <= 30, "{plan:?}");
}

#[test]
fn a_digest_and_resends_take_turns() {
    let mut all = waiting(1, &user("u1"), 1, 40);
    all.heads[39].started = true;
    let digests = (0..100).filter(|milliseconds| {
        let now = NOW + Duration::from_millis(*milliseconds);
        let plan = plan_at(now, std::slice::from_ref(&all), &limiter(30), 8);
        assert_eq!((plan.picks.len(), plan.left), (1, vec![Left::More]));
        plan.picks != [Pick::Delivery(DeliveryId(1039))]
    });
    assert!((40..=60).contains(&digests.count()));
}

#[test]
fn a_destination_without_a_slot_waits_for_the_next_one() {
    let mut limiter = limiter(5);
    spend(&mut limiter, &user("u1"), 5, NOW.before(Duration::from_secs(20)));
    let plan = plan_for(&[waiting(1, &user("u1"), 1, 1)], &limiter, 32);
    let until = Some(NOW + Duration::from_secs(40));
    assert_eq!((plan.picks, plan.left), (vec![], vec![Left::Waits { until, is_blocked: false }]));
}

#[test]
fn slots_that_are_only_planned_are_not_waited_for() {
    let all = [waiting(1, &user("a"), 1, 1), waiting(2, &user("a|b"), 1, 1)];
    let plan = plan_for(&all, &limiter(1), 8);
    assert_eq!((plan.sent(), plan.left), (vec![1000], vec![Left::Nothing, Left::More]));
}

#[test]
fn a_slot_in_flight_blocks_until_the_end_of_any_message() {
    let mut limiter = limiter(1);
    limiter.start(DeliveryId(1), &user("u1"), NOW);
    let plan = plan_for(&[waiting(1, &user("u1"), 1, 1)], &limiter, 32);
    assert_eq!((plan.picks, plan.left), (vec![], vec![Left::Waits { until: None, is_blocked: true }]));
}

#[test]
fn deliveries_are_counted_as_far_as_the_plan_can_use_them() {
    let limits = |per_minute, per_hour| Limits { per_minute, per_hour };
    assert_eq!(count_to(limits(0, 0), 32), 33);
    assert_eq!(count_to(limits(20, 0), 32), 33);
    assert_eq!(count_to(limits(29, 1000), 1), 30);
    assert_eq!(count_to(limits(0, 1000), 32), digest::MAX_MEMBERS);
}

/// Destinations with deliveries of each kind.
fn many() -> impl Strategy<Value = Vec<Waiting>> {
    let to = prop_oneof![Just(user("u1")), Just(user("u1|u2")), Just(user("u3")), Just(Recipients::All)];
    let head = (1..4_u32, any::<bool>());
    vec((to, vec(head, 1..40), 0..5_u32), 1..6).prop_map(|all| {
        let mut many: Vec<_> = (0..)
            .zip(all)
            .map(|(number, (to, heads, followers))| {
                let mut waiting = waiting(number, &to, 1, u32::try_from(heads.len()).unwrap());
                for (head, (slots, started)) in waiting.heads.iter_mut().zip(heads) {
                    (head.slots, head.started) = (if started { 1 } else { slots }, started);
                }
                let foldable = waiting.heads.iter().filter(|head| !head.started).count();
                waiting.foldable =
                    if foldable == 0 { 0 } else { followers + u32::try_from(foldable).unwrap() };
                waiting
            })
            .collect();
        many.sort_by_key(|waiting| waiting.destination);
        many.dedup_by_key(|waiting| waiting.destination);
        many
    })
}

proptest! {
    #[test]
    fn a_plan_keeps_to_its_limits_and_never_gets_stuck(
        many in many(), per_minute in 3..31_u32, capacity in 1..33_u32, spent in vec((0..59_u64, 0..3_usize), 0..30),
    ) {
        let sets = [user("u1"), user("u2"), Recipients::All];
        let mut limiter = limiter(per_minute);
        let mut spent = spent;
        spent.sort_unstable();
        for (age, set) in spent.into_iter().rev() {
            let at = NOW.before(Duration::from_secs(age));
            if !matches!(limiter.budget(&sets[set], at), Budget::Slots { free: 0, .. }) {
                spend(&mut limiter, &sets[set], 1, at);
            }
        }
        let plan = plan_for(&many, &limiter, capacity);

        let heads: BTreeMap<_, _> =
            many.iter().flat_map(|waiting| &waiting.heads).map(|head| (head.delivery.0, *head)).collect();
        let largest = heads.values().map(|head| head.slots).max().unwrap();
        let planned: u32 = plan.sent().iter().map(|id| heads[id].slots).sum();
        prop_assert!(planned as usize + plan.folds() <= (capacity + largest) as usize, "{plan:?}");

        let mut sent = plan.sent();
        sent.sort_unstable();
        sent.dedup();
        prop_assert_eq!(sent.len() + plan.folds(), plan.picks.len(), "a delivery is picked twice");

        // Nothing is in flight, so no end can be relied on. The next look comes at once only if something is picked.
        for left in &plan.left {
            match left {
                Left::Nothing => {}
                Left::More => prop_assert!(!plan.picks.is_empty(), "{plan:?}"),
                Left::Waits { until, .. } => prop_assert!(until.is_some_and(|until| until > NOW), "{plan:?}"),
            }
        }

        let mut taken: BTreeMap<Addressee, u32> = BTreeMap::new();
        for pick in &plan.picks {
            let (waiting, slots) = match pick {
                Pick::Delivery(id) => {
                    let has = |waiting: &&Waiting| waiting.heads.iter().any(|head| head.delivery == *id);
                    (many.iter().find(has).unwrap(), heads[&id.0].slots)
                }
                Pick::Digest { destination, .. } => {
                    (many.iter().find(|waiting| waiting.destination == *destination).unwrap(), 1)
                }
            };
            for addressee in waiting.recipients.addressees() {
                *taken.entry(addressee).or_default() += slots;
            }
        }
        let all = taken.get(&Addressee::All).copied().unwrap_or(0);
        for name in ["u1", "u2", "u3"] {
            let slots = taken.get(&Addressee::User(name.to_owned())).copied().unwrap_or(0) + all;
            if let Budget::Slots { free, .. } = limiter.budget(&user(name), NOW) {
                prop_assert!(slots <= free, "{name} has {free} and gets {slots}: {plan:?}");
            }
        }
    }
}
