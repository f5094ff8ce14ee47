//! Queue depths.

use jiff::Timestamp;
use wecom_relay::outbox::{Depth, Kind, NewNotification, Outbox, ReceiverName, Requeue, SenderName, Verdict};

use super::fixture::{
    acquire, addressed, alert, at, claim, claim_one, deliver, digest, enqueue, fold, kill, ops, postpone,
    settle, split, team, user,
};

async fn depths<O: Outbox>(outbox: &O) -> Vec<(String, u64, Option<Timestamp>)> {
    let of = |depth: Depth| (depth.receiver.0, depth.deliveries, depth.oldest_accepted_at);
    outbox.depths().await.unwrap().into_iter().map(of).collect()
}

fn row(receiver: &str, deliveries: u64, oldest: Option<i64>) -> (String, u64, Option<Timestamp>) {
    (receiver.to_owned(), deliveries, oldest.map(at))
}

pub(crate) async fn unsettled_deliveries_are_counted_by_receiver<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    assert_eq!(depths(&outbox).await, []);
    enqueue(&outbox, alert("a", "one"), at(1)).await;
    enqueue(&outbox, split("b", "two", 3), at(2)).await;
    let receiver = ReceiverName("other".to_owned());
    let notice = NewNotification { receiver, kind: Kind::Notice, ..alert("c", "three") };
    enqueue(&outbox, addressed(notice, &user("li")), at(3)).await;
    assert_eq!(depths(&outbox).await, [row("other", 1, Some(3)), row("team", 4, Some(1))]);
    let claimed = claim(&lease, 1, at(4)).await;
    assert_eq!(depths(&outbox).await, [row("other", 1, Some(3)), row("team", 4, Some(1))]);
    for one in &claimed {
        deliver(&lease, one, at(5)).await;
    }
    assert_eq!(depths(&outbox).await, [row("team", 3, Some(2))]);
    let part = claim(&lease, 3, at(6)).await.remove(0);
    postpone(&lease, &part, at(7), at(6)).await;
    assert_eq!(depths(&outbox).await[0], row("team", 3, Some(2)));
    let part = claim_one(&lease, at(8)).await;
    kill(&lease, &part, at(8)).await;
    assert_eq!(depths(&outbox).await[0], row("team", 2, Some(2)));
    outbox.requeue(Requeue::AllDead, at(9)).await.unwrap();
    assert_eq!(depths(&outbox).await[0], row("team", 3, Some(2)));
}

pub(crate) async fn a_requeued_delivery_is_the_oldest_again<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, alert("a", "one"), at(1)).await;
    enqueue(&outbox, alert("b", "two"), at(2)).await;
    let one = claim(&lease, 1, at(3)).await.remove(0);
    kill(&lease, &one, at(3)).await;
    assert_eq!(depths(&outbox).await, [row("team", 1, Some(2))]);
    outbox.requeue(Requeue::One(one.id), at(4)).await.unwrap();
    assert_eq!(depths(&outbox).await, [row("team", 2, Some(1))]);
}

pub(crate) async fn members_count_until_their_digest_is_settled<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, alert("a", "one"), at(1)).await;
    enqueue(&outbox, alert("b", "two"), at(2)).await;
    let claimed = fold(&lease, 2, digest("both"), at(3)).await;
    assert_eq!(depths(&outbox).await, [row(&team().0, 3, Some(1))]);
    deliver(&lease, &claimed[0], at(4)).await;
    assert_eq!(depths(&outbox).await, []);
}

pub(crate) async fn discarded_unsettled_deliveries_are_counted<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    let discarded = async || outbox.depths().await.unwrap()[0].discarded;
    enqueue(&outbox, alert("a", "one"), at(1)).await;
    enqueue(&outbox, alert("a", "two"), at(2)).await;
    let one = claim_one(&lease, at(3)).await;
    kill(&lease, &one, at(3)).await;
    assert_eq!(discarded().await, 0);
    // It was counted as a dead letter before.
    outbox.discard(one.id, at(4)).await.unwrap();
    assert_eq!(discarded().await, 0);
    let two = claim_one(&lease, at(5)).await;
    postpone(&lease, &two, at(9), at(5)).await;
    outbox.discard(two.id, at(6)).await.unwrap();
    assert_eq!(discarded().await, 1);
    assert_eq!(depths(&outbox).await, [row("team", 0, None)]);
}

pub(crate) async fn a_receiver_that_changed_its_app_has_two_depths<O: Outbox>(outbox: O) {
    enqueue(&outbox, alert("a", "one"), at(1)).await;
    let sender = SenderName("former".to_owned());
    enqueue(&outbox, NewNotification { sender: sender.clone(), ..alert("b", "two") }, at(2)).await;
    let depths = outbox.depths().await.unwrap();
    let senders: Vec<_> = depths.iter().map(|depth| (depth.sender.clone(), depth.deliveries)).collect();
    assert_eq!(senders, [(sender, 1), (ops(), 1)]);
}

pub(crate) async fn attempts_with_an_unknown_errcode_are_counted_apart<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, alert("a", "one"), at(1)).await;
    for (n, unknown_code) in [(1, false), (2, true), (3, true)] {
        let claimed = claim_one(&lease, at(n)).await;
        let retry = Verdict::Retry { at: at(n + 1), charged: true, unconfirmed: false, unknown_code };
        settle(&lease, &claimed, retry, at(n)).await;
    }
    let claimed = claim_one(&lease, at(4)).await;
    assert_eq!((claimed.attempts, claimed.unknown_codes), (3, 2));
    kill(&lease, &claimed, at(4)).await;
    outbox.requeue(Requeue::One(claimed.id), at(5)).await.unwrap();
    assert_eq!(claim_one(&lease, at(5)).await.unknown_codes, 0);
}
