//! Digests and their members.

use wecom_relay::outbox::{Changed, Filter, Kind, Lease, ListOrder, NewNotification, Outbox, Requeue, State};

use super::fixture::{
    acquire, alert, at, claim, claim_one, deliver, destination, digest, drain, enqueue, fold, foldable,
    found_foldable, kill, list, list_all, next_due, owned, postpone, split, states, texts, undo, user,
    waiting,
};

pub(crate) async fn foldable_notifications_are_never_behind_an_attempted_one<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    let attempted = enqueue(&outbox, alert("a", "a1"), at(0)).await;
    postpone(&lease, &claim_one(&lease, at(0)).await, at(100), at(0)).await;
    let behind = enqueue(&outbox, alert("a", "a2"), at(1)).await;
    let b1 = enqueue(&outbox, alert("b", "b1"), at(1)).await;
    let c1 = enqueue(&outbox, split("c", "c1", 3), at(1)).await;
    let b2 = enqueue(&outbox, alert("b", "b2"), at(2)).await;
    let other = NewNotification { recipients: user("li"), ..alert("b", "b3") };
    enqueue(&outbox, other, at(2)).await;
    enqueue(&outbox, alert("b", "b4"), at(2)).await;
    enqueue(&outbox, NewNotification { kind: Kind::Notice, ..alert("n", "notice") }, at(3)).await;
    let c2 = enqueue(&outbox, alert("c", "c2"), at(3)).await;
    assert_eq!(foldable(&lease, destination("zhang")).await, [b1, c1, b2, c2]);
    assert_eq!(waiting(&lease, 10, at(9)).await.first().unwrap().foldable, 4);
    assert!(![attempted, behind].contains(&c2));
}

pub(crate) async fn a_digest_is_sent_in_place_of_its_members<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    for (group, text) in [("a", "a1"), ("a", "a2"), ("b", "b1")] {
        enqueue(&outbox, alert(group, text), at(0)).await;
    }
    let claimed = fold(&lease, 3, digest("three"), at(1)).await;
    assert_eq!(texts(&claimed), ["three"]);
    let sent = claimed.first().unwrap();
    assert_eq!((sent.kind, sent.accepted_at), (Kind::Digest, at(1)));
    let filter = Filter { digest: Some(sent.id), ..Filter::default() };
    let members = list_all(&outbox, filter, ListOrder::NewestFirst, 2).await;
    assert_eq!(members.len(), 3);
    assert!(members.iter().all(|member| member.state == State::Folded && member.digest == Some(sent.id)));
    deliver(&lease, sent, at(2)).await;
    assert!(list(&outbox).await.iter().all(|listed| listed.state == State::Delivered));
    assert!(drain(&lease, at(9)).await.is_empty());
    assert_eq!(outbox.purge(at(10), 10).await.unwrap(), 4);
}

pub(crate) async fn the_keys_of_members_wait_until_the_digest_is_settled<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, alert("a", "a1"), at(0)).await;
    enqueue(&outbox, alert("a", "a2"), at(0)).await;
    let claimed = fold(&lease, 1, digest("digest"), at(1)).await;
    enqueue(&outbox, alert("a", "a3"), at(1)).await;
    postpone(&lease, claimed.first().unwrap(), at(20), at(2)).await;
    assert!(claim(&lease, 10, at(9)).await.is_empty());
    assert!(foldable(&lease, destination("zhang")).await.is_empty());
    assert_eq!(next_due(&lease, at(9)).await, Some(at(20)));
    let again = claim(&lease, 10, at(20)).await;
    assert_eq!(texts(&again), ["digest"]);
    deliver(&lease, again.first().unwrap(), at(21)).await;
    assert_eq!(drain(&lease, at(22)).await, ["a2", "a3"]);
}

pub(crate) async fn members_die_with_their_digest<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, alert("a", "a1"), at(0)).await;
    enqueue(&outbox, alert("a", "a2"), at(0)).await;
    let claimed = fold(&lease, 1, digest("digest"), at(1)).await;
    kill(&lease, claimed.first().unwrap(), at(2)).await;
    let expected = [("a1", State::Dead), ("a2", State::Ready), ("digest", State::Dead)];
    assert_eq!(states(&outbox).await, owned(&expected));
    let first = list(&outbox).await.remove(0);
    assert_eq!((first.reason.as_str(), first.settled_at), ("rejected", Some(at(2))));
}

