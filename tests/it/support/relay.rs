//! The whole relay in this process, on a port of its own.

use std::{fs, net::TcpListener, path::PathBuf, sync::Arc, time::Duration};

use reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;
use wecom_relay::{
    app::{Listeners, PrepareOptions, Prepared, Running, Tuning},
    clock::{MachineClock, SystemClock},
    config,
    delivery::decide::Probes,
    heartbeat::Heartbeat,
    http::{self, ReloadHandle, SecurityHandle},
    lifecycle::{Lifecycle, Shutdown},
    outbox::{
        DeliveryId, Detail, Filter, ListOrder, Listed, Outbox, OutboxQuery, State,
        sqlite::{Access, Settings, SqliteOutbox},
    },
    retry::Schedule,
};

use super::{AGENT, CORP, SECRET, eventually, http_client};
use crate::outbox_conformance::fixture::list_all;

/// A relay that delivers to a sandbox.
pub(crate) struct Relay {
    pub(crate) url: String,
    /// The URL of the listener that serves the callback.
    pub(crate) callback_url: String,
    pub(crate) outbox: SqliteOutbox,
    pub(crate) client: Client,
    pub(crate) security: SecurityHandle,
    pub(crate) reloads: ReloadHandle,
    pub(crate) folder: Arc<TempDir>,
    /// The heartbeats of the dispatchers and of the worker for presses.
    pub(crate) heartbeats: Vec<(String, Heartbeat)>,
    lifecycle: Lifecycle,
}

/// The options of a relay for a test.
pub(crate) struct Options {
    /// The lines under `receivers:`.
    pub(crate) receivers: String,
    /// The app's name.
    pub(crate) name: String,
    pub(crate) agent: u64,
    /// The app's secret.
    pub(crate) secret: &'static str,
    /// Further keys of the server, each with a comma before it.
    pub(crate) server: String,
    /// Further keys of the app, each line with four spaces before it.
    pub(crate) app: String,
    /// Further keys of the outbox, each line with two spaces before it.
    pub(crate) outbox: String,
    /// Further top-level keys.
    pub(crate) more: String,
    /// The address to listen on, with port 0.
    pub(crate) listen: &'static str,
    pub(crate) tuning: Tuning,
    pub(crate) clock: Arc<dyn MachineClock>,
    /// The folder of the outbox. `None` makes a new one.
    pub(crate) folder: Option<Arc<TempDir>>,
    /// Each reload calls this before it reads the configuration.
    pub(crate) before_reading: Arc<dyn Fn() + Send + Sync>,
    /// Changes the settings of the outbox after the configuration was read.
    pub(crate) outbox_settings: fn(Settings) -> Settings,
}

/// [`Tuning`] for a relay in the process of a test.
fn tuning() -> Tuning {
    // A template must not miss its time limit on a busy machine.
    let draft_limit = Duration::from_secs(600);
    Tuning { program: env!("CARGO_BIN_EXE_wecom-relay").into(), draft_limit, ..Tuning::default() }
}

/// [`Tuning`] with delays of tenths of seconds, so that a test does not wait for minutes.
pub(crate) fn short_delays() -> Tuning {
    let every = |ms| Schedule::new(Vec::new(), Duration::from_millis(ms));
    let probes = Probes {
        refused_secret: every(200),
        rate_limited: every(200),
        usual: every(200),
        shortest: Duration::from_millis(100),
    };
    Tuning { retries: every(100), probes, seed: Some(1), ..tuning() }
}

