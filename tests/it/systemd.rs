//! What systemd is told: readiness, signs of life, the end.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tempfile::TempDir;
use tokio::{net::UnixDatagram, sync::mpsc, task::JoinSet, time::timeout};
use wecom_relay::{heartbeat::Heartbeat, outbox::SenderName, sandbox::Settings, systemd};

use crate::support::{
    Gated, Gates, Options, Process, Relay, Wecom, config_file, payload, process::serve, soon,
};

/// The other end of `NOTIFY_SOCKET`.
struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
    _folder: TempDir,
}

impl Manager {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("notify");
        Self { socket: UnixDatagram::bind(&path).unwrap(), path, _folder: folder }
    }

    /// The next message.
    async fn told(&self) -> Vec<String> {
        let mut bytes = [0; 1024];
        let length = soon(self.socket.recv(&mut bytes)).await.unwrap();
        let text = String::from_utf8(bytes[..length].to_vec()).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

/// A relay that is ready, under a manager that wants no signs of life and has heard of that.
async fn unwatched(config: &Path) -> (Manager, Process) {
    let manager = Manager::new();
    let mut command = serve(config);
    command.env("NOTIFY_SOCKET", &manager.path).env_remove("WATCHDOG_USEC");
    let mut relay = Process::launch(command);
    relay.ready().await;
    assert_eq!(manager.told().await[0], "READY=1");
    (manager, relay)
}

#[tokio::test]
async fn systemd_is_told_of_the_start_of_life_and_of_the_end() {
    let wecom = Wecom::live(Settings::default()).await;
    let (_folder, config) = config_file(&wecom.url, &Options::default());
    let manager = Manager::new();
    let mut command = serve(&config);
    command.env("NOTIFY_SOCKET", &manager.path).env("WATCHDOG_USEC", "100000").env_remove("WATCHDOG_PID");
    let mut relay = Process::launch(command);
    relay.ready().await;
    let address = relay.url.strip_prefix("http://").unwrap().to_owned();
    assert_eq!(manager.told().await, ["READY=1".to_owned(), format!("STATUS=taking alerts on {address}")]);
    // The relay is idle, and must be woken for its signs of life.
    for _ in 0..3 {
        assert_eq!(manager.told().await, ["WATCHDOG=1"]);
    }
    assert_eq!(relay.post(&payload("Down", &[("a", true)])).await, Some(200));
    soon(wecom.sandbox.wait_for_delivered("zhangsan", 1)).await;
    relay.signal("TERM");
    let mut told = manager.told().await;
    while told == ["WATCHDOG=1"] {
        told = manager.told().await;
    }
    assert_eq!(told, ["STOPPING=1", "STATUS=finishing what is in flight"]);
    assert!(relay.ended().await.success());
}

#[tokio::test]
async fn a_reload_that_the_stop_overtakes_tells_nothing_more() {
    let wecom = Wecom::live(Settings::default()).await;
    let (_folder, config) = config_file(&wecom.url, &Options::default());
    let (manager, mut relay) = unwatched(&config).await;
    // The reload reads a pipe that somebody has open for writing, and waits.
    let yaml = std::fs::read(&config).unwrap();
    std::fs::remove_file(&config).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&config).status().unwrap().success());
    let mut pipe = std::fs::File::options().read(true).write(true).open(&config).unwrap();
    relay.signal("HUP");
    assert_eq!(manager.told().await[0], "RELOADING=1");
    relay.signal("TERM");
    assert_eq!(manager.told().await[0], "STOPPING=1");
    std::io::Write::write_all(&mut pipe, &yaml).unwrap();
    drop(pipe);
    assert!(relay.ended().await.success());
    assert!(manager.socket.try_recv(&mut [0; 1024]).is_err(), "systemd was told more after the end");
}

#[tokio::test]
async fn a_relay_that_nobody_watches_is_silent() {
    let wecom = Wecom::live(Settings::default()).await;
    let (_folder, config) = config_file(&wecom.url, &Options::default());
    let (manager, mut relay) = unwatched(&config).await;
    relay.signal("TERM");
    assert_eq!(manager.told().await[0], "STOPPING=1");
    assert!(relay.ended().await.success());
}

