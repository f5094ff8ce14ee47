//! Sample notifications, and helpers that claim and settle them.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::Timestamp;
use wecom_relay::{
    outbox::{
        Attempt, Claimed, Claims, Dedupe, Destination, Enqueued, Filter, Foldable, Folding, Key, Kind, Lease,
        ListOrder, Listed, NewDelivery, NewDigest, NewNotification, NotificationId, Outbox, OutboxQuery,
        PageRequest, Part, Pick, Planner, ReceiverName, SenderName, Settlement, State, Status, Verdict,
        Waiting,
    },
    wecom::{Content, Receipt, Recipients},
};

/// `seconds` after the beginning of the test.
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

/// The destination of `name` through [`ops`].
pub(crate) fn destination(name: &str) -> Destination {
    Destination::of(&ops(), &user(name))
}

/// An alert for one user with the text `text`.
pub(crate) fn alert(group: &str, text: &str) -> NewNotification {
    NewNotification {
        kind: Kind::Alert,
        receiver: team(),
        group_key: group.to_owned(),
        status: Status::Firing,
        severity: "critical".to_owned(),
        dedupe: None,
        summary: text.to_owned(),
        text_form: Some(format!("{text}, plainly")),
        sender: ops(),
        recipients: user("zhang"),
        deliveries: vec![NewDelivery {
            recipients: user("zhang"),
            content: Content::Text(text.to_owned()),
            part: Part::WHOLE,
        }],
        dead: None,
        card: None,
    }
}

/// `new` for other recipients.
pub(crate) fn addressed(mut new: NewNotification, recipients: &Recipients) -> NewNotification {
    new.recipients = recipients.clone();
    new.deliveries.iter_mut().for_each(|delivery| delivery.recipients = recipients.clone());
    new
}

pub(crate) fn split(group: &str, text: &str, total: u16) -> NewNotification {
    let delivery = |number| NewDelivery {
        recipients: user("zhang"),
        content: Content::Text(format!("{text} {number}/{total}")),
        part: Part { number, total },
    };
    NewNotification { deliveries: (1..=total).map(delivery).collect(), ..alert(group, text) }
}

pub(crate) fn digest(text: &str) -> NewNotification {
    NewNotification { kind: Kind::Digest, ..alert("digest", text) }
}

/// An alert with deduplication.
pub(crate) fn state(group: &str, text: &str) -> NewNotification {
    let key = Key::of([group.as_bytes(), text.as_bytes()]);
    NewNotification { dedupe: Some(Dedupe { key, window: Duration::from_secs(120) }), ..alert(group, text) }
}

/// Stores a notification that is no duplicate.
pub(crate) async fn enqueue<O: Outbox>(outbox: &O, new: NewNotification, now: Timestamp) -> NotificationId {
    let Enqueued::Accepted(id) = outbox.enqueue(new, now).await.unwrap() else {
        unreachable!("it is a duplicate");
    };
    id
}

/// The lease of [`ops`].
pub(crate) async fn acquire<O: Outbox>(outbox: &O, now: Timestamp) -> O::Lease {
    outbox.acquire(&ops(), now).await.unwrap()
}

/// The deliveries that a [`TestPlan`] takes of each destination.
#[derive(Debug, Clone, Default)]
pub(crate) enum Take {
    #[default]
    Nothing,
    First,
    /// The first ones, while they fit into this number of messages.
    Slots(u32),
    Digest(Option<Box<NewDigest>>),
}

/// A planner that keeps what it was shown.
#[derive(Debug, Clone, Default)]
pub(crate) struct TestPlan {
    pub(crate) take: Take,
    pub(crate) waiting: Vec<Waiting>,
    pub(crate) folding: Arc<Mutex<Option<Folding>>>,
}

impl From<Take> for TestPlan {
    fn from(take: Take) -> Self {
        Self { take, ..Self::default() }
    }
}

