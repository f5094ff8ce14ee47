//! Duplicates of a notification.

use jiff::Timestamp;
use wecom_relay::outbox::{Enqueued, NewNotification, NotificationId, Outbox};

use super::fixture::{acquire, alert, at, drain, enqueue, from, list};

/// The notification that `new` duplicates.
async fn duplicate_of<O: Outbox>(outbox: &O, new: NewNotification, now: Timestamp) -> Option<NotificationId> {
    match outbox.enqueue(new, now).await.unwrap() {
        Enqueued::Accepted(_) => None,
        Enqueued::Duplicate(of) => Some(of),
    }
}

pub(crate) async fn a_repeated_webhook_is_a_duplicate<O: Outbox>(outbox: O) {
    let first = enqueue(&outbox, from("one", "a", "fires"), at(0)).await;
    assert_eq!(duplicate_of(&outbox, from("one", "a", "fires"), at(1)).await, Some(first));
    assert_eq!(duplicate_of(&outbox, from("one", "a", "fires"), at(119)).await, Some(first));
    assert_eq!(duplicate_of(&outbox, from("one", "b", "fires"), at(119)).await, None);
    assert_eq!(list(&outbox).await.len(), 2);
}

pub(crate) async fn the_webhook_of_the_other_alertmanager_is_a_duplicate<O: Outbox>(outbox: O) {
    let fires = enqueue(&outbox, from("one", "a", "fires"), at(0)).await;
    let resolved = enqueue(&outbox, from("one", "a", "resolved"), at(10)).await;
    assert_eq!(duplicate_of(&outbox, from("two", "a", "fires"), at(15)).await, Some(fires));
    assert_eq!(duplicate_of(&outbox, from("one", "a", "resolved"), at(16)).await, Some(resolved));
}

pub(crate) async fn a_repeat_after_the_window_is_accepted<O: Outbox>(outbox: O) {
    enqueue(&outbox, from("one", "a", "fires"), at(0)).await;
    let second = enqueue(&outbox, from("one", "a", "fires"), at(120)).await;
    assert_eq!(duplicate_of(&outbox, from("two", "a", "fires"), at(130)).await, Some(second));
}

pub(crate) async fn the_window_counts_from_the_first_acceptance<O: Outbox>(outbox: O) {
    let first = enqueue(&outbox, from("one", "a", "fires"), at(0)).await;
    for second in [60, 110] {
        assert_eq!(duplicate_of(&outbox, from("one", "a", "fires"), at(second)).await, Some(first));
    }
    assert_eq!(duplicate_of(&outbox, from("one", "a", "fires"), at(121)).await, None);
}

pub(crate) async fn an_alert_that_changes_back_is_accepted<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, from("one", "a", "fires"), at(0)).await;
    enqueue(&outbox, from("one", "a", "resolved"), at(10)).await;
    let again = enqueue(&outbox, from("one", "a", "fires"), at(20)).await;
    assert_eq!(duplicate_of(&outbox, from("one", "a", "fires"), at(21)).await, Some(again));
    assert_eq!(duplicate_of(&outbox, from("two", "a", "fires"), at(22)).await, Some(again));
    assert_eq!(drain(&lease, at(30)).await, ["fires", "resolved", "fires"]);
}

pub(crate) async fn late_duplicates_of_several_changes_are_dropped<O: Outbox>(outbox: O) {
    let mut accepted = Vec::new();
    for (second, what) in [(0, "fires"), (10, "resolved"), (20, "fires")] {
        accepted.push((what, enqueue(&outbox, from("one", "a", what), at(second)).await));
    }
    let last = |what: &str| accepted.iter().rev().find(|(sent, _)| *sent == what).map(|(_, id)| *id);
    for (what, _) in &accepted {
        assert_eq!(duplicate_of(&outbox, from("two", "a", what), at(30)).await, last(what));
    }
}

pub(crate) async fn a_source_that_outlives_its_twin_is_accepted<O: Outbox>(outbox: O) {
    let fires = enqueue(&outbox, from("one", "a", "fires"), at(0)).await;
    assert_eq!(duplicate_of(&outbox, from("two", "a", "fires"), at(1)).await, Some(fires));
    let resolved = enqueue(&outbox, from("one", "a", "resolved"), at(10)).await;
    assert_eq!(duplicate_of(&outbox, from("two", "a", "resolved"), at(11)).await, Some(resolved));
    // The first source has ended, and the second one reports a change that neither has reported.
    assert_eq!(duplicate_of(&outbox, from("two", "a", "fires"), at(20)).await, None);
}

pub(crate) async fn a_clock_that_was_set_back_does_not_drop_alerts<O: Outbox>(outbox: O) {
    let first = enqueue(&outbox, from("one", "a", "fires"), at(100_000)).await;
    assert_eq!(duplicate_of(&outbox, from("one", "a", "fires"), at(99_990)).await, Some(first));
    assert_eq!(duplicate_of(&outbox, from("one", "a", "fires"), at(0)).await, None);
}

pub(crate) async fn a_notification_without_a_key_is_always_accepted<O: Outbox>(outbox: O) {
    enqueue(&outbox, alert("a", "fires"), at(0)).await;
    enqueue(&outbox, alert("a", "fires"), at(0)).await;
    assert_eq!(list(&outbox).await.len(), 2);
}

pub(crate) async fn a_duplicate_is_known_after_its_original_was_purged<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    let first = enqueue(&outbox, from("one", "a", "fires"), at(0)).await;
    drain(&lease, at(1)).await;
    assert_eq!(outbox.purge(at(60), 10).await.unwrap(), 1);
    assert_eq!(duplicate_of(&outbox, from("two", "a", "fires"), at(61)).await, Some(first));
    outbox.purge(at(1000), 10).await.unwrap();
    assert_eq!(duplicate_of(&outbox, from("two", "a", "fires"), at(62)).await, None);
}
