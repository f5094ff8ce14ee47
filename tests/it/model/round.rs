//! One round: a relay that accepts and sends while everything goes wrong that can, and then has its peace.

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
    clock::Clock,
    dispatch::dispatcher::{Dispatcher, Service},
    outbox::{
        Enqueued, Filter, Listed, NotificationId, Outbox, OutboxQuery, State, StoreError,
        sqlite::{Access, Settings, SqliteOutbox},
    },
};

use super::{
    outbox::{Faults, FaultyOutbox, Rates, at_once},
    scene::{Made, Scene},
    wecom::{Call, FakeWecom, Mood},
};

/// In this time of peace everything must be settled, however tight the limits.
const PEACE: Duration = Duration::from_secs(36 * 3600);
/// How often it is looked whether it is.
const LOOK: Duration = Duration::from_secs(300);

/// What happened, for the check.
#[derive(Debug)]
pub(super) struct History {
    pub(super) scene: Scene,
    /// Everything that was handed in, and the number that a 2xx promised.
    pub(super) handed_in: Vec<(Made, Option<NotificationId>)>,
    /// Calls in order; and those that members see, in their order.
    pub(super) calls: Vec<Call>,
    pub(super) shown: Vec<Call>,
    /// When the relay died.
    pub(super) crashes: Vec<Instant>,
    /// What the outbox lists in the end.
    pub(super) listed: Vec<Listed>,
}

/// The time of day: passes with the runtime's clock, and is now and then set back.
struct Wall {
    origin: Timestamp,
    started: Instant,
    set_back: Mutex<Duration>,
    /// Other threads ask, too, and only the runtime knows its clock.
    runtime: Handle,
}

impl Clock for Wall {
    fn now(&self) -> Timestamp {
        let _inside = self.runtime.enter();
        let back = SignedDuration::try_from(*self.set_back.lock().unwrap()).unwrap();
        self.origin + SignedDuration::try_from(self.started.elapsed()).unwrap() - back
    }
}

/// A relay's process: ends when it is dropped.
struct Process {
    outbox: FaultyOutbox,
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

/// Plays the round of `seed`; everything in it follows from that.
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
    let listed = round.peace(process).await;
    let Round { scene, wecom, handed_in, crashes, .. } = round;
    History { scene, handed_in, calls: wecom.calls(), shown: wecom.shown(), crashes, listed }
}

/// In memory where the system has such a place: the disk is not what is tested.
fn folder() -> TempDir {
    TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap()
}

impl Round {
    async fn step(&mut self, process: Process) -> Process {
        match self.rng.random_range(0..100) {
            ..40 => {
                let most = if self.rng.random_range(0..6) == 0 { 20 } else { 3 };
                return self.accept(process, most).await;
            }
            40..70 => {
                let most = [2, 20, 150, 1500][self.rng.random_range(0..4)];
                let wait = Duration::from_millis(self.rng.random_range(0..most * 1000));
                return self.pass(process, wait).await;
            }
            70..85 => self.wecom.set(Mood::ALL[self.rng.random_range(0..Mood::ALL.len())]),
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

    /// Hands in some notifications, as Alertmanager does: again until there is an answer that is no 5xx.
    async fn accept(&mut self, mut process: Process, most: u32) -> Process {
        for _ in 0..self.rng.random_range(1..=most) {
            let made = self.scene.next(&mut self.rng);
            let mut promised = None;
            for _ in 0..self.rng.random_range(1..3) {
                let now = self.wall.now();
                let answer = tokio::select! {
                    biased;
                    answer = process.outbox.enqueue(made.new.clone(), now) => Some(answer),
                    () = self.faults.crashed() => None,
                };
                match answer {
                    None => process = self.crash(process).await,
                    Some(Ok(Enqueued::Accepted(id))) => {
                        assert_eq!(promised, None, "{:?} was taken twice", made.mark);
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

    /// `kill -9`, and the next start after a while.
    async fn crash(&mut self, process: Process) -> Process {
        let Process { outbox, mut task, .. } = process;
        task.abort_all();
        self.end(outbox, task).await
    }

    /// SIGTERM, and the next start after a while.
    async fn stop(&mut self, process: Process) -> Process {
        let Process { outbox, stop, mut task } = process;
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
        // Few are remembered, so that most of what waits is written down.
        let settings = Settings { max_lanes: 3, ..Settings::new(self.path.clone(), u64::MAX) };
        let inner = SqliteOutbox::open(settings, Access::Owner).unwrap();
        at_once(inner.recover(self.wall.now())).unwrap();
        let outbox = FaultyOutbox { inner, faults: Arc::clone(&self.faults) };
        let (sender, settings) = (self.scene.sender.clone(), self.scene.settings.clone());
        let clock: Arc<dyn Clock> = self.wall.clone();
        let rng = StdRng::seed_from_u64(1);
        let service = Arc::new(Service { wecom: Some(Arc::clone(&self.wecom)), settings });
        let (_, services) = watch::channel(service);
        let dispatcher = Dispatcher::new(sender, outbox.clone(), services, clock, rng, Arc::default());
        let stop = CancellationToken::new();
        let mut task = JoinSet::new();
        let run = dispatcher.run(stop.clone());
        task.spawn(async move { run.await.unwrap() });
        Process { outbox, stop, task }
    }

    /// Nothing goes wrong any more: what is left?
    async fn peace(&mut self, process: Process) -> Vec<Listed> {
        self.wecom.set(Mood::Well);
        self.faults.set(Rates::default());
        self.faults.crash_in(None);
        let mut process = if self.rng.random() { self.pass(process, Duration::ZERO).await } else { process };
        let end = Instant::now() + PEACE;
        loop {
            // A process that died before the peace began is started once more.
            process = self.pass(process, LOOK).await;
            let listed = at_once(process.outbox.inner.list(Filter { limit: u32::MAX, ..Filter::default() }));
            let listed = listed.unwrap();
            let is_settled =
                |listed: &Listed| matches!(listed.state, State::Delivered | State::Dead | State::Discarded);
            let left: Vec<_> = listed.iter().filter(|listed| !is_settled(listed)).collect();
            if left.is_empty() {
                let Process { outbox, .. } = process;
                at_once(outbox.inner.close());
                return listed;
            }
            assert!(Instant::now() < end, "not settled in peace: {left:#?}\n{:#?}", self.scene.settings);
        }
    }
}
