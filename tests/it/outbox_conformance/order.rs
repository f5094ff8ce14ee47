//! Ordering keys, queues and purges.

use futures_util::future::join_all;
use wecom_relay::outbox::{Lease, NewNotification, Outbox, Requeue, SenderName, State};

use super::fixture::{
    acquire, addressed, alert, at, claim, claim_one, deliver, destination, drain, enqueue, kill, list,
    next_due, owned, postpone, split, state, states, texts, user, waiting, waiting_for,
};

pub(crate) async fn an_ordering_key_delivers_one_by_one_in_order<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    for text in ["one", "two", "three"] {
        enqueue(&outbox, alert("a", text), at(0)).await;
    }
    let first = claim(&lease, 10, at(1)).await;
    assert_eq!(texts(&first), ["one"]);
    assert!(claim(&lease, 10, at(1)).await.is_empty());
    postpone(&lease, first.first().unwrap(), at(5), at(2)).await;
    assert!(claim(&lease, 10, at(3)).await.is_empty());
    assert_eq!(drain(&lease, at(5)).await, ["one", "two", "three"]);
}

pub(crate) async fn ordering_keys_do_not_wait_for_each_other<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, alert("a", "a1"), at(0)).await;
    enqueue(&outbox, alert("a", "a2"), at(0)).await;
    enqueue(&outbox, alert("b", "b1"), at(0)).await;
    assert_eq!(texts(&claim(&lease, 10, at(1)).await), ["a1", "b1"]);
    let expected = [("a1", State::InFlight), ("a2", State::Queued), ("b1", State::InFlight)];
    assert_eq!(states(&outbox).await, owned(&expected));
}

pub(crate) async fn a_receiver_that_moved_does_not_wait_for_its_old_sender<O: Outbox>(outbox: O) {
    let old = NewNotification { sender: SenderName("former".to_owned()), ..state("a", "fires") };
    enqueue(&outbox, old, at(0)).await;
    enqueue(&outbox, state("a", "fires"), at(1)).await;
    enqueue(&outbox, state("a", "resolved"), at(2)).await;
    let lease = acquire(&outbox, at(3)).await;
    assert_eq!(drain(&lease, at(3)).await, ["fires", "resolved"]);
}

pub(crate) async fn the_next_delivery_is_ready_after_a_dead_letter<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, alert("a", "firing"), at(0)).await;
    enqueue(&outbox, alert("a", "resolved"), at(0)).await;
    kill(&lease, &claim_one(&lease, at(1)).await, at(1)).await;
    assert_eq!(texts(&[claim_one(&lease, at(1)).await]), ["resolved"]);
}

pub(crate) async fn parts_are_sent_in_order_and_before_later_notifications<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, split("a", "long", 3), at(0)).await;
    enqueue(&outbox, alert("b", "younger"), at(1)).await;
    let first = claim(&lease, 3, at(2)).await;
    assert_eq!(texts(&first), ["long 1/3"]);
    deliver(&lease, first.first().unwrap(), at(2)).await;
    assert_eq!(drain(&lease, at(2)).await, ["long 2/3", "long 3/3", "younger"]);
}

/// The number of messages that the first due delivery starts.
async fn first_slots<L: Lease>(lease: &L) -> u32 {
    waiting(lease, 10, at(2)).await.first().unwrap().heads.first().unwrap().slots
}

pub(crate) async fn a_split_text_starts_only_when_all_its_parts_fit<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, split("a", "long", 3), at(0)).await;
    enqueue(&outbox, alert("b", "short"), at(1)).await;
    assert_eq!(first_slots(&lease).await, 3);
    assert!(claim(&lease, 2, at(2)).await.is_empty());
    let claimed = claim(&lease, 4, at(2)).await;
    assert_eq!(texts(&claimed), ["long 1/3", "short"]);
    postpone(&lease, claimed.first().unwrap(), at(2), at(2)).await;
    assert_eq!(first_slots(&lease).await, 1);
    assert_eq!(texts(&[claim_one(&lease, at(2)).await]), ["long 1/3"]);
}

pub(crate) async fn a_queue_is_counted_up_to_the_bound<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    for n in 0..5 {
        let id = enqueue(&outbox, alert(&n.to_string(), "text"), at(n)).await;
        enqueue(&outbox, alert(&n.to_string(), "text"), at(n)).await;
        if n == 0 {
            let found = waiting(&lease, 3, at(9)).await.remove(0);
            assert_eq!(
                (found.heads.first().unwrap().notification, found.heads.len(), found.foldable),
                (id, 1, 2)
            );
            assert_eq!(lease.scheduled().await.unwrap().first().unwrap().due_at, at(0));
        }
    }
    let found = waiting(&lease, 3, at(9)).await.remove(0);
    assert_eq!((found.heads.len(), found.foldable), (3, 3));
    let found = waiting(&lease, 100, at(9)).await.remove(0);
    assert_eq!((found.heads.len(), found.foldable), (5, 10));
    assert_eq!(found.recipients, user("zhang"));
}

