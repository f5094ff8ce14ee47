//! Workers: several with one outbox in PostgreSQL, and one whose Alertmanager hangs.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use jiff::{Timestamp, tz::TimeZone};
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;
use wecom_relay::{
    actions::{Allowed, PressSettings, ReceiverSettings, worker},
    alertmanager::{Matchers, NewSilence, Silence, Silences, SilencesError},
    clock::SystemClock,
    heartbeat::Heartbeat,
    language::Language,
    metrics::Metrics,
    outbox::{
        CardStore, DeliveryId, Enqueued, NewNotification, NotificationId, Outbox, OutboxQuery as _,
        PressWaker, ReceiverName, SenderName, postgres::LeaseTimes,
    },
    wecom::{Contacts, Content, TagMembers, WecomError},
};

use super::{now, press, short_timing};
use crate::{
    outbox_conformance::cards::card,
    outbox_postgres::{database, open},
    outbox_sqlite,
    support::eventually,
};

const PRESSES: usize = 30;

/// An Alertmanager that remembers the comments of its silences. It is slow, so that workers would meet.
#[derive(Default)]
struct Comments(Mutex<Vec<String>>);

impl Silences for Comments {
    async fn find(&self, _: &Matchers, marker: &str) -> Result<Option<Silence>, SilencesError> {
        let is_known = self.0.lock().unwrap().iter().any(|comment| comment.contains(marker));
        Ok(is_known.then(|| Silence { id: "known".to_owned(), ends_at: Timestamp::MAX }))
    }

    async fn is_in_force(&self, _: &Matchers, _: &str) -> Result<bool, SilencesError> {
        Ok(true)
    }

    async fn create(&self, silence: &NewSilence) -> Result<String, SilencesError> {
        tokio::time::sleep(Duration::from_millis(5)).await;
        self.0.lock().unwrap().push(silence.comment.clone());
        Ok("new".to_owned())
    }

    async fn has_alerts(&self, _: &Matchers) -> Result<bool, SilencesError> {
        Ok(true)
    }

    async fn started_at(&self) -> Result<Option<Timestamp>, SilencesError> {
        Ok(None)
    }
}

/// Everybody may press, so nobody is asked for.
pub(super) struct Nobody;

impl Contacts for Nobody {
    async fn departments_of(&self, _: &str) -> Result<Vec<u64>, WecomError> {
        Ok(Vec::new())
    }

    async fn parent_of(&self, _: u64) -> Result<Option<u64>, WecomError> {
        Ok(None)
    }

    async fn tag(&self, _: u64) -> Result<TagMembers, WecomError> {
        Ok(TagMembers::default())
    }
}

/// The card of a press, with a group of its own.
fn card_with_buttons(task_id: &str) -> NewNotification {
    let mut new = card(task_id, task_id);
    let buttons = r#""button_list":[{"text":"Silence 1h","key":"silence:3600"},{"text":"Ack","key":"ack"}]"#;
    for delivery in &mut new.deliveries {
        let json = delivery.content.text().replacen('{', &format!("{{{buttons},"), 1);
        delivery.content = Content::stored("template_card", json).unwrap();
    }
    new.receiver = ReceiverName("wechat".to_owned());
    new
}

