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

/// `due` notifications of `slots` parts each that were never attempted.
fn queue(receiver: &str, recipients: &Recipients, slots: u32, due: u32) -> Queue {
    Queue {
        destination: Destination::of(&SenderName("ops".to_owned()), recipients),
        receiver: ReceiverName(receiver.to_owned()),
        recipients: recipients.clone(),
        slots,
        delivery: DeliveryId(1),
        notification: NotificationId(1),
        started: false,
        due,
        foldable: due,
    }
}

/// The queues by destination, as a look finds them.
fn waiting(queues: &[Queue]) -> Vec<Waiting> {
    let mut all: Vec<Waiting> = Vec::new();
    for queue in queues {
        match all.iter_mut().find(|waiting| waiting.destination == queue.destination) {
            Some(waiting) => waiting.queues.push(queue.clone()),
            None => all.push(Waiting {
                destination: queue.destination,
                queues: vec![queue.clone()],
                next_due: None,
            }),
        }
    }
    all
}

/// A plan for the queues in turn 0.
fn plan_for(queues: &[Queue], limiter: &RateLimiter, capacity: u32) -> Plan {
    plan(&waiting(queues), limiter, capacity, 0, NOW)
}

/// Uses slots of `recipients` at `at`.
fn spend(limiter: &mut RateLimiter, recipients: &Recipients, slots: u32, at: Monotonic) {
    for n in 0..slots {
        let id = DeliveryId(1000 + i64::from(n));
        limiter.start(id, recipients, at);
        limiter.end(id, recipients, true, None, at);
    }
}

fn sends(plan: &Plan) -> Vec<(&str, u32)> {
    fn send(action: &Action) -> Option<(&str, u32)> {
        match action {
            Action::Send { receiver, slots, .. } => Some((receiver.0.as_str(), *slots)),
            Action::Fold { .. } => None,
        }
    }
    plan.actions.iter().filter_map(send).collect()
}

fn folds(plan: &Plan) -> usize {
    plan.actions.iter().filter(|action| matches!(action, Action::Fold { .. })).count()
}

#[test]
fn notifications_that_fit_beside_the_reserve_are_sent() {
    let plan = plan_for(&[queue("a", &user("u1"), 1, 25)], &limiter(30), 32);
    assert_eq!(sends(&plan), [("a", 25)]);
    assert_eq!(folds(&plan), 0);
}

#[test]
fn notifications_beyond_the_reserve_are_folded() {
    let plan = plan_for(&[queue("a", &user("u1"), 1, 26)], &limiter(30), 32);
    assert_eq!((sends(&plan).len(), folds(&plan)), (0, 1));
}

#[test]
fn receivers_of_one_destination_share_the_slots() {
    let queues = [queue("a", &user("u1"), 1, 100), queue("b", &user("u1"), 1, 100)];
    let plan = plan(&waiting(&queues), &limiter(0), 10, 3, NOW);
    assert_eq!(sends(&plan), [("a", 5), ("b", 5)]);
}

#[test]
fn receivers_take_turns_with_one_message_at_a_time() {
    let queues = [queue("a", &user("u1"), 1, 100), queue("b", &user("u1"), 1, 100)];
    let mut turns: BTreeMap<String, u32> = BTreeMap::new();
    for turn in 0..100 {
        let plan = plan(&waiting(&queues), &limiter(0), 1, turn, NOW);
        assert_eq!(sends(&plan).len(), 1);
        *turns.entry(sends(&plan)[0].0.to_owned()).or_default() += 1;
    }
    assert_eq!(turns, BTreeMap::from([("a".to_owned(), 50), ("b".to_owned(), 50)]));
}

#[test]
fn destinations_are_planned_in_order_while_capacity_lasts() {
    let queues =
        [queue("a", &user("u1"), 1, 1), queue("b", &user("u2"), 1, 1), queue("c", &user("u3"), 1, 1)];
    assert_eq!(sends(&plan_for(&queues, &limiter(30), 2)), [("a", 1), ("b", 1)]);
}

#[test]
fn a_split_text_is_folded_when_its_parts_do_not_fit() {
    let split = [queue("a", &user("u1"), 3, 1), queue("b", &user("u1"), 1, 1)];
    let mut limiter = limiter(30);
    spend(&mut limiter, &user("u1"), 28, NOW.before(Duration::from_secs(30)));
    let plan = plan_for(&split, &limiter, 32);
    assert_eq!((sends(&plan).len(), folds(&plan)), (0, 1));
}

#[test]
fn a_started_text_uses_the_slots_reserved_for_its_parts() {
    let mut limiter = limiter(3);
    limiter.start(DeliveryId(1), &user("u1"), NOW);
    limiter.reserve(NotificationId(1), DeliveryId(1), &user("u1"), 2, NOW);
    let next = Queue { delivery: DeliveryId(2), started: true, foldable: 0, ..queue("a", &user("u1"), 1, 1) };
    assert_eq!(sends(&plan_for(&[next], &limiter, 32)), [("a", 1)]);
}

