//! A log that cannot be written neither ends the relay nor keeps it from its work.

use std::{
    fs::File,
    io::{PipeReader, Read, pipe},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use reqwest::Client;
use tempfile::TempDir;
use tokio::{net::UnixDatagram, task::spawn_blocking};
use wecom_relay::sandbox::Settings;

use crate::support::{
    Options, Wecom, config_file, eventually, http_client, payload,
    process::{post, serve},
    soon,
};

/// A relay whose log cannot be read. It is killed when it is dropped.
struct UnloggedRelay {
    child: Child,
    url: String,
    client: Client,
}

impl UnloggedRelay {
    /// Starts `command`. The address comes from the notification for systemd, because the log cannot be read.
    async fn start(mut command: Command) -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("notify");
        let systemd = UnixDatagram::bind(&path).unwrap();
        command.env("NOTIFY_SOCKET", &path).env_remove("WATCHDOG_USEC").stdin(Stdio::null());
        let child = command.spawn().unwrap();
        // The command holds the pipe too. The reader must see the end of the pipe when the relay has ended.
        drop(command);
        let mut message = [0; 1024];
        let length = soon(systemd.recv(&mut message)).await.unwrap();
        let message = String::from_utf8(message[..length].to_vec()).unwrap();
        let address = message.split("accepting alerts on ").nth(1).unwrap().trim();
        Self { child, url: format!("http://{address}"), client: http_client() }
    }

    async fn post(&self, group: &str) {
        assert_eq!(
            post(&self.client, &self.url, &payload(group, &[("a", true)])).await,
            Some(200),
            "{group}"
        );
    }

    async fn dropped_lines(&self) -> u64 {
        let metrics = self.client.get(format!("{}/metrics", self.url)).send().await.unwrap();
        let text = metrics.text().await.unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("wecom_relay_log_lines_dropped_total "));
        line.unwrap().parse().unwrap()
    }

    /// Sends SIGTERM, and waits for the end.
    async fn stop(mut self) -> ExitStatus {
        assert!(self.child.try_wait().unwrap().is_none(), "the relay has ended");
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").arg("-TERM").arg(pid).status().unwrap().success());
        soon(spawn_blocking(move || self.child.wait())).await.unwrap().unwrap()
    }
}

impl Drop for UnloggedRelay {
    fn drop(&mut self) {
        // The process has usually ended already.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// `serve` with its standard error closed.
fn serve_without_stderr(config: &Path) -> Command {
    let relay = serve(config);
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$@\" 2>&-", "sh"]).arg(relay.get_program()).args(relay.get_args());
    command
}

fn serve_with_stderr(stderr: impl Into<Stdio>, config: &Path) -> Command {
    let mut command = serve(config);
    command.stderr(stderr);
    command
}

fn pipe_without_reader() -> std::io::PipeWriter {
    pipe().unwrap().1
}

#[tokio::test]
async fn a_log_that_cannot_be_written_is_dropped_and_counted() {
    for stderr in ["closed", "full disk", "pipe without reader"] {
        let wecom = Wecom::live(Settings::default()).await;
        let (_folder, config) = config_file(&wecom.url, &Options::default());
        let command = match stderr {
            "closed" => serve_without_stderr(&config),
            "full disk" => serve_with_stderr(File::options().write(true).open("/dev/full").unwrap(), &config),
            _ => serve_with_stderr(pipe_without_reader(), &config),
        };
        let relay = UnloggedRelay::start(command).await;
        for group in ["First", "Second", "Third"] {
            relay.post(group).await;
        }
        soon(wecom.sandbox.wait_for_delivered("zhangsan", 3)).await;
        // For a closed descriptor the standard library opens /dev/null, which takes every line.
        if stderr != "closed" {
            eventually(async || relay.dropped_lines().await, |lines| *lines >= 4).await;
        }
        assert!(relay.stop().await.success(), "{stderr}");
    }
}

/// Reads a pipe to its end on another thread.
fn drain(mut reader: PipeReader) -> Arc<Mutex<String>> {
    let read = Arc::<Mutex<String>>::default();
    let text = Arc::clone(&read);
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = reader.read(&mut bytes) {
            text.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
    });
    read
}

/// So many alerts log more than the pipe and the queue of the log can hold.
const ALERTS: usize = 400;

#[tokio::test]
async fn a_reader_that_does_not_read_delays_no_alert() {
    let wecom = Wecom::live(Settings::default()).await;
    let app = "    limits: { per_minute: 0, per_hour: 0 }\n".to_owned();
    let (_folder, config) = config_file(&wecom.url, &Options { app, ..Options::default() });
    let start = async || {
        let (reader, writer) = pipe().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_wecom-relay"));
        command.args(["--log-format", "json", "--log-level", "debug", "serve", "--config"]).arg(&config);
        command.stderr(writer);
        (UnloggedRelay::start(command).await, reader)
    };
    let (relay, reader) = start().await;
    for number in 0..ALERTS {
        relay.post(&format!("Group{number}")).await;
    }
    soon(wecom.sandbox.wait_until(|sandbox| sandbox.send_calls() == ALERTS)).await;
    eventually(async || relay.dropped_lines().await, |lines| *lines > 0).await;
    // The log goes on as soon as somebody reads it.
    let read = drain(reader);
    let is_reported = |text: &String| text.contains("log lines were dropped: they could not be written");
    eventually(async || read.lock().unwrap().clone(), is_reported).await;
    assert!(relay.stop().await.success());
    eventually(async || read.lock().unwrap().clone(), |text| text.contains(r#""message":"stopped""#)).await;

    // The stop does not wait for the reader either.
    let (relay, _reader) = start().await;
    for number in 0..ALERTS {
        relay.post(&format!("Again{number}")).await;
    }
    eventually(async || relay.dropped_lines().await, |lines| *lines > 0).await;
    assert!(relay.stop().await.success());
}
