//! Holds, dead letters and the notices of both.

use wecom_relay::outbox::{
    DeliveryId, Hold, Kind, NewNotification, NoticeOf, Outbox, ReceiverName, SenderName, State,
};

use super::fixture::{alert, at, claim_one, digest, drain, fold, kill, list, ops, split, take, team};

fn held() -> Hold {
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

fn notice(says: &str) -> NewNotification {
    NewNotification {
        kind: Kind::Notice,
        receiver: ReceiverName("oncall".to_owned()),
        sender: SenderName("other".to_owned()),
        ..alert("notice", says)
    }
}

pub(crate) async fn a_hold_is_kept_changed_and_released<O: Outbox>(outbox: O) {
    outbox.hold(held()).await.unwrap();
    assert_eq!(outbox.holds().await.unwrap(), [held()]);
    let changed = Hold { probes: 2, errcode: None, next_probe_at: at(180), ..held() };
    outbox.hold(changed.clone()).await.unwrap();
    assert_eq!(outbox.holds().await.unwrap(), [changed]);
    outbox.release(&ops()).await.unwrap();
    outbox.release(&ops()).await.unwrap();
    assert!(outbox.holds().await.unwrap().is_empty());
}

pub(crate) async fn a_receiver_is_told_once_of_a_hold<O: Outbox>(outbox: O) {
    outbox.hold(held()).await.unwrap();
    for n in 0..4 {
        take(&outbox, split("a", &n.to_string(), 2), at(n)).await;
    }
    let backlog = outbox.held_backlog(&ops(), &team(), 2, 3).await.unwrap().unwrap();
    assert_eq!((backlog.messages, backlog.summaries), (3, vec!["0".to_owned(), "1".to_owned()]));
    outbox.notice(notice("held"), NoticeOf::Hold(ops(), team()), at(5)).await.unwrap();
    assert_eq!(outbox.held_backlog(&ops(), &team(), 2, 3).await.unwrap(), None);
    outbox.hold(Hold { probes: 2, ..held() }).await.unwrap();
    assert_eq!(outbox.held_backlog(&ops(), &team(), 2, 3).await.unwrap(), None);
    let other = ReceiverName("other".to_owned());
    assert_eq!(outbox.held_backlog(&ops(), &other, 2, 3).await.unwrap(), Some(Default::default()));
    outbox.release(&ops()).await.unwrap();
    outbox.hold(held()).await.unwrap();
    assert!(outbox.held_backlog(&ops(), &team(), 2, 3).await.unwrap().is_some());
    assert_eq!(list(&outbox).await.last().unwrap().kind, Kind::Notice);
}

pub(crate) async fn a_hold_that_ended_is_not_remembered_as_told<O: Outbox>(outbox: O) {
    outbox.notice(notice("late"), NoticeOf::Hold(ops(), team()), at(1)).await.unwrap();
    outbox.hold(held()).await.unwrap();
    assert!(outbox.held_backlog(&ops(), &team(), 1, 1).await.unwrap().is_some());
}

pub(crate) async fn dead_letters_are_noticed_once<O: Outbox>(outbox: O) {
    for n in 0..3 {
        take(&outbox, alert("a", &n.to_string()), at(n)).await;
        kill(&outbox, &claim_one(&outbox, at(10 + n)).await, at(10 + n)).await;
    }
    let unnoticed = outbox.unnoticed(&team(), at(10), 10).await.unwrap();
    let lines: Vec<_> = unnoticed.iter().map(|dead| (dead.summary.as_str(), dead.reason.as_str())).collect();
    assert_eq!(lines, [("1", "refused"), ("2", "refused")]);
    assert_eq!(outbox.unnoticed(&team(), at(0), 1).await.unwrap().len(), 1);
    let ids: Vec<DeliveryId> = unnoticed.iter().map(|dead| dead.delivery).collect();
    outbox.notice(notice("dead"), NoticeOf::Dead(ids), at(20)).await.unwrap();
    let left = outbox.unnoticed(&team(), at(0), 10).await.unwrap();
    assert_eq!(left.iter().map(|dead| dead.summary.as_str()).collect::<Vec<_>>(), ["0"]);
}

pub(crate) async fn notices_that_die_are_not_noticed<O: Outbox>(outbox: O) {
    let new = NewNotification { sender: ops(), ..notice("dead") };
    outbox.notice(new, NoticeOf::Dead(Vec::new()), at(1)).await.unwrap();
    kill(&outbox, &claim_one(&outbox, at(1)).await, at(2)).await;
    let oncall = ReceiverName("oncall".to_owned());
    assert!(outbox.unnoticed(&oncall, at(0), 10).await.unwrap().is_empty());
    outbox.retry(wecom_relay::outbox::Which::AllDead, at(3)).await.unwrap();
    kill(&outbox, &claim_one(&outbox, at(3)).await, at(4)).await;
    assert!(outbox.unnoticed(&oncall, at(0), 10).await.unwrap().is_empty());
}

pub(crate) async fn a_digests_death_is_told_by_its_members<O: Outbox>(outbox: O) {
    let one = take(&outbox, alert("a", "a1"), at(0)).await;
    let two = take(&outbox, alert("b", "b1"), at(0)).await;
    let claimed = fold(&outbox, &[one, two], digest("digest"), at(1)).await;
    kill(&outbox, claimed.first().unwrap(), at(2)).await;
    let unnoticed = outbox.unnoticed(&team(), at(0), 10).await.unwrap();
    assert_eq!(unnoticed.iter().map(|dead| dead.summary.as_str()).collect::<Vec<_>>(), ["a1", "b1"]);
    assert!(list(&outbox).await.iter().all(|listed| listed.state == State::Dead));
    assert!(drain(&outbox, at(3)).await.is_empty());
}