#[test]
fn no_slot_is_planned_twice_for_a_common_recipient() {
    let queues = [queue("a", &user("u1"), 1, 20), queue("b", &user("u1|u2"), 1, 20)];
    for turn in 0..2 {
        let plan = plan(&waiting(&queues), &limiter(30), 32, turn, NOW);
        let planned: u32 = sends(&plan).iter().map(|(_, slots)| slots).sum();
        assert!(planned as usize + folds(&plan) <= 30, "{plan:?}");
    }
}

#[test]
fn a_destination_without_a_slot_waits_for_the_next_one() {
    let mut limiter = limiter(5);
    spend(&mut limiter, &user("u1"), 5, NOW.before(Duration::from_secs(20)));
    let queue = queue("a", &user("u1"), 1, 1);
    let plan = plan_for(std::slice::from_ref(&queue), &limiter, 32);
    let until = Some(NOW + Duration::from_secs(40));
    let wait = Wait { destination: queue.destination, until, is_blocked: false };
    assert_eq!(plan, Plan { actions: Vec::new(), waits: vec![wait] });
}

#[test]
fn slots_that_are_only_planned_are_not_waited_for() {
    let limiter = limiter(1);
    let (first, second) = (queue("wechat", &user("a"), 1, 1), queue("wechat", &user("a|b"), 1, 1));
    let plan = plan_for(&[first, second], &limiter, 8);
    assert_eq!(sends(&plan), [("wechat", 1)]);
    assert_eq!(plan.waits, []);
}

#[test]
fn a_slot_in_flight_blocks_until_the_end_of_any_message() {
    let mut limiter = limiter(1);
    limiter.start(DeliveryId(1), &user("u1"), NOW);
    let queue = queue("a", &user("u1"), 1, 1);
    let plan = plan_for(std::slice::from_ref(&queue), &limiter, 32);
    let wait = Wait { destination: queue.destination, until: None, is_blocked: true };
    assert_eq!(plan, Plan { actions: Vec::new(), waits: vec![wait] });
}

#[test]
fn deliveries_are_counted_as_far_as_the_plan_can_use_them() {
    let limits = |per_minute, per_hour| Limits { per_minute, per_hour };
    assert_eq!(count_to(limits(0, 0), 32), 33);
    assert_eq!(count_to(limits(20, 0), 32), 33);
    assert_eq!(count_to(limits(29, 1000), 1), 30);
    assert_eq!(count_to(limits(0, 1000), 32), digest::MAX_MEMBERS);
}

fn queues() -> impl Strategy<Value = Vec<Queue>> {
    let to = prop_oneof![Just(user("u1")), Just(user("u1|u2")), Just(user("u3")), Just(Recipients::All)];
    let one = (to, 0..3_u8, 1..4_u32, 1..40_u32, any::<bool>());
    vec(one, 1..6).prop_map(|all| {
        let mut queues: Vec<_> = all
            .into_iter()
            .map(|(to, receiver, slots, due, started)| {
                let slots = if started { 1 } else { slots };
                let foldable = if started { due - 1 } else { due };
                Queue { started, foldable, ..queue(&receiver.to_string(), &to, slots, due) }
            })
            .collect();
        queues.sort_by(|a, b| (a.destination, &a.receiver).cmp(&(b.destination, &b.receiver)));
        queues.dedup_by(|a, b| (a.destination, &a.receiver) == (b.destination, &b.receiver));
        queues
    })
}

proptest! {
    #[test]
    fn a_plan_keeps_to_its_limits_and_never_gets_stuck(
        queues in queues(), per_minute in 3..31_u32, capacity in 1..33_u32, turn in 0..9_usize,
        spent in vec((0..59_u64, 0..3_usize), 0..30),
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
        let waiting = waiting(&queues);
        let plan = plan(&waiting, &limiter, capacity, turn, NOW);

        let largest = queues.iter().map(|queue| queue.slots).max().unwrap();
        let planned: u32 = sends(&plan).iter().map(|(_, slots)| slots).sum();
        prop_assert!(planned as usize + folds(&plan) <= (capacity.max(largest) + largest) as usize, "{plan:?}");

        for Waiting { destination, .. } in &waiting {
            let is_planned = plan.actions.iter().any(|action| match action {
                Action::Send { destination: to, .. } | Action::Fold { destination: to } => to == destination,
            });
            let is_woken = plan.waits.iter().filter(|wait| wait.destination == *destination).any(|wait| {
                // Nothing is in flight, and the claim may find nothing, so no end can be relied on.
                wait.until.is_some_and(|until| until > NOW)
            });
            // Without a wait, the next look comes at once. Something must be planned, or looks would never end.
            let waits = plan.waits.iter().any(|wait| wait.destination == *destination);
            let is_next = !waits && !plan.actions.is_empty();
            prop_assert!(is_planned || is_woken || is_next, "{plan:?}");
        }

        let mut taken: BTreeMap<Addressee, u32> = BTreeMap::new();
        for action in &plan.actions {
            let (destination, slots) = match action {
                Action::Send { destination, slots, .. } => (destination, *slots),
                Action::Fold { destination } => (destination, 1),
            };
            let queue = queues.iter().find(|queue| queue.destination == *destination).unwrap();
            for addressee in queue.recipients.addressees() {
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