pub(crate) async fn waiting_has_the_time_of_the_next_due_delivery<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, alert("a", "a"), at(0)).await;
    enqueue(&outbox, alert("b", "b"), at(0)).await;
    let claimed = claim(&lease, 2, at(0)).await;
    for (one, due) in claimed.iter().zip([30, 20]) {
        postpone(&lease, one, at(due), at(1)).await;
    }
    let found = waiting(&lease, 10, at(1)).await.remove(0);
    assert_eq!((found.heads.len(), found.next_due), (0, Some(at(20))));
    let found = waiting(&lease, 10, at(20)).await.remove(0);
    assert_eq!((found.heads.len(), found.next_due), (1, Some(at(30))));
    let other = outbox.acquire(&SenderName("other".to_owned()), at(2)).await.unwrap();
    let found = waiting_for(&other, &[destination("zhang")], 10, at(20)).await.remove(0);
    assert_eq!((found.heads.len(), found.foldable, found.next_due), (0, 0, None));
}

pub(crate) async fn concurrent_enqueues_all_get_a_place<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    let enqueues = (0..64).map(|n| enqueue(&outbox, alert("a", &n.to_string()), at(0)));
    let mut ids = join_all(enqueues).await;
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 64);
    let ready = list(&outbox).await.into_iter().filter(|listed| listed.state == State::Ready);
    assert_eq!(ready.count(), 1);
    assert_eq!(drain(&lease, at(1)).await.len(), 64);
}

pub(crate) async fn purged_deliveries_are_gone_and_numbers_never_return<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    let first = enqueue(&outbox, alert("a", "one"), at(0)).await;
    let delivery = claim_one(&lease, at(1)).await;
    deliver(&lease, &delivery, at(10)).await;
    assert_eq!(outbox.purge(at(10), 10).await.unwrap(), 0);
    assert_eq!(outbox.purge(at(11), 10).await.unwrap(), 1);
    assert!(list(&outbox).await.is_empty());
    assert_eq!(outbox.show(delivery.id).await.unwrap(), None);
    assert!(enqueue(&outbox, alert("a", "two"), at(20)).await > first);
    assert!(list(&outbox).await.iter().all(|listed| listed.id > delivery.id));
}

pub(crate) async fn an_unsettled_delivery_is_never_purged<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, split("a", "long", 2), at(0)).await;
    enqueue(&outbox, state("b", "waits"), at(0)).await;
    deliver(&lease, claim(&lease, 2, at(1)).await.first().unwrap(), at(1)).await;
    assert_eq!(outbox.purge(at(1_000_000), 10).await.unwrap(), 1);
    assert_eq!(list(&outbox).await.len(), 2);
    assert_eq!(drain(&lease, at(2)).await, ["long 2/2", "waits"]);
    assert_eq!(outbox.purge(at(1_000_000), 1).await.unwrap(), 1);
    assert_eq!(outbox.purge(at(1_000_000), 1).await.unwrap(), 1);
    assert_eq!(outbox.purge(at(1_000_000), 1).await.unwrap(), 0);
    assert!(list(&outbox).await.is_empty());
}

pub(crate) async fn senders_are_those_with_unsettled_deliveries<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    let of_sender =
        |sender: &str| NewNotification { sender: SenderName(sender.to_owned()), ..alert(sender, "text") };
    for sender in ["gone", "ops", "zzz"] {
        enqueue(&outbox, of_sender(sender), at(0)).await;
    }
    let names = |senders: Vec<SenderName>| senders.into_iter().map(|sender| sender.0).collect::<Vec<_>>();
    let claimed = claim_one(&lease, at(1)).await;
    assert_eq!(names(outbox.senders().await.unwrap()), ["gone", "ops", "zzz"]);
    deliver(&lease, &claimed, at(1)).await;
    assert_eq!(names(outbox.senders().await.unwrap()), ["gone", "zzz"]);
}

