//! The servers under test, each in a process of its own, with their memory and processor time.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::Path,
    process::{Child, ChildStderr, ChildStdin, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use serde_json::Value;

use crate::payload::Api;

/// The bench fails when a server takes longer to start.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Linux counts processor time in hundredths of a second, on every architecture.
const TICK: Duration = Duration::from_millis(10);

/// A server. It is killed when this is dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) api: Api,
    pub(crate) address: SocketAddr,
    /// A reference ends when this is closed, so it cannot outlive the bench.
    stdin: Option<ChildStdin>,
}

impl Process {
    /// Starts `wecom-relay serve` as a user does.
    pub(crate) fn relay(binary: &Path, config: &Path) -> Self {
        let mut command = Command::new(binary);
        command.args(["--log-format", "json", "serve", "--config"]).arg(config);
        Self::launch(command, Api::Webhook, |line| {
            let event: Value = serde_json::from_str(line).ok()?;
            if event["message"] == "ready" { event["address"].as_str()?.parse().ok() } else { None }
        })
    }

    /// Starts a reference, which is this program in another role.
    pub(crate) fn reference(role: &str, argument: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--role", role, argument]);
        Self::launch(command, Api::Webhook, |line| line.strip_prefix("listening ")?.parse().ok())
    }

    /// Starts `command`. `address` reads from a line of its log where the server listens.
    pub(crate) fn launch(mut command: Command, api: Api, address: fn(&str) -> Option<SocketAddr>) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdin = child.stdin.take();
        let log = BufReader::new(child.stderr.take().unwrap());
        // Created before anything can panic, because dropping it ends the child.
        let mut process = Self { child, api, address: SocketAddr::from(([0, 0, 0, 0], 0)), stdin };
        let (sender, receiver) = mpsc::channel();
        // The thread ends with the child.
        thread::spawn(move || {
            let (mut log, result) = find_address(log, address);
            _ = sender.send(result);
            // The log is read to its end, because a full pipe would stop the child.
            let mut ignored = [0; 64 * 1024];
            while log.read(&mut ignored).is_ok_and(|count| count > 0) {}
        });
        process.address = match receiver.recv_timeout(TIMEOUT) {
            Ok(Ok(address)) => address,
            Ok(Err(log)) => panic!("the server ended before it listened:\n{log}"),
            Err(_) => panic!("the server does not listen"),
        };
        process
    }

    /// Resident memory in MB.
    pub(crate) fn rss_mb(&self) -> f64 {
        rss_mb(&self.child)
    }

    /// User and system time of all threads since the start.
    pub(crate) fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // The name, in parentheses, may hold spaces.
        let fields = stat.rsplit_once(") ").unwrap().1;
        let ticks = fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u32>().unwrap());
        TICK * ticks.sum::<u32>()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.stdin.take());
        // It may have ended by itself, so errors are ignored.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Resident memory of a child in MB.
pub(crate) fn rss_mb(child: &Child) -> f64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kib: f64 = line.split_whitespace().next().unwrap().parse().unwrap();
    kib * 1024.0 / 1e6
}

/// Reads the log until a line holds the address; the whole log if no line does.
fn find_address(
    mut log: BufReader<ChildStderr>,
    address: fn(&str) -> Option<SocketAddr>,
) -> (BufReader<ChildStderr>, Result<SocketAddr, String>) {
    let mut text = String::new();
    loop {
        let start = text.len();
        if log.read_line(&mut text).unwrap_or(0) == 0 {
            return (log, Err(text));
        }
        if let Some(found) = address(text.get(start..).unwrap_or_default().trim_end()) {
            return (log, Ok(found));
        }
    }
}
