//! The relay as a process of its own, so that it can be killed.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use reqwest::Client;
use serde_json::Value;
use tokio::sync::mpsc;

use super::{http_client, soon};

/// `wecom-relay serve`. It is killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    lines: mpsc::UnboundedReceiver<String>,
    /// The log lines that were read so far.
    pub(crate) log: Vec<String>,
    pub(crate) url: String,
    pub(crate) client: Client,
}

impl Process {
    /// Starts a relay, and waits until it accepts alerts.
    pub(crate) async fn start(config: &Path) -> Self {
        let mut process = Self::launch(serve(config));
        process.ready().await;
        process
    }

    /// Starts `command`, which must log JSON lines to standard error.
    pub(crate) fn launch(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = child.stderr.take().unwrap();
        let (sender, lines) = mpsc::unbounded_channel();
        // The thread ends with the process.
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                _ = sender.send(line);
            }
        });
        Self { child, lines, log: Vec::new(), url: String::new(), client: http_client() }
    }

    /// Waits until the relay accepts alerts.
    pub(crate) async fn ready(&mut self) {
        let ready = self.logged("ready").await;
        self.url = format!("http://{}", ready["address"].as_str().unwrap());
    }

    /// The next log line with this message.
    pub(crate) async fn logged(&mut self, message: &str) -> Value {
        loop {
            let Some(line) = soon(self.lines.recv()).await else {
                let status = self.child.wait().unwrap();
                panic!("the relay ended ({status}) without logging {message:?}: {}", self.log.join("\n"));
            };
            let event: Value = serde_json::from_str(&line).unwrap_or_default();
            self.log.push(line);
            if event["message"] == message {
                return event;
            }
        }
    }

    /// The last log lines so far.
    pub(crate) fn last_lines(&mut self) -> String {
        while let Ok(line) = self.lines.try_recv() {
            self.log.push(line);
        }
        let first = self.log.len().saturating_sub(60);
        self.log[first..].join("\n")
    }

    /// Posts a payload; `None` when there was no answer.
    pub(crate) async fn post(&self, payload: &Value) -> Option<u16> {
        post(&self.client, &self.url, payload).await
    }

    /// `kill -9`.
    pub(crate) async fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to this process only.
    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill").arg(format!("-{signal}")).arg(self.pid().to_string()).status();
        assert!(sent.unwrap().success());
    }

    /// Waits until the process ends by itself.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        while let Some(line) = soon(self.lines.recv()).await {
            self.log.push(line);
        }
        self.child.wait().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The process has usually ended already.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// The command line of a relay with this configuration.
pub(crate) fn serve(config: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wecom-relay"));
    command.args(["--log-format", "json", "--log-level", "info", "serve", "--config"]).arg(config);
    command
}

/// [`serve`], with these system calls written to the file `traced`.
pub(crate) fn serve_traced(strace: &Path, calls: &[&str], traced: &Path, config: &Path) -> Command {
    let mut command = Command::new(strace);
    // -D: the relay itself is the child, so that it can be signalled and killed.
    command.args(["-D", "-f", "-y"]).args(calls).arg("-o").arg(traced);
    let relay = serve(config);
    command.arg(relay.get_program()).args(relay.get_args());
    command
}

const PATIENCE: Duration = Duration::from_secs(10);

/// Posts a payload to the relay at `url`; `None` when there was no answer.
pub(crate) async fn post(client: &Client, url: &str, payload: &Value) -> Option<u16> {
    // Alertmanager has a timeout for a request as well.
    let request = client.post(format!("{url}/webhook")).timeout(PATIENCE).body(payload.to_string());
    request.send().await.ok().map(|response| response.status().as_u16())
}