#[tokio::test]
async fn a_notify_socket_that_is_gone_harms_nothing() {
    let wecom = Wecom::live(Settings::default()).await;
    let (folder, config) = config_file(&wecom.url, &Options::default());
    let mut command = serve(&config);
    command.env("NOTIFY_SOCKET", folder.path().join("gone"));
    let mut relay = Process::launch(command);
    relay.ready().await;
    assert_eq!(relay.post(&payload("Down", &[("a", true)])).await, Some(200));
    soon(wecom.sandbox.wait_for_delivered("zhangsan", 1)).await;
    relay.signal("TERM");
    assert!(relay.ended().await.success());
}

/// How often it is fed here.
const PERIOD: Duration = Duration::from_millis(3);

/// A watchdog that is fed as long as the relay is well.
struct Watchdog {
    meals: mpsc::UnboundedReceiver<()>,
    _feeding: JoinSet<()>,
}

impl Watchdog {
    fn of(relay: &Relay, outbox: &Gated, heartbeats: Vec<(SenderName, Heartbeat)>) -> Self {
        let (fed, meals) = mpsc::unbounded_channel();
        let mut feeding = JoinSet::new();
        let (outbox, _folder) = (outbox.clone(), Arc::clone(&relay.folder));
        feeding.spawn(async move {
            systemd::feed(&outbox, &|| heartbeats.clone(), PERIOD, || _ = fed.send(())).await;
        });
        Self { meals, _feeding: feeding }
    }

    /// Returns once it is fed for what happened after this call.
    async fn is_fed(&mut self) {
        while self.meals.try_recv().is_ok() {}
        // The first one may have been on its way.
        for _ in 0..2 {
            soon(self.meals.recv()).await.unwrap();
        }
    }

    /// Returns once it is not fed any more.
    async fn starves(&mut self) {
        let starved = async { while timeout(100 * PERIOD, self.meals.recv()).await.is_ok() {} };
        soon(starved).await;
    }
}

async fn gated(wecom: &Wecom) -> (Relay, Gated, Arc<Gates>) {
    let gates = Arc::new(Gates::default());
    let relay = Relay::over(&wecom.url, Options::default(), |outbox| Gated::new(outbox, &gates)).await;
    let outbox = Gated::new(relay.outbox.clone(), &gates);
    (relay, outbox, gates)
}

#[tokio::test]
async fn an_outbox_that_does_not_answer_starves_the_watchdog_and_a_full_one_does_not() {
    let wecom = Wecom::live(Settings::default()).await;
    let (relay, outbox, gates) = gated(&wecom).await;
    let mut watchdog = Watchdog::of(&relay, &outbox, relay.heartbeats.clone());
    watchdog.is_fed().await;
    gates.holds.hold();
    watchdog.starves().await;
    gates.holds.open();
    watchdog.is_fed().await;
    gates.holds.fail();
    watchdog.is_fed().await;
    relay.stop().await;
}

#[tokio::test]
async fn a_dispatcher_that_hangs_starves_the_watchdog() {
    let wecom = Wecom::live(Settings::default()).await;
    let (relay, outbox, gates) = gated(&wecom).await;
    assert_eq!(relay.heartbeats.len(), 1);
    let mut watchdog = Watchdog::of(&relay, &outbox, relay.heartbeats.clone());
    watchdog.is_fed().await;
    gates.claim.hold();
    relay.post(&payload("Down", &[("a", true)])).await;
    soon(gates.claim.reached(1)).await;
    watchdog.starves().await;
    gates.claim.open();
    soon(wecom.sandbox.wait_for_delivered("zhangsan", 1)).await;
    watchdog.is_fed().await;
    // A disk that is full does not stop it.
    gates.claim.fail();
    relay.post(&payload("Late", &[("a", true)])).await;
    soon(gates.claim.reached(3)).await;
    watchdog.is_fed().await;
    gates.claim.open();
    soon(wecom.sandbox.wait_for_delivered("zhangsan", 2)).await;
    relay.stop().await;
}
