//! Cards and presses against a model that is two plain lists.

use jiff::Timestamp;
use proptest::prelude::*;
use wecom_relay::outbox::{
    AcceptedPress, ClaimId, Claimed, CodeState, DeliveryId, Handled, HandledAction, Lease as _, NewPress,
    Outbox, PressId, PressVerdict, Verdict, WatchVerdict,
};

use super::run;
use crate::{
    outbox_conformance::{
        cards::{card, repeat, resolved, sent_with, settle_tried, update_content, with_content},
        fixture::{acquire, alert, at, claim, claim_one, drain, enqueue, retry_at, settlement},
        presses::press,
    },
    outbox_postgres, outbox_sqlite,
};

const CODE_SECONDS: i64 = 3 * 86_400;

#[derive(Debug, Clone)]
enum Step {
    Send {
        group: u8,
    },
    /// Updates the open cards of a group, and uses the codes of this number of them. With `lost`, the next one had no
    /// answer at an attempt before.
    Update {
        group: u8,
        spent: usize,
        resolves: bool,
        lost: bool,
        dies: bool,
    },
    /// Updates a card with the code of a press.
    UpdateOne {
        card: usize,
    },
    Recall {
        card: usize,
    },
    Press {
        card: usize,
        button: u8,
    },
    Claim {
        seconds: i64,
    },
    Retry {
        claim: usize,
        delay: i64,
    },
    Finish {
        claim: usize,
        watch: Option<i64>,
        notifies: bool,
    },
    Watch,
    EndWatch {
        card: usize,
    },
    Purge {
        age: i64,
    },
    Pass(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..3_u8).prop_map(|group| Step::Send { group }),
        3 => (0..3_u8, 0..3_usize, any::<[bool; 3]>())
            .prop_map(|(group, spent, [resolves, lost, dies])| Step::Update { group, spent, resolves, lost, dies }),
        2 => (0..9_usize).prop_map(|card| Step::UpdateOne { card }),
        1 => (0..9_usize).prop_map(|card| Step::Recall { card }),
        5 => (0..9_usize, 0..2_u8).prop_map(|(card, button)| Step::Press { card, button }),
        5 => (1..30_i64).prop_map(|seconds| Step::Claim { seconds }),
        2 => (0..9_usize, 0..30_i64).prop_map(|(claim, delay)| Step::Retry { claim, delay }),
        4 => (0..9_usize, prop::option::of(1..500_i64), any::<bool>())
            .prop_map(|(claim, watch, notifies)| Step::Finish { claim, watch, notifies }),
        2 => Just(Step::Watch),
        1 => (0..9_usize).prop_map(|card| Step::EndWatch { card }),
        1 => (0..90_i64).prop_map(|age| Step::Purge { age }),
        4 => prop_oneof![4 => 1..40_i64, 1 => Just(CODE_SECONDS / 2)].prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 1..60)
}

struct Card {
    task_id: String,
    group: u8,
    delivery: DeliveryId,
    sent_at: i64,
    has_code: bool,
    unconfirmed_by: Vec<DeliveryId>,
    is_closed: bool,
    handled: usize,
    watch_until: Option<i64>,
    watch_due: i64,
}

struct Pressed {
    id: PressId,
    new: NewPress,
    task_id: String,
    has_card: bool,
    accepted_at: i64,
    due: i64,
    claim: Option<ClaimId>,
    attempts: u32,
    settled_at: Option<i64>,
}

#[derive(Default)]
struct Model {
    now: i64,
    cards: Vec<Card>,
    presses: Vec<Pressed>,
    claims: Vec<(PressId, ClaimId)>,
}

impl Model {
    /// The task ids of the open cards that `update` can change, newest first, and true if it may have used their codes.
    fn open(&self, group: u8, update: DeliveryId) -> Vec<(String, bool)> {
        let is_open = |card: &&Card| {
            let is_valid = card.has_code && card.sent_at + CODE_SECONDS > self.now;
            card.group == group && !card.is_closed && is_valid
        };
        let mut open: Vec<&Card> = self.cards.iter().filter(is_open).collect();
        open.sort_by_key(|card| std::cmp::Reverse((card.sent_at, card.delivery)));
        open.into_iter().map(|card| (card.task_id.clone(), card.unconfirmed_by == [update])).collect()
    }

    fn sent(&mut self, group: u8, task_id: String, delivery: DeliveryId) {
        self.cards.push(Card {
            task_id,
            group,
            delivery,
            sent_at: self.now,
            has_code: true,
            unconfirmed_by: Vec::new(),
            is_closed: false,
            handled: 0,
            watch_until: None,
            watch_due: 0,
        });
    }

    fn card(&mut self, task_id: &str) -> Option<&mut Card> {
        self.cards.iter_mut().find(|card| card.task_id == task_id)
    }

    /// True if a press need not wait for an earlier one of its card.
    fn is_first(&self, press: &Pressed) -> bool {
        let is_before = |other: &Pressed| {
            let is_of_card = press.has_card && other.has_card && other.task_id == press.task_id;
            let is_earlier = (other.accepted_at, other.id) < (press.accepted_at, press.id);
            is_of_card && is_earlier && other.settled_at.is_none()
        };
        !self.presses.iter().any(is_before)
    }

