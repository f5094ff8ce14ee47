//! Lanes, queues, and what leaves the outbox.

use futures_util::future::join_all;
use wecom_relay::outbox::{NewNotification, Outbox, SenderName, State};

use super::fixture::{
    CHECK, alert, at, claim, claim_one, deliver, drain, from, kill, list, ops, owned, put_off, says, split,
    states, take, user,
};

pub(crate) async fn deliveries_of_a_lane_go_out_one_by_one_in_order<O: Outbox>(outbox: O) {
    for text in ["one", "two", "three"] {
        take(&outbox, alert("a", text), at(0)).await;
    }
    let first = claim(&outbox, 10, at(1)).await;
    assert_eq!(says(&first), ["one"]);
    assert!(claim(&outbox, 10, at(1)).await.is_empty());
    put_off(&outbox, first.first().unwrap(), at(5), at(2)).await;
    assert!(claim(&outbox, 10, at(3)).await.is_empty());
    assert_eq!(drain(&outbox, at(5)).await, ["one", "two", "three"]);
}

pub(crate) async fn lanes_do_not_wait_for_each_other<O: Outbox>(outbox: O) {
    take(&outbox, alert("a", "a1"), at(0)).await;
    take(&outbox, alert("a", "a2"), at(0)).await;
    take(&outbox, alert("b", "b1"), at(0)).await;
    assert_eq!(says(&claim(&outbox, 10, at(1)).await), ["a1", "b1"]);
    let expected = [("a1", State::InFlight), ("a2", State::Queued), ("b1", State::InFlight)];
    assert_eq!(states(&outbox).await, owned(&expected));
}

pub(crate) async fn a_dead_head_lets_the_next_one_come_up<O: Outbox>(outbox: O) {
    take(&outbox, alert("a", "firing"), at(0)).await;
    take(&outbox, alert("a", "resolved"), at(0)).await;
    kill(&outbox, &claim_one(&outbox, at(1)).await, at(1)).await;
    assert_eq!(says(&[claim_one(&outbox, at(1)).await]), ["resolved"]);
}

pub(crate) async fn parts_go_out_in_order_and_before_younger_messages<O: Outbox>(outbox: O) {
    take(&outbox, split("a", "long", 3), at(0)).await;
    take(&outbox, alert("b", "younger"), at(1)).await;
    let first = claim(&outbox, 3, at(2)).await;
    assert_eq!(says(&first), ["long 1/3"]);
    deliver(&outbox, first.first().unwrap(), at(2)).await;
    assert_eq!(drain(&outbox, at(2)).await, ["long 2/3", "long 3/3", "younger"]);
}

pub(crate) async fn a_split_message_starts_only_when_all_its_parts_fit<O: Outbox>(outbox: O) {
    take(&outbox, split("a", "long", 3), at(0)).await;
    take(&outbox, alert("b", "short"), at(1)).await;
    let waiting = outbox.waiting(&ops(), 10, at(2)).await.unwrap();
    assert_eq!(waiting.queues.first().unwrap().slots, 3);
    assert!(claim(&outbox, 2, at(2)).await.is_empty());
    let claimed = claim(&outbox, 4, at(2)).await;
    assert_eq!(says(&claimed), ["long 1/3", "short"]);
    put_off(&outbox, claimed.first().unwrap(), at(2), at(2)).await;
    let waiting = outbox.waiting(&ops(), 10, at(2)).await.unwrap();
    assert_eq!(waiting.queues.first().unwrap().slots, 1);
    assert_eq!(says(&[claim_one(&outbox, at(2)).await]), ["long 1/3"]);
}

pub(crate) async fn a_queue_counts_up_to_the_bound_only<O: Outbox>(outbox: O) {
    for n in 0..5 {
        let id = take(&outbox, alert(&n.to_string(), "text"), at(n)).await;
        take(&outbox, alert(&n.to_string(), "text"), at(n)).await;
        if n == 0 {
            let queue = outbox.waiting(&ops(), 3, at(9)).await.unwrap().queues.remove(0);
            assert_eq!((queue.notification, queue.due_at, queue.due, queue.fresh), (id, at(0), 1, 2));
        }
    }
    let queue = outbox.waiting(&ops(), 3, at(9)).await.unwrap().queues.remove(0);
    assert_eq!((queue.due, queue.fresh), (3, 3));
    let queue = outbox.waiting(&ops(), 100, at(9)).await.unwrap().queues.remove(0);
    assert_eq!((queue.due, queue.fresh), (5, 10));
    assert_eq!(queue.recipients, super::fixture::user("zhang"));
}

pub(crate) async fn waiting_tells_when_the_next_one_is_due<O: Outbox>(outbox: O) {
    take(&outbox, alert("a", "a"), at(0)).await;
    take(&outbox, alert("b", "b"), at(0)).await;
    let claimed = claim(&outbox, 2, at(0)).await;
    for (one, due) in claimed.iter().zip([30, 20]) {
        put_off(&outbox, one, at(due), at(1)).await;
    }
    let waiting = outbox.waiting(&ops(), 10, at(1)).await.unwrap();
    assert_eq!((waiting.queues.len(), waiting.next_due), (0, Some(at(20))));
    let waiting = outbox.waiting(&ops(), 10, at(20)).await.unwrap();
    assert_eq!((waiting.queues.len(), waiting.next_due), (1, Some(at(30))));
    let other = SenderName("other".to_owned());
    assert_eq!(outbox.waiting(&other, 10, at(20)).await.unwrap(), Default::default());
}

