//! Several workers with one outbox in PostgreSQL.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
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
    outbox::{CardStore, Outbox, PressWaker, ReceiverName, SenderName, postgres::LeaseTimes},
    wecom::{Contacts, Content, TagMembers, WecomError},
};

use super::{now, press, short_timing};
use crate::{
    outbox_conformance::cards::card,
    outbox_postgres::{database, open},
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_make_one_silence_for_each_press() {
    let url = database();
    let replicas = [open(&url, LeaseTimes::default()), open(&url, LeaseTimes::default())];
    for number in 0..PRESSES {
        let mut new = card(&format!("group {number}"), &format!("card{number}"));
        let buttons = r#""button_list":[{"text":"Silence 1h","key":"silence:3600"}]"#;
        for delivery in &mut new.deliveries {
            let json = delivery.content.text().replacen('{', &format!("{{{buttons},"), 1);
            delivery.content = Content::stored("template_card", json).unwrap();
        }
        new.receiver = ReceiverName("wechat".to_owned());
        replicas[0].enqueue(new, now()).await.unwrap();
        press(&replicas[number % 2], &format!("card{number}"), "zhangsan", "silence:3600", "").await;
    }
    let silences = Arc::new(Comments::default());
    let receiver = ReceiverSettings {
        sender: SenderName("ops".to_owned()),
        allowed: Some(Allowed::default()),
        language: Language::En,
        send_resolved: true,
    };
    let settings = PressSettings::<Comments, Nobody> {
        silences: Some(silences.clone()),
        receivers: BTreeMap::from([(ReceiverName("wechat".to_owned()), receiver)]),
        contacts: BTreeMap::new(),
        zone: TimeZone::UTC,
    };
    let (_publish, settings) = watch::channel(Arc::new(settings));
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
