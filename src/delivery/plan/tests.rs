use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{
    delivery::pace::{Limits, Windows},
    outbox::{DeliveryId, NotificationId, SenderName},
};

const NOW: Monotonic = Monotonic(Duration::from_secs(1_000_000));

fn pace(per_minute: u32) -> Pace {
    Pace::new(Limits { per_minute, per_hour: 0 }, Windows::default())
}

fn user(ids: &str) -> Recipients {
    Recipients::parse(ids, "", "").unwrap()
}

/// `due` whole messages of `slots` parts each that nobody has tried.
fn queue(receiver: &str, recipients: &Recipients, slots: u32, due: u32) -> Queue {
    Queue {
        destination: Destination::of(&SenderName("ops".to_owned()), recipients),
        receiver: ReceiverName(receiver.to_owned()),
        recipients: recipients.clone(),
        due_at: Timestamp::UNIX_EPOCH,
        slots,
        delivery: DeliveryId(1),
        notification: NotificationId(1),
        started: false,
        due,
        fresh: due,
    }
}

/// Takes slots of `recipients` at `at`.
fn spend(pace: &mut Pace, recipients: &Recipients, slots: u32, at: Monotonic) {
    for n in 0..slots {
        let id = DeliveryId(1000 + i64::from(n));
        pace.start(id, recipients, at);
        pace.end(id, recipients, true, None, at);
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
fn what_fits_beside_the_reserve_goes_out_as_it_is() {
    let plan = plan(&[queue("a", &user("u1"), 1, 25)], &pace(30), 32, 0, NOW);
    assert_eq!(sends(&plan), [("a", 25)]);
    assert_eq!(folds(&plan), 0);
}

#[test]
fn more_than_fits_beside_the_reserve_folds() {
    let plan = plan(&[queue("a", &user("u1"), 1, 26)], &pace(30), 32, 0, NOW);
    assert_eq!((sends(&plan).len(), folds(&plan)), (0, 1));
}

#[test]
fn receivers_of_one_destination_share() {
    let queues = [queue("a", &user("u1"), 1, 100), queue("b", &user("u1"), 1, 100)];
    let plan = plan(&queues, &pace(0), 10, 3, NOW);
    assert_eq!(sends(&plan), [("a", 5), ("b", 5)]);
}

#[test]
fn with_one_send_at_a_time_receivers_and_destinations_take_turns() {
    for queues in [
        [queue("a", &user("u1"), 1, 100), queue("b", &user("u1"), 1, 100)],
        [queue("a", &user("u1"), 1, 100), queue("b", &user("u2"), 1, 100)],
    ] {
        let mut turns: BTreeMap<String, u32> = BTreeMap::new();
        for turn in 0..100 {
            let plan = plan(&queues, &pace(0), 1, turn, NOW);
            assert_eq!(sends(&plan).len(), 1);
            *turns.entry(sends(&plan)[0].0.to_owned()).or_default() += 1;
        }
        assert_eq!(turns, BTreeMap::from([("a".to_owned(), 50), ("b".to_owned(), 50)]));
    }
}

#[test]
fn a_split_message_starts_only_when_all_its_parts_fit_and_else_folds() {
    let split = [queue("a", &user("u1"), 3, 1), queue("b", &user("u1"), 1, 1)];
    let mut pace = pace(30);
    spend(&mut pace, &user("u1"), 28, NOW.before(Duration::from_secs(30)));
    let plan = plan(&split, &pace, 32, 0, NOW);
    assert_eq!((sends(&plan).len(), folds(&plan)), (0, 1));
}

#[test]
fn a_split_message_that_was_started_goes_on_from_the_slots_kept_for_it() {
    let mut pace = pace(3);
    pace.start(DeliveryId(1), &user("u1"), NOW);
    pace.reserve(NotificationId(1), DeliveryId(1), &user("u1"), 2, NOW);
    let next = Queue { delivery: DeliveryId(2), started: true, fresh: 0, ..queue("a", &user("u1"), 1, 1) };
    assert_eq!(sends(&plan(&[next], &pace, 32, 0, NOW)), [("a", 1)]);
}

#[test]
fn destinations_with_a_recipient_in_common_do_not_spend_the_same_slot_twice() {
    let queues = [queue("a", &user("u1"), 1, 20), queue("b", &user("u1|u2"), 1, 20)];
    for turn in 0..2 {
        let plan = plan(&queues, &pace(30), 32, turn, NOW);
        let planned: u32 = sends(&plan).iter().map(|(_, slots)| slots).sum();
        assert!(planned as usize + folds(&plan) <= 30, "{plan:?}");
    }
}

#[test]
fn without_room_the_plan_wakes_when_there_is_some() {
    let mut pace = pace(5);
    spend(&mut pace, &user("u1"), 5, NOW.before(Duration::from_secs(20)));
    let queue = queue("a", &user("u1"), 1, 1);
    let plan = plan(std::slice::from_ref(&queue), &pace, 32, 0, NOW);
    let wake = Some(NOW + Duration::from_secs(40));
    assert_eq!(plan, Plan { actions: Vec::new(), wake, waits: vec![queue.destination] });
}

fn queues() -> impl Strategy<Value = Vec<Queue>> {
    let to = prop_oneof![Just(user("u1")), Just(user("u1|u2")), Just(user("u3")), Just(Recipients::All)];
    let one = (to, 0..3_u8, 1..4_u32, 1..40_u32, any::<bool>());
    vec(one, 1..6).prop_map(|all| {
        let mut queues: Vec<_> = all
            .into_iter()
            .map(|(to, receiver, slots, due, started)| {
                let slots = if started { 1 } else { slots };
                let fresh = if started { due - 1 } else { due };
                Queue { started, fresh, ..queue(&receiver.to_string(), &to, slots, due) }
            })
            .collect();
        queues.sort_by(|a, b| (a.destination, &a.receiver).cmp(&(b.destination, &b.receiver)));
        queues.dedup_by(|a, b| (a.destination, &a.receiver) == (b.destination, &b.receiver));
        queues
    })
}

proptest! {
    #[test]
    fn a_plan_keeps_within_capacity_and_budget_and_is_never_a_dead_end(
        queues in queues(), per_minute in 3..31_u32, capacity in 1..33_u32, turn in 0..9_usize,
        spent in vec((0..59_u64, 0..3_usize), 0..30),
    ) {
        let sets = [user("u1"), user("u2"), Recipients::All];
        let mut pace = pace(per_minute);
        let mut spent = spent;
        spent.sort_unstable();
        for (age, set) in spent.into_iter().rev() {
            let at = NOW.before(Duration::from_secs(age));
            if !matches!(pace.budget(&sets[set], at), Budget::Slots { free: 0, .. }) {
                spend(&mut pace, &sets[set], 1, at);
            }
        }
        let plan = plan(&queues, &pace, capacity, turn, NOW);
        prop_assert!(!plan.actions.is_empty() || plan.wake.is_some_and(|wake| wake > NOW), "{plan:?}");

        let largest = queues.iter().map(|queue| queue.slots).max().unwrap();
        let planned: u32 = sends(&plan).iter().map(|(_, slots)| slots).sum();
        prop_assert!(planned as usize + folds(&plan) <= (capacity.max(largest) + largest) as usize, "{plan:?}");

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
            if let Budget::Slots { free, .. } = pace.budget(&user(name), NOW) {
                prop_assert!(slots <= free, "{name} has {free} and gets {slots}: {plan:?}");
            }
        }
    }
}
