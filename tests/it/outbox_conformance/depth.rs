//! How much waits, and since when.

use jiff::Timestamp;
use wecom_relay::outbox::{Depth, Kind, NewNotification, Outbox, ReceiverName, SenderName, Verdict, Which};

use super::fixture::{
    alert, at, claim, claim_one, deliver, digest, fold, kill, ops, put_off, settle, split, take, team,
};

async fn depths<O: Outbox>(outbox: &O) -> Vec<(String, u64, Option<Timestamp>)> {
    let of = |depth: Depth| (depth.receiver.0, depth.deliveries, depth.oldest_accepted_at);
    outbox.depths().await.unwrap().into_iter().map(of).collect()
}

fn row(receiver: &str, deliveries: u64, oldest: Option<i64>) -> (String, u64, Option<Timestamp>) {
    (receiver.to_owned(), deliveries, oldest.map(at))
}

pub(crate) async fn what_waits_is_counted_for_each_receiver_until_it_is_settled<O: Outbox>(outbox: O) {
    assert_eq!(depths(&outbox).await, []);
    take(&outbox, alert("a", "one"), at(1)).await;
    take(&outbox, split("b", "two", 3), at(2)).await;
    let receiver = ReceiverName("other".to_owned());
    take(&outbox, NewNotification { receiver, kind: Kind::Notice, ..alert("c", "three") }, at(3)).await;
    assert_eq!(depths(&outbox).await, [row("other", 1, Some(3)), row("team", 4, Some(1))]);
    let claimed = claim(&outbox, 1, at(4)).await;
    assert_eq!(depths(&outbox).await, [row("other", 1, Some(3)), row("team", 4, Some(1))]);
    for one in &claimed {
        deliver(&outbox, one, at(5)).await;
    }
    assert_eq!(depths(&outbox).await, [row("other", 0, None), row("team", 3, Some(2))]);
    let part = claim(&outbox, 3, at(6)).await.remove(0);
    put_off(&outbox, &part, at(7), at(6)).await;
    assert_eq!(depths(&outbox).await[1], row("team", 3, Some(2)));
    let part = claim_one(&outbox, at(8)).await;
    kill(&outbox, &part, at(8)).await;
    assert_eq!(depths(&outbox).await[1], row("team", 2, Some(2)));
    outbox.retry(Which::AllDead, at(9)).await.unwrap();
    assert_eq!(depths(&outbox).await[1], row("team", 3, Some(2)));
}

pub(crate) async fn what_is_sent_again_is_the_oldest_again<O: Outbox>(outbox: O) {
    take(&outbox, alert("a", "one"), at(1)).await;
    take(&outbox, alert("b", "two"), at(2)).await;
    let one = claim(&outbox, 1, at(3)).await.remove(0);
    kill(&outbox, &one, at(3)).await;
    assert_eq!(depths(&outbox).await, [row("team", 1, Some(2))]);
    outbox.retry(Which::One(one.id), at(4)).await.unwrap();
    assert_eq!(depths(&outbox).await, [row("team", 2, Some(1))]);
}

pub(crate) async fn folded_messages_wait_until_their_digest_is_settled<O: Outbox>(outbox: O) {
    let one = take(&outbox, alert("a", "one"), at(1)).await;
    let two = take(&outbox, alert("b", "two"), at(2)).await;
    let claimed = fold(&outbox, &[one, two], digest("both"), at(3)).await;
    assert_eq!(depths(&outbox).await, [row(&team().0, 3, Some(1))]);
    deliver(&outbox, &claimed[0], at(4)).await;
    assert_eq!(depths(&outbox).await, [row(&team().0, 0, None)]);
}

pub(crate) async fn what_people_give_up_while_it_waits_is_counted<O: Outbox>(outbox: O) {
    let discarded = async || outbox.depths().await.unwrap()[0].discarded;
    take(&outbox, alert("a", "one"), at(1)).await;
    take(&outbox, alert("a", "two"), at(2)).await;
    let one = claim_one(&outbox, at(3)).await;
    kill(&outbox, &one, at(3)).await;
    assert_eq!(discarded().await, 0);
    // This one was told as dead before.
    outbox.discard(one.id, at(4)).await.unwrap();
    assert_eq!(discarded().await, 0);
    let two = claim_one(&outbox, at(5)).await;
    put_off(&outbox, &two, at(9), at(5)).await;
    outbox.discard(two.id, at(6)).await.unwrap();
    assert_eq!(discarded().await, 1);
    assert_eq!(depths(&outbox).await, [row("team", 0, None)]);
}

pub(crate) async fn a_receiver_that_changed_its_app_has_a_depth_at_each<O: Outbox>(outbox: O) {
    take(&outbox, alert("a", "one"), at(1)).await;
    let sender = SenderName("former".to_owned());
    take(&outbox, NewNotification { sender: sender.clone(), ..alert("b", "two") }, at(2)).await;
    let depths = outbox.depths().await.unwrap();
    let senders: Vec<_> = depths.iter().map(|depth| (depth.sender.clone(), depth.deliveries)).collect();
    assert_eq!(senders, [(sender, 1), (ops(), 1)]);
}

pub(crate) async fn tries_with_an_unknown_errcode_are_counted_apart<O: Outbox>(outbox: O) {
    take(&outbox, alert("a", "one"), at(1)).await;
    for (n, unknown) in [(1, false), (2, true), (3, true)] {
        let claimed = claim_one(&outbox, at(n)).await;
        let retry = Verdict::Retry { at: at(n + 1), charged: true, unconfirmed: false, unknown };
        settle(&outbox, claimed.id, retry, at(n)).await;
    }
    let claimed = claim_one(&outbox, at(4)).await;
    assert_eq!((claimed.attempts, claimed.unknown), (3, 2));
    kill(&outbox, &claimed, at(4)).await;
    outbox.retry(Which::One(claimed.id), at(5)).await.unwrap();
    assert_eq!(claim_one(&outbox, at(5)).await.unknown, 0);
}
