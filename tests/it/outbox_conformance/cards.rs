//! Interactive cards: their response codes, and the updates of open cards.

use std::collections::BTreeMap;

use jiff::Timestamp;
use wecom_relay::{
    outbox::{
        CardLabels, Claimed, CodeState, ConfiguredSender, DeliveryId, Enqueued, Lease, NewDelivery,
        NewNotification, OpenCard, Outbox, Part, Requeue, SenderName, Settlement, State, Status, TriedCard,
        Verdict,
    },
    wecom::{Content, Receipt},
};

use super::{
    fixture::{
        acquire, alert, at, claim, claim_one, deliver, destination, digest, drain, enqueue, fold, foldable,
        kill, list, retry_at, settle, settlement, undo,
    },
    presses::{self, accept, press},
};

/// The content of an interactive card.
pub(crate) fn card_content(task_id: &str) -> Content {
    let json = format!(r#"{{"card_type":"button_interaction","task_id":"{task_id}"}}"#);
    Content::stored("template_card", json).unwrap()
}

/// The content of an update, with the code of a press or for all open cards.
pub(crate) fn update_content(task_id: &str, code: Option<&str>, otherwise: &str) -> Content {
    let code = code.map(|code| format!(r#""response_code":"{code}","#)).unwrap_or_default();
    let card = card_content(task_id);
    let json = format!(r#"{{"template_card":{},{code}"otherwise":"{otherwise}"}}"#, card.text());
    Content::stored("card_update", json).unwrap()
}

pub(crate) fn labels() -> CardLabels {
    CardLabels(BTreeMap::from([("alertname".to_owned(), "Disk \"full\"".to_owned())]))
}

pub(crate) fn with_content(new: NewNotification, content: Content) -> NewNotification {
    let one = |delivery: NewDelivery| NewDelivery { content: content.clone(), ..delivery };
    let deliveries = new.deliveries.into_iter().map(one).collect();
    NewNotification { deliveries, card: Some(labels()), ..new }
}

/// A firing group as an interactive card.
pub(crate) fn card(group: &str, task_id: &str) -> NewNotification {
    with_content(alert(group, task_id), card_content(task_id))
}

/// A firing group that updates its open cards, or else sends a new one.
pub(crate) fn repeat(group: &str, task_id: &str) -> NewNotification {
    with_content(alert(group, task_id), update_content(task_id, None, "card"))
}

/// A resolved group that updates its open cards, or else sends a text.
pub(crate) fn resolved(group: &str) -> NewNotification {
    let new = NewNotification { status: Status::Resolved, ..alert(group, "resolved") };
    with_content(new, update_content("unused", None, "text"))
}

pub(crate) fn sent_with(code: &str) -> Verdict {
    Verdict::Delivered(Receipt { response_code: code.to_owned(), ..Receipt::default() })
}

fn open(task_id: &str, code: &str) -> OpenCard {
    OpenCard { task_id: task_id.to_owned(), response_code: code.to_owned(), may_be_used: false }
}

/// Stores and sends a card, for which WeCom gives the code `code`.
pub(crate) async fn send_card<O: Outbox>(
    outbox: &O,
    lease: &O::Lease,
    new: NewNotification,
    code: &str,
    now: Timestamp,
) {
    enqueue(outbox, new, now).await;
    let claimed = claim_one(lease, now).await;
    assert_eq!(claimed.open_cards, []);
    settle(lease, &claimed, sent_with(code), now).await;
}

/// Claims an update, and puts it back. Returns the open cards that it was given.
async fn open_cards_of<L: Lease>(lease: &L, now: Timestamp) -> Vec<OpenCard> {
    let claimed = claim_one(lease, now).await;
    settle(lease, &claimed, retry_at(now), now).await;
    claimed.open_cards
}

async fn spend<L: Lease>(lease: &L, claimed: &Claimed, verdict: Verdict, spent: &[&str], now: Timestamp) {
    let tried: Vec<_> = spent.iter().map(|task_id| (*task_id, CodeState::Used)).collect();
    settle_tried(lease, claimed, verdict, &tried, now).await;
}

pub(crate) async fn settle_tried<L: Lease>(
    lease: &L,
    claimed: &Claimed,
    verdict: Verdict,
    tried: &[(&str, CodeState)],
    now: Timestamp,
) {
    let tried = tried.iter();
    let tried_cards = tried.map(|(task_id, code)| TriedCard { task_id: (*task_id).to_owned(), code: *code });
    let settlement = Settlement { tried_cards: tried_cards.collect(), ..settlement(claimed, verdict, now) };
    lease.settle(settlement, now).await.unwrap();
}

pub(crate) async fn an_update_gets_the_open_cards_of_its_group(outbox: impl Outbox) {
    let lease = acquire(&outbox, at(0)).await;
    send_card(&outbox, &lease, card("a", "t1"), "c1", at(1)).await;
    send_card(&outbox, &lease, card("b", "t2"), "c2", at(2)).await;
    send_card(&outbox, &lease, card("a", "t3"), "c3", at(3)).await;
    enqueue(&outbox, resolved("a"), at(4)).await;
    assert_eq!(open_cards_of(&lease, at(5)).await, [open("t3", "c3"), open("t1", "c1")], "newest first");
    assert_eq!(open_cards_of(&lease, at(6)).await.len(), 2, "a retry gets them again");
}

pub(crate) async fn an_update_gets_many_open_cards(outbox: impl Outbox) {
    let lease = acquire(&outbox, at(0)).await;
    for n in 0..25 {
        send_card(&outbox, &lease, card("a", &format!("t{n}")), &format!("c{n}"), at(n)).await;
    }
    enqueue(&outbox, resolved("a"), at(30)).await;
    let cards = open_cards_of(&lease, at(30)).await;
    assert_eq!((cards.len(), &cards[0]), (25, &open("t24", "c24")));
}

/// The same notification for this many batches of recipients. The task ids of their cards are `t1-0`, `t1-1` and so on.
fn in_batches(new: NewNotification, batches: u16) -> NewNotification {
    let first = new.deliveries[0].clone();
    let batch = |number: u16| {
        let task_id = format!("t1-{number}");
        let content = match first.content.as_card_update() {
            None => card_content(&task_id),
            Some(_) => first.content.clone(),
        };
        NewDelivery { content, ..first.clone() }
    };
    NewNotification { deliveries: (0..batches).map(batch).collect(), ..new }
}

async fn send_batches<O: Outbox>(outbox: &O, lease: &O::Lease, batches: u16) {
    enqueue(outbox, in_batches(card("a", "t1"), batches), at(1)).await;
    for number in 0..batches {
        settle(lease, &claim_one(lease, at(1)).await, sent_with(&format!("c{number}")), at(1)).await;
    }
}

pub(crate) async fn each_batch_of_an_update_gets_its_own_cards(outbox: impl Outbox) {
    let lease = acquire(&outbox, at(0)).await;
    send_batches(&outbox, &lease, 3).await;
    enqueue(&outbox, in_batches(resolved("a"), 2), at(2)).await;
    let first = claim_one(&lease, at(3)).await;
    assert_eq!(first.open_cards, [open("t1-0", "c0")]);
    spend(&lease, &first, sent_with(""), &["t1-0"], at(3)).await;
    let last = claim_one(&lease, at(4)).await;
    assert_eq!(last.open_cards, [open("t1-2", "c2"), open("t1-1", "c1")], "no batch is after it");
    spend(&lease, &last, sent_with(""), &["t1-2", "t1-1"], at(4)).await;
    enqueue(&outbox, resolved("a"), at(5)).await;
    assert_eq!(open_cards_of(&lease, at(5)).await, []);
}

pub(crate) async fn a_batch_without_a_card_gets_none(outbox: impl Outbox) {
    let lease = acquire(&outbox, at(0)).await;
    send_batches(&outbox, &lease, 1).await;
    enqueue(&outbox, in_batches(resolved("a"), 2), at(2)).await;
    let first = claim_one(&lease, at(3)).await;
    assert_eq!(first.open_cards, [open("t1-0", "c0")]);
    settle(&lease, &first, sent_with(""), at(3)).await;
    assert_eq!(claim_one(&lease, at(4)).await.open_cards, []);
}

/// Every batch also gets a text, after the cards.
fn with_plain_copy(new: NewNotification) -> NewNotification {
    let parts = |number| Part { number, total: 2 };
    let cards = new.deliveries.iter().map(|card| NewDelivery { part: parts(1), ..card.clone() });
    let text = Content::Text("copy".to_owned());
    let texts = new.deliveries.iter().map(|card| NewDelivery {
        part: parts(2),
        content: text.clone(),
        ..card.clone()
    });
    NewNotification { deliveries: cards.chain(texts).collect(), ..new }
}

pub(crate) async fn a_plain_copy_is_no_batch_of_an_update(outbox: impl Outbox) {
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, with_plain_copy(in_batches(card("a", "t1"), 3)), at(1)).await;
    // Its parts start together.
    let first = claim(&lease, 6, at(1)).await.remove(0);
    settle(&lease, &first, sent_with("c0"), at(1)).await;
    for number in 1..6 {
        settle(&lease, &claim_one(&lease, at(1)).await, sent_with(&format!("c{number}")), at(1)).await;
    }
    enqueue(&outbox, with_plain_copy(in_batches(resolved("a"), 2)), at(2)).await;
    let first = claim_one(&lease, at(2)).await;
    assert_eq!(first.open_cards, [open("t1-0", "c0")]);
    // A batch is counted even if a text has taken its place.
    let text = Content::Text("text".to_owned());
    settle(&lease, &first, Verdict::Replace { content: text, reason: "gone".to_owned() }, at(2)).await;
    deliver(&lease, &claim_one(&lease, at(3)).await, at(3)).await;
    let last = claim_one(&lease, at(4)).await;
    assert_eq!(last.open_cards, [open("t1-2", "c2"), open("t1-1", "c1")]);
}

pub(crate) async fn a_group_closes_with_the_last_part_of_its_end(outbox: impl Outbox) {
    let lease = acquire(&outbox, at(0)).await;
    let mut second = 0;
    for ends in ["delivered, dead", "delivered, discarded", "dead, delivered", "dead, dead"] {
        second += 10;
        for task_id in ["t1-0", "t1-1"] {
            send_card(&outbox, &lease, card(ends, task_id), task_id, at(second)).await;
        }
        enqueue(&outbox, in_batches(resolved(ends), 2), at(second)).await;
        for end in ends.split(", ") {
            let claimed = claim_one(&lease, at(second)).await;
            match end {
                "delivered" => deliver(&lease, &claimed, at(second)).await,
                "dead" => kill(&lease, &claimed, at(second)).await,
                _ => {
                    settle(&lease, &claimed, retry_at(at(second)), at(second)).await;
                    outbox.discard(claimed.id, at(second)).await.unwrap();
                }
            }
        }
        enqueue(&outbox, resolved(ends), at(second + 1)).await;
        let claimed = claim_one(&lease, at(second + 1)).await;
        assert_eq!(claimed.open_cards.is_empty(), ends.contains("delivered"), "{ends}");
        deliver(&lease, &claimed, at(second + 1)).await;
    }
}

/// Stores and sends a notification that dies.
async fn send_dead<O: Outbox>(outbox: &O, lease: &O::Lease, new: NewNotification, second: i64) -> DeliveryId {
    enqueue(outbox, new, at(second)).await;
    let claimed = claim_one(lease, at(second)).await;
    kill(lease, &claimed, at(second)).await;
    claimed.id
}

pub(crate) async fn a_requeued_end_changes_no_newer_card(outbox: impl Outbox) {
    let lease = acquire(&outbox, at(0)).await;
    send_card(&outbox, &lease, card("a", "t1"), "c1", at(1)).await;
    let end = send_dead(&outbox, &lease, resolved("a"), 2).await;
    send_card(&outbox, &lease, card("a", "t2"), "c2", at(3)).await;
    outbox.requeue(Requeue::One(end), at(4)).await.unwrap();
    let claimed = claim_one(&lease, at(4)).await;
    assert_eq!(claimed.open_cards, [open("t1", "c1")]);
    spend(&lease, &claimed, sent_with(""), &["t1"], at(4)).await;
    enqueue(&outbox, resolved("a"), at(5)).await;
    assert_eq!(open_cards_of(&lease, at(5)).await, [open("t2", "c2")]);
}

pub(crate) async fn a_requeued_repetition_changes_no_newer_card(outbox: impl Outbox) {
    let lease = acquire(&outbox, at(0)).await;
    let repetition = send_dead(&outbox, &lease, repeat("a", "t1"), 1).await;
    send_card(&outbox, &lease, card("a", "t2"), "c2", at(2)).await;
    outbox.requeue(Requeue::One(repetition), at(3)).await.unwrap();
    assert_eq!(open_cards_of(&lease, at(3)).await, []);
}

pub(crate) async fn a_requeued_digest_closes_no_newer_card(outbox: impl Outbox) {
    let lease = acquire(&outbox, at(0)).await;
    send_card(&outbox, &lease, card("a", "t1"), "c1", at(1)).await;
    enqueue(&outbox, NewNotification { status: Status::Resolved, ..alert("a", "resolved") }, at(2)).await;
    let folded = fold(&lease, 1, digest("digest"), at(3)).await;
    kill(&lease, &folded[0], at(3)).await;
    send_card(&outbox, &lease, card("a", "t2"), "c2", at(4)).await;
    outbox.requeue(Requeue::One(folded[0].id), at(5)).await.unwrap();
    assert_eq!(drain(&lease, at(5)).await, ["digest"]);
    enqueue(&outbox, resolved("a"), at(6)).await;
    assert_eq!(open_cards_of(&lease, at(6)).await, [open("t2", "c2")]);
}

/// The task ids of the open cards of an update, and true if their codes may be used.
fn doubts(claimed: &Claimed) -> Vec<(&str, bool)> {
    claimed.open_cards.iter().map(|card| (card.task_id.as_str(), card.may_be_used)).collect()
}

pub(crate) async fn only_a_code_that_may_be_used_is_in_doubt(outbox: impl Outbox) {
    let lease = acquire(&outbox, at(0)).await;
    for (second, task_id) in [(1, "t1"), (2, "t2"), (3, "t3")] {
        send_card(&outbox, &lease, card("a", task_id), task_id, at(second)).await;
    }
    enqueue(&outbox, resolved("a"), at(4)).await;
    let claimed = claim_one(&lease, at(4)).await;
    assert_eq!(doubts(&claimed), [("t3", false), ("t2", false), ("t1", false)]);
    let tried = [("t3", CodeState::Used), ("t2", CodeState::Unconfirmed)];
    settle_tried(&lease, &claimed, retry_at(at(5)), &tried, at(4)).await;
    let claimed = claim_one(&lease, at(5)).await;
    assert_eq!(doubts(&claimed), [("t2", true), ("t1", false)]);
    settle_tried(&lease, &claimed, retry_at(at(6)), &[("t2", CodeState::Unused)], at(5)).await;
    let claimed = claim_one(&lease, at(6)).await;
    assert_eq!(doubts(&claimed), [("t2", false), ("t1", false)]);
}

pub(crate) async fn a_kill_leaves_the_codes_of_the_batch_in_doubt(outbox: impl Outbox) {
    let lease = acquire(&outbox, at(0)).await;
    send_batches(&outbox, &lease, 2).await;
    enqueue(&outbox, in_batches(resolved("a"), 2), at(2)).await;
    claim_one(&lease, at(2)).await;
    lease.release().await;
    let lease = acquire(&outbox, at(3)).await;
    let claimed = claim_one(&lease, at(3)).await;
    assert_eq!(doubts(&claimed), [("t1-0", true)]);
    spend(&lease, &claimed, sent_with(""), &["t1-0"], at(3)).await;
    assert_eq!(doubts(&claim_one(&lease, at(4)).await), [("t1-1", false)]);
}

pub(crate) async fn a_code_that_another_update_may_have_used_is_new(outbox: impl Outbox) {
    let lease = acquire(&outbox, at(0)).await;
    let text = Content::Text("text".to_owned());
    let verdicts = [
        Verdict::Dead("expired".to_owned()),
        retry_at(at(100)),
        Verdict::Replace { content: text, reason: "a card is gone".to_owned() },
    ];
    for (group, verdict) in ["dies", "is discarded", "becomes a text"].into_iter().zip(verdicts) {
        send_card(&outbox, &lease, card(group, group), "c1", at(1)).await;
        enqueue(&outbox, repeat(group, "unused"), at(2)).await;
        let first = claim_one(&lease, at(2)).await;
        settle_tried(&lease, &first, verdict, &[(group, CodeState::Unconfirmed)], at(2)).await;
        match group {
            "is discarded" => _ = outbox.discard(first.id, at(3)).await.unwrap(),
            "becomes a text" => deliver(&lease, &claim_one(&lease, at(3)).await, at(3)).await,
            _ => {}
        }
        enqueue(&outbox, resolved(group), at(4)).await;
        let claimed = claim_one(&lease, at(4)).await;
        assert_eq!(doubts(&claimed), [(group, false)]);
        kill(&lease, &claimed, at(4)).await;
    }
}

pub(crate) async fn a_code_that_two_updates_may_have_used_stays_new(outbox: impl Outbox) {
    let lease = acquire(&outbox, at(0)).await;
    for (group, task_id) in [("a", "t1"), ("b", "t2")] {
        send_card(&outbox, &lease, card(group, task_id), task_id, at(1)).await;
        enqueue(&outbox, repeat(group, "unused"), at(2)).await;
        let first = claim_one(&lease, at(2)).await;
        let lost = [(task_id, CodeState::Unconfirmed)];
        settle_tried(&lease, &first, Verdict::Dead("expired".to_owned()), &lost, at(2)).await;
        let requeue = Requeue::One(first.id);
        outbox.requeue(requeue, at(3)).await.unwrap();
        let again = claim_one(&lease, at(3)).await;
        assert_eq!(doubts(&again), [(task_id, true)], "it is the same update");
        kill(&lease, &again, at(3)).await;
    }
    // One has no answer, and the process is killed during the other.
    enqueue(&outbox, resolved("a"), at(4)).await;
    let lost = [("t1", CodeState::Unconfirmed)];
    settle_tried(&lease, &claim_one(&lease, at(4)).await, retry_at(at(9)), &lost, at(4)).await;
    enqueue(&outbox, resolved("b"), at(5)).await;
    claim_one(&lease, at(5)).await;
    lease.release().await;
    let lease = acquire(&outbox, at(9)).await;
    let claimed = claim(&lease, 2, at(9)).await;
    let mut all: Vec<_> = claimed.iter().flat_map(doubts).collect();
    all.sort_unstable();
    assert_eq!(all, [("t1", false), ("t2", false)]);
    for update in &claimed {
        kill(&lease, update, at(9)).await;
    }
    for first in list(&outbox).await.iter().filter(|listed| listed.summary == "unused") {
        let requeue = Requeue::One(first.id);
        outbox.requeue(requeue, at(10)).await.unwrap();
        let again = claim_one(&lease, at(10)).await;
        assert!(!again.open_cards[0].may_be_used);
        kill(&lease, &again, at(10)).await;
    }
}

pub(crate) async fn a_response_code_is_valid_for_three_days(outbox: impl Outbox) {
    let (lease, days) = (acquire(&outbox, at(0)).await, 3 * 86_400);
    send_card(&outbox, &lease, card("a", "t1"), "c1", at(0)).await;
    enqueue(&outbox, resolved("a"), at(1)).await;
    assert_eq!(open_cards_of(&lease, at(days - 1)).await, [open("t1", "c1")]);
    assert_eq!(open_cards_of(&lease, at(days)).await, []);
}

pub(crate) async fn a_spent_code_is_not_given_again(outbox: impl Outbox) {
    let lease = acquire(&outbox, at(0)).await;
    send_card(&outbox, &lease, card("a", "t1"), "c1", at(1)).await;
    send_card(&outbox, &lease, card("a", "t2"), "c2", at(2)).await;
    enqueue(&outbox, resolved("a"), at(3)).await;
    let claimed = claim_one(&lease, at(3)).await;
    spend(&lease, &claimed, retry_at(at(4)), &["t2", "unknown"], at(3)).await;
    assert_eq!(open_cards_of(&lease, at(4)).await, [open("t1", "c1")]);
}

pub(crate) async fn a_late_settlement_spends_no_code(outbox: impl Outbox) {
    let lease = acquire(&outbox, at(0)).await;
    send_card(&outbox, &lease, card("a", "t1"), "c1", at(1)).await;
    enqueue(&outbox, resolved("a"), at(2)).await;
    let claimed = claim_one(&lease, at(2)).await;
    settle(&lease, &claimed, retry_at(at(3)), at(2)).await;
    spend(&lease, &claimed, sent_with(""), &["t1"], at(3)).await;
    assert_eq!(open_cards_of(&lease, at(3)).await, [open("t1", "c1")]);
}

pub(crate) async fn a_resolved_notification_closes_the_cards_of_its_group(outbox: impl Outbox) {
    let lease = acquire(&outbox, at(0)).await;
    send_card(&outbox, &lease, card("a", "t1"), "c1", at(1)).await;
    send_card(&outbox, &lease, card("b", "t2"), "c2", at(2)).await;
    // As a text of a receiver that had actions before.
    enqueue(&outbox, NewNotification { status: Status::Resolved, ..alert("a", "resolved") }, at(3)).await;
    deliver(&lease, &claim_one(&lease, at(3)).await, at(3)).await;
    for (group, cards) in [("a", vec![]), ("b", vec![open("t2", "c2")])] {
        enqueue(&outbox, resolved(group), at(4)).await;
        let claimed = claim_one(&lease, at(4)).await;
        assert_eq!(claimed.open_cards, cards, "{group}");
        deliver(&lease, &claimed, at(4)).await;
    }
    send_card(&outbox, &lease, card("a", "t3"), "c3", at(5)).await;
    enqueue(&outbox, resolved("a"), at(6)).await;
    assert_eq!(open_cards_of(&lease, at(6)).await, [open("t3", "c3")], "it fires again");
}

pub(crate) async fn a_recalled_card_is_not_updated(outbox: impl Outbox) {
    let lease = acquire(&outbox, at(0)).await;
    send_card(&outbox, &lease, card("a", "t1"), "c1", at(1)).await;
    let delivery = list(&outbox).await[0].id;
    outbox.recalled(delivery, at(2)).await.unwrap();
    enqueue(&outbox, repeat("a", "t2"), at(3)).await;
    assert_eq!(open_cards_of(&lease, at(3)).await, []);
}

pub(crate) async fn a_resolved_notification_that_dies_closes_nothing(outbox: impl Outbox) {
    let lease = acquire(&outbox, at(0)).await;
    send_card(&outbox, &lease, card("a", "t1"), "c1", at(1)).await;
    enqueue(&outbox, resolved("a"), at(2)).await;
    kill(&lease, &claim_one(&lease, at(2)).await, at(2)).await;
    enqueue(&outbox, resolved("a"), at(3)).await;
    assert_eq!(open_cards_of(&lease, at(3)).await, [open("t1", "c1")]);
}

pub(crate) async fn an_update_that_is_sent_as_a_card_is_an_open_card(outbox: impl Outbox) {
    let lease = acquire(&outbox, at(0)).await;
    send_card(&outbox, &lease, repeat("a", "t1"), "c1", at(1)).await;
    enqueue(&outbox, repeat("a", "t2"), at(2)).await;
    let claimed = claim_one(&lease, at(2)).await;
    assert_eq!(claimed.open_cards, [open("t1", "c1")]);
    // It updates the card, so there is no new one.
    spend(&lease, &claimed, sent_with(""), &["t1"], at(2)).await;
    enqueue(&outbox, resolved("a"), at(3)).await;
    assert_eq!(open_cards_of(&lease, at(3)).await, []);
}

pub(crate) async fn a_card_that_got_no_code_is_closed_with_its_group(outbox: impl Outbox) {
    let lease = acquire(&outbox, at(0)).await;
    for (second, group, new) in [(1, "a", card("a", "a")), (5, "b", repeat("b", "b"))] {
        send_card(&outbox, &lease, new, "", at(second)).await;
        enqueue(&outbox, resolved(group), at(second + 1)).await;
        let end = claim_one(&lease, at(second + 1)).await;
        assert_eq!(end.open_cards, []);
        deliver(&lease, &end, at(second + 1)).await;
        accept(&outbox, press(group, second + 2), at(second + 2)).await;
        let pressed = presses::claim(&outbox, at(second + 2)).await.unwrap();
        assert!(pressed.card.unwrap().is_closed, "{group}");
    }
}

pub(crate) async fn an_update_with_the_code_of_a_press_needs_no_cards(outbox: impl Outbox) {
    let lease = acquire(&outbox, at(0)).await;
    send_card(&outbox, &lease, card("a", "t1"), "c1", at(1)).await;
    let content = update_content("t1", Some("of the press"), "text");
    enqueue(&outbox, with_content(alert("a", "update"), content), at(2)).await;
    assert_eq!(open_cards_of(&lease, at(2)).await, []);
}

/// The update of the card `task_id` of the group `a`, with the code of a press.
pub(crate) fn pressed_update(task_id: &str) -> NewNotification {
    with_content(alert("a", "pressed"), update_content(task_id, Some("of the press"), "text"))
}

pub(crate) async fn an_update_behind_the_end_of_its_group_is_discarded(outbox: impl Outbox) {
    let lease = acquire(&outbox, at(0)).await;
    send_card(&outbox, &lease, card("a", "t1"), "c1", at(1)).await;
    enqueue(&outbox, resolved("a"), at(2)).await;
    enqueue(&outbox, pressed_update("t1"), at(3)).await;
    enqueue(&outbox, alert("a", "behind"), at(3)).await;
    deliver(&lease, &claim_one(&lease, at(4)).await, at(4)).await;
    assert_eq!(claim(&lease, 10, at(5)).await, []);
    assert_eq!(drain(&lease, at(6)).await, ["behind"]);
    let shown = list(&outbox).await.into_iter().find(|listed| listed.summary == "pressed").unwrap();
    assert_eq!((shown.state, shown.settled_at), (State::Discarded, Some(at(5))));
    assert_eq!(shown.reason, "discarded: its card is resolved or recalled");
    let depths = outbox.depths().await.unwrap();
    assert_eq!(depths.iter().map(|depth| depth.discarded).sum::<u64>(), 1);
}

pub(crate) async fn an_update_of_a_recalled_card_is_discarded(outbox: impl Outbox) {
    let lease = acquire(&outbox, at(0)).await;
    send_card(&outbox, &lease, card("a", "t1"), "c1", at(1)).await;
    send_card(&outbox, &lease, card("a", "t2"), "c2", at(2)).await;
    let recalled = list(&outbox).await[0].id;
    enqueue(&outbox, pressed_update("t1"), at(3)).await;
    enqueue(&outbox, pressed_update("t2"), at(3)).await;
    outbox.recalled(recalled, at(4)).await.unwrap();
    assert_eq!(claim(&lease, 10, at(5)).await, []);
    let claimed = claim_one(&lease, at(6)).await;
    assert_eq!(claimed.message.content, update_content("t2", Some("of the press"), "text"));
}

pub(crate) async fn only_a_card_with_labels_is_remembered(outbox: impl Outbox) {
    let lease = acquire(&outbox, at(0)).await;
    let plain = NewNotification { card: None, ..card("a", "t1") };
    send_card(&outbox, &lease, plain, "c1", at(1)).await;
    enqueue(&outbox, resolved("a"), at(2)).await;
    assert_eq!(open_cards_of(&lease, at(2)).await, []);
}

pub(crate) async fn a_card_that_became_a_text_is_no_open_card(outbox: impl Outbox) {
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, card("a", "t1"), at(1)).await;
    let replace =
        Verdict::Replace { content: Content::Text("text".to_owned()), reason: "rejected".to_owned() };
    settle(&lease, &claim_one(&lease, at(1)).await, replace, at(1)).await;
    settle(&lease, &claim_one(&lease, at(2)).await, sent_with("c1"), at(2)).await;
    enqueue(&outbox, resolved("a"), at(3)).await;
    assert_eq!(open_cards_of(&lease, at(3)).await, []);
}

pub(crate) async fn an_update_of_a_card_is_not_folded(outbox: impl Outbox) {
    let (lease, zhang) = (acquire(&outbox, at(0)).await, destination("zhang"));
    let before = enqueue(&outbox, card("a", "t1"), at(0)).await;
    let update = enqueue(&outbox, resolved("a"), at(0)).await;
    assert_eq!(foldable(&lease, zhang).await, [before, update], "nobody has the card");
    settle(&lease, &claim_one(&lease, at(1)).await, sent_with("c1"), at(1)).await;
    assert_eq!(foldable(&lease, zhang).await, []);
    let waiting = super::fixture::waiting(&lease, 10, at(1)).await;
    assert_eq!((waiting[0].foldable, waiting[0].heads[0].started), (0, true));
    // Nor is it folded behind another card.
    deliver(&lease, &claim_one(&lease, at(2)).await, at(2)).await;
    send_card(&outbox, &lease, card("b", "t2"), "c2", at(3)).await;
    let again = enqueue(&outbox, card("b", "t3"), at(4)).await;
    enqueue(&outbox, resolved("b"), at(4)).await;
    let closed = enqueue(&outbox, resolved("a"), at(4)).await;
    assert_eq!(foldable(&lease, zhang).await, [again, closed]);
}

pub(crate) async fn the_update_of_an_undone_digest_is_sent_after_its_card(outbox: impl Outbox) {
    let (lease, zhang) = (acquire(&outbox, at(0)).await, destination("zhang"));
    enqueue(&outbox, card("a", "t1"), at(0)).await;
    enqueue(&outbox, resolved("a"), at(0)).await;
    enqueue(&outbox, alert("b", "other"), at(0)).await;
    let folded = fold(&lease, 2, digest("digest"), at(1)).await;
    undo(&lease, &folded[0], at(1)).await;
    let claimed = claim_one(&lease, at(2)).await;
    assert_eq!(claimed.message.content, card_content("t1"));
    settle(&lease, &claimed, sent_with("c1"), at(2)).await;
    assert_eq!(foldable(&lease, zhang).await.len(), 1, "the update is sent by itself");
    let claimed = claim(&lease, 1, at(3)).await;
    assert_eq!(claimed[0].open_cards, [open("t1", "c1")]);
}

pub(crate) async fn a_delivered_digest_closes_the_cards_of_its_resolved_members(outbox: impl Outbox) {
    let lease = acquire(&outbox, at(0)).await;
    send_card(&outbox, &lease, card("a", "t1"), "c1", at(1)).await;
    send_card(&outbox, &lease, card("b", "t2"), "c2", at(1)).await;
    enqueue(&outbox, NewNotification { status: Status::Resolved, ..alert("a", "resolved") }, at(2)).await;
    enqueue(&outbox, alert("b", "fires"), at(2)).await;
    let folded = fold(&lease, 2, digest("digest"), at(3)).await;
    deliver(&lease, &folded[0], at(3)).await;
    enqueue(&outbox, resolved("a"), at(4)).await;
    assert_eq!(foldable(&lease, destination("zhang")).await.len(), 1, "no card of it is open");
    deliver(&lease, &claim_one(&lease, at(4)).await, at(4)).await;
    enqueue(&outbox, resolved("b"), at(5)).await;
    assert_eq!(open_cards_of(&lease, at(5)).await, [open("t2", "c2")]);
}

pub(crate) async fn a_purged_delivery_takes_its_card_along(outbox: impl Outbox) {
    let lease = acquire(&outbox, at(0)).await;
    send_card(&outbox, &lease, card("a", "t1"), "c1", at(1)).await;
    assert_eq!(outbox.purge(at(100), 10).await.unwrap(), 1);
    enqueue(&outbox, resolved("a"), at(101)).await;
    assert_eq!(open_cards_of(&lease, at(101)).await, []);
}

pub(crate) async fn a_renamed_sender_keeps_its_cards(outbox: impl Outbox) {
    let configured = |name: &str| {
        let name = SenderName(name.to_owned());
        vec![ConfiguredSender { name, identity: "A".to_owned(), aliases: vec![] }]
    };
    outbox.adopt(configured("ops"), at(0)).await.unwrap();
    let lease = acquire(&outbox, at(0)).await;
    send_card(&outbox, &lease, card("a", "t1"), "c1", at(1)).await;
    lease.release().await;
    outbox.adopt(configured("new"), at(2)).await.unwrap();
    let new = SenderName("new".to_owned());
    let lease = outbox.acquire(&new, at(2)).await.unwrap();
    let update = NewNotification { sender: new, ..resolved("a") };
    let Enqueued::Accepted(_) = outbox.enqueue(update, at(3)).await.unwrap() else { panic!() };
    assert_eq!(open_cards_of(&lease, at(3)).await, [open("t1", "c1")]);
}

pub(crate) async fn a_recalled_message_is_shown_as_recalled(outbox: impl Outbox) {
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, alert("a", "mistake"), at(0)).await;
    let claimed = claim_one(&lease, at(0)).await;
    deliver(&lease, &claimed, at(1)).await;
    assert_eq!(outbox.show(claimed.id).await.unwrap().unwrap().listed.recalled_at, None);
    outbox.recalled(claimed.id, at(2)).await.unwrap();
    let detail = outbox.show(claimed.id).await.unwrap().unwrap();
    assert_eq!((detail.listed.recalled_at, detail.listed.state), (Some(at(2)), State::Delivered));
}

pub(crate) async fn a_card_stored_dead_is_known_when_it_is_requeued(outbox: impl Outbox) {
    let dead = NewNotification { dead: Some("nobody".to_owned()), ..card("a", "t1") };
    enqueue(&outbox, dead, at(0)).await;
    let id = list(&outbox).await[0].id;
    outbox.requeue(Requeue::One(id), at(1)).await.unwrap();
    let lease = acquire(&outbox, at(1)).await;
    settle(&lease, &claim_one(&lease, at(1)).await, sent_with("c1"), at(1)).await;
    enqueue(&outbox, resolved("a"), at(2)).await;
    assert_eq!(open_cards_of(&lease, at(2)).await, [open("t1", "c1")]);
}
