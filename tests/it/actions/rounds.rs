//! Two replicas that watch the same card by turns.

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
    alertmanager::{Matchers, NewSilence, Silence, Silences, SilencesError},
    clock::Clock,
    outbox::{CardStore, PressVerdict, postgres::LeaseTimes},
};

use super::{replicas::Nobody, short_timing};
use crate::{
    outbox_conformance::{
        cards::{card, send_card},
        fixture::{acquire, at, list},
        presses::{accept, claim, press},
    },
    outbox_postgres::{database, open},
    support::eventually,
};

/// An Alertmanager that lists the alerts or does not.
#[derive(Default)]
struct Lists(AtomicBool);

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
        Ok(self.0.load(SeqCst))
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

#[tokio::test]
async fn an_alert_that_one_replica_saw_is_not_resolved() {
    let url = database();
    let outboxes = [open(&url, LeaseTimes::default()), open(&url, LeaseTimes::default())];
    let lease = acquire(&outboxes[0], at(0)).await;
    send_card(&outboxes[0], &lease, card("a", "t1"), "c1", at(0)).await;
    accept(&outboxes[0], press("t1", 0), at(0)).await;
    let pressed = claim(&outboxes[0], at(0)).await.unwrap();
    let verdict = PressVerdict::Done {
        result: "silenced".to_owned(),
        handled: None,
        watch_until: Some(at(3600)),
        notifications: Vec::new(),
    };
    outboxes[0].settle_press(pressed.id, pressed.claim, verdict, at(0)).await.unwrap();
    let silences = Arc::new(Lists::default());
    let settings = PressSettings::<Lists, Nobody> {
        silences: Some(silences.clone()),
        receivers: BTreeMap::new(),
        contacts: BTreeMap::new(),
        zone: TimeZone::UTC,
    };
    let (_publish, settings) = watch::channel(Arc::new(settings));
    let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
    let replicas = [Arc::new(Turns::default()), Arc::new(Turns::default())];
    for (outbox, clock) in outboxes.iter().zip(&replicas) {
        let watch = card_watch::Watch {
            outbox: outbox.clone(),
            settings: settings.clone(),
            clock: clock.clone(),
            timing: Timing { absence: Duration::from_secs(180), ..short_timing() },
        };
        tasks.spawn(card_watch::run(watch, stop.clone()));
    }
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
        silences.0.store(is_listed, SeqCst);
        replicas[replica].look(second).await;
        assert_eq!(list(&outboxes[0]).await.len() == 2, is_resolved, "in second {second}");
    }
    stop.cancel();
    while tasks.join_next().await.is_some() {}
    drop(lease);
    for outbox in outboxes {
        outbox.close().await;
    }
}
