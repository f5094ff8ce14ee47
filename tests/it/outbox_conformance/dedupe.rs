//! Copies of a notification.

use jiff::Timestamp;
use wecom_relay::outbox::{Enqueued, NewNotification, NotificationId, Outbox};

use super::fixture::{alert, at, drain, from, list, take};

/// The notification of which it is a copy.
async fn copy<O: Outbox>(outbox: &O, new: NewNotification, now: Timestamp) -> Option<NotificationId> {
    match outbox.enqueue(new, now).await.unwrap() {
        Enqueued::Accepted(_) => None,
        Enqueued::Duplicate(of) => Some(of),
    }
}

pub(crate) async fn a_retried_notification_is_taken_once<O: Outbox>(outbox: O) {
    let first = take(&outbox, from("one", "a", "fires"), at(0)).await;
    assert_eq!(copy(&outbox, from("one", "a", "fires"), at(1)).await, Some(first));
    assert_eq!(copy(&outbox, from("one", "a", "fires"), at(119)).await, Some(first));
    assert_eq!(copy(&outbox, from("one", "b", "fires"), at(119)).await, None);
    assert_eq!(list(&outbox).await.len(), 2);
}

pub(crate) async fn the_copy_of_the_other_alertmanager_is_not_taken<O: Outbox>(outbox: O) {
    let fires = take(&outbox, from("one", "a", "fires"), at(0)).await;
    let resolved = take(&outbox, from("one", "a", "resolved"), at(10)).await;
    assert_eq!(copy(&outbox, from("two", "a", "fires"), at(15)).await, Some(fires));
    assert_eq!(copy(&outbox, from("one", "a", "resolved"), at(16)).await, Some(resolved));
}

pub(crate) async fn a_repeat_after_the_window_is_taken<O: Outbox>(outbox: O) {
    take(&outbox, from("one", "a", "fires"), at(0)).await;
    let second = take(&outbox, from("one", "a", "fires"), at(120)).await;
    assert_eq!(copy(&outbox, from("two", "a", "fires"), at(130)).await, Some(second));
}

pub(crate) async fn the_window_counts_from_the_first_acceptance<O: Outbox>(outbox: O) {
    let first = take(&outbox, from("one", "a", "fires"), at(0)).await;
    for second in [60, 110] {
        assert_eq!(copy(&outbox, from("one", "a", "fires"), at(second)).await, Some(first));
    }
    assert_eq!(copy(&outbox, from("one", "a", "fires"), at(121)).await, None);
}

pub(crate) async fn a_state_that_changed_and_came_back_is_news<O: Outbox>(outbox: O) {
    take(&outbox, from("one", "a", "fires"), at(0)).await;
    take(&outbox, from("one", "a", "resolved"), at(10)).await;
    let again = take(&outbox, from("one", "a", "fires"), at(20)).await;
    assert_eq!(copy(&outbox, from("one", "a", "fires"), at(21)).await, Some(again));
    assert_eq!(copy(&outbox, from("two", "a", "fires"), at(22)).await, Some(again));
    assert_eq!(drain(&outbox, at(30)).await, ["fires", "resolved", "fires"]);
}

pub(crate) async fn the_copies_of_a_whole_story_that_come_late_are_not_taken<O: Outbox>(outbox: O) {
    let mut story = Vec::new();
    for (second, what) in [(0, "fires"), (10, "resolved"), (20, "fires")] {
        story.push((what, take(&outbox, from("one", "a", what), at(second)).await));
    }
    let last = |what: &str| story.iter().rev().find(|(said, _)| *said == what).map(|(_, id)| *id);
    for (what, _) in &story {
        assert_eq!(copy(&outbox, from("two", "a", what), at(30)).await, last(what));
    }
}

pub(crate) async fn a_source_that_survives_its_twin_is_heard<O: Outbox>(outbox: O) {
    let fires = take(&outbox, from("one", "a", "fires"), at(0)).await;
    assert_eq!(copy(&outbox, from("two", "a", "fires"), at(1)).await, Some(fires));
    let resolved = take(&outbox, from("one", "a", "resolved"), at(10)).await;
    assert_eq!(copy(&outbox, from("two", "a", "resolved"), at(11)).await, Some(resolved));
    // The first one ends here. What the second one says now was not said by either since.
    assert_eq!(copy(&outbox, from("two", "a", "fires"), at(20)).await, None);
}

pub(crate) async fn a_clock_that_was_set_back_makes_no_duplicate_for_ever<O: Outbox>(outbox: O) {
    let first = take(&outbox, from("one", "a", "fires"), at(100_000)).await;
    assert_eq!(copy(&outbox, from("one", "a", "fires"), at(99_990)).await, Some(first));
    assert_eq!(copy(&outbox, from("one", "a", "fires"), at(0)).await, None);
}

pub(crate) async fn what_has_no_key_is_always_taken<O: Outbox>(outbox: O) {
    take(&outbox, alert("a", "fires"), at(0)).await;
    take(&outbox, alert("a", "fires"), at(0)).await;
    assert_eq!(list(&outbox).await.len(), 2);
}

pub(crate) async fn a_copy_is_known_after_the_purge_of_its_original<O: Outbox>(outbox: O) {
    let first = take(&outbox, from("one", "a", "fires"), at(0)).await;
    drain(&outbox, at(1)).await;
    assert_eq!(outbox.purge(at(60), 10).await.unwrap(), 1);
    assert_eq!(copy(&outbox, from("two", "a", "fires"), at(61)).await, Some(first));
    outbox.purge(at(1000), 10).await.unwrap();
    assert_eq!(copy(&outbox, from("two", "a", "fires"), at(62)).await, None);
}
