//! The only use of the outbox port in the bench: enqueue, claim, settle.

use std::time::Duration;

use futures_util::future::join_all;
use wecom_relay::{
    alertmanager,
    clock::{Clock, SystemClock},
    delivery::{
        Monotonic,
        pace::{Limits, Pace, Windows},
        plan::{self, Action},
    },
    dispatch::dispatcher::{CONCURRENCY, DUPLICATE_CHECK},
    outbox::{
        AlertRef, Attempt, Claimed, Dedupe, Key, Kind, NewDelivery, NewNotification, Outbox, Part, Pick,
        ReceiverName, SenderName, Settlement, Status, Verdict,
        sqlite::{Access, Settings, SqliteOutbox},
    },
    render::{DEFAULT_MESSAGE, Templates},
    wecom::{Content, Receipt, Recipients},
};

use crate::{
    payload, render,
    setup::{APP, MAX_SIZE, MEMBERS},
};

/// The dispatcher counts so many deliveries of a queue that is limited to 30 a minute.
const COUNTED: u32 = CONCURRENCY + 1;

pub(super) struct Store {
    outbox: SqliteOutbox,
    pace: Pace,
    turn: usize,
    /// The message of notification 0.
    text: String,
}

impl Store {
    pub(super) async fn open(path: &str) -> Self {
        let outbox = SqliteOutbox::open(Settings::new(path.into(), MAX_SIZE), Access::Owner).unwrap();
        // More than a round sends to one member, because the store is measured and not the limits.
        let pace = Pace::new(Limits { per_minute: u32::MAX, per_hour: 0 }, Windows::default());
        Self { outbox, pace, turn: 0, text: message() }
    }

    pub(super) async fn close(&self) {
        self.outbox.clone().close().await;
    }

    pub(super) async fn enqueue(&self, id: u64) {
        let notification = notification(id, &self.text);
        self.outbox.enqueue(notification, SystemClock.now()).await.unwrap();
    }

    /// Claims as many deliveries as the dispatcher has in flight.
    pub(super) async fn claim(&mut self) -> Vec<Claimed> {
        let (sender, now) = (sender(), SystemClock.now());
        let waiting = self.outbox.waiting(&sender, COUNTED, now).await.unwrap();
        self.turn += 1;
        let monotonic = Monotonic(Duration::from_secs(1));
        let plan = plan::plan(&waiting.queues, &self.pace, CONCURRENCY, self.turn, monotonic);
        let picks = plan.actions.into_iter().map(|action| match action {
            Action::Send { destination, receiver, slots } => Pick::Heads { destination, receiver, slots },
            Action::Fold { .. } => panic!("the limits are reached"),
        });
        self.outbox.claim(&sender, picks.collect(), DUPLICATE_CHECK, now).await.unwrap()
    }

    /// Settles these deliveries as delivered, all at once.
    pub(super) async fn settle(&self, claimed: &[Claimed]) {
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
            self.outbox.settle(Settlement { delivery: claimed.id, attempt, verdict }, now)
        });
        for settled in join_all(settlements).await {
            settled.unwrap();
        }
    }
}

fn sender() -> SenderName {
    SenderName(APP.to_owned())
}

/// The default message of notification 0, so that rows are as large as real ones.
fn message() -> String {
    let body = payload::payload(0, payload::ALERTS);
    let payload = alertmanager::parse(body.as_bytes()).unwrap();
    let templates = Templates::compile(&[]).unwrap();
    templates.with(&payload, &render::moment()).render(DEFAULT_MESSAGE).unwrap()
}

/// Notification `id`, as the webhook handler makes it.
fn notification(id: u64, text: &str) -> NewNotification {
    let recipients = Recipients::parse(&payload::member(id, MEMBERS), "", "").unwrap();
    let job = format!("{}{id:010}", payload::MARK);
    let group_key = format!("{{}}:{{alertname=\"HighRequestLatency\", job=\"{job}\"}}");
    let text = text.replace(&format!("{}{:010}", payload::MARK, 0), &job);
    let alert = |number| AlertRef { fingerprint: format!("9f3c{number:012x}"), status: Status::Firing };
    NewNotification {
        kind: Kind::Alert,
        receiver: ReceiverName(payload::RECEIVER.to_owned()),
        status: Status::Firing,
        severity: "critical".to_owned(),
        alerts: (0..payload::ALERTS).map(alert).collect(),
        dedupe: Some(Dedupe {
            key: Key::of([group_key.as_bytes()]),
            source: "http://alertmanager.example.com".to_owned(),
            window: Duration::from_secs(120),
        }),
        group_key,
        summary: text.lines().next().unwrap_or_default().to_owned(),
        text_form: None,
        dead: None,
        sender: sender(),
        recipients: recipients.clone(),
        deliveries: vec![NewDelivery { recipients, content: Content::Text(text), part: Part::WHOLE }],
    }
}