pub(crate) async fn an_attempted_notification_is_not_folded<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, alert("a", "a1"), at(0)).await;
    postpone(&lease, &claim_one(&lease, at(0)).await, at(0), at(0)).await;
    enqueue(&outbox, alert("a", "a2"), at(0)).await;
    enqueue(&outbox, alert("b", "b1"), at(0)).await;
    let claimed = fold(&lease, 3, digest("digest"), at(1)).await;
    deliver(&lease, claimed.first().unwrap(), at(1)).await;
    assert_eq!(drain(&lease, at(2)).await, ["a1", "a2"]);
}

pub(crate) async fn a_digest_without_members_is_not_created<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, alert("a", "a1"), at(0)).await;
    assert_eq!(fold(&lease, 1, digest("first"), at(1)).await.len(), 1);
    assert!(fold(&lease, 1, digest("second"), at(1)).await.is_empty());
    let expected = [("a1", State::Folded), ("first", State::InFlight)];
    assert_eq!(states(&outbox).await, owned(&expected));
}

pub(crate) async fn a_digest_of_several_parts_is_settled_with_its_last_part<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, split("a", "a1", 2), at(0)).await;
    let parts = NewNotification { kind: Kind::Digest, ..split("digest", "digest", 2) };
    let claimed = fold(&lease, 1, parts, at(1)).await;
    assert_eq!(texts(&claimed), ["digest 1/2"]);
    deliver(&lease, claimed.first().unwrap(), at(2)).await;
    let folded = Filter { states: vec![State::Folded], ..Filter::default() };
    let list_folded = async || list_all(&outbox, folded.clone(), ListOrder::OldestFirst, 10).await;
    assert_eq!(list_folded().await.len(), 2);
    let second = claim_one(&lease, at(3)).await;
    assert_eq!(texts(std::slice::from_ref(&second)), ["digest 2/2"]);
    kill(&lease, &second, at(3)).await;
    assert!(list_folded().await.is_empty());
    // The first part has reported them, so the members are delivered.
    let expected = [
        ("a1", State::Delivered),
        ("a1", State::Delivered),
        ("digest", State::Delivered),
        ("digest", State::Dead),
    ];
    assert_eq!(states(&outbox).await, owned(&expected));
}

pub(crate) async fn other_destinations_are_not_folded<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    let other = NewNotification { recipients: user("li"), ..alert("a", "a1") };
    enqueue(&outbox, other, at(0)).await;
    assert!(foldable(&lease, destination("zhang")).await.is_empty());
    assert!(fold(&lease, 1, digest("digest"), at(1)).await.is_empty());
}

pub(crate) async fn a_requeued_digest_delivers_its_dead_members<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, alert("a", "a1"), at(0)).await;
    let claimed = fold(&lease, 1, digest("digest"), at(1)).await;
    let id = claimed.first().unwrap().id;
    kill(&lease, claimed.first().unwrap(), at(2)).await;
    assert_eq!(outbox.requeue(Requeue::One(id), at(3)).await.unwrap(), Changed::Deliveries(1));
    assert_eq!(drain(&lease, at(4)).await, ["digest"]);
    let expected = [("a1", State::Delivered), ("digest", State::Delivered)];
    assert_eq!(states(&outbox).await, owned(&expected));
}

pub(crate) async fn requeueing_all_skips_digests_of_requeued_members<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, alert("a", "a1"), at(0)).await;
    enqueue(&outbox, split("b", "b1", 2), at(0)).await;
    let claimed = fold(&lease, 2, digest("digest"), at(1)).await;
    kill(&lease, claimed.first().unwrap(), at(2)).await;
    assert_eq!(outbox.requeue(Requeue::AllDead, at(3)).await.unwrap(), Changed::Deliveries(3));
    let mut sent = drain(&lease, at(4)).await;
    sent.sort_unstable();
    assert_eq!(sent, ["a1", "b1 1/2", "b1 2/2"]);
    assert_eq!(outbox.requeue(Requeue::AllDead, at(5)).await.unwrap(), Changed::Deliveries(0));
}

/// The members that may share a digest with each notification that can be folded.
async fn limits<L: Lease>(lease: &L) -> Vec<u32> {
    found_foldable(lease, destination("zhang")).await.iter().map(|foldable| foldable.limit).collect()
}

