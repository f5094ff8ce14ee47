//! Notifications to put in, and short ways to take them out.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use wecom_relay::{
    clock::Clock,
    outbox::{
        AlertRef, Attempt, Claimed, Dedupe, DeliveryId, Enqueued, Filter, Key, Kind, Listed, NewDelivery,
        NewNotification, NotificationId, Outbox, Part, Pick, ReceiverName, SenderName, Settlement, State,
        Status, Verdict,
    },
    wecom::{Content, Receipt, Recipients},
};

pub(crate) const CHECK: Duration = Duration::from_secs(120);

/// `seconds` after the beginning of the test's time.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

pub(crate) fn ops() -> SenderName {
    SenderName("ops".to_owned())
}

pub(crate) fn team() -> ReceiverName {
    ReceiverName("team".to_owned())
}

pub(crate) fn user(name: &str) -> Recipients {
    Recipients::parse(name, "", "").unwrap()
}

/// A whole alert to one user that says `says`.
pub(crate) fn alert(group: &str, says: &str) -> NewNotification {
    NewNotification {
        kind: Kind::Alert,
        receiver: team(),
        group_key: group.to_owned(),
        status: Status::Firing,
        severity: "critical".to_owned(),
        alerts: vec![AlertRef { fingerprint: "0123456789abcdef".to_owned(), status: Status::Firing }],
        dedupe: None,
        summary: says.to_owned(),
        text_form: Some(format!("{says}, plainly")),
        sender: ops(),
        recipients: user("zhang"),
        deliveries: vec![NewDelivery {
            recipients: user("zhang"),
            content: Content::Text(says.to_owned()),
            part: Part::WHOLE,
        }],
        dead: None,
    }
}

pub(crate) fn split(group: &str, says: &str, of: u16) -> NewNotification {
    let delivery = |number| NewDelivery {
        recipients: user("zhang"),
        content: Content::Text(format!("{says} {number}/{of}")),
        part: Part { number, of },
    };
    NewNotification { deliveries: (1..=of).map(delivery).collect(), ..alert(group, says) }
}

pub(crate) fn digest(says: &str) -> NewNotification {
    NewNotification { kind: Kind::Digest, alerts: Vec::new(), ..alert("digest", says) }
}

pub(crate) fn from(source: &str, group: &str, says: &str) -> NewNotification {
    let dedupe = Dedupe {
        key: Key::of([group.as_bytes(), says.as_bytes()]),
        source: source.to_owned(),
        window: Duration::from_secs(120),
    };
    NewNotification { dedupe: Some(dedupe), ..alert(group, says) }
}

pub(crate) async fn take<O: Outbox>(outbox: &O, new: NewNotification, now: Timestamp) -> NotificationId {
    let Enqueued::Accepted(id) = outbox.enqueue(new, now).await.unwrap() else {
        unreachable!("it is a duplicate");
    };
    id
}

/// A clock that stands.
pub(crate) fn stopped(at: Timestamp) -> Arc<dyn Clock> {
    struct Stopped(Timestamp);
    impl Clock for Stopped {
        fn now(&self) -> Timestamp {
            self.0
        }
    }
    Arc::new(Stopped(at))
}

/// Claims what is due in every queue of the sender.
pub(crate) async fn claim<O: Outbox>(outbox: &O, slots: u32, now: Timestamp) -> Vec<Claimed> {
    let queues = outbox.waiting(&ops(), 100, now).await.unwrap().queues;
    let heads = |queue: wecom_relay::outbox::Queue| Pick::Heads {
        destination: queue.destination,
        receiver: queue.receiver,
        slots,
    };
    outbox.claim(&ops(), queues.into_iter().map(heads).collect(), CHECK, now).await.unwrap()
}

/// Claims exactly one.
pub(crate) async fn claim_one<O: Outbox>(outbox: &O, now: Timestamp) -> Claimed {
    let mut claimed = claim(outbox, 1, now).await;
    assert_eq!(claimed.len(), 1, "{claimed:?}");
    claimed.remove(0)
}

pub(crate) async fn fold<O: Outbox>(
    outbox: &O,
    members: &[NotificationId],
    digest: NewNotification,
    now: Timestamp,
) -> Vec<Claimed> {
    let pick = Pick::Digest { members: members.to_vec(), digest: Box::new(digest) };
    outbox.claim(&ops(), vec![pick], CHECK, now).await.unwrap()
}

pub(crate) fn says(claimed: &[Claimed]) -> Vec<&str> {
    claimed.iter().map(|claimed| claimed.message.content.text()).collect()
}

pub(crate) fn attempt(now: Timestamp) -> Attempt {
    Attempt {
        started_at: now,
        duration: Duration::from_millis(250),
        errcode: Some(0),
        detail: "said".to_owned(),
        counted: true,
    }
}

pub(crate) async fn settle<O: Outbox>(outbox: &O, id: DeliveryId, verdict: Verdict, now: Timestamp) {
    let settlement = Settlement { delivery: id, attempt: attempt(now), verdict };
    outbox.settle(settlement, now).await.unwrap();
}

pub(crate) async fn deliver<O: Outbox>(outbox: &O, claimed: &Claimed, now: Timestamp) {
    settle(outbox, claimed.id, Verdict::Delivered(Receipt::default()), now).await;
}

pub(crate) async fn kill<O: Outbox>(outbox: &O, claimed: &Claimed, now: Timestamp) {
    settle(outbox, claimed.id, Verdict::Dead("refused".to_owned()), now).await;
}

pub(crate) async fn put_off<O: Outbox>(outbox: &O, claimed: &Claimed, at: Timestamp, now: Timestamp) {
    settle(outbox, claimed.id, Verdict::Retry { at, charged: true, unconfirmed: false, unknown: false }, now)
        .await;
}

pub(crate) async fn list<O: Outbox>(outbox: &O) -> Vec<Listed> {
    outbox.list(Filter { limit: 1000, ..Filter::default() }).await.unwrap()
}

pub(crate) async fn states<O: Outbox>(outbox: &O) -> Vec<(String, State)> {
    list(outbox).await.into_iter().map(|listed| (listed.summary, listed.state)).collect()
}

pub(crate) fn owned(states: &[(&str, State)]) -> Vec<(String, State)> {
    states.iter().map(|(summary, state)| ((*summary).to_owned(), *state)).collect()
}

/// Sends everything that is due, one of each queue at a time, and returns it in its order.
pub(crate) async fn drain<O: Outbox>(outbox: &O, now: Timestamp) -> Vec<String> {
    let mut sent = Vec::new();
    loop {
        let queues = outbox.waiting(&ops(), 1, now).await.unwrap().queues;
        let picks = queues.into_iter().map(|queue| Pick::Heads {
            destination: queue.destination,
            receiver: queue.receiver,
            slots: queue.slots,
        });
        let claimed = outbox.claim(&ops(), picks.collect(), CHECK, now).await.unwrap();
        if claimed.is_empty() {
            return sent;
        }
        for one in &claimed {
            sent.push(one.message.content.text().to_owned());
            deliver(outbox, one, now).await;
        }
    }
}
