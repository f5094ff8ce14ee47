//! The log as JSON lines: constant messages, levels, fields, and the names of app, receiver and delivery.

mod unwritable;

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use wecom_relay::{
    sandbox::{Api, Fault, Settings},
    telemetry::{self, LogFormat},
};

use crate::support::{
    Options, Relay, SECRET, Wecom, eventually,
    log::{LogGuard, Written, log_to},
    payload, short_delays, soon,
};

/// The log of this thread, until this is dropped.
struct Log {
    written: Written,
    _guard: LogGuard,
}

impl Log {
    fn start() -> Self {
        let written = Written::default();
        let writer = written.clone();
        let lines = telemetry::lines(LogFormat::Json, "wecom_relay=debug", false, move || writer.clone());
        Self { written, _guard: log_to(lines.unwrap()) }
    }

    fn text(&self) -> String {
        self.written.text()
    }

    fn lines(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Waits for a line with this message.
    async fn wait_for(&self, message: &str) {
        let is_logged = |lines: &Vec<Value>| lines.iter().any(|line| line["message"] == message);
        eventually(async || self.lines(), is_logged).await;
    }

    /// The level and message of each line about `delivery`. Asserts that each line has all names.
    fn events_of(&self, delivery: i64) -> Vec<(String, String)> {
        let mut events = Vec::new();
        for line in self.lines() {
            if line["delivery"] == delivery {
                for name in ["app", "receiver", "group"] {
                    assert!(line[name].as_str().is_some_and(|name| !name.is_empty()), "{name} in {line}");
                }
                assert!(line["notification"].is_i64(), "{line}");
                let text = |key: &str| line[key].as_str().unwrap().to_owned();
                events.push((text("level"), text("message")));
            }
        }
        events
    }
}

fn owned(events: &[(&str, &str)]) -> Vec<(String, String)> {
    events.iter().map(|(level, message)| ((*level).to_owned(), (*message).to_owned())).collect()
}

/// The line with `message`. Panics unless there is exactly one.
fn only_line<'a>(lines: &'a [Value], message: &str) -> &'a Value {
    let found: Vec<_> = lines.iter().filter(|line| line["message"] == message).collect();
    let [line] = found.as_slice() else { panic!("{message}: {found:?}") };
    line
}

fn quick() -> Options {
    Options { tuning: short_delays(), ..Options::default() }
}

const SENDING: (&str, &str) = ("DEBUG", "sending");
const ANSWERED: (&str, &str) = ("DEBUG", "WeCom answered");
const DEAD: &str = "dead letter: the delivery is not tried again; see `wecom-relay outbox show`";
const HELD: &str = "sender held: its deliveries wait until somebody fixes the problem; nothing is lost";
const LIMITED: &str = "sender held: its deliveries wait until a limit of WeCom has passed; nothing is lost";