pub(crate) async fn scheduled_has_every_destination_with_its_first_due_time<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    assert_eq!(lease.scheduled().await.unwrap(), []);
    for (user_name, group, second) in [("u1", "a", 1), ("u2", "b", 2), ("u2", "c", 3), ("u3", "d", 4)] {
        enqueue(&outbox, addressed(alert(group, group), &user(user_name)), at(second)).await;
    }
    let elsewhere = NewNotification { sender: SenderName("other".to_owned()), ..alert("e", "e") };
    enqueue(&outbox, elsewhere, at(1)).await;
    let scheduled = async || {
        let mut scheduled = lease.scheduled().await.unwrap();
        scheduled.sort_unstable_by_key(|scheduled| scheduled.due_at);
        scheduled.into_iter().map(|found| (found.destination, found.due_at)).collect::<Vec<_>>()
    };
    let [u1, u2, u3] = ["u1", "u2", "u3"].map(destination);
    assert_eq!(scheduled().await, [(u1, at(1)), (u2, at(2)), (u3, at(4))]);
    let claimed = claim(&lease, 1, at(5)).await;
    // The second delivery of u2 is still ready.
    assert_eq!(scheduled().await, [(u2, at(3))]);
    for one in &claimed {
        postpone(&lease, one, at(100), at(6)).await;
    }
    assert_eq!(
        scheduled().await.iter().map(|(_, due_at)| *due_at).collect::<Vec<_>>(),
        [3, 100, 100].map(at)
    );
}

pub(crate) async fn waiting_looks_only_at_the_given_destinations<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    for name in ["u1", "u2", "u3"] {
        enqueue(&outbox, addressed(alert(name, name), &user(name)), at(0)).await;
    }
    let asked = ["u3", "nobody", "u1"].map(destination);
    let found = waiting_for(&lease, &asked, 10, at(1)).await;
    assert_eq!(found.iter().map(|waiting| waiting.destination).collect::<Vec<_>>(), asked);
    assert_eq!(found.iter().map(|waiting| waiting.heads.len()).collect::<Vec<_>>(), [1, 0, 1]);
    assert_eq!(waiting_for(&lease, &[], 10, at(1)).await, []);
}

pub(crate) async fn changes_name_the_destinations_that_may_have_more<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    let other = outbox.acquire(&SenderName("other".to_owned()), at(0)).await.unwrap();
    let changed = || {
        let mut destinations: Vec<_> = lease.changes().take().destinations.into_iter().collect();
        destinations.sort_unstable();
        destinations
    };
    changed();
    let [u1, u2] = ["u1", "u2"].map(destination);
    enqueue(&outbox, addressed(alert("a", "one"), &user("u1")), at(0)).await;
    assert_eq!(changed(), [u1]);
    // It is queued behind the first one, so nothing more can be claimed.
    enqueue(&outbox, addressed(alert("a", "two"), &user("u2")), at(0)).await;
    assert_eq!(changed(), []);
    let one = claim_one(&lease, at(1)).await;
    postpone(&lease, &one, at(1), at(1)).await;
    assert_eq!(changed(), [u1]);
    let one = claim_one(&lease, at(2)).await;
    kill(&lease, &one, at(2)).await;
    assert_eq!(changed(), [u2]);
    assert_eq!(drain(&lease, at(3)).await, ["two"]);
    changed();
    outbox.requeue(Requeue::One(one.id), at(4)).await.unwrap();
    assert_eq!(changed(), [u1]);
    assert_eq!(other.changes().take().destinations.len(), 0);
}

pub(crate) async fn a_postponed_delivery_is_claimed_when_it_is_due<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, alert("a", "first"), at(0)).await;
    let first = claim_one(&lease, at(0)).await;
    postpone(&lease, &first, at(60), at(1)).await;
    enqueue(&outbox, alert("b", "second"), at(2)).await;
    assert_eq!(texts(&claim(&lease, 9, at(3)).await), ["second"]);
    assert_eq!(next_due(&lease, at(3)).await, Some(at(60)));
    assert_eq!(texts(&claim(&lease, 9, at(60)).await), ["first"]);
    assert_eq!(next_due(&lease, at(60)).await, None);
}

pub(crate) async fn long_queues_are_claimed_completely_and_in_order<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    for number in 0..150 {
        let text = format!("{number:03}");
        let to = user(&format!("u{}", number % 3));
        enqueue(&outbox, addressed(alert(&text, &text), &to), at(number)).await;
    }
    let mut sent = Vec::new();
    loop {
        let claimed = claim(&lease, 7, at(200)).await;
        if claimed.is_empty() {
            break;
        }
        sent.extend(texts(&claimed).into_iter().map(str::to_owned));
    }
    for user in 0..3 {
        let of_user: Vec<_> = sent.iter().filter(|text| text.parse::<u32>().unwrap() % 3 == user).collect();
        assert!(of_user.is_sorted() && of_user.len() == 50, "{of_user:?}");
    }
}
