//! A real Alertmanager sends each notification through its own WeChat notifier and through the relay. Two members must
//! read the same bytes.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use reqwest::{Method, header::CONTENT_TYPE};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::timeout;
use wecom_relay::sandbox::Sandbox;

use crate::support::{
    CORP, Options, Relay, SECRET, Wecom,
    daemon::Daemon,
    http_client,
    tools::{ALERTMANAGER, find},
};

/// The member who gets the messages of Alertmanager's own notifier.
const NATIVE: &str = "lisi";
/// The member who gets the messages of the relay.
const RELAYED: &str = "zhangsan";
/// The time limit of each step.
const PATIENCE: Duration = Duration::from_secs(60);

const CHINESE: &str = "磁盘空间不足";
const MARKUP: &str = "HttpErrors";
const SEVERAL: &str = "InstanceDown";
const BARE: &str = "Watchdog";
const GROUPS: [&str; 4] = [CHINESE, MARKUP, SEVERAL, BARE];

#[tokio::test]
async fn the_relay_sends_the_same_bytes_as_alertmanager() {
    let Some(binary) = find(&ALERTMANAGER) else { return };
    let wecom = Wecom::live(wecom_relay::sandbox::Settings::default()).await;
    // Alertmanager quotes the dot in this name.
    let receivers = format!("  - {{ name: ops.oncall, to_user: {RELAYED} }}\n");
    let relay = Relay::with(&wecom.url, Options { receivers, ..Options::default() }).await;
    let alertmanager = Alertmanager::start(&binary, &config(&wecom.url, &relay.url)).await;

    alertmanager.post(&alerts(|_| true)).await;
    agree(&wecom.sandbox, &alertmanager, |_, texts| texts.len() == 1 && texts[0].starts_with("[FIRING:"))
        .await;
    // One of several alerts resolves, so the message of the firing group has alerts of both kinds.
    alertmanager.post(&alerts(|instance| instance != "db-1:9100")).await;
    agree(&wecom.sandbox, &alertmanager, |group, texts| {
        group != SEVERAL
            || texts.iter().any(|text| text.contains("Firing:\n") && text.contains("Resolved:\nL"))
    })
    .await;
    alertmanager.post(&alerts(|_| false)).await;
    agree(&wecom.sandbox, &alertmanager, |_, texts| {
        texts.last().is_some_and(|text| text.starts_with("[RESOLVED] "))
    })
    .await;
    drop(alertmanager);
    relay.stop().await;
    assert_eq!(read_by(&wecom.sandbox, RELAYED), read_by(&wecom.sandbox, NATIVE));
}

#[tokio::test]
async fn alertmanager_connects_over_tls_with_each_credential() {
    let Some(binary) = find(&ALERTMANAGER) else { return };
    let wecom = Wecom::live(wecom_relay::sandbox::Settings::default()).await;
    let folder = Arc::new(TempDir::new().unwrap());
    let pair = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(folder.path().join("tls.crt"), pair.cert.pem()).unwrap();
    std::fs::write(folder.path().join("tls.key"), pair.signing_key.serialize_pem()).unwrap();
    let server = ", tls: { cert_file: tls.crt, key_file: tls.key }, auth: { bearer_token: not-a-real-token, basic_auth: \
                  { username: am, password: not-a-real-password } }";
    let receivers = "  - { name: bearer, to_user: zhangsan }\n  - { name: basic, to_user: lisi }\n";
    let options = Options {
        server: server.to_owned(),
        receivers: receivers.to_owned(),
        folder: Some(folder.clone()),
        ..Options::default()
    };
    let relay = Relay::with(&wecom.url, options).await;
    let config = format!(
        "route: {{ receiver: relay, group_wait: 1s }}
receivers:
  - name: relay
    webhook_configs:
      - url: {url}/webhook/bearer
        http_config:
          authorization: {{ credentials: not-a-real-token }}
          tls_config: {{ ca_file: {ca} }}
      - url: {url}/webhook/basic
        http_config:
          basic_auth: {{ username: am, password: not-a-real-password }}
          tls_config: {{ ca_file: {ca} }}
",
        url = relay.url,
        ca = folder.path().join("tls.crt").display()
    );
    let alertmanager = Alertmanager::start(&binary, &config).await;
    alertmanager.post(&alerts(|_| true)).await;
    let both = async {
        wecom.sandbox.wait_for_delivered("zhangsan", 1).await;
        wecom.sandbox.wait_for_delivered("lisi", 1).await;
    };
    timeout(PATIENCE, both).await.unwrap();
    drop(alertmanager);
    relay.stop().await;
}