pub(crate) async fn the_members_of_an_undone_digest_wait_in_their_places<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    for (group, text) in [("a", "a1"), ("b", "b1"), ("a", "a2"), ("c", "c1")] {
        enqueue(&outbox, alert(group, text), at(0)).await;
    }
    enqueue(&outbox, split("d", "d1", 2), at(0)).await;
    let claimed = fold(&lease, 5, digest("digest"), at(1)).await;
    enqueue(&outbox, alert("a", "a3"), at(2)).await;
    lease.changes().take();
    undo(&lease, claimed.first().unwrap(), at(3)).await;
    assert!(lease.changes().take().destinations.contains(&destination("zhang")));
    let expected = [
        ("a1", State::Ready),
        ("b1", State::Ready),
        ("a2", State::Queued),
        ("c1", State::Ready),
        ("d1", State::Ready),
        ("d1", State::Queued),
        ("digest", State::Discarded),
        ("a3", State::Queued),
    ];
    assert_eq!(states(&outbox).await, owned(&expected));
    let listed = list(&outbox).await;
    assert_eq!(listed.iter().filter(|listed| listed.digest.is_some()).count(), 0);
    assert_eq!((listed[6].reason.as_str(), listed[6].settled_at), ("refused", Some(at(3))));
    assert_eq!(limits(&lease).await, [3, 3, 3, 3, 3, 1000]);
    assert_eq!(drain(&lease, at(4)).await, ["a1", "b1", "a2", "c1", "d1 1/2", "d1 2/2", "a3"]);
}

pub(crate) async fn digests_are_halved_until_a_member_stands_alone<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    for text in ["one", "two", "three", "four", "five"] {
        enqueue(&outbox, alert(text, text), at(0)).await;
    }
    for (members, expected) in [(5, vec![3; 5]), (3, vec![2, 2, 2, 3, 3]), (2, vec![2, 3, 3])] {
        let claimed = fold(&lease, members, digest("digest"), at(1)).await;
        undo(&lease, claimed.first().unwrap(), at(1)).await;
        assert_eq!(limits(&lease).await, expected);
    }
    let alone = claim(&lease, 2, at(2)).await;
    assert_eq!(texts(&alone), ["one", "two"]);
    let digest_of_one = fold(&lease, 1, digest("digest"), at(2)).await;
    undo(&lease, digest_of_one.first().unwrap(), at(2)).await;
    assert_eq!(limits(&lease).await, [3, 3]);
}

pub(crate) async fn a_digest_with_a_delivered_part_is_not_undone<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, alert("a", "a1"), at(0)).await;
    let parts = NewNotification { kind: Kind::Digest, ..split("digest", "digest", 2) };
    let first = fold(&lease, 1, parts, at(1)).await;
    deliver(&lease, first.first().unwrap(), at(2)).await;
    undo(&lease, &claim_one(&lease, at(2)).await, at(3)).await;
    let expected = [("a1", State::Delivered), ("digest", State::Delivered), ("digest", State::Dead)];
    assert_eq!(states(&outbox).await, owned(&expected));
}

pub(crate) async fn an_undone_digest_takes_its_other_parts_along<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, alert("a", "a1"), at(0)).await;
    let parts = NewNotification { kind: Kind::Digest, ..split("digest", "digest", 3) };
    let first = fold(&lease, 1, parts, at(1)).await;
    kill(&lease, first.first().unwrap(), at(2)).await;
    undo(&lease, &claim_one(&lease, at(2)).await, at(3)).await;
    let expected = [
        ("a1", State::Ready),
        ("digest", State::Dead),
        ("digest", State::Discarded),
        ("digest", State::Discarded),
    ];
    assert_eq!(states(&outbox).await, owned(&expected));
    assert_eq!(drain(&lease, at(4)).await, ["a1"]);
}

pub(crate) async fn a_requeued_digest_is_not_undone<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, alert("a", "a1"), at(0)).await;
    let claimed = fold(&lease, 1, digest("digest"), at(1)).await;
    let id = claimed.first().unwrap().id;
    kill(&lease, claimed.first().unwrap(), at(2)).await;
    outbox.requeue(Requeue::One(id), at(3)).await.unwrap();
    undo(&lease, &claim_one(&lease, at(3)).await, at(4)).await;
    assert_eq!(states(&outbox).await, owned(&[("a1", State::Dead), ("digest", State::Dead)]));
}

pub(crate) async fn a_requeued_notification_is_not_folded<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, alert("a", "a1"), at(0)).await;
    let claimed = fold(&lease, 1, digest("digest"), at(1)).await;
    kill(&lease, claimed.first().unwrap(), at(2)).await;
    outbox.requeue(Requeue::AllDead, at(3)).await.unwrap();
    let new = enqueue(&outbox, alert("b", "b1"), at(3)).await;
    assert_eq!(foldable(&lease, destination("zhang")).await, [new]);
    assert_eq!(drain(&lease, at(4)).await, ["a1", "b1"]);
}
