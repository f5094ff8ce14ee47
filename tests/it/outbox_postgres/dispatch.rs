//! Dispatchers of two processes on one outbox.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rand::{SeedableRng, rngs::StdRng};
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;
use wecom_relay::{
    delivery::{
        decide::Policy,
        rate_limiter::{Limits, Windows},
    },
    dispatch::{
        dispatcher::{self, Context},
        service::{DUPLICATE_CHECK, Service, Settings},
    },
    heartbeat::Heartbeat,
    outbox::{
        OutboxQuery, State,
        postgres::{LeaseTimes, PostgresOutbox},
    },
    wecom::{Message, Outcome, Receipt, WeCom},
};

use super::{SHORT, database, open, sharing, taken};
use crate::{
    outbox_conformance::fixture::{alert, at, enqueue, list, ops},
    support::eventually,
};

/// A WeCom that counts messages, and accepts or never answers.
#[derive(Debug, Default)]
struct FakeWecom {
    hangs: bool,
    started: AtomicUsize,
    /// Messages that were given up.
    dropped: Arc<AtomicUsize>,
}

/// Counts when it is dropped.
struct Dropped(Arc<AtomicUsize>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

impl WeCom for FakeWecom {
    async fn send(&self, _message: &Message) -> Outcome {
        self.started.fetch_add(1, Ordering::AcqRel);
        if self.hangs {
            let _dropped = Dropped(Arc::clone(&self.dropped));
            std::future::pending::<()>().await;
        }
        Outcome::Accepted(Receipt::default())
    }
}

/// The clock of a test that stands still.
struct Still;

impl wecom_relay::clock::Clock for Still {
    fn now(&self) -> jiff::Timestamp {
        at(100)
    }
}

/// A process that dispatches one sender.
struct Process {
    outbox: PostgresOutbox,
    wecom: Arc<FakeWecom>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
    _service: watch::Sender<Arc<Service<FakeWecom>>>,
}

impl Process {
    fn start(url: &str, lease: LeaseTimes, hangs: bool) -> Self {
        let (outbox, stop) = (open(url, lease), CancellationToken::new());
        let wecom = Arc::new(FakeWecom { hangs, ..FakeWecom::default() });
        let settings = Settings {
            concurrency: 4,
            limits: Limits { per_minute: 0, per_hour: 0 },
            windows: Windows::default(),
            duplicate_check: DUPLICATE_CHECK,
            policy: Policy::new(Duration::from_secs(3600)),
            credentials: "the same".to_owned(),
        };
        let service = Service { wecom: Arc::clone(&wecom), settings };
        let (publish, services) = watch::channel(Arc::new(service));
        let context = Context {
            sender: ops(),
            outbox: outbox.clone(),
            services,
            clock: Arc::new(Still),
            rng: StdRng::seed_from_u64(1),
            metrics: Arc::default(),
            heartbeat: Heartbeat::default(),
        };
        let mut tasks = JoinSet::new();
        let run = dispatcher::run(context, stop.clone());
        tasks.spawn(async move { run.await.unwrap() });
        Self { outbox, wecom, stop, tasks, _service: publish }
    }

    async fn stop(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
        self.outbox.close().await;
    }
}

#[tokio::test]
async fn no_message_outlives_the_lease() {
    let url = database();
    let unrenewed = LeaseTimes { renewal: Duration::from_secs(3600), ..SHORT };
    let one = Process::start(&url, unrenewed, true);
    enqueue(&one.outbox, alert("a", "text"), at(0)).await;
    eventually(async || one.wecom.started.load(Ordering::Acquire), |started| *started == 1).await;
    let two = Process::start(&url, SHORT, false);
    eventually(async || list(&two.outbox).await[0].state, |state| *state == State::Delivered).await;
    let dropped = one.wecom.dropped.load(Ordering::Acquire);
    assert_eq!((dropped, two.wecom.started.load(Ordering::Acquire)), (1, 1));
    assert_eq!(sharing(&two.outbox).takeovers, [taken(true)]);
    let id = list(&two.outbox).await[0].id;
    let attempts = two.outbox.show(id).await.unwrap().unwrap().attempts;
    let last = attempts.last().unwrap().errcode;
    assert_eq!((attempts.len(), last), (2, Some(0)), "{attempts:?}");
    tokio::join!(one.stop(), two.stop());
}

#[tokio::test]
async fn a_process_that_stops_hands_its_sender_over() {
    let url = database();
    let one = Process::start(&url, LeaseTimes::default(), false);
    eventually(async || sharing(&one.outbox).leases, |leases| *leases == [ops()]).await;
    let two = Process::start(&url, LeaseTimes::default(), false);
    eventually(async || sharing(&one.outbox).replicas + sharing(&two.outbox).replicas, |seen| *seen >= 3)
        .await;
    one.stop().await;
    eventually(async || sharing(&two.outbox).leases, |leases| *leases == [ops()]).await;
    assert_eq!(sharing(&two.outbox).takeovers, [taken(false)]);
    enqueue(&two.outbox, alert("a", "text"), at(0)).await;
    eventually(async || list(&two.outbox).await[0].state, |state| *state == State::Delivered).await;
    two.stop().await;
}
