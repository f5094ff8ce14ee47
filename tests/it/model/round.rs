//! One round: a relay that accepts and sends under faults, and then a time without faults.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tempfile::TempDir;
use tokio::{runtime::Handle, sync::watch, task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;
use wecom_relay::{
    clock::{Clock as _, MachineClock, ReadingRecord, RelayClock},
    dispatch::{
        dispatcher::{self, Context},
        service::Service,
    },
    heartbeat::Heartbeat,
    outbox::{
        Enqueued, Filter, ListOrder, Listed, NotificationId, Outbox, OutboxQuery as _, StoreError,
        sqlite::{Access, Settings, SqliteOutbox},
    },
};

use crate::outbox_conformance::fixture::list_all;

use super::{
    outbox::{Faults, FaultyOutbox, Rates, at_once},
    scene::{Made, Scene},
    wecom::{Call, Condition, FakeWecom},
};

/// All deliveries must be settled within this time without faults, even with tight limits.
const PEACE: Duration = Duration::from_secs(36 * 3600);
/// The time between two looks at the outbox.
const LOOK: Duration = Duration::from_secs(300);

/// The events of a round, for the check.
#[derive(Debug)]
pub(super) struct History {
    pub(super) scene: Scene,
    /// The posted notifications, each with the number from the answer.
    pub(super) handed_in: Vec<(Made, Option<NotificationId>)>,
    /// All calls in order, and the calls that members see, in their order.
    pub(super) calls: Vec<Call>,
    pub(super) shown: Vec<Call>,
    /// The times at which the relay died.
    pub(super) crashes: Vec<Instant>,
    /// All deliveries in the end.
    pub(super) listed: Vec<Listed>,
}

/// The wall clock. It follows the runtime's clock, and is sometimes set back.
struct Wall {
    origin: Timestamp,
    started: Instant,
    set_back: Mutex<Duration>,
    /// The time for other threads, because only the runtime can read its clock.
    runtime: Handle,
}

impl MachineClock for Wall {
    fn wall(&self) -> Timestamp {
        let back = SignedDuration::try_from(*self.set_back.lock().unwrap()).unwrap();
        self.origin + SignedDuration::try_from(self.uptime()).unwrap() - back
    }

    fn uptime(&self) -> Duration {
        let _inside = self.runtime.enter();
        self.started.elapsed()
    }

    fn boot_id(&self) -> String {
        "model".to_owned()
    }
}

/// The process of a relay. It ends when it is dropped.
struct Process {
    outbox: FaultyOutbox,
    clock: Arc<RelayClock>,
    stop: CancellationToken,
    task: JoinSet<()>,
}

struct Round {
    rng: StdRng,
    scene: Scene,
    wecom: Arc<FakeWecom>,
    faults: Arc<Faults>,
    wall: Arc<Wall>,
    path: PathBuf,
    handed_in: Vec<(Made, Option<NotificationId>)>,
    crashes: Vec<Instant>,
}

/// Plays the round of `seed`.
pub(super) async fn play(seed: u64) -> History {
    let mut rng = StdRng::seed_from_u64(seed);
    let folder = folder();
    let wall = Wall {
        origin: "2026-11-21T08:00:00Z".parse().unwrap(),
        started: Instant::now(),
        set_back: Mutex::new(Duration::ZERO),
        runtime: Handle::current(),
    };
    let mut round = Round {
        scene: Scene::new(&mut rng),
        wecom: FakeWecom::new(rng.random()),
        faults: Faults::new(rng.random()),
        wall: Arc::new(wall),
        path: folder.path().join("outbox.db"),
        handed_in: Vec::new(),
        crashes: Vec::new(),
        rng,
    };
    let mut process = round.start().await;
    for _ in 0..round.rng.random_range(5..20) {
        process = round.step(process).await;
    }
    let listed = round.settle_all(process).await;
    let Round { scene, wecom, handed_in, crashes, .. } = round;
    History { scene, handed_in, calls: wecom.calls(), shown: wecom.shown(), crashes, listed }
}

/// A folder in memory where the system has one, because the disk is not tested.
fn folder() -> TempDir {
    TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap()
}

impl Round {
    async fn step(&mut self, process: Process) -> Process {
        match self.rng.random_range(0..100) {
            ..40 => {
                let max_notifications = if self.rng.random_range(0..6) == 0 { 20 } else { 3 };
                return self.accept(process, max_notifications).await;
            }
            40..70 => {
                let max_seconds = [2, 20, 150, 1500][self.rng.random_range(0..4)];
                let wait = Duration::from_millis(self.rng.random_range(0..max_seconds * 1000));
                return self.pass(process, wait).await;
            }
            70..85 => self.wecom.set(Condition::ALL[self.rng.random_range(0..Condition::ALL.len())]),
            85..90 => self.faults.crash_in(Some(self.rng.random_range(1..30))),
            90..94 => return self.crash(process).await,
            94..96 => return self.stop(process).await,
            96..98 => {
                let unavailable = [0, 0, 50, 600][self.rng.random_range(0..4)];
                self.faults.set(Rates { unavailable, slow: [0, 100][self.rng.random_range(0..2)] });
            }
            _ => {
                let back = Duration::from_secs(self.rng.random_range(1..1200));
                *self.wall.set_back.lock().unwrap() += back;
            }
        }
        process
    }

    /// Posts some notifications, and repeats some of them as Alertmanager does.
    async fn accept(&mut self, mut process: Process, max_notifications: u32) -> Process {
        for _ in 0..self.rng.random_range(1..=max_notifications) {
            let made = self.scene.next(&mut self.rng);
            let mut promised = None;
            for _ in 0..self.rng.random_range(1..3) {
                let now = process.clock.now();
                let answer = tokio::select! {
                    biased;
                    answer = process.outbox.enqueue(made.new.clone(), now) => Some(answer),
                    () = self.faults.crashed() => None,
                };
                match answer {
                    None => process = self.crash(process).await,
                    Some(Ok(Enqueued::Accepted(id))) => {
                        assert_eq!(promised, None, "{:?} was accepted twice", made.mark);
                        promised = Some(id);
                    }
                    Some(Ok(Enqueued::Duplicate(id))) => {
                        assert!(promised.is_none_or(|promised| promised == id), "{:?}", made.mark);
                        promised = Some(id);
                    }
                    Some(Err(StoreError::Unavailable(_))) => {}
                    Some(Err(error)) => panic!("{error}"),
                }
            }
            self.handed_in.push((made, promised));
        }
        process
    }

    async fn pass(&mut self, process: Process, wait: Duration) -> Process {
        tokio::select! {
            biased;
            () = self.faults.crashed() => self.crash(process).await,
            () = tokio::time::sleep(wait) => process,
        }
    }

    /// Kills the process, and starts the next one after a while.
    async fn crash(&mut self, process: Process) -> Process {
        let Process { outbox, mut task, .. } = process;
        task.abort_all();
        self.end(outbox, task).await
    }

    /// Stops the process in order, and starts the next one after a while.
    async fn stop(&mut self, process: Process) -> Process {
        let Process { outbox, stop, mut task, .. } = process;
        stop.cancel();
        let stopped = tokio::select! {
            biased;
            () = self.faults.crashed() => false,
            ended = tokio::time::timeout(Duration::from_secs(20), task.join_next()) => ended.is_ok(),
        };
        if !stopped {
            task.abort_all();
        }
        self.end(outbox, task).await
    }

    async fn end(&mut self, outbox: FaultyOutbox, mut task: JoinSet<()>) -> Process {
        while let Some(ended) = task.join_next().await {
            assert!(ended.is_ok() || ended.is_err_and(|error| error.is_cancelled()));
        }
        self.crashes.push(Instant::now());
        at_once(outbox.inner.close());
        self.faults.revive();
        let pause = self.rng.random_range(0..3) * self.rng.random_range(0..40_000);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        self.start().await
    }

    async fn start(&self) -> Process {
        let inner = SqliteOutbox::open(Settings::new(self.path.clone(), u64::MAX), Access::Owner).unwrap();
        let outbox = FaultyOutbox { inner, faults: Arc::clone(&self.faults) };
        let (sender, settings) = (self.scene.sender.clone(), self.scene.settings.clone());
        let reading = self.wall.read();
        let relay_time = at_once(outbox.inner.relay_time(reading.clone())).unwrap();
        let present = ReadingRecord { reading, relay_time };
        at_once(outbox.inner.record_time(present.clone())).unwrap();
        let clock = Arc::new(RelayClock::new(self.wall.clone(), &present));
        let rng = StdRng::seed_from_u64(1);
        let service = Arc::new(Service { wecom: Arc::clone(&self.wecom), settings });
        let (_, services) = watch::channel(service);
        let context = Context {
            sender,
            outbox: outbox.clone(),
            services,
            clock: clock.clone(),
            rng,
            metrics: Arc::default(),
            heartbeat: Heartbeat::default(),
        };
        let stop = CancellationToken::new();
        let mut task = JoinSet::new();
        let run = dispatcher::run(context, stop.clone());
        task.spawn(async move { run.await.unwrap() });
        Process { outbox, clock, stop, task }
    }

    /// Returns all deliveries when they are settled. There are no faults any more.
    async fn settle_all(&mut self, process: Process) -> Vec<Listed> {
        self.wecom.set(Condition::Healthy);
        self.faults.set(Rates::default());
        self.faults.crash_in(None);
        let mut process = if self.rng.random() { self.pass(process, Duration::ZERO).await } else { process };
        let end = Instant::now() + PEACE;
        loop {
            // A process that died before the faults ended is started again.
            process = self.pass(process, LOOK).await;
            let inner = &process.outbox.inner;
            let listed = at_once(list_all(inner, Filter::default(), ListOrder::OldestFirst, u32::MAX));
            let left: Vec<_> = listed.iter().filter(|listed| !listed.state.is_settled()).collect();
            if left.is_empty() {
                let Process { outbox, .. } = process;
                at_once(outbox.inner.close());
                return listed;
            }
            assert!(
                Instant::now() < end,
                "not settled without faults: {left:#?}\n{:#?}",
                self.scene.settings
            );
        }
    }
}
