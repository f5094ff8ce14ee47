//! A real Alertmanager, a relay and the sandbox, each of which finds the others under addresses that stay.

use std::{path::PathBuf, sync::Arc, time::Duration};

use reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::Instant;
use wecom_relay::{
    app::Tuning,
    sandbox::{Callback, CallbackTimes, Delivered, Press, PressFault, Settings},
};

use super::gate::Gate;
use crate::{
    actions::short_timing,
    support::{
        AGENT, Options, Process, Relay, Wecom, config_file,
        daemon::Daemon,
        http_client, short_delays, soon,
        tools::{ALERTMANAGER, find},
    },
};

/// The time of a step that waits for polls of the relay, on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(180);

pub(super) struct Site {
    pub(super) wecom: Wecom,
    /// Between the relay and Alertmanager.
    pub(super) alertmanager: Gate,
    /// Before the relay.
    pub(super) relay: Gate,
    /// The value of `actions` of the receiver.
    actions: &'static str,
    client: Client,
    config: PathBuf,
    daemon: Daemon,
    _folder: Arc<TempDir>,
}

/// The configuration of a receiver with buttons.
fn options(alertmanager: &str, actions: &str) -> Options {
    Options {
        app: format!(
            "    callback: {{ token: {}, encoding_aes_key: {} }}\n",
            Callback::SAMPLE_TOKEN,
            Callback::SAMPLE_AES_KEY
        ),
        receivers: format!(
            "  - {{ name: oncall, to_user: 'zhangsan|lisi', message_type: template_card, actions: {actions} }}\n"
        ),
        more: format!("alertmanager: {{ url: '{alertmanager}', timeout: 30s }}\n"),
        ..Options::default()
    }
}

impl Site {
    /// `None` if Alertmanager is missing, and the test is skipped. There is no relay yet.
    pub(super) async fn open(actions: &'static str) -> Option<Self> {
        let binary = find(&ALERTMANAGER)?;
        // A relay that was killed must be back before WeCom gives an event up.
        let times = CallbackTimes { resends: 200, pause: Duration::from_millis(300), ..Default::default() };
        let wecom = Wecom::live(Settings { callbacks: times, ..Settings::default() }).await;
        let relay = Gate::start("").await;
        let config = format!(
            "route: {{ receiver: oncall, group_by: [alertname, cluster], group_wait: 1s, group_interval: 1s, repeat_interval: 1h }}
receivers:
  - name: oncall
    webhook_configs:
      - url: {}/webhook/oncall
        send_resolved: true
",
            relay.url
        );
        let daemon =
            Daemon::alertmanager(&binary, &config, &["--web.external-url=http://alertmanager.example.com"])
                .await;
        let alertmanager = Gate::start(&daemon.url).await;
        let callback = Callback::sample(&format!("{}/callback/ops", relay.url)).unwrap();
        wecom.sandbox.set_callback(AGENT, callback).unwrap();
        let (folder, config) = config_file(&wecom.url, &options(&alertmanager.url, actions));
        let client = http_client();
        Some(Self { wecom, alertmanager, relay, actions, client, config, daemon, _folder: folder })
    }

    /// Starts the relay, or starts it again.
    pub(super) async fn start(&self) -> Process {
        let process = Process::start(&self.config).await;
        self.relay.lead_to(&process.url);
        process
    }

    /// Starts a relay in this process, which does not wait long for anything.
    pub(super) async fn start_here(&self) -> Relay {
        let tuning = Tuning { actions: short_timing(), ..short_delays() };
        let options = Options { tuning, ..options(&self.alertmanager.url, self.actions) };
        let relay = Relay::with(&self.wecom.url, options).await;
        self.relay.lead_to(&relay.url);
        relay
    }

    /// Stops a relay, which finishes what it does.
    pub(super) async fn stop(&self, mut process: Process) {
        process.signal("TERM");
        assert!(process.ended().await.success(), "{}", process.last_lines());
    }