/// A held sender is probed only when somebody asks for it.
pub(crate) fn without_probes() -> Tuning {
    let never = || Schedule::new(Vec::new(), Duration::from_secs(36_000));
    let probes = Probes {
        refused_secret: never(),
        rate_limited: never(),
        usual: never(),
        shortest: Duration::from_millis(100),
    };
    Tuning { probes, seed: Some(1), ..tuning() }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            receivers: "  - { name: wechat, to_user: zhangsan }\n".to_owned(),
            name: "ops".to_owned(),
            agent: AGENT,
            secret: SECRET,
            server: String::new(),
            app: String::new(),
            outbox: String::new(),
            more: String::new(),
            listen: "127.0.0.1:0",
            tuning: Tuning {
                // A template must not miss its time limit on a busy machine.
                render_limit: Duration::from_secs(600),
                seed: Some(1),
                ..tuning()
            },
            clock: Arc::new(SystemClock),
            folder: None,
            before_reading: Arc::new(|| {}),
            outbox_settings: |settings| settings,
        }
    }
}

impl Options {
    /// The configuration that these options make, for a sandbox at `wecom`.
    pub(crate) fn yaml(&self, wecom: &str, folder: &TempDir) -> String {
        let Self { receivers, name, agent, secret, server, app, outbox, more, .. } = self;
        let path = folder.path().join("outbox.db");
        format!(
            "server: {{ listen: '127.0.0.1:0'{server} }}\noutbox:\n  path: {}\n{outbox}apps:\n  - name: {name}\n    \
             corp_id: {CORP}\n    agent_id: {agent}\n    api_secret: {secret}\n    api_url: {wecom}/cgi-bin/\n{app}\
             receivers:\n{receivers}timezone: UTC\n{more}",
            path.display()
        )
    }
}

/// The configuration `options` for a sandbox at `wecom`, in a file in a new folder.
pub(crate) fn config_file(wecom: &str, options: &Options) -> (Arc<TempDir>, PathBuf) {
    let folder = Arc::new(TempDir::new().unwrap());
    let path = folder.path().join("config.yml");
    fs::write(&path, options.yaml(wecom, &folder)).unwrap();
    (folder, path)
}

impl Relay {
    /// A relay with one receiver `wechat` for zhangsan, which sends to the sandbox at `wecom`.
    pub(crate) async fn start(wecom: &str) -> Self {
        Self::with(wecom, Options::default()).await
    }

    pub(crate) async fn with(wecom: &str, options: Options) -> Self {
        Self::with_outbox(wecom, options, |outbox| outbox).await
    }

    /// A relay with the outbox that `wrap` returns.
    pub(crate) async fn with_outbox<O: Outbox>(
        wecom: &str,
        options: Options,
        wrap: impl FnOnce(SqliteOutbox) -> O,
    ) -> Self {
        let folder = options.folder.clone().unwrap_or_else(|| Arc::new(TempDir::new().unwrap()));
        let path = folder.path().join("config.yml");
        fs::write(&path, options.yaml(wecom, &folder)).unwrap();
        let config = config::load(&path, &|_| None).unwrap_or_else(|problems| panic!("{problems}")).config;
        let before_reading = options.before_reading.clone();
        let source = Arc::new(move || {
            before_reading();
            config::load(&path, &|_| None)
        });
        let tuned = PrepareOptions { tuning: options.tuning, ..PrepareOptions::default() };
        let prepared = Prepared::new(config, tuned).unwrap();
        let outbox = &prepared.config.outbox;
        let settings = (options.outbox_settings)(Settings::new(
            outbox.path().unwrap().to_owned(),
            outbox.max_size_bytes,
        ));
        let outbox = SqliteOutbox::open(settings, Access::Owner).unwrap();
        let listener = http::listen(options.listen.parse().unwrap()).unwrap();
        let scheme = if prepared.config.server.security.tls.is_some() { "https" } else { "http" };
        let url_of = |listener: &TcpListener| {
            format!("{scheme}://127.0.0.1:{}", listener.local_addr().unwrap().port())
        };
        let url = url_of(&listener);
        let callback = prepared.config.server.callback_listen.map(|address| http::listen(address).unwrap());
        let callback_url = callback.as_ref().map_or_else(|| url.clone(), url_of);
        let listeners = Listeners { main: listener, callback };
        let lifecycle = Lifecycle::default();
        let outbox_of_relay = wrap(outbox.clone());
        let running = Running::start(prepared, listeners, outbox_of_relay, options.clock, lifecycle.tasks());
        let running = running.await.unwrap();
        let (heartbeats, security, reloads) =
            (running.heartbeats().all(), running.security(), running.reloads());
        lifecycle.tasks().spawn_endless("reloads", running.run_reloads(source));
        Self {
            url,
            callback_url,
            outbox,
            client: http_client(),
            security,
            reloads,
            folder,
            heartbeats,
            lifecycle,
        }
    }