#[tokio::test]
async fn a_delivery_that_fails_once_logs_every_step() {
    let log = Log::start();
    let wecom = Wecom::live(Settings::default()).await;
    let relay = Relay::with(&wecom.url, quick()).await;
    wecom.sandbox.inject(Fault::errcode(-1).on(Api::MessageSend).times(1));
    relay.post(&payload("Down", &[("a", true)])).await;
    log.wait_for("delivered").await;
    // The first answer has the token.
    let expected = [
        SENDING,
        ANSWERED,
        ANSWERED,
        ("WARN", "delivery failed, will retry"),
        SENDING,
        ANSWERED,
        ("INFO", "delivered"),
    ];
    assert_eq!(log.events_of(1), owned(&expected));
    let lines = log.lines();
    let accepted = lines.iter().find(|line| line["message"] == "accepted").unwrap();
    assert_eq!((&accepted["level"], &accepted["notification"]), (&"DEBUG".into(), &1.into()));
    for (name, value) in [("app", "ops"), ("receiver", "wechat"), ("group", r#"{}:{alertname="Down"}"#)] {
        assert_eq!(accepted[name], value, "{accepted}");
    }
    let retry = lines.iter().find(|line| line["message"] == "delivery failed, will retry").unwrap();
    assert!(retry["outcome"].as_str().unwrap().contains("errcode -1"), "{retry}");
    assert!(retry["duration_ms"].is_u64() && retry["next"].is_string(), "{retry}");
    let delivered = lines.iter().find(|line| line["message"] == "delivered").unwrap();
    assert!(delivered["msgid"].is_string() && delivered["timestamp"].is_string(), "{delivered}");
    relay.stop().await;
    assert!(!log.text().contains(SECRET) && !log.text().contains("access_token"), "{}", log.text());
}

#[tokio::test]
async fn a_dead_letter_is_an_error_with_its_cause() {
    let log = Log::start();
    let wecom = Wecom::live(Settings::default()).await;
    let receivers = "  - { name: wechat, to_user: nobody }\n".to_owned();
    let relay = Relay::with(&wecom.url, Options { receivers, ..quick() }).await;
    relay.post(&payload("Down", &[("a", true)])).await;
    log.wait_for(DEAD).await;
    assert_eq!(log.events_of(1), owned(&[SENDING, ANSWERED, ANSWERED, ("ERROR", DEAD)]));
    let dead = log.lines().into_iter().find(|line| line["message"] == DEAD).unwrap();
    assert_eq!(dead["cause"], "nobody");
    assert!(dead["reason"].as_str().unwrap().contains("81013"), "{dead}");
    relay.stop().await;
}

#[tokio::test]
async fn a_hold_is_an_error_when_a_person_must_act() {
    for (errcode, level, message) in [(60020, "ERROR", HELD), (45009, "WARN", LIMITED)] {
        let log = Log::start();
        let wecom = Wecom::live(Settings::default()).await;
        let relay = Relay::with(&wecom.url, quick()).await;
        wecom.sandbox.inject(Fault::errcode(errcode).on(Api::MessageSend).times(2));
        relay.post(&payload("Down", &[("a", true)])).await;
        log.wait_for("sender released, sending resumes").await;
        log.wait_for("delivered").await;
        let lines = log.lines();
        let first = only_line(&lines, message);
        assert_eq!(first["level"], level, "{first}");
        // An operator need not read that a probe has failed in the same way.
        let second = only_line(&lines, "sender still held");
        assert_eq!(second["level"], "DEBUG", "{second}");
        for (hold, probes) in [(first, 1), (second, 2)] {
            assert_eq!(hold["app"], "ops", "{hold}");
            assert_eq!((&hold["errcode"], &hold["probes"]), (&errcode.into(), &probes.into()), "{hold}");
            assert!(hold["reason"].is_string() && hold["next_probe_at"].is_string(), "{hold}");
        }
        let end = lines.iter().find(|line| line["message"] == "sender released, sending resumes").unwrap();
        assert_eq!((&end["level"], &end["app"]), (&"INFO".into(), &"ops".into()), "{end}");
        let errors = lines.iter().filter(|line| line["level"] == "ERROR").count();
        assert_eq!(errors, usize::from(level == "ERROR"), "{}", log.text());
        relay.stop().await;
    }
}

/// Such requests do not reach a handler.
#[tokio::test]
async fn a_request_that_is_not_http_is_logged() {
    let log = Log::start();
    let relay = Relay::start("http://127.0.0.1:9").await;
    let long_head = format!("GET / HTTP/1.1\r\nHost: relay\r\nX: {}\r\n\r\n", "x".repeat(64 << 10));
    let hello = "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}".to_owned();
    for (request, expected) in [(hello, "HTTP/1.1 400 "), (long_head, "HTTP/1.1 431 ")] {
        let address = relay.url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).await.unwrap();
        let mut answer = Vec::new();
        // The relay may close the connection before it has read all.
        _ = stream.write_all(request.as_bytes()).await;
        _ = soon(stream.read_to_end(&mut answer)).await;
        assert!(answer.is_empty() || answer.starts_with(expected.as_bytes()), "{answer:?}");
    }
    log.wait_for("request refused: not valid HTTP/1.1, or its head is over 32 KiB; does the client use https without server.tls?")
        .await;
    relay.stop().await;
}