/// Settings that let everybody press.
fn settings<S>(silences: &Arc<S>) -> Arc<PressSettings<S, Nobody>> {
    let receiver = ReceiverSettings {
        sender: SenderName("ops".to_owned()),
        allowed: Some(Allowed::default()),
        language: Language::En,
        send_resolved: true,
    };
    Arc::new(PressSettings {
        silences: Some(silences.clone()),
        receivers: BTreeMap::from([(ReceiverName("wechat".to_owned()), receiver)]),
        contacts: BTreeMap::new(),
        zone: TimeZone::UTC,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_make_one_silence_for_each_press() {
    let url = database();
    let replicas = [open(&url, LeaseTimes::default()), open(&url, LeaseTimes::default())];
    for number in 0..PRESSES {
        replicas[0].enqueue(card_with_buttons(&format!("card{number}")), now()).await.unwrap();
        press(&replicas[number % 2], &format!("card{number}"), "zhangsan", "silence:3600", "").await;
    }
    let silences = Arc::new(Comments::default());
    let (_publish, settings) = watch::channel(settings(&silences));
    let (stop, mut workers) = (CancellationToken::new(), JoinSet::new());
    for outbox in replicas.clone() {
        let worker = worker::Worker {
            outbox,
            settings: settings.clone(),
            clock: Arc::new(SystemClock),
            metrics: Arc::new(Metrics::default()),
            waker: PressWaker::default(),
            heartbeat: Heartbeat::default(),
            timing: short_timing(),
        };
        workers.spawn(worker::run(worker, stop.clone()));
    }
    let due = async || replicas[0].next_press_due().await.unwrap();
    eventually(due, Option::is_none).await;
    stop.cancel();
    while workers.join_next().await.is_some() {}
    let mut comments = silences.0.lock().unwrap().clone();
    comments.sort();
    comments.dedup();
    assert_eq!((comments.len(), silences.0.lock().unwrap().len()), (PRESSES, PRESSES));
    for outbox in replicas {
        outbox.close().await;
    }
}

/// An Alertmanager that answers when it is released.
#[derive(Default)]
struct Hanging {
    released: CancellationToken,
    asked: AtomicUsize,
}

impl Silences for Hanging {
    async fn find(&self, _: &Matchers, _: &str) -> Result<Option<Silence>, SilencesError> {
        self.asked.fetch_add(1, SeqCst);
        self.released.cancelled().await;
        Ok(Some(Silence { id: "known".to_owned(), ends_at: Timestamp::MAX }))
    }

    async fn is_in_force(&self, _: &Matchers, _: &str) -> Result<bool, SilencesError> {
        Ok(true)
    }

    async fn create(&self, _: &NewSilence) -> Result<String, SilencesError> {
        Ok("new".to_owned())
    }

    async fn has_alerts(&self, _: &Matchers) -> Result<bool, SilencesError> {
        Ok(true)
    }

    async fn started_at(&self) -> Result<Option<Timestamp>, SilencesError> {
        Ok(None)
    }
}

#[tokio::test]
async fn an_acknowledgement_waits_for_no_silences() {
    let (outbox, _kept) = outbox_sqlite::fresh();
    for number in 0..100 {
        let task_id = format!("card{number}");
        outbox.enqueue(card_with_buttons(&task_id), now()).await.unwrap();
        press(&outbox, &task_id, "zhangsan", "silence:3600", "").await;
    }
    let acknowledged = outbox.enqueue(card_with_buttons("last"), now()).await.unwrap();
    let Enqueued::Accepted(NotificationId(acknowledged)) = acknowledged else { panic!("{acknowledged:?}") };
    press(&outbox, "last", "lisi", "ack", "").await;
    let silences = Arc::new(Hanging::default());
    let (_publish, settings) = watch::channel(settings(&silences));
    let stop = CancellationToken::new();
    let worker = worker::Worker {
        outbox: outbox.clone(),
        settings,
        clock: Arc::new(SystemClock),
        metrics: Arc::new(Metrics::default()),
        waker: PressWaker::default(),
        heartbeat: Heartbeat::default(),
        timing: short_timing(),
    };
    let mut tasks = JoinSet::new();
    tasks.spawn(worker::run(worker, stop.clone()));
    let results = async || outbox.presses(DeliveryId(acknowledged)).await.unwrap().remove(0).result;
    let result = eventually(results, Option::is_some).await.unwrap();
    assert!(result.starts_with("lisi acknowledged "), "{result}");
    // Alertmanager gets a bounded number of requests.
    eventually(async || silences.asked.load(SeqCst), |asked| *asked == 64).await;
    silences.released.cancel();
    eventually(async || outbox.next_press_due().await.unwrap(), Option::is_none).await;
    stop.cancel();
    tasks.join_all().await;
}
