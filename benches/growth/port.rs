//! The only use of the outbox port in the bench: enqueue, claim, settle.

use std::{collections::HashSet, sync::Arc, time::Duration};

use futures_util::future::join_all;
use wecom_relay::{
    alertmanager,
    clock::{Clock, SystemClock},
    delivery::{
        Monotonic,
        plan::{Left, Plan},
        rate_limiter::{Limits, RateLimiter, Windows},
        schedule::Schedule,
    },
    dispatch::service::CONCURRENCY,
    outbox::{
        Attempt, Claimed, Dedupe, Folding, Key, Kind, Lease, NewDelivery, NewDigest, NewNotification, Outbox,
        Part, Pick, Planner, ReceiverName, SenderName, Settlement, Status, Verdict, Waiting,
    },
    render::{DEFAULT_MESSAGE, Templates},
    wecom::{Content, Receipt, Recipients},
};

use crate::{
    payload, render,
    setup::{APP, MEMBERS},
};

/// The dispatcher counts deliveries up to this number, for a queue that is limited to 30 a minute.
const COUNTED: u32 = CONCURRENCY + 1;

const NOW: Monotonic = Monotonic(Duration::from_secs(1));

pub(crate) struct Store<O: Outbox> {
    outbox: O,
    lease: O::Lease,
    limiter: Arc<RateLimiter>,
    schedule: Schedule,
    /// The message of notification 0.
    text: String,
}

impl<O: Outbox> Store<O> {
    pub(crate) async fn new(outbox: O) -> Self {
        let lease = outbox.acquire(&sender(), SystemClock.now()).await.unwrap();
        let mut schedule = Schedule::default();
        for scheduled in lease.scheduled().await.unwrap() {
            schedule.set(scheduled.destination, NOW);
        }
        // Above the messages of a round to one member, because the bench measures the outbox and not the limits.
        let limits = Limits { per_minute: u32::MAX, per_hour: 0 };
        let limiter = Arc::new(RateLimiter::new(limits, Windows::default()));
        Self { outbox, lease, limiter, schedule, text: message() }
    }

    pub(crate) async fn enqueue(&self, id: u64) {
        let notification = notification(id, &self.text);
        self.outbox.enqueue(notification, SystemClock.now()).await.unwrap();
    }

    /// Claims as many deliveries as the dispatcher has in flight, with the calls of the dispatcher.
    pub(crate) async fn claim(&mut self) -> Vec<Claimed> {
        for destination in self.lease.changes().take().destinations {
            self.schedule.touch(destination, NOW);
        }
        let now = SystemClock.now();
        let destinations = self.schedule.take_due(CONCURRENCY as usize, &HashSet::new(), NOW);
        let planner =
            LimitedPlanner { limiter: Arc::clone(&self.limiter), plan: Plan::new(CONCURRENCY, NOW) };
        let claims = self.lease.claim(destinations.clone(), COUNTED, planner, now).await.unwrap();
        let rests = claims.planner.plan.rests();
        let more = rests.iter().filter(|rest| rest.left != Left::Nothing).map(|rest| rest.destination);
        for destination in destinations.iter().skip(rests.len()).copied().chain(more) {
            self.schedule.touch(destination, NOW);
        }
        claims.claimed
    }

    /// Settles these deliveries as delivered, all at once.
    pub(crate) async fn settle(&self, claimed: &[Claimed]) {
        let settlements = claimed.iter().map(|claimed| {
            let now = SystemClock.now();
            let attempt = Attempt {
                started_at: now,
                duration: Duration::from_millis(1),
                errcode: Some(0),
                detail: "ok".to_owned(),
                counted: true,
            };
            let receipt = Receipt { msgid: "msgid-0123456789".to_owned(), ..Receipt::default() };
            let verdict = Verdict::Delivered(receipt);
            let Claimed { id: delivery, claim, .. } = *claimed;
            self.lease.settle(Settlement { delivery, claim, attempt, verdict, tried_cards: Vec::new() }, now)
        });
        for settled in join_all(settlements).await {
            settled.unwrap();
        }
    }
}

/// The planner of the dispatcher, without digests.
struct LimitedPlanner {
    limiter: Arc<RateLimiter>,
    plan: Plan,
}

impl Planner for LimitedPlanner {
    fn plan(&mut self, waiting: &Waiting) -> Vec<Pick> {
        self.plan.add(waiting, &self.limiter)
    }

    fn is_full(&self) -> bool {
        self.plan.is_full()
    }

    fn digest(&self, _: &Folding) -> Option<NewDigest> {
        panic!("the limits are reached")
    }
}

fn sender() -> SenderName {
    SenderName(APP.to_owned())
}

/// The default message of notification 0, so that rows are as large as real ones.
fn message() -> String {
    let body = payload::payload(0, payload::ALERTS);
    let payload = alertmanager::parse(body.as_bytes(), SystemClock.now()).unwrap();
    let templates = Templates::compile(&[]).unwrap();
    templates.with(&payload, &render::fixed_time()).render(DEFAULT_MESSAGE).unwrap()
}

/// The group key and the text of notification `id`.
pub(crate) fn row<O: Outbox>(id: u64, store: &Store<O>) -> (String, String) {
    let notification = notification(id, &store.text);
    let text = notification.deliveries.first().map(|delivery| delivery.content.text().to_owned());
    (notification.group_key, text.unwrap_or_default())
}

/// Notification `id`, as the webhook handler makes it.
fn notification(id: u64, text: &str) -> NewNotification {
    let recipients = Recipients::parse(&payload::member(id, MEMBERS), "", "").unwrap();
    let job = format!("{}{id:010}", payload::MARK);
    let group_key = format!("{{}}:{{alertname=\"HighRequestLatency\", job=\"{job}\"}}");
    let text = text.replace(&format!("{}{:010}", payload::MARK, 0), &job);
    NewNotification {
        kind: Kind::Alert,
        receiver: ReceiverName(payload::RECEIVER.to_owned()),
        status: Status::Firing,
        severity: "critical".to_owned(),
        dedupe: Some(Dedupe { key: Key::of([group_key.as_bytes()]), window: Duration::from_secs(120) }),
        group_key,
        summary: text.lines().next().unwrap_or_default().to_owned(),
        text_form: None,
        dead: None,
        card: None,
        sender: sender(),
        recipients: recipients.clone(),
        deliveries: vec![NewDelivery { recipients, content: Content::Text(text), part: Part::WHOLE }],
    }
}
