//! Duplicates of a notification.

use jiff::Timestamp;
use wecom_relay::outbox::{Enqueued, NewNotification, NotificationId, Outbox};

use super::fixture::{acquire, alert, at, drain, enqueue, list, state};

/// The notification that `new` duplicates.
async fn duplicate_of<O: Outbox>(outbox: &O, new: NewNotification, now: Timestamp) -> Option<NotificationId> {
    match outbox.enqueue(new, now).await.unwrap() {
        Enqueued::Accepted(_) => None,
        Enqueued::Duplicate(original) => Some(original),
    }
}

pub(crate) async fn a_repeated_webhook_is_a_duplicate<O: Outbox>(outbox: O) {
    let first = enqueue(&outbox, state("a", "fires"), at(0)).await;
    assert_eq!(duplicate_of(&outbox, state("a", "fires"), at(1)).await, Some(first));
    assert_eq!(duplicate_of(&outbox, state("a", "fires"), at(119)).await, Some(first));
    assert_eq!(duplicate_of(&outbox, state("b", "fires"), at(119)).await, None);
    assert_eq!(list(&outbox).await.len(), 2);
}

pub(crate) async fn a_pair_that_reports_each_change_has_one_notification_for_each<O: Outbox>(outbox: O) {
    let fires = enqueue(&outbox, state("a", "fires"), at(0)).await;
    assert_eq!(duplicate_of(&outbox, state("a", "fires"), at(15)).await, Some(fires));
    let resolved = enqueue(&outbox, state("a", "resolved"), at(20)).await;
    assert_eq!(duplicate_of(&outbox, state("a", "resolved"), at(35)).await, Some(resolved));
}

pub(crate) async fn a_repeat_after_the_window_is_accepted<O: Outbox>(outbox: O) {
    enqueue(&outbox, state("a", "fires"), at(0)).await;
    let second = enqueue(&outbox, state("a", "fires"), at(120)).await;
    assert_eq!(duplicate_of(&outbox, state("a", "fires"), at(130)).await, Some(second));
}

pub(crate) async fn the_window_counts_from_the_first_acceptance<O: Outbox>(outbox: O) {
    let first = enqueue(&outbox, state("a", "fires"), at(0)).await;
    for second in [60, 110] {
        assert_eq!(duplicate_of(&outbox, state("a", "fires"), at(second)).await, Some(first));
    }
    assert_eq!(duplicate_of(&outbox, state("a", "fires"), at(121)).await, None);
}

pub(crate) async fn an_alert_that_changes_back_is_accepted<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, state("a", "fires"), at(0)).await;
    enqueue(&outbox, state("a", "resolved"), at(10)).await;
    let again = enqueue(&outbox, state("a", "fires"), at(20)).await;
    assert_eq!(duplicate_of(&outbox, state("a", "fires"), at(21)).await, Some(again));
    // A late report of an earlier change looks like a new change, and must not be lost if it is one.
    enqueue(&outbox, state("a", "resolved"), at(22)).await;
    assert_eq!(drain(&lease, at(30)).await, ["fires", "resolved", "fires", "resolved"]);
}

pub(crate) async fn ordering_keys_have_their_own_duplicates<O: Outbox>(outbox: O) {
    let a = enqueue(&outbox, state("a", "fires"), at(0)).await;
    enqueue(&outbox, state("b", "fires"), at(1)).await;
    enqueue(&outbox, alert("a", "without a key"), at(2)).await;
    assert_eq!(duplicate_of(&outbox, state("a", "fires"), at(3)).await, Some(a));
}

pub(crate) async fn a_clock_that_was_set_back_does_not_drop_alerts<O: Outbox>(outbox: O) {
    let first = enqueue(&outbox, state("a", "fires"), at(100_000)).await;
    assert_eq!(duplicate_of(&outbox, state("a", "fires"), at(99_990)).await, Some(first));
    assert_eq!(duplicate_of(&outbox, state("a", "fires"), at(0)).await, None);
}

pub(crate) async fn a_notification_without_a_key_is_always_accepted<O: Outbox>(outbox: O) {
    enqueue(&outbox, alert("a", "fires"), at(0)).await;
    enqueue(&outbox, alert("a", "fires"), at(0)).await;
    assert_eq!(list(&outbox).await.len(), 2);
}

pub(crate) async fn a_duplicate_is_known_after_its_original_was_purged<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    let first = enqueue(&outbox, state("a", "fires"), at(0)).await;
    drain(&lease, at(1)).await;
    assert_eq!(outbox.purge(at(60), 10).await.unwrap(), 1);
    assert_eq!(duplicate_of(&outbox, state("a", "fires"), at(61)).await, Some(first));
    outbox.purge(at(1000), 10).await.unwrap();
    assert_eq!(duplicate_of(&outbox, state("a", "fires"), at(62)).await, None);
}

pub(crate) async fn notifications_of_one_webhook_are_accepted_together<O: Outbox>(outbox: O) {
    let first = enqueue(&outbox, state("a", "fires"), at(0)).await;
    let both = vec![state("a", "fires"), state("b", "fires"), state("a", "fires")];
    let enqueued = outbox.enqueue_all(both, at(1)).await.unwrap();
    assert_eq!(enqueued[0], Enqueued::Duplicate(first));
    assert!(matches!(enqueued[1], Enqueued::Accepted(_)), "{enqueued:?}");
    assert_eq!(enqueued[2], Enqueued::Duplicate(first));
    assert_eq!(list(&outbox).await.len(), 2);
    assert_eq!(outbox.enqueue_all(Vec::new(), at(2)).await.unwrap(), []);
}
