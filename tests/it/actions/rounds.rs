//! Looks at a silenced card, by one replica or by two in turns.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use jiff::{Timestamp, tz::TimeZone};
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;
use wecom_relay::{
    actions::{PressSettings, Timing, watch as card_watch},
    alertmanager::{Matchers, NewSilence, Silence, Silences, SilencesError, SilencesErrorKind},
    clock::Clock,
    language::Bilingual,
    outbox::{Outbox, PressVerdict, postgres::LeaseTimes},
};

use super::{replicas::Nobody, short_timing};
use crate::{
    outbox_conformance::{
        cards::{card, send_card},
        fixture::{acquire, at, list},
        presses::{accept, claim, press},
    },
    outbox_postgres::{database, open},
    outbox_sqlite,
    support::eventually,
};

/// An Alertmanager that lists the alerts or does not.
#[derive(Default)]
struct Lists {
    has_alerts: AtomicBool,
    is_away: AtomicBool,
}

impl Silences for Lists {
    async fn find(&self, _: &Matchers, _: &str) -> Result<Option<Silence>, SilencesError> {
        Ok(None)
    }

    async fn is_in_force(&self, _: &Matchers, _: &str) -> Result<bool, SilencesError> {
        Ok(true)
    }

    async fn create(&self, _: &NewSilence) -> Result<String, SilencesError> {
        Ok("new".to_owned())
    }

    async fn has_alerts(&self, _: &Matchers) -> Result<bool, SilencesError> {
        if self.is_away.load(SeqCst) {
            let (kind, reason) = (SilencesErrorKind::NotDone, Bilingual::new("no answer", "没有响应"));
            let detail = reason.map(str::to_owned);
            return Err(SilencesError { kind, reason, url: "http://a.example".to_owned(), detail });
        }
        Ok(self.has_alerts.load(SeqCst))
    }

    async fn started_at(&self) -> Result<Option<Timestamp>, SilencesError> {
        Ok(Some(Timestamp::UNIX_EPOCH))
    }
}

/// The clock of one replica. The replica looks at cards only while its clock is known.
#[derive(Default)]
struct Turns {
    is_known: AtomicBool,
    second: AtomicI64,
    rounds: AtomicUsize,
}

impl Clock for Turns {
    fn now(&self) -> Timestamp {
        at(self.second.load(SeqCst))
    }

    fn is_known(&self) -> bool {
        self.rounds.fetch_add(1, SeqCst);
        self.is_known.load(SeqCst)
    }
}

impl Turns {
    /// Lets the replica make a whole round at this time.
    async fn look(&self, second: i64) {
        self.second.store(second, SeqCst);
        self.is_known.store(true, SeqCst);
        self.rounds_after(2).await;
        self.is_known.store(false, SeqCst);
        self.rounds_after(2).await;
    }

    async fn rounds_after(&self, count: usize) {
        let before = self.rounds.load(SeqCst);
        eventually(async || self.rounds.load(SeqCst), |rounds| *rounds >= before + count).await;
    }
}

/// Sends a card whose alerts are silenced until second 3600.
async fn silence_card<O: Outbox>(outbox: &O) -> O::Lease {
    let lease = acquire(outbox, at(0)).await;
    send_card(outbox, &lease, card("a", "t1"), "c1", at(0)).await;
    accept(outbox, press("t1", 0), at(0)).await;
    let pressed = claim(outbox, at(0)).await.unwrap();
    let verdict = PressVerdict::Done {
        result: "silenced".to_owned(),
        handled: None,
        watch_until: Some(at(3600)),
        notifications: Vec::new(),
    };
    outbox.settle_press(pressed.id, pressed.claim, verdict, at(0)).await.unwrap();
    lease
}

/// Replicas that watch cards.
struct Watching {
    settings: watch::Sender<Arc<PressSettings<Lists, Nobody>>>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Watching {
    fn new(silences: &Arc<Lists>) -> Self {
        let settings = PressSettings {
            silences: Some(silences.clone()),
            receivers: BTreeMap::new(),
            contacts: BTreeMap::new(),
            zone: TimeZone::UTC,
        };
        let settings = watch::Sender::new(Arc::new(settings));
        Self { settings, stop: CancellationToken::new(), tasks: JoinSet::new() }
    }

    fn start(&mut self, outbox: &(impl Outbox + Clone)) -> Arc<Turns> {
        let turns = Arc::new(Turns::default());
        let watch = card_watch::Watch {
            outbox: outbox.clone(),
            settings: self.settings.subscribe(),
            clock: turns.clone(),
            timing: Timing { absence: Duration::from_secs(180), ..short_timing() },
        };
        self.tasks.spawn(card_watch::run(watch, self.stop.clone()));
        turns
    }

    async fn stop(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Nobody else reports the end of an alert that resolved while it was silenced.
#[tokio::test]
async fn an_outage_at_the_end_of_a_silence_hides_no_end() {
    let (outbox, _kept) = outbox_sqlite::fresh();
    let _lease = silence_card(&outbox).await;
    let silences = Arc::new(Lists::default());
    let mut watching = Watching::new(&silences);
    let turns = watching.start(&outbox);
    for (second, is_away, is_resolved) in [
        (3500, true, false),
        (3700, true, false),
        (7000, false, false),
        (7100, false, false),
        (7180, false, true),
    ] {
        silences.is_away.store(is_away, SeqCst);
        turns.look(second).await;
        assert_eq!(list(&outbox).await.len() == 2, is_resolved, "in second {second}");
    }
    watching.stop().await;
}

#[tokio::test]
async fn an_alert_that_one_replica_saw_is_not_resolved() {
    let url = database();
    let outboxes = [open(&url, LeaseTimes::default()), open(&url, LeaseTimes::default())];
    let lease = silence_card(&outboxes[0]).await;
    let silences = Arc::new(Lists::default());
    let mut watching = Watching::new(&silences);
    let replicas = outboxes.each_ref().map(|outbox| watching.start(outbox));
    // The second replica sees the alert. Later both see that it is gone, for 3 minutes after the last look at it.
    for (second, replica, is_listed, is_resolved) in [
        (10, 0, false, false),
        (100, 0, false, false),
        (190, 1, true, false),
        (200, 0, false, false),
        (290, 1, false, false),
        (370, 0, false, false),
        (380, 1, false, true),
    ] {
        silences.has_alerts.store(is_listed, SeqCst);
        replicas[replica].look(second).await;
        assert_eq!(list(&outboxes[0]).await.len() == 2, is_resolved, "in second {second}");
    }
    watching.stop().await;
    drop(lease);
    for outbox in outboxes {
        outbox.close().await;
    }
}