/// The alerts of all groups. An alert is firing if `fires` is true for its instance, else resolved.
pub(crate) fn alerts(fires: impl Fn(&str) -> bool) -> Value {
    let alert = |group: &str, instance: &str, labels: Value, annotations: Value| {
        let mut alert = json!({
            "labels": { "alertname": group, "instance": instance },
            "annotations": annotations,
            "startsAt": "2024-01-01T16:00:00.5+08:00",
            "generatorURL": "http://prometheus.example.com/graph?g0.expr=up+%3D%3D+0&g0.tab=1",
        });
        for (name, value) in labels.as_object().unwrap() {
            alert["labels"][name] = value.clone();
        }
        if !fires(instance) {
            alert["endsAt"] = json!("2024-01-01T16:30:00+08:00");
        }
        alert
    };
    json!([
        alert(
            CHINESE,
            "数据库-1",
            json!({ "severity": "严重", "team": "运维" }),
            json!({ "summary": "根分区已用 95%", "description": "请尽快处理。\n谢谢！👍" }),
        ),
        alert(
            MARKUP,
            "web-1:8080",
            json!({ "path": "/a?b=1&c=<d>", "severity": "warning" }),
            json!({ "summary": "<b>\"5xx\" & 'timeouts'</b>\\ {{ $value }} {% if %}", "empty": "" }),
        ),
        alert(
            SEVERAL,
            "db-1:9100",
            json!({ "severity": "critical", "dc": "a" }),
            json!({ "summary": "down" })
        ),
        alert(
            SEVERAL,
            "db-2:9100",
            json!({ "severity": "critical", "dc": "b" }),
            json!({ "summary": "down" })
        ),
        alert(
            SEVERAL,
            "db-3:9100",
            json!({ "severity": "critical", "dc": "b" }),
            json!({ "summary": "slow" })
        ),
        alert(BARE, "", json!({}), json!({})),
    ])
}

fn config(wecom: &str, relay: &str) -> String {
    format!(
        "route:
  receiver: ops.oncall
  group_by: [alertname]
  group_wait: 1s
  group_interval: 1s
  repeat_interval: 1h
receivers:
  - name: ops.oncall
    wechat_configs:
      - api_url: {wecom}/cgi-bin/
        corp_id: {CORP}
        agent_id: '1000002'
        api_secret: {SECRET}
        to_user: {NATIVE}
        send_resolved: true
    webhook_configs:
      - url: {relay}/webhook
        send_resolved: true
"
    )
}

/// The messages of a member by group, in order.
fn read_by(sandbox: &Sandbox, member: &str) -> BTreeMap<&'static str, Vec<String>> {
    let mut read: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for seen in sandbox.delivered_to(member) {
        let group = GROUPS.into_iter().find(|group| seen.text.contains(group)).unwrap_or("no group");
        read.entry(group).or_default().push(seen.text.to_string());
    }
    read
}

/// Waits until both members have the same texts, and `holds` is true for every group.
async fn agree(sandbox: &Sandbox, alertmanager: &Alertmanager, holds: impl Fn(&str, &[String]) -> bool) {
    let reached = sandbox.wait_until(|sandbox| {
        let native = read_by(sandbox, NATIVE);
        native.len() == GROUPS.len()
            && native.iter().all(|(group, texts)| holds(group, texts))
            && native == read_by(sandbox, RELAYED)
    });
    if timeout(PATIENCE, reached).await.is_err() {
        let (native, relayed) = (read_by(sandbox, NATIVE), read_by(sandbox, RELAYED));
        panic!("native: {native:#?}\nrelayed: {relayed:#?}\n{}", alertmanager.0.log());
    }
}

/// A real Alertmanager, which ends when this is dropped.
pub(crate) struct Alertmanager(Daemon);

impl Alertmanager {
    pub(crate) async fn start(binary: &Path, config: &str) -> Self {
        let options = ["--web.external-url=http://alertmanager.example.com", "--log.level=debug"];
        Self(Daemon::alertmanager(binary, config, &options).await)
    }

    pub(crate) async fn post(&self, alerts: &Value) {
        let request = http_client().request(Method::POST, format!("{}/api/v2/alerts", self.0.url));
        let request = request.header(CONTENT_TYPE, "application/json").body(alerts.to_string());
        let answer = request.send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{status} {text}\n{}", self.0.log());
    }
}
