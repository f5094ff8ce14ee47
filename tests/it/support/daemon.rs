//! Prometheus and Alertmanager as processes that end with their test.

use std::{
    ffi::OsString,
    fmt::Write as _,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use tempfile::TempDir;
use tokio::{sync::oneshot, time::timeout};

/// The longest time until a daemon listens.
const PATIENCE: Duration = Duration::from_secs(60);

/// A daemon that listens on a port of its own. It is killed when this is dropped.
pub(crate) struct Daemon {
    process: Child,
    pub(crate) url: String,
    log: Arc<Mutex<String>>,
    _folder: TempDir,
}

impl Daemon {
    pub(crate) async fn alertmanager(binary: &Path, config: &str, options: &[&str]) -> Self {
        let options = [&["--cluster.listen-address="], options].concat();
        Self::start(binary, config, "--storage.path=", &options).await
    }

    /// An Alertmanager of a pair. The first one has no `peer`. Neither hears from the other one what that has sent, and neither
    /// waits for it, so both send everything.
    pub(crate) async fn alertmanager_of_pair(binary: &Path, config: &str, peer: Option<&str>) -> Self {
        let peer = peer.map(|peer| format!("--cluster.peer={peer}"));
        let mut options = vec![
            "--cluster.listen-address=127.0.0.1:0",
            "--cluster.peer-timeout=0s",
            "--cluster.gossip-interval=24h",
            "--cluster.pushpull-interval=24h",
            // Probes carry messages of the gossip, too.
            "--cluster.probe-interval=24h",
            "--cluster.settle-timeout=1s",
        ];
        options.extend(peer.as_deref());
        Self::start(binary, config, "--storage.path=", &options).await
    }

    pub(crate) async fn prometheus(binary: &Path, config: &str) -> Self {
        // Prometheus finds Alertmanager some seconds after the first alerts. By default it repeats them only after a
        // minute.
        Self::start(binary, config, "--storage.tsdb.path=", &["--rules.alert.resend-delay=1s"]).await
    }

    async fn start(binary: &Path, config: &str, storage: &str, options: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("config.yml");
        std::fs::write(&file, config).unwrap();
        let option = |name: &str, value: &Path| {
            let mut option = OsString::from(name);
            option.push(value);
            option
        };
        let mut process = Command::new(binary)
            .arg(option("--config.file=", &file))
            .arg(option(storage, &folder.path().join("data")))
            .arg("--web.listen-address=127.0.0.1:0")
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = process.stderr.take().unwrap();
        let log = Arc::<Mutex<String>>::default();
        // From here on, the guard ends the process even after a panic.
        let mut started = Self { process, url: String::new(), log: log.clone(), _folder: folder };
        let (sender, address) = oneshot::channel();
        thread::spawn(move || {
            let mut sender = Some(sender);
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let address =
                    line.split_once("Listening on").and_then(|(_, rest)| rest.split_once("address="));
                if let Some((_, address)) = address
                    && let Some(sender) = sender.take()
                {
                    // The receiver is gone if the test has failed.
                    _ = sender.send(address.trim().to_owned());
                }
                _ = writeln!(log.lock().unwrap(), "{line}");
            }
        });
        match timeout(PATIENCE, address).await {
            Ok(Ok(address)) => started.url = format!("http://{address}"),
            _ => panic!("the daemon does not listen: {}", started.log()),
        }
        started
    }

    /// The log of the daemon.
    pub(crate) fn log(&self) -> String {
        format!("its log:\n{}", self.log.lock().unwrap())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // The daemon may have ended by itself.
        _ = self.process.kill();
        _ = self.process.wait();
    }
}