    pub(super) async fn kill(&self, process: Process) {
        self.relay.lead_to("");
        process.kill().await;
    }

    /// Posts the alert, firing or resolved, to Alertmanager itself.
    pub(super) async fn alert(&self, is_firing: bool) {
        let mut alert = json!({
            "labels": { "alertname": "DiskFull", "cluster": "prod \"hz\"", "instance": "db-1", "severity": "critical" },
            "annotations": { "summary": "/data is full" },
            "startsAt": "2024-01-01T16:00:00Z",
        });
        if !is_firing {
            alert["endsAt"] = json!("2024-01-01T16:30:00Z");
        }
        let url = format!("{}/api/v2/alerts", self.daemon.url);
        let request = self.client.request(Method::POST, url).header("content-type", "application/json");
        let answer = request.body(json!([alert]).to_string()).send().await.unwrap();
        assert!(answer.status().is_success(), "{}\n{}", answer.text().await.unwrap(), self.daemon.log());
    }

    /// The silences that Alertmanager has.
    pub(super) async fn silences(&self) -> Vec<Value> {
        let answer = self.client.get(format!("{}/api/v2/silences", self.daemon.url)).send().await.unwrap();
        answer.json().await.unwrap()
    }

    /// The one silence, whose matchers must be those of the group.
    pub(super) async fn only_silence(&self) -> Value {
        let mut silences = self.silences().await;
        assert_eq!(silences.len(), 1, "{silences:#?}");
        let silence = silences.remove(0);
        let mut matchers = silence["matchers"].as_array().unwrap().clone();
        matchers.sort_by_key(|matcher| matcher["name"].as_str().unwrap().to_owned());
        let matcher = |name: &str, value: &str| json!({ "name": name, "value": value, "isEqual": true, "isRegex": false });
        assert_eq!(matchers, [matcher("alertname", "DiskFull"), matcher("cluster", "prod \"hz\"")]);
        assert_eq!(silence["createdBy"], "zhangsan");
        assert_eq!(silence["status"]["state"], "active");
        silence
    }

    /// The last card of a member, as soon as one satisfies `holds`.
    pub(super) async fn card(&self, member: &str, holds: impl Fn(&Delivered) -> bool) -> Delivered {
        let last =
            || self.wecom.sandbox.delivered_to(member).into_iter().rfind(|seen| seen.task_id.is_some());
        let reached = self.wecom.sandbox.wait_until(|_| last().is_some_and(|seen| holds(&seen)));
        if tokio::time::timeout_at(Instant::now() + PATIENCE, reached).await.is_err() {
            panic!("the card of {member} is {:#?}\n{:#?}", last(), self.wecom.sandbox.presses());
        }
        last().unwrap()
    }

    /// A card that can be pressed.
    pub(super) async fn fresh_card(&self) -> String {
        let card = self.card("zhangsan", |card| card.earlier.is_empty()).await;
        card.task_id.unwrap()
    }

    /// zhangsan presses a button.
    pub(super) fn press(&self, task_id: &str, key: &str, fault: Option<PressFault>) {
        self.wecom.sandbox.press("zhangsan", task_id, key, fault).unwrap();
    }

    /// All presses, as soon as WeCom is done with them.
    pub(super) async fn settled_presses(&self) -> Vec<Press> {
        let all = |presses: &[Press]| presses.iter().all(|press| press.is_settled);
        soon(self.wecom.sandbox.wait_until(|sandbox| all(&sandbox.presses()))).await;
        self.wecom.sandbox.presses()
    }

    /// The messages of a member that are not cards.
    pub(super) fn texts(&self, member: &str) -> Vec<String> {
        let seen = self.wecom.sandbox.delivered_to(member).into_iter();
        seen.filter(|seen| seen.task_id.is_none()).map(|seen| seen.text.to_string()).collect()
    }
}
