//! Messages to systemd: ready, keepalives, reloading, stopping.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tempfile::TempDir;
use tokio::{net::UnixDatagram, sync::mpsc, task::JoinSet, time::timeout};
use wecom_relay::{heartbeat::Heartbeat, sandbox::Settings, systemd};

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
    async fn received(&self) -> Vec<String> {
        let mut bytes = [0; 1024];
        let length = soon(self.socket.recv(&mut bytes)).await.unwrap();
        let text = String::from_utf8(bytes[..length].to_vec()).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

/// Starts a relay under a manager without a watchdog, and receives its READY message.
async fn start_without_watchdog(config: &Path) -> (Manager, Process) {
    let manager = Manager::new();
    let mut command = serve(config);
    command.env("NOTIFY_SOCKET", &manager.path).env_remove("WATCHDOG_USEC");
    let mut relay = Process::launch(command);
    relay.ready().await;
    assert_eq!(manager.received().await[0], "READY=1");
    (manager, relay)
}

#[tokio::test]
async fn systemd_gets_ready_keepalives_and_stopping() {
    let wecom = Wecom::live(Settings::default()).await;
    let (_folder, config) = config_file(&wecom.url, &Options::default());
    let manager = Manager::new();
    let mut command = serve(&config);
    command.env("NOTIFY_SOCKET", &manager.path).env("WATCHDOG_USEC", "100000").env_remove("WATCHDOG_PID");
    let mut relay = Process::launch(command);
    relay.ready().await;
    let address = relay.url.strip_prefix("http://").unwrap().to_owned();
    assert_eq!(
        manager.received().await,
        ["READY=1".to_owned(), format!("STATUS=accepting alerts on {address}")]
    );
    // The relay is idle: the watchdog must wake its loops.
    for _ in 0..3 {
        assert_eq!(manager.received().await, ["WATCHDOG=1"]);
    }
    assert_eq!(relay.post(&payload("Down", &[("a", true)])).await, Some(200));
    soon(wecom.sandbox.wait_for_delivered("zhangsan", 1)).await;
    relay.signal("TERM");
    let mut message = manager.received().await;
    while message == ["WATCHDOG=1"] {
        message = manager.received().await;
    }
    assert_eq!(message, ["STOPPING=1", "STATUS=finishing the sends in flight"]);
    assert!(relay.ended().await.success());
}

#[tokio::test]
async fn a_reload_after_the_stop_sends_no_message() {
    let wecom = Wecom::live(Settings::default()).await;
    let (_folder, config) = config_file(&wecom.url, &Options::default());
    let (manager, mut relay) = start_without_watchdog(&config).await;
    // The configuration is a pipe, so the reload waits for its content.
    let yaml = std::fs::read(&config).unwrap();
    std::fs::remove_file(&config).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&config).status().unwrap().success());
    let mut pipe = std::fs::File::options().read(true).write(true).open(&config).unwrap();
    relay.signal("HUP");
    assert_eq!(manager.received().await[0], "RELOADING=1");
    relay.signal("TERM");
    assert_eq!(manager.received().await[0], "STOPPING=1");
    std::io::Write::write_all(&mut pipe, &yaml).unwrap();
    drop(pipe);
    assert!(relay.ended().await.success());
    assert!(manager.socket.try_recv(&mut [0; 1024]).is_err(), "a message followed STOPPING");
}

#[tokio::test]
async fn without_a_watchdog_no_keepalive_is_sent() {
    let wecom = Wecom::live(Settings::default()).await;
    let (_folder, config) = config_file(&wecom.url, &Options::default());
    let (manager, mut relay) = start_without_watchdog(&config).await;
    relay.signal("TERM");
    assert_eq!(manager.received().await[0], "STOPPING=1");
    assert!(relay.ended().await.success());
}

#[tokio::test]
async fn a_missing_notify_socket_does_no_harm() {
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

const PERIOD: Duration = Duration::from_millis(3);

/// Receives keepalives in systemd's place.
struct Watchdog {
    keepalives: mpsc::UnboundedReceiver<()>,
    _sender: JoinSet<()>,
}

impl Watchdog {
    fn of(relay: &Relay, outbox: &Gated, heartbeats: Vec<(String, Heartbeat)>) -> Self {
        let (sent, keepalives) = mpsc::unbounded_channel();
        let mut sender = JoinSet::new();
        let (outbox, _folder) = (outbox.clone(), Arc::clone(&relay.folder));
        sender.spawn(async move {
            systemd::keepalive(&outbox, &|| heartbeats.clone(), PERIOD, || _ = sent.send(())).await;
        });
        Self { keepalives, _sender: sender }
    }

    /// Waits for a keepalive that was caused after this call.
    async fn wait_for_keepalive(&mut self) {
        while self.keepalives.try_recv().is_ok() {}
        // The first one may have been caused before.
        for _ in 0..2 {
            soon(self.keepalives.recv()).await.unwrap();
        }
    }

    /// Waits until no keepalive arrives any more.
    async fn wait_for_silence(&mut self) {
        let silence = async { while timeout(100 * PERIOD, self.keepalives.recv()).await.is_ok() {} };
        soon(silence).await;
    }
}

/// A relay whose outbox can be stopped by its gates.
struct GatedRelay {
    relay: Relay,
    outbox: Gated,
    gates: Arc<Gates>,
}

async fn start_gated(wecom: &Wecom) -> GatedRelay {
    let gates = Arc::new(Gates::default());
    let relay = Relay::with_outbox(&wecom.url, Options::default(), |outbox| Gated::new(outbox, &gates)).await;
    let outbox = Gated::new(relay.outbox.clone(), &gates);
    GatedRelay { relay, outbox, gates }
}

#[tokio::test]
async fn keepalives_stop_when_the_outbox_hangs_not_when_it_is_full() {
    let wecom = Wecom::live(Settings::default()).await;
    let GatedRelay { relay, outbox, gates } = start_gated(&wecom).await;
    let mut watchdog = Watchdog::of(&relay, &outbox, relay.heartbeats.clone());
    watchdog.wait_for_keepalive().await;
    gates.holds.hold();
    watchdog.wait_for_silence().await;
    gates.holds.open();
    watchdog.wait_for_keepalive().await;
    gates.holds.fail();
    watchdog.wait_for_keepalive().await;
    relay.stop().await;
}

#[tokio::test]
async fn keepalives_stop_when_a_dispatcher_hangs() {
    let wecom = Wecom::live(Settings::default()).await;
    let GatedRelay { relay, outbox, gates } = start_gated(&wecom).await;
    // The dispatcher and the worker for presses.
    assert_eq!(relay.heartbeats.len(), 2);
    let mut watchdog = Watchdog::of(&relay, &outbox, relay.heartbeats.clone());
    watchdog.wait_for_keepalive().await;
    gates.claim.hold();
    relay.post(&payload("Down", &[("a", true)])).await;
    soon(gates.claim.reached(1)).await;
    watchdog.wait_for_silence().await;
    gates.claim.open();
    soon(wecom.sandbox.wait_for_delivered("zhangsan", 1)).await;
    watchdog.wait_for_keepalive().await;
    // A full disk does not stop the loop.
    gates.claim.fail();
    relay.post(&payload("Late", &[("a", true)])).await;
    soon(gates.claim.reached(3)).await;
    watchdog.wait_for_keepalive().await;
    gates.claim.open();
    soon(wecom.sandbox.wait_for_delivered("zhangsan", 2)).await;
    relay.stop().await;
}