    /// Sends a request to `path`, and returns the status and the text of the answer.
    pub(crate) async fn request(
        &self,
        method: Method,
        path: &str,
        body: impl Into<reqwest::Body>,
    ) -> (u16, String) {
        let response =
            self.client.request(method, format!("{}{path}", self.url)).body(body).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// Posts a payload to `/webhook`, which must be answered with 200.
    pub(crate) async fn post(&self, payload: &Value) -> String {
        let (status, text) = self.request(Method::POST, "/webhook", payload.to_string()).await;
        assert_eq!(status, 200, "{text}");
        text
    }

    /// Posts a payload to `/webhook`, and returns the status of the answer.
    pub(crate) async fn try_post(&self, payload: &Value) -> u16 {
        self.request(Method::POST, "/webhook", payload.to_string()).await.0
    }

    /// Stops the relay as SIGTERM does.
    pub(crate) async fn stop(self) -> Arc<TempDir> {
        assert_eq!(self.lifecycle.finish(Duration::from_secs(20)).await, Shutdown::Clean);
        self.outbox.close().await;
        self.folder
    }

    /// The deliveries in these states, in order of acceptance.
    pub(crate) async fn listed(&self, states: &[State]) -> Vec<Listed> {
        let filter = Filter { states: states.to_vec(), ..Filter::default() };
        list_all(&self.outbox, filter, ListOrder::OldestFirst, 100_000).await
    }

    /// The details of one delivery.
    pub(crate) async fn shown(&self, id: i64) -> Detail {
        self.outbox.show(DeliveryId(id)).await.unwrap().unwrap()
    }

    /// Waits until this many deliveries are settled.
    pub(crate) async fn settled(&self, count: usize) -> Vec<Listed> {
        let settled = async || self.listed(&[State::Delivered, State::Dead, State::Discarded]).await;
        eventually(settled, |settled| settled.len() >= count).await
    }
}

/// A notification of `group` for receiver `wechat`. Each alert has a name, and `true` if it is firing.
pub(crate) fn payload(group: &str, alerts: &[(&str, bool)]) -> Value {
    payload_at(group, alerts, "2026-11-21T08:00:00Z")
}

/// [`payload`] with this start time for all alerts.
pub(crate) fn payload_at(group: &str, alerts: &[(&str, bool)], starts_at: &str) -> Value {
    let fires = alerts.iter().any(|(_, fires)| *fires);
    let alerts: Vec<Value> = alerts
        .iter()
        .map(|(name, fires)| {
            let (status, ends_at) = if *fires {
                ("firing", "0001-01-01T00:00:00Z")
            } else {
                ("resolved", "2026-11-21T08:30:00Z")
            };
            json!({
                "status": status,
                "labels": { "alertname": group, "instance": name, "severity": "critical" },
                "annotations": {},
                "startsAt": starts_at,
                "endsAt": ends_at,
                "generatorURL": "http://prometheus.example.com/graph",
                "fingerprint": format!("{:016x}", fingerprint(&format!("{group}/{name}"))),
            })
        })
        .collect();
    json!({
        "receiver": "wechat",
        "status": if fires { "firing" } else { "resolved" },
        "alerts": alerts,
        "groupLabels": { "alertname": group },
        "commonLabels": { "alertname": group, "severity": "critical" },
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example.com",
        "version": "4",
        "groupKey": format!("{{}}:{{alertname=\"{group}\"}}"),
        "truncatedAlerts": 0,
    })
}

fn fingerprint(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
