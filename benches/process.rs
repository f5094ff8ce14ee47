//! The servers under test, each a process of its own, and what the kernel says of them.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use serde_json::Value;

/// How long a start may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Linux tells processor time in hundredths of a second, on every architecture.
const TICK: Duration = Duration::from_millis(10);

/// A server. It is killed when this is dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
    /// A reference ends when this is closed, so that none outlives the bench.
    stdin: Option<ChildStdin>,
}

impl Process {
    /// `wecom-relay serve`, as a user starts it.
    pub(crate) fn relay(binary: &Path, config: &Path) -> Self {
        let mut command = Command::new(binary);
        command.args(["--log-format", "json", "serve", "--config"]).arg(config);
        Self::launch(command, |line| {
            let event: Value = serde_json::from_str(line).ok()?;
            if event["message"] == "ready" { event["address"].as_str()?.parse().ok() } else { None }
        })
    }

    /// A reference, which is this program in another role.
    pub(crate) fn reference(role: &str, argument: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--role", role, argument]);
        Self::launch(command, |line| line.strip_prefix("listening ")?.parse().ok())
    }

    /// Starts `command`; `address` finds in a line of its log where it listens.
    pub(crate) fn launch(mut command: Command, address: fn(&str) -> Option<SocketAddr>) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdin = child.stdin.take();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        // From here on it is ended, whatever panics.
        let mut process = Self { child, address: SocketAddr::from(([0, 0, 0, 0], 0)), stdin };
        let (tell, told) = mpsc::channel();
        // Ends with the process, whose log is read to the end so that it never waits for its reader.
        thread::spawn(move || {
            let mut said = String::new();
            loop {
                let start = said.len();
                if log.read_line(&mut said).unwrap_or(0) == 0 {
                    _ = tell.send(Err(said));
                    return;
                }
                if let Some(found) = address(said.get(start..).unwrap_or_default().trim_end()) {
                    _ = tell.send(Ok(found));
                    break;
                }
            }
            let mut ignored = [0; 64 * 1024];
            while log.read(&mut ignored).is_ok_and(|count| count > 0) {}
        });
        process.address = match told.recv_timeout(PATIENCE) {
            Ok(Ok(address)) => address,
            Ok(Err(said)) => panic!("it ended before it listened:\n{said}"),
            Err(_) => panic!("it does not listen"),
        };
        process
    }

    fn proc(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).unwrap()
    }

    /// Resident memory in MiB.
    pub(crate) fn rss_mib(&self) -> f64 {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1024.0
    }

    /// Processor time of all its threads, so far.
    pub(crate) fn cpu(&self) -> Duration {
        let stat = self.proc("stat");
        // The name, in parentheses, may hold spaces.
        let fields = stat.rsplit_once(") ").unwrap().1;
        let ticks = fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u32>().unwrap());
        TICK * ticks.sum::<u32>()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.stdin.take());
        // It may have ended by itself.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