impl Planner for TestPlan {
    fn plan(&mut self, waiting: &Waiting) -> Vec<Pick> {
        self.waiting.push(waiting.clone());
        let mut left = match self.take {
            Take::Nothing => 0,
            Take::First => waiting.heads.first().map_or(0, |head| head.slots),
            Take::Slots(slots) => slots,
            Take::Digest(_) => {
                return vec![Pick::Digest { destination: waiting.destination, limit: 1000 }];
            }
        };
        let mut picks = Vec::new();
        for head in &waiting.heads {
            let Some(rest) = left.checked_sub(head.slots) else { break };
            left = rest;
            picks.push(Pick::Delivery(head.delivery));
        }
        picks
    }

    fn is_full(&self) -> bool {
        false
    }

    fn digest(&self, folding: &Folding) -> Option<NewDigest> {
        *self.folding.lock().unwrap() = Some(folding.clone());
        if let Take::Digest(digest) = &self.take { digest.as_deref().cloned() } else { None }
    }
}

/// Claims with a bound that no test reaches.
pub(crate) async fn claim_of<L: Lease>(
    lease: &L,
    destinations: &[Destination],
    take: Take,
    now: Timestamp,
) -> Claims<TestPlan> {
    lease.claim(destinations.to_vec(), 1000, TestPlan::from(take), now).await.unwrap()
}

/// The due deliveries of `destinations`.
pub(crate) async fn waiting_for<L: Lease>(
    lease: &L,
    destinations: &[Destination],
    count_to: u32,
    now: Timestamp,
) -> Vec<Waiting> {
    let claims = lease.claim(destinations.to_vec(), count_to, TestPlan::default(), now).await.unwrap();
    assert_eq!(claims.claimed, []);
    claims.planner.waiting
}

/// All destinations of the sender that have ready deliveries.
async fn destinations<L: Lease>(lease: &L) -> Vec<Destination> {
    let scheduled = lease.scheduled().await.unwrap();
    scheduled.into_iter().map(|scheduled| scheduled.destination).collect()
}

/// The due deliveries of all destinations of the sender.
pub(crate) async fn waiting<L: Lease>(lease: &L, count_to: u32, now: Timestamp) -> Vec<Waiting> {
    waiting_for(lease, &destinations(lease).await, count_to, now).await
}

/// The first due time of all destinations of the sender that is not reached yet.
pub(crate) async fn next_due<L: Lease>(lease: &L, now: Timestamp) -> Option<Timestamp> {
    waiting(lease, 1, now).await.into_iter().filter_map(|waiting| waiting.next_due).min()
}

/// Claims due deliveries of zhang.
pub(crate) async fn claim_zhang<L: Lease>(lease: &L, slots: u32, now: Timestamp) -> Vec<Claimed> {
    claim_of(lease, &[destination("zhang")], Take::Slots(slots), now).await.claimed
}

/// Claims due deliveries of every destination of the sender.
pub(crate) async fn claim<L: Lease>(lease: &L, slots: u32, now: Timestamp) -> Vec<Claimed> {
    claim_of(lease, &destinations(lease).await, Take::Slots(slots), now).await.claimed
}

/// Claims exactly one delivery.
pub(crate) async fn claim_one<L: Lease>(lease: &L, now: Timestamp) -> Claimed {
    let mut claimed = claim(lease, 1, now).await;
    assert_eq!(claimed.len(), 1, "{claimed:?}");
    claimed.remove(0)
}

/// The notifications that can be folded.
pub(crate) async fn found_foldable<L: Lease>(lease: &L, destination: Destination) -> Vec<Foldable> {
    let claims = claim_of(lease, &[destination], Take::Digest(None), at(0)).await;
    assert_eq!(claims.claimed, []);
    let folding = claims.planner.folding.lock().unwrap().take();
    folding.map(|folding| folding.notifications).unwrap_or_default()
}

/// The numbers of the notifications that can be folded.
pub(crate) async fn foldable<L: Lease>(lease: &L, destination: Destination) -> Vec<NotificationId> {
    let found = found_foldable(lease, destination).await;
    found.into_iter().map(|foldable| foldable.notification).collect()
}