    /// The time at which a press can be claimed.
    fn next_due(&self) -> Option<i64> {
        let open = self.presses.iter().filter(|press| press.settled_at.is_none() && self.is_first(press));
        open.map(|press| press.due).min()
    }

    /// The press of a claim that has not ended.
    fn claimed(&mut self, (id, claim): (PressId, ClaimId)) -> Option<&mut Pressed> {
        let is_claimed =
            |press: &&mut Pressed| press.id == id && press.claim == Some(claim) && press.settled_at.is_none();
        self.presses.iter_mut().find(is_claimed)
    }
}

/// The task ids of the open cards of an update, and true if it may have used their codes.
fn open_cards(claimed: &Claimed) -> Vec<(String, bool)> {
    claimed.open_cards.iter().map(|card| (card.task_id.clone(), card.may_be_used)).collect()
}

async fn step<O: Outbox>(outbox: &O, lease: &O::Lease, model: &mut Model, step: Step, count: usize) {
    let now = at(model.now);
    let group_of = |group: u8| group.to_string();
    let task_id = format!("t{count}");
    match step {
        Step::Send { group } => {
            enqueue(outbox, card(&group_of(group), &task_id), now).await;
            let claimed = claim_one(lease, now).await;
            lease.settle(settlement(&claimed, sent_with(&task_id), now), now).await.unwrap();
            model.sent(group, task_id, claimed.id);
        }
        Step::Update { group, spent, resolves, lost, dies } => {
            let name = group_of(group);
            let new = if resolves { resolved(&name) } else { repeat(&name, &task_id) };
            enqueue(outbox, new, now).await;
            let mut claimed = claim_one(lease, now).await;
            let open = open_cards(&claimed);
            assert_eq!(open, model.open(group, claimed.id));
            if let Some((unanswered, _)) = open.get(spent).filter(|_| lost) {
                let tried = [(unanswered.as_str(), CodeState::Unconfirmed)];
                settle_tried(lease, &claimed, retry_at(now), &tried, now).await;
                let doubts = &mut model.card(unanswered).unwrap().unconfirmed_by;
                doubts.push(claimed.id);
                claimed = claim_one(lease, now).await;
                assert_eq!(open_cards(&claimed), model.open(group, claimed.id));
            }
            let spent_cards: Vec<String> = open.into_iter().take(spent).map(|(task_id, _)| task_id).collect();
            let is_new = !resolves && !dies && claimed.open_cards.is_empty();
            let verdict = match dies {
                true => Verdict::Dead("expired".to_owned()),
                false => sent_with(if is_new { &task_id } else { "" }),
            };
            let used = spent_cards.iter().map(|task_id| (task_id.as_str(), CodeState::Used));
            settle_tried(lease, &claimed, verdict, &used.collect::<Vec<_>>(), now).await;
            for card in &mut model.cards {
                card.has_code &= !spent_cards.contains(&card.task_id);
                if resolves && !dies && card.group == group {
                    card.is_closed = true;
                    card.watch_until = None;
                }
            }
            if is_new {
                model.sent(group, task_id, claimed.id);
            }
        }
        Step::UpdateOne { card } => {
            let Some(card) = model.cards.get(card % model.cards.len().max(1)) else { return };
            let content = update_content(&card.task_id, Some("of a press"), "text");
            enqueue(outbox, with_content(alert(&group_of(card.group), "update"), content), now).await;
            let claimed = claim(lease, 1, now).await;
            assert_eq!(claimed.is_empty(), card.is_closed);
            for claimed in claimed {
                lease.settle(settlement(&claimed, sent_with(""), now), now).await.unwrap();
            }
        }
        Step::Recall { card } => {
            let count = model.cards.len().max(1);
            let Some(card) = model.cards.get_mut(card % count) else { return };
            outbox.recalled(card.delivery, now).await.unwrap();
            (card.is_closed, card.watch_until) = (true, None);
        }
        Step::Press { card, button } => {
            let card = model.cards.get(card % model.cards.len().max(1));
            let task_id = card.map_or("unknown", |card| card.task_id.as_str()).to_owned();
            let new = NewPress { button: button.to_string(), ..press(&task_id, 0) };
            let known = model.presses.iter().find(|press| press.new == new).map(|press| press.id);
            let accepted = outbox.accept_press(new.clone(), now).await.unwrap();
            match (accepted, known) {
                (AcceptedPress::Duplicate(id), Some(known)) => assert_eq!(id, known),
                (AcceptedPress::Stored(id), None) => {
                    let has_card = model.card(&task_id).is_some();
                    model.presses.push(Pressed {
                        id,
                        new,
                        task_id,
                        has_card,
                        accepted_at: model.now,
                        due: model.now,
                        claim: None,
                        attempts: 0,
                        settled_at: None,
                    });
                }
                other => panic!("{other:?}"),
            }
        }
        Step::Claim { seconds } => {
            let claimed = outbox.claim_press(at(model.now + seconds), now).await.unwrap();
            let first = model.next_due().filter(|due| *due <= model.now);
            assert_eq!(claimed.is_some(), first.is_some());
            let Some(claimed) = claimed else { return };
            let until = model.now + seconds;
            let press = model.presses.iter_mut().find(|press| press.id == claimed.id).unwrap();
            assert_eq!(
                (Some(press.due), press.attempts, &press.task_id),
                (first, claimed.attempts, &claimed.task_id)
            );
            (press.due, press.claim, press.attempts) = (until, Some(claimed.claim), press.attempts + 1);
            let task_id = press.task_id.clone();
            model.claims.push((claimed.id, claimed.claim));
            let known = model.card(&task_id).map(|card| (card.is_closed, card.handled));
            assert_eq!(claimed.card.map(|card| (card.is_closed, card.handled.len())), known);
        }
        Step::Retry { claim, delay } => {
            let Some(claim) = model.claims.get(claim % model.claims.len().max(1)).copied() else { return };
            let due = model.now + delay;
            outbox
                .settle_press(
                    claim.0,
                    claim.1,
                    PressVerdict::Retry { at: at(due), reason: String::new() },
                    now,
                )
                .await
                .unwrap();
            if let Some(press) = model.claimed(claim) {
                (press.due, press.claim) = (due, None);
            }
        }
        Step::Finish { claim, watch, notifies } => {
            let Some(claim) = model.claims.get(claim % model.claims.len().max(1)).copied() else { return };
            let until = watch.map(|seconds| model.now + seconds);
            let notifications = if notifies { vec![alert("press", &count.to_string())] } else { vec![] };
            let verdict = PressVerdict::Done {
                result: count.to_string(),
                handled: Some(Handled {
                    action: HandledAction::Acknowledged,
                    by: "zhang".to_owned(),
                    at: now,
                }),
                watch_until: until.map(at),
                notifications,
            };
            outbox.settle_press(claim.0, claim.1, verdict, now).await.unwrap();
            let present = model.now;
            let mut expected = Vec::new();
            let settled = model.claimed(claim).map(|press| {
                press.settled_at = Some(present);
                press.task_id.clone()
            });
            if let Some(task_id) = settled {
                expected.extend(notifies.then(|| count.to_string()));
                if let Some(card) = model.card(&task_id) {
                    card.handled += 1;
                    if let Some(until) = until.filter(|_| !card.is_closed) {
                        card.watch_until = Some(until.max(card.watch_until.unwrap_or(until)));
                        card.watch_due = present;
                    }
                }
            }
            assert_eq!(drain(lease, now).await, expected);
        }
        Step::Watch => {
            let due = outbox.watched_cards(100, at(model.now + 30), now).await.unwrap();
            let mut due: Vec<(String, Timestamp)> =
                due.into_iter().map(|watched| (watched.card.task_id, watched.watch_until)).collect();
            let present = model.now;
            let mut expected = Vec::new();
            for card in model.cards.iter_mut().filter(|card| card.watch_due <= present) {
                if let Some(until) = card.watch_until {
                    expected.push((card.task_id.clone(), at(until)));
                    card.watch_due = present + 30;
                }
            }
            due.sort();
            expected.sort();
            assert_eq!(due, expected);
        }
        Step::EndWatch { card } => {
            let card = card % model.cards.len().max(1);
            let Some(card) = model.cards.get_mut(card) else { return };
            let until = at(card.watch_due);
            outbox.settle_watch(card.delivery, until, WatchVerdict::Ended, now).await.unwrap();
            card.watch_until = None;
        }
        Step::Purge { age } => {
            let before = model.now - age;
            outbox.purge(at(before), 1000).await.unwrap();
            model.cards.retain(|card| card.sent_at >= before);
            model.presses.retain(|press| press.settled_at.is_none_or(|settled_at| settled_at >= before));
        }
        Step::Pass(seconds) => model.now += seconds,
    }
    assert_eq!(outbox.next_press_due().await.unwrap(), model.next_due().map(at));
}

async fn follow<O: Outbox>(outbox: O, steps: Vec<Step>) {
    let lease = acquire(&outbox, at(0)).await;
    let mut model = Model::default();
    for (count, one) in steps.into_iter().enumerate() {
        step(&outbox, &lease, &mut model, one, count).await;
    }
    for card in &model.cards {
        let stored = outbox.presses(card.delivery).await.unwrap();
        let pressed = model.presses.iter().filter(|press| press.task_id == card.task_id);
        let mut expected: Vec<_> = pressed.map(|press| (press.id, press.settled_at.is_some())).collect();
        let mut stored: Vec<_> = stored.iter().map(|press| (press.id, press.result.is_some())).collect();
        expected.sort();
        stored.sort();
        assert_eq!(stored, expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cards_and_presses_of_a_file_follow_the_model(steps in steps()) {
        let (outbox, _kept) = outbox_sqlite::fresh();
        run(follow(outbox, steps));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cards_and_presses_of_a_database_follow_the_model(steps in steps()) {
        let (outbox, _kept) = outbox_postgres::fresh();
        run(follow(outbox, steps));
    }
}
