//! Digests and their members.

use wecom_relay::outbox::{
    Changed, Destination, Filter, Kind, NewNotification, NotificationId, Outbox, State, Which,
};

use super::fixture::{
    alert, at, claim, claim_one, deliver, digest, drain, fold, kill, list, ops, owned, put_off, says, split,
    states, take, user,
};

async fn foldable<O: Outbox>(outbox: &O, limit: u32) -> Vec<NotificationId> {
    let destination = Destination::of(&ops(), &user("zhang"));
    let found = outbox.foldable(&ops(), destination, limit).await.unwrap();
    found.into_iter().flat_map(|found| found.messages).map(|foldable| foldable.notification).collect()
}

pub(crate) async fn whole_messages_behind_nothing_attempted_can_be_folded<O: Outbox>(outbox: O) {
    let tried = take(&outbox, alert("a", "a1"), at(0)).await;
    put_off(&outbox, &claim_one(&outbox, at(0)).await, at(100), at(0)).await;
    let behind = take(&outbox, alert("a", "a2"), at(1)).await;
    let b1 = take(&outbox, alert("b", "b1"), at(1)).await;
    let c1 = take(&outbox, split("c", "c1", 3), at(1)).await;
    let b2 = take(&outbox, alert("b", "b2"), at(2)).await;
    let other = NewNotification { recipients: user("li"), ..alert("b", "b3") };
    take(&outbox, other, at(2)).await;
    take(&outbox, alert("b", "b4"), at(2)).await;
    take(&outbox, NewNotification { kind: Kind::Notice, ..alert("n", "notice") }, at(3)).await;
    let c2 = take(&outbox, alert("c", "c2"), at(3)).await;
    assert_eq!(foldable(&outbox, 10).await, [b1, c1, b2, c2]);
    assert_eq!(foldable(&outbox, 3).await, [b1, c1, b2]);
    let fresh: Vec<_> = outbox.waiting(&ops(), 10, at(9)).await.unwrap().queues;
    assert_eq!(fresh.first().unwrap().fresh, 4);
    assert!(![tried, behind].contains(&c2));
}

pub(crate) async fn a_digest_goes_out_in_the_place_of_its_members<O: Outbox>(outbox: O) {
    let one = take(&outbox, alert("a", "a1"), at(0)).await;
    let two = take(&outbox, alert("a", "a2"), at(0)).await;
    let three = take(&outbox, alert("b", "b1"), at(0)).await;
    let claimed = fold(&outbox, &[three, two, one], digest("three"), at(1)).await;
    assert_eq!(says(&claimed), ["three"]);
    let sent = claimed.first().unwrap();
    assert_eq!((sent.kind, sent.accepted_at), (Kind::Digest, at(1)));
    let filter = Filter { digest: Some(sent.id), limit: 10, ..Filter::default() };
    let members = outbox.list(filter).await.unwrap();
    assert_eq!(members.len(), 3);
    assert!(members.iter().all(|member| member.state == State::Folded && member.digest == Some(sent.id)));
    deliver(&outbox, sent, at(2)).await;
    assert!(list(&outbox).await.iter().all(|listed| listed.state == State::Delivered));
    assert!(drain(&outbox, at(9)).await.is_empty());
    assert_eq!(outbox.purge(at(10), 10).await.unwrap(), 4);
}

pub(crate) async fn nothing_of_a_members_lane_goes_out_before_the_digest_is_settled<O: Outbox>(outbox: O) {
    let member = take(&outbox, alert("a", "a1"), at(0)).await;
    take(&outbox, alert("a", "a2"), at(0)).await;
    let claimed = fold(&outbox, &[member], digest("digest"), at(1)).await;
    take(&outbox, alert("a", "a3"), at(1)).await;
    put_off(&outbox, claimed.first().unwrap(), at(20), at(2)).await;
    assert!(claim(&outbox, 10, at(9)).await.is_empty());
    assert!(foldable(&outbox, 10).await.is_empty());
    assert_eq!(outbox.waiting(&ops(), 10, at(9)).await.unwrap().next_due, Some(at(20)));
    let again = claim(&outbox, 10, at(20)).await;
    assert_eq!(says(&again), ["digest"]);
    deliver(&outbox, again.first().unwrap(), at(21)).await;
    assert_eq!(drain(&outbox, at(22)).await, ["a2", "a3"]);
}

pub(crate) async fn members_die_with_their_digest<O: Outbox>(outbox: O) {
    let member = take(&outbox, alert("a", "a1"), at(0)).await;
    take(&outbox, alert("a", "a2"), at(0)).await;
    let claimed = fold(&outbox, &[member], digest("digest"), at(1)).await;
    kill(&outbox, claimed.first().unwrap(), at(2)).await;
    let expected = [("a1", State::Dead), ("a2", State::Ready), ("digest", State::Dead)];
    assert_eq!(states(&outbox).await, owned(&expected));
    let first = list(&outbox).await.remove(0);
    assert_eq!((first.reason.as_str(), first.settled_at), ("refused", Some(at(2))));
}