/// Folds the first `members` notifications of zhang into `digest`.
pub(crate) async fn fold<L: Lease>(
    lease: &L,
    members: usize,
    digest: NewNotification,
    now: Timestamp,
) -> Vec<Claimed> {
    let take = Take::Digest(Some(Box::new(NewDigest { members, message: digest })));
    claim_of(lease, &[destination("zhang")], take, now).await.claimed
}

pub(crate) fn texts(claimed: &[Claimed]) -> Vec<&str> {
    claimed.iter().map(|claimed| claimed.message.content.text()).collect()
}

pub(crate) fn attempt(now: Timestamp) -> Attempt {
    Attempt {
        started_at: now,
        duration: Duration::from_millis(250),
        errcode: Some(0),
        detail: "detail".to_owned(),
        counted: true,
    }
}

pub(crate) fn settlement(claimed: &Claimed, verdict: Verdict, now: Timestamp) -> Settlement {
    let (delivery, claim) = (claimed.id, claimed.claim);
    Settlement { delivery, claim, attempt: attempt(now), verdict, tried_cards: Vec::new() }
}

pub(crate) async fn settle<L: Lease>(lease: &L, claimed: &Claimed, verdict: Verdict, now: Timestamp) {
    lease.settle(settlement(claimed, verdict, now), now).await.unwrap();
}

pub(crate) async fn deliver<L: Lease>(lease: &L, claimed: &Claimed, now: Timestamp) {
    settle(lease, claimed, Verdict::Delivered(Receipt::default()), now).await;
}

pub(crate) async fn kill<L: Lease>(lease: &L, claimed: &Claimed, now: Timestamp) {
    settle(lease, claimed, Verdict::Dead("rejected".to_owned()), now).await;
}

pub(crate) async fn undo<L: Lease>(lease: &L, claimed: &Claimed, now: Timestamp) {
    settle(lease, claimed, Verdict::Undo("refused".to_owned()), now).await;
}

pub(crate) fn retry_at(at: Timestamp) -> Verdict {
    Verdict::Retry { at, charged: true, unconfirmed: false, unknown_code: false }
}

pub(crate) async fn postpone<L: Lease>(lease: &L, claimed: &Claimed, at: Timestamp, now: Timestamp) {
    settle(lease, claimed, retry_at(at), now).await;
}

/// All pages of a list.
pub(crate) async fn list_all<O: OutboxQuery>(
    outbox: &O,
    filter: Filter,
    order: ListOrder,
    limit: u32,
) -> Vec<Listed> {
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = outbox.list(filter.clone(), PageRequest { order, after, limit }).await.unwrap();
        assert!(page.deliveries.len() <= limit as usize);
        listed.extend(page.deliveries);
        match page.next {
            Some(next) => after = Some(next),
            None => return listed,
        }
    }
}

/// All deliveries in order of acceptance.
pub(crate) async fn list<O: OutboxQuery>(outbox: &O) -> Vec<Listed> {
    list_all(outbox, Filter::default(), ListOrder::OldestFirst, 1000).await
}

pub(crate) async fn states<O: OutboxQuery>(outbox: &O) -> Vec<(String, State)> {
    list(outbox).await.into_iter().map(|listed| (listed.summary, listed.state)).collect()
}

pub(crate) fn owned(states: &[(&str, State)]) -> Vec<(String, State)> {
    states.iter().map(|(summary, state)| ((*summary).to_owned(), *state)).collect()
}

/// Delivers everything that is due, one delivery of each destination at a time, and returns the texts in order.
pub(crate) async fn drain<L: Lease>(lease: &L, now: Timestamp) -> Vec<String> {
    let mut sent = Vec::new();
    loop {
        let claimed = claim_of(lease, &destinations(lease).await, Take::First, now).await.claimed;
        if claimed.is_empty() {
            return sent;
        }
        for one in &claimed {
            sent.push(one.message.content.text().to_owned());
            deliver(lease, one, now).await;
        }
    }
}
