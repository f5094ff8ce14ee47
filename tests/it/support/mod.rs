//! Helpers that several tests use.

pub(crate) mod daemon;
pub(crate) mod database_proxy;
pub(crate) mod event_server;
mod gated;
pub(crate) mod log;
pub(crate) mod members;
mod nginx;
pub(crate) mod postgres;
mod printing;
pub(crate) mod process;
pub(crate) mod recorded;
mod redact;
mod relay;
pub(crate) mod small_disk;
pub(crate) mod tools;

pub(crate) use gated::{Gated, Gates};
pub(crate) use nginx::{Nginx, nginx};
pub(crate) use printing::Printing;
pub(crate) use process::Process;
pub(crate) use redact::redacted;
pub(crate) use relay::{Options, Relay, config_file, payload, payload_at, short_delays, without_probes};

use std::{
    fmt::Debug,
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use reqwest::{Client, Method};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::Instant;
use wecom_relay::clock::{Clock, MachineClock, SystemClock};
use wecom_relay::sandbox::{Directory, Sandbox, Settings};

/// A client without timeouts and proxies.
#[expect(clippy::disallowed_methods, reason = "the client of the tests; the relay has its own")]
pub(crate) fn http_client() -> Client {
    // An error means that another test has already installed it.
    _ = rustls::crypto::ring::default_provider().install_default();
    // The relay closes idle connections after 12 seconds. A request that is sent at that moment would fail.
    Client::builder().no_proxy().pool_idle_timeout(Duration::from_secs(5)).build().unwrap()
}

/// A clock that only moves when a test moves it.
pub(crate) struct ManualClock(Mutex<Timestamp>);

impl ManualClock {
    const START: Timestamp = Timestamp::constant(1_795_248_000, 0);

    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Self::START)))
    }

    pub(crate) fn advance(&self, by: Duration) {
        *self.0.lock().unwrap() += SignedDuration::try_from(by).unwrap();
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

impl MachineClock for ManualClock {
    fn wall(&self) -> Timestamp {
        self.now()
    }

    fn uptime(&self) -> Duration {
        self.now().duration_since(Self::START).unsigned_abs()
    }

    fn boot_id(&self) -> String {
        "manual".to_owned()
    }
}

/// A test waits at most this long, so that a missing event fails the test instead of blocking it.
const DEADLINE: Duration = Duration::from_secs(60);

/// Waits for a future, and panics at the deadline.
pub(crate) async fn soon<T>(awaited: impl Future<Output = T>) -> T {
    within(DEADLINE, awaited).await
}

/// Waits for a future that may take longer than [`soon`] allows.
pub(crate) async fn within<T>(limit: Duration, awaited: impl Future<Output = T>) -> T {
    tokio::time::timeout(limit, awaited).await.unwrap_or_else(|_| panic!("nothing happened in {limit:?}"))
}

/// Repeats `look` until `is_reached` accepts its value, and returns the value. Panics at the deadline with the last value.
/// Use it for state that changes without a signal: rows of the outbox, metrics, lines of a log.
pub(crate) async fn eventually<T: Debug>(
    mut look: impl AsyncFnMut() -> T,
    is_reached: impl Fn(&T) -> bool,
) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let seen = look().await;
        if is_reached(&seen) {
            return seen;
        }
        assert!(Instant::now() < deadline, "not reached in {DEADLINE:?}; last seen: {seen:#?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The clocks of a machine, which can be set.
#[derive(Default)]
pub(crate) struct ShiftedClock(Mutex<Shifts>);

#[derive(Default)]
struct Shifts {
    wall: SignedDuration,
    uptime: Duration,
    boots: u32,
}

impl ShiftedClock {
    /// Lets time pass.
    pub(crate) fn advance(&self, by: Duration) {
        self.set_forward(by);
        self.0.lock().unwrap().uptime += by;
    }

    /// Sets the wall clock only.
    pub(crate) fn set_forward(&self, by: Duration) {
        self.0.lock().unwrap().wall += SignedDuration::try_from(by).unwrap();
    }

    /// Sets the wall clock only.
    pub(crate) fn set_back(&self, by: Duration) {
        self.0.lock().unwrap().wall -= SignedDuration::try_from(by).unwrap();
    }

    pub(crate) fn reboot(&self) {
        self.0.lock().unwrap().boots += 1;
    }
}

/// The wall clock.
impl Clock for ShiftedClock {
    fn now(&self) -> Timestamp {
        SystemClock.now() + self.0.lock().unwrap().wall
    }
}

impl MachineClock for ShiftedClock {
    fn wall(&self) -> Timestamp {
        self.now()
    }

    fn uptime(&self) -> Duration {
        SystemClock.uptime() + self.0.lock().unwrap().uptime
    }

    fn boot_id(&self) -> String {
        format!("boot {}", self.0.lock().unwrap().boots)
    }
}

/// A sandbox on a port of its own, and a client of it. It ends when it is dropped.
pub(crate) struct Wecom {
    pub(crate) sandbox: Sandbox,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) client: Client,
    pub(crate) url: String,
    _server: JoinSet<()>,
}

pub(crate) const CORP: &str = "ww1234567890abcdef";
pub(crate) const AGENT: u64 = 1000002;
pub(crate) const SECRET: &str = "sandbox-secret-1000002";
/// The app that sees department 2 only and may send cards that call back.
pub(crate) const OTHER_AGENT: u64 = 1000030;
pub(crate) const OTHER_SECRET: &str = "sandbox-secret-1000030";

impl Wecom {
    pub(crate) async fn start() -> Self {
        Self::with(Settings::default()).await
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        Self::with_directory(Directory::builtin(), settings).await
    }

    /// A sandbox with a running clock.
    pub(crate) async fn live(settings: Settings) -> Self {
        Self::build(Directory::builtin(), settings, ManualClock::new(), Arc::new(SystemClock)).await
    }

    pub(crate) async fn with_directory(directory: Directory, settings: Settings) -> Self {
        let clock = ManualClock::new();
        Self::build(directory, settings, clock.clone(), clock).await
    }

    async fn build(
        directory: Directory,
        settings: Settings,
        manual_clock: Arc<ManualClock>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let sandbox = Sandbox::new(directory, settings, clock);
        sandbox.use_client(http_client());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut server = JoinSet::new();
        let served = sandbox.clone();
        server.spawn(async move { served.serve(listener, std::future::pending()).await.unwrap() });
        Self { sandbox, clock: manual_clock, client: http_client(), url, _server: server }
    }

    /// `gettoken` with these query parameters.
    pub(crate) async fn gettoken(&self, query: &[(&str, &str)]) -> Value {
        let query: Vec<String> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let url = format!("{}/cgi-bin/gettoken?{}", self.url, query.join("&"));
        self.client.get(url).send().await.unwrap().json().await.unwrap()
    }

    /// A token of [`AGENT`].
    pub(crate) async fn token(&self) -> String {
        self.token_of(SECRET).await
    }

    pub(crate) async fn token_of(&self, secret: &str) -> String {
        let reply = self.gettoken(&[("corpid", CORP), ("corpsecret", secret)]).await;
        reply["access_token"].as_str().unwrap().to_owned()
    }

    /// Calls `message/send`, which may fail.
    pub(crate) async fn try_send(
        &self,
        token: &str,
        body: impl Into<String>,
    ) -> reqwest::Result<reqwest::Response> {
        let url = format!("{}/cgi-bin/message/send?access_token={token}", self.url);
        self.client.post(url).body(body.into()).send().await
    }

    /// `message/send` and its reply.
    pub(crate) async fn send(&self, token: &str, body: &Value) -> Value {
        self.try_send(token, body.to_string()).await.unwrap().json().await.unwrap()
    }

    /// Any other call with a body, and its reply.
    pub(crate) async fn call(&self, api: &str, token: &str, body: &Value) -> Value {
        let url = format!("{}/cgi-bin/{api}?access_token={token}", self.url);
        self.client.post(url).body(body.to_string()).send().await.unwrap().json().await.unwrap()
    }

    /// The control API: status and JSON, `Null` where there is none.
    pub(crate) async fn control(&self, method: Method, path: &str, body: impl Into<String>) -> (u16, Value) {
        let url = format!("{}/sandbox{path}", self.url);
        let response = self.client.request(method, url).body(body.into()).send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_str(&response.text().await.unwrap()).unwrap_or(Value::Null))
    }
}

#[tokio::test(start_paused = true)]
async fn eventually_returns_what_was_reached() {
    let mut count = 0;
    let look = async || {
        count += 1;
        count
    };
    assert_eq!(eventually(look, |count| *count == 3).await, 3);
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "last seen: \"nothing\"")]
async fn eventually_panics_with_what_was_last_seen() {
    eventually(async || "nothing", |seen| *seen == "something").await;
}
