//! A pair of Alertmanagers that both send everything to both replicas, so each notification arrives four times.

use std::{path::Path, time::Duration};

use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    report, rounds,
    scrapes::sum,
    site::{MEMBERS, Site, name},
};
use crate::{
    metrics::value,
    support::{
        daemon::Daemon,
        eventually, http_client,
        members::member,
        tools::{ALERTMANAGER, find},
    },
};

/// The groups of a round. Each fires and resolves, so 20 rounds are 10,000 notifications.
const GROUPS: usize = 250;
/// The time limit until both have sent all groups of a round.
const PATIENCE: Duration = Duration::from_secs(240);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pair_of_alertmanagers_is_heard_once() {
    let Some(binary) = find(&ALERTMANAGER) else { return };
    let site = Site::start(&[]).await;
    let pair = Pair::start(&binary, &site.urls).await;
    let mut names = Vec::new();
    for round in 0..rounds(1) {
        let groups: Vec<String> = (0..GROUPS).map(|group| name(round, group)).collect();
        for fires in [true, false] {
            pair.post(&alerts(names.len(), &groups, fires)).await;
            let notifications = 2 * names.len() + if fires { GROUPS } else { 2 * GROUPS };
            pair.answered(2 * notifications).await;
        }
        names.extend(groups);
    }
    let received = |result: &str| {
        format!("wecom_relay_notifications_received_total{{receiver=\"wechat\",result=\"{result}\"}}")
    };
    let accepted = sum(&site, &received("accepted")).await as usize;
    let duplicates = sum(&site, &received("duplicate")).await as usize;
    let count = site.check_groups(&names).await;
    assert_eq!(accepted, count);
    assert!(duplicates >= 3 * count, "{duplicates}");
    report(&format!("a pair of Alertmanagers, {count} notifications, {duplicates} duplicates ignored"));
}

/// The alerts of these groups, for the members from number `first` on.
fn alerts(first: usize, groups: &[String], fires: bool) -> Value {
    let alerts = groups.iter().zip(first..).map(|(group, number)| {
        let mut alert = json!({
            "labels": { "alertname": group, "member": member(number % MEMBERS), "severity": "critical" },
            "startsAt": "2026-01-01T08:00:00Z",
        });
        if !fires {
            alert["endsAt"] = json!("2026-01-01T08:30:00Z");
        }
        alert
    });
    alerts.collect()
}

/// Two Alertmanagers of one cluster.
struct Pair([Daemon; 2]);

impl Pair {
    async fn start(binary: &Path, relays: &[String; 2]) -> Self {
        let [a, b] = relays;
        let config = format!(
            "global: {{ resolve_timeout: 24h }}
route: {{ receiver: wechat, group_by: [alertname], group_wait: 1s, group_interval: 5s, repeat_interval: 24h }}
receivers:
  - name: wechat
    webhook_configs:
      - {{ url: '{a}/webhook', send_resolved: true }}
      - {{ url: '{b}/webhook', send_resolved: true }}
"
        );
        let first = Daemon::alertmanager_of_pair(binary, &config, None).await;
        let address = cluster(&first).await["peers"][0]["address"].as_str().unwrap().to_owned();
        let second = Daemon::alertmanager_of_pair(binary, &config, Some(&address)).await;
        for alertmanager in [&first, &second] {
            let is_pair = |cluster: &Value| {
                cluster["status"] == "ready" && cluster["peers"].as_array().is_some_and(|all| all.len() == 2)
            };
            eventually(async || cluster(alertmanager).await, is_pair).await;
        }
        Self([first, second])
    }

    /// Posts alerts to both, as Prometheus does.
    async fn post(&self, alerts: &Value) {
        for alertmanager in &self.0 {
            let request = http_client().post(format!("{}/api/v2/alerts", alertmanager.url));
            let request = request.header(CONTENT_TYPE, "application/json").body(alerts.to_string());
            let answer = request.send().await.unwrap();
            assert!(answer.status().is_success(), "{answer:?}\n{}", alertmanager.log());
        }
    }

    /// Waits until each of both has this number of webhooks that were answered with 200.
    async fn answered(&self, webhooks: usize) {
        for alertmanager in &self.0 {
            let deadline = Instant::now() + PATIENCE;
            while let answered = answered(alertmanager).await
                && answered < webhooks
            {
                assert!(Instant::now() < deadline, "{answered} of {webhooks}\n{}", alertmanager.log());
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// The state of the cluster, as one of its Alertmanagers reports it.
async fn cluster(alertmanager: &Daemon) -> Value {
    let answer = http_client().get(format!("{}/api/v2/status", alertmanager.url)).send().await.unwrap();
    answer.json::<Value>().await.unwrap()["cluster"].take()
}

/// The number of webhooks of an Alertmanager that were answered with 200.
async fn answered(alertmanager: &Daemon) -> usize {
    let answer = http_client().get(format!("{}/metrics", alertmanager.url)).send().await.unwrap();
    let metrics = answer.text().await.unwrap();
    let count = |name: &str| {
        let series = format!("alertmanager_notification_requests_{name}{{integration=\"webhook\"}}");
        value(&metrics, &series).unwrap_or(0.0) as usize
    };
    count("total") - count("failed_total")
}