pub(crate) async fn what_was_attempted_is_passed_over<O: Outbox>(outbox: O) {
    let tried = take(&outbox, alert("a", "a1"), at(0)).await;
    put_off(&outbox, &claim_one(&outbox, at(0)).await, at(0), at(0)).await;
    let behind = take(&outbox, alert("a", "a2"), at(0)).await;
    let fresh = take(&outbox, alert("b", "b1"), at(0)).await;
    let claimed = fold(&outbox, &[tried, behind, fresh], digest("digest"), at(1)).await;
    deliver(&outbox, claimed.first().unwrap(), at(1)).await;
    assert_eq!(drain(&outbox, at(2)).await, ["a1", "a2"]);
}

pub(crate) async fn a_member_whose_elder_is_left_out_is_passed_over<O: Outbox>(outbox: O) {
    take(&outbox, alert("a", "a1"), at(0)).await;
    let younger = take(&outbox, alert("a", "a2"), at(0)).await;
    assert!(fold(&outbox, &[younger], digest("digest"), at(1)).await.is_empty());
    assert_eq!(drain(&outbox, at(2)).await, ["a1", "a2"]);
}

pub(crate) async fn a_digest_without_members_is_not_made<O: Outbox>(outbox: O) {
    let one = take(&outbox, alert("a", "a1"), at(0)).await;
    assert_eq!(fold(&outbox, &[one], digest("first"), at(1)).await.len(), 1);
    assert!(fold(&outbox, &[one], digest("second"), at(1)).await.is_empty());
    let expected = [("a1", State::Folded), ("first", State::InFlight)];
    assert_eq!(states(&outbox).await, owned(&expected));
}

pub(crate) async fn a_digest_of_several_parts_is_settled_with_its_last<O: Outbox>(outbox: O) {
    let one = take(&outbox, split("a", "a1", 2), at(0)).await;
    let parts = NewNotification { kind: Kind::Digest, ..split("digest", "digest", 2) };
    let claimed = fold(&outbox, &[one], parts, at(1)).await;
    assert_eq!(says(&claimed), ["digest 1/2"]);
    deliver(&outbox, claimed.first().unwrap(), at(2)).await;
    let folded = Filter { states: vec![State::Folded], limit: 10, ..Filter::default() };
    assert_eq!(outbox.list(folded.clone()).await.unwrap().len(), 2);
    let second = claim_one(&outbox, at(3)).await;
    assert_eq!(says(std::slice::from_ref(&second)), ["digest 2/2"]);
    kill(&outbox, &second, at(3)).await;
    assert!(outbox.list(folded).await.unwrap().is_empty());
    // Somebody was told, so the members count as told.
    let expected = [
        ("a1", State::Delivered),
        ("a1", State::Delivered),
        ("digest", State::Delivered),
        ("digest", State::Dead),
    ];
    assert_eq!(states(&outbox).await, owned(&expected));
}

pub(crate) async fn other_destinations_are_not_folded<O: Outbox>(outbox: O) {
    let other = NewNotification { recipients: user("li"), ..alert("a", "a1") };
    let one = take(&outbox, other, at(0)).await;
    assert!(foldable(&outbox, 10).await.is_empty());
    assert!(fold(&outbox, &[one], digest("digest"), at(1)).await.is_empty());
}

pub(crate) async fn a_digest_that_is_sent_again_tells_its_dead_members<O: Outbox>(outbox: O) {
    let one = take(&outbox, alert("a", "a1"), at(0)).await;
    let claimed = fold(&outbox, &[one], digest("digest"), at(1)).await;
    let id = claimed.first().unwrap().id;
    kill(&outbox, claimed.first().unwrap(), at(2)).await;
    assert_eq!(outbox.retry(Which::One(id), at(3)).await.unwrap(), Changed::Deliveries(1));
    assert_eq!(drain(&outbox, at(4)).await, ["digest"]);
    let expected = [("a1", State::Delivered), ("digest", State::Delivered)];
    assert_eq!(states(&outbox).await, owned(&expected));
}

pub(crate) async fn all_dead_letters_are_sent_again_but_not_told_twice<O: Outbox>(outbox: O) {
    let one = take(&outbox, alert("a", "a1"), at(0)).await;
    let two = take(&outbox, split("b", "b1", 2), at(0)).await;
    let claimed = fold(&outbox, &[one, two], digest("digest"), at(1)).await;
    kill(&outbox, claimed.first().unwrap(), at(2)).await;
    assert_eq!(outbox.retry(Which::AllDead, at(3)).await.unwrap(), Changed::Deliveries(3));
    let mut sent = drain(&outbox, at(4)).await;
    sent.sort_unstable();
    assert_eq!(sent, ["a1", "b1 1/2", "b1 2/2"]);
    assert_eq!(outbox.retry(Which::AllDead, at(5)).await.unwrap(), Changed::Deliveries(0));
}
