//! Holds, dead letters and the notices of both.

use wecom_relay::outbox::{
    DeliveryId, Hold, Kind, Lease, NewNotification, NoticeSubject, Outbox, ReceiverName, Requeue, SenderName,
    State,
};

use super::fixture::{
    acquire, alert, at, claim_one, digest, drain, enqueue, fold, kill, list, ops, split, team,
};

pub(crate) fn held() -> Hold {
    Hold {
        sender: ops(),
        since: at(0),
        reason: "the secret is wrong".to_owned(),
        errcode: Some(40001),
        probes: 1,
        next_probe_at: at(60),
        credentials: "fingerprint".to_owned(),
    }
}

fn notice(text: &str) -> NewNotification {
    NewNotification {
        kind: Kind::Notice,
        receiver: ReceiverName("oncall".to_owned()),
        sender: SenderName("other".to_owned()),
        ..alert("notice", text)
    }
}

pub(crate) async fn a_hold_is_stored_changed_and_deleted<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    lease.hold(Some(held())).await.unwrap();
    assert_eq!(outbox.holds().await.unwrap(), [held()]);
    let changed = Hold { probes: 2, errcode: None, next_probe_at: at(180), ..held() };
    lease.hold(Some(changed.clone())).await.unwrap();
    assert_eq!(outbox.holds().await.unwrap(), std::slice::from_ref(&changed));
    let lease = acquire(&outbox, at(1)).await;
    assert_eq!(lease.inherited_hold(), Some(&changed));
    let other = outbox.acquire(&SenderName("other".to_owned()), at(1)).await.unwrap();
    other.hold(None).await.unwrap();
    assert_eq!((other.inherited_hold(), outbox.holds().await.unwrap().len()), (None, 1));
    lease.hold(None).await.unwrap();
    lease.hold(None).await.unwrap();
    assert!(outbox.holds().await.unwrap().is_empty());
    assert_eq!(acquire(&outbox, at(1)).await.inherited_hold(), None);
}

pub(crate) async fn a_receiver_is_notified_once_of_a_hold<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    lease.hold(Some(held())).await.unwrap();
    for n in 0..4 {
        enqueue(&outbox, split("a", &n.to_string(), 2), at(n)).await;
    }
    let backlog = outbox.held_backlog(&ops(), &team(), 2, 3).await.unwrap().unwrap();
    assert_eq!((backlog.notifications, backlog.summaries), (3, vec!["0".to_owned(), "1".to_owned()]));
    outbox.notice(notice("held"), NoticeSubject::Hold(ops(), team()), at(5)).await.unwrap();
    assert_eq!(outbox.held_backlog(&ops(), &team(), 2, 3).await.unwrap(), None);
    lease.hold(Some(Hold { probes: 2, ..held() })).await.unwrap();
    assert_eq!(outbox.held_backlog(&ops(), &team(), 2, 3).await.unwrap(), None);
    let other = ReceiverName("other".to_owned());
    assert_eq!(outbox.held_backlog(&ops(), &other, 2, 3).await.unwrap(), Some(Default::default()));
    lease.hold(None).await.unwrap();
    lease.hold(Some(held())).await.unwrap();
    assert!(outbox.held_backlog(&ops(), &team(), 2, 3).await.unwrap().is_some());
    assert_eq!(list(&outbox).await.last().unwrap().kind, Kind::Notice);
}

pub(crate) async fn a_notice_of_an_ended_hold_does_not_count_for_the_next<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    outbox.notice(notice("late"), NoticeSubject::Hold(ops(), team()), at(1)).await.unwrap();
    lease.hold(Some(held())).await.unwrap();
    assert!(outbox.held_backlog(&ops(), &team(), 1, 1).await.unwrap().is_some());
}

pub(crate) async fn dead_letters_are_reported_once<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    for n in 0..3 {
        enqueue(&outbox, alert("a", &n.to_string()), at(n)).await;
        kill(&lease, &claim_one(&lease, at(10 + n)).await, at(10 + n)).await;
    }
    let unnoticed = outbox.unnoticed(&team(), at(10), 10).await.unwrap();
    let lines: Vec<_> = unnoticed.iter().map(|dead| (dead.summary.as_str(), dead.reason.as_str())).collect();
    assert_eq!(lines, [("1", "rejected"), ("2", "rejected")]);
    assert_eq!(outbox.unnoticed(&team(), at(0), 1).await.unwrap().len(), 1);
    let ids: Vec<DeliveryId> = unnoticed.iter().map(|dead| dead.delivery).collect();
    outbox.notice(notice("dead"), NoticeSubject::Dead(ids), at(20)).await.unwrap();
    let left = outbox.unnoticed(&team(), at(0), 10).await.unwrap();
    assert_eq!(left.iter().map(|dead| dead.summary.as_str()).collect::<Vec<_>>(), ["0"]);
}

pub(crate) async fn a_dead_notice_is_not_reported<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    let new = NewNotification { sender: ops(), ..notice("dead") };
    outbox.notice(new, NoticeSubject::Dead(Vec::new()), at(1)).await.unwrap();
    kill(&lease, &claim_one(&lease, at(1)).await, at(2)).await;
    let oncall = ReceiverName("oncall".to_owned());
    assert!(outbox.unnoticed(&oncall, at(0), 10).await.unwrap().is_empty());
    outbox.requeue(Requeue::AllDead, at(3)).await.unwrap();
    kill(&lease, &claim_one(&lease, at(3)).await, at(4)).await;
    assert!(outbox.unnoticed(&oncall, at(0), 10).await.unwrap().is_empty());
}

pub(crate) async fn a_dead_digest_is_reported_by_its_members<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, alert("a", "a1"), at(0)).await;
    enqueue(&outbox, alert("b", "b1"), at(0)).await;
    let claimed = fold(&lease, 2, digest("digest"), at(1)).await;
    kill(&lease, claimed.first().unwrap(), at(2)).await;
    let unnoticed = outbox.unnoticed(&team(), at(0), 10).await.unwrap();
    assert_eq!(unnoticed.iter().map(|dead| dead.summary.as_str()).collect::<Vec<_>>(), ["a1", "b1"]);
    assert!(list(&outbox).await.iter().all(|listed| listed.state == State::Dead));
    assert!(drain(&lease, at(3)).await.is_empty());
}