pub(crate) async fn sixty_four_enqueues_at_once_all_get_a_place<O: Outbox>(outbox: O) {
    let puts = (0..64).map(|n| take(&outbox, alert("a", &n.to_string()), at(0)));
    let mut ids = join_all(puts).await;
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 64);
    let ready = list(&outbox).await.into_iter().filter(|listed| listed.state == State::Ready);
    assert_eq!(ready.count(), 1);
    assert_eq!(drain(&outbox, at(1)).await.len(), 64);
}

pub(crate) async fn what_is_purged_is_gone_and_its_number_is_not_reused<O: Outbox>(outbox: O) {
    let first = take(&outbox, alert("a", "one"), at(0)).await;
    let delivery = claim_one(&outbox, at(1)).await;
    deliver(&outbox, &delivery, at(10)).await;
    assert_eq!(outbox.purge(at(10), 10).await.unwrap(), 0);
    assert_eq!(outbox.purge(at(11), 10).await.unwrap(), 1);
    assert!(list(&outbox).await.is_empty());
    assert_eq!(outbox.show(delivery.id).await.unwrap(), None);
    assert!(take(&outbox, alert("a", "two"), at(20)).await > first);
    assert!(list(&outbox).await.iter().all(|listed| listed.id > delivery.id));
}

pub(crate) async fn what_is_not_settled_is_never_purged<O: Outbox>(outbox: O) {
    take(&outbox, split("a", "long", 2), at(0)).await;
    take(&outbox, from("one", "b", "waits"), at(0)).await;
    deliver(&outbox, claim(&outbox, 2, at(1)).await.first().unwrap(), at(1)).await;
    assert_eq!(outbox.purge(at(1_000_000), 10).await.unwrap(), 0);
    assert_eq!(list(&outbox).await.len(), 3);
    drain(&outbox, at(2)).await;
    assert_eq!(outbox.purge(at(1_000_000), 1).await.unwrap(), 1);
    assert_eq!(outbox.purge(at(1_000_000), 1).await.unwrap(), 1);
    assert!(list(&outbox).await.is_empty());
}

pub(crate) async fn channels_are_those_with_something_unsettled<O: Outbox>(outbox: O) {
    let over =
        |sender: &str| NewNotification { sender: SenderName(sender.to_owned()), ..alert(sender, "text") };
    for sender in ["gone", "ops", "zzz"] {
        take(&outbox, over(sender), at(0)).await;
    }
    let names = |senders: Vec<SenderName>| senders.into_iter().map(|sender| sender.0).collect::<Vec<_>>();
    let claimed = claim_one(&outbox, at(1)).await;
    assert_eq!(names(outbox.senders().await.unwrap()), ["gone", "ops", "zzz"]);
    deliver(&outbox, &claimed, at(1)).await;
    assert_eq!(names(outbox.senders().await.unwrap()), ["gone", "zzz"]);
}

pub(crate) async fn queues_take_turns_however_long_one_is<O: Outbox>(outbox: O) {
    let to = |name: &str, group: &str| NewNotification {
        recipients: user(name),
        ..alert(group, &format!("{name} {group}"))
    };
    for group in ["a", "b", "c", "d"] {
        take(&outbox, to("u1", group), at(0)).await;
    }
    take(&outbox, to("u2", "late"), at(9)).await;
    let mut said = Vec::new();
    for turn in 0..5 {
        let due = outbox.claim_due(&ops(), 1, turn, CHECK, at(10)).await.unwrap();
        assert_eq!(due.more, turn < 4);
        said.extend(says(&due.claimed).into_iter().map(str::to_owned));
    }
    assert!(said.iter().position(|text| text == "u2 late").unwrap() < 2, "{said:?}");
    said.retain(|text| text.starts_with("u1"));
    assert_eq!(said, ["u1 a", "u1 b", "u1 c", "u1 d"]);
}

pub(crate) async fn what_is_put_off_is_claimed_when_it_is_due<O: Outbox>(outbox: O) {
    take(&outbox, alert("a", "first"), at(0)).await;
    let first = outbox.claim_due(&ops(), 9, 0, CHECK, at(0)).await.unwrap().claimed.remove(0);
    put_off(&outbox, &first, at(60), at(1)).await;
    take(&outbox, alert("b", "second"), at(2)).await;
    let due = outbox.claim_due(&ops(), 9, 1, CHECK, at(3)).await.unwrap();
    assert_eq!((says(&due.claimed), due.more, due.next_due), (vec!["second"], false, Some(at(60))));
    let due = outbox.claim_due(&ops(), 9, 2, CHECK, at(60)).await.unwrap();
    assert_eq!((says(&due.claimed), due.more, due.next_due), (vec!["first"], false, None));
}

pub(crate) async fn all_that_is_due_is_claimed_of_long_queues<O: Outbox>(outbox: O) {
    for number in 0..150 {
        let to = user(&format!("u{}", number % 3));
        let text = format!("{number:03}");
        take(&outbox, NewNotification { recipients: to, ..alert(&text, &text) }, at(number)).await;
    }
    let mut said = Vec::new();
    for turn in 0.. {
        let due = outbox.claim_due(&ops(), 7, turn, CHECK, at(200)).await.unwrap();
        said.extend(says(&due.claimed).into_iter().map(str::to_owned));
        assert_eq!(due.next_due, None);
        if !due.more {
            break;
        }
    }
    for user in 0..3 {
        let of_user: Vec<_> = said.iter().filter(|text| text.parse::<u32>().unwrap() % 3 == user).collect();
        assert!(of_user.is_sorted() && of_user.len() == 50, "{of_user:?}");
    }
}
