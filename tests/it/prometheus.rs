//! A real Prometheus and a real Alertmanager around the relay, configured by the files in `packaging/`: alerts arrive,
//! the metrics are scraped, every rule is evaluated and every panel of the dashboard has data.

use std::{
    fs,
    path::{Path, PathBuf},
};

use reqwest::{Client, Url};
use serde_json::{Value, json};
use tempfile::TempDir;
use wecom_relay::sandbox::{Api, Fault, Settings};

use crate::{
    packaging::{
        self,
        monitoring::{panels, variables},
    },
    support::{
        Process, SECRET, Wecom,
        daemon::Daemon,
        eventually, http_client, payload, soon,
        tools::{ALERTMANAGER, PROMETHEUS, find},
    },
};

const TOKEN: &str = "not-a-real-token";
/// A member who gets messages by the packaged configuration.
const MEMBER: &str = "zhangsan";
const SUMMARY: &str = "一切正常 <&> \"all is well\"";

#[tokio::test]
async fn alerts_arrive_and_every_rule_and_every_panel_has_data() {
    let (Some(prometheus), Some(alertmanager)) = (find(&PROMETHEUS), find(&ALERTMANAGER)) else { return };
    let folder = TempDir::new().unwrap();
    let wecom = Wecom::live(Settings::default()).await;
    let mut relay = Process::start(&relay_config(&folder, &wecom.url)).await;
    let alertmanager =
        Daemon::alertmanager(&alertmanager, &alertmanager_config(&folder, &relay.url), &[]).await;
    let config = prometheus_config(&folder, &relay.url, &alertmanager.url);
    let prometheus = Prometheus::start(&prometheus, &config).await;

    // A rate needs a scrape from before the first event.
    prometheus.reaches(async || prometheus.has_data(r#"up{job="wecom-relay"} == 1"#).await).await;
    wecom.sandbox.inject(busy_once());
    assert_eq!(relay.post(&payload("Stranger", &[("a", true)])).await, Some(401));
    for group in ["Disk", "Memory", "Network"] {
        assert_eq!(post_with_token(&relay, &payload(group, &[("a", true)])).await, 200);
    }
    let arrived = wecom.sandbox.wait_until(|sandbox| {
        let seen = sandbox.delivered_to(MEMBER);
        seen.len() >= 4 && seen.iter().any(|seen| seen.text.contains(SUMMARY))
    });
    soon(arrived).await;

    for (_, expr) in panels() {
        let expr = filled(&expr);
        // Starts and callbacks are shown only when there were some.
        let expr = expr.trim_end_matches(" > 0");
        prometheus.reaches(async || prometheus.has_data(expr).await).await;
    }
    for (series, label) in variables() {
        prometheus.reaches(async || prometheus.has_values(&filled(&series), &label).await).await;
    }
    prometheus.reaches(async || prometheus.evaluates_all_rules().await).await;
    drop((prometheus, alertmanager));
    relay.signal("TERM");
    assert!(relay.ended().await.success());
}

/// A fault that makes WeCom refuse the first send.
fn busy_once() -> Fault {
    Fault::errcode(-1).on(Api::MessageSend).times(1)
}

async fn post_with_token(relay: &Process, payload: &Value) -> u16 {
    let request = relay.client.post(format!("{}/webhook", relay.url)).bearer_auth(TOKEN);
    soon(request.body(payload.to_string()).send()).await.unwrap().status().as_u16()
}

/// `docker/config.yml` with a free port and the URL of the sandbox.
fn relay_config(folder: &TempDir, wecom: &str) -> PathBuf {
    fs::write(token_file(folder), TOKEN).unwrap();
    let secret = folder.path().join("ops_secret");
    fs::write(&secret, SECRET).unwrap();
    let config = changed(
        packaging::text("docker/config.yml"),
        &[
            ("server:\n", "server:\n  listen: 127.0.0.1:0\n"),
            ("/run/secrets/relay_token", &token_file(folder).to_string_lossy()),
            ("/data/outbox.db", &folder.path().join("outbox.db").to_string_lossy()),
            ("/run/secrets/ops_secret", &secret.to_string_lossy()),
            ("receivers:\n", &format!("    api_url: {wecom}/cgi-bin/\nreceivers:\n")),
        ],
    );
    let path = folder.path().join("config.yml");
    fs::write(&path, config).unwrap();
    path
}

/// `docker/alertmanager.yml` with the URL of the relay and without the 30 s of `group_wait`.
fn alertmanager_config(folder: &TempDir, relay: &str) -> String {
    changed(
        packaging::text("docker/alertmanager.yml"),
        &[
            ("  group_by: [alertname]\n", "  group_by: [alertname]\n  group_wait: 1s\n"),
            ("http://wecom-relay:8061", relay),
            ("/run/secrets/relay_token", &token_file(folder).to_string_lossy()),
        ],
    )
}

/// `prometheus/scrape.yml` with the credentials, the packaged rules and one of the test's own.
fn prometheus_config(folder: &TempDir, relay: &str, alertmanager: &str) -> String {
    let own = folder.path().join("own.rules.yml");
    let rule = json!({ "alert": "AllIsWell", "expr": "vector(1)", "for": "0s", "annotations": { "summary": SUMMARY } });
    // JSON is YAML.
    fs::write(&own, json!({ "groups": [{ "name": "own", "rules": [rule] }] }).to_string()).unwrap();
    let packaged = packaging::path("prometheus/rules.yml");
    let address = |url: &str| url.trim_start_matches("http://").to_owned();
    let scrape = changed(
        packaging::text("prometheus/scrape.yml"),
        &[
            ("scrape_interval: 15s", "scrape_interval: 1s"),
            ("127.0.0.1:8061", &address(relay)),
            ("#authorization:", "authorization:"),
            ("/etc/prometheus/relay_token", &token_file(folder).to_string_lossy()),
            (
                "  - /etc/prometheus/wecom-relay.rules.yml\n",
                &format!("  - {}\n  - {}\n", packaged.display(), own.display()),
            ),
        ],
    );
    let alertmanagers = format!("[{{ static_configs: [{{ targets: ['{}'] }}] }}]", address(alertmanager));
    format!("global: {{ evaluation_interval: 1s }}\nalerting: {{ alertmanagers: {alertmanagers} }}\n{scrape}")
}

fn token_file(folder: &TempDir) -> PathBuf {
    folder.path().join("relay_token")
}

/// `text` after these replacements. Each replaced text must be in it.
fn changed(text: String, replacements: &[(&str, &str)]) -> String {
    replacements.iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "{from} is not in\n{text}");
        text.replace(from, to)
    })
}

/// `expr` with values in place of Grafana's variables.
fn filled(expr: &str) -> String {
    let values = [
        ("$job", "wecom-relay"),
        ("$instance", ".*"),
        ("$receiver", ".*"),
        ("$app", ".*"),
        ("$__rate_interval", "1m"),
        ("$__range", "5m"),
    ];
    let expr = values.iter().fold(expr.to_owned(), |expr, (variable, value)| expr.replace(variable, value));
    assert!(!expr.contains('$'), "{expr}");
    expr
}

struct Prometheus {
    daemon: Daemon,
    client: Client,
}

impl Prometheus {
    async fn start(binary: &Path, config: &str) -> Self {
        let daemon = Daemon::prometheus(binary, config).await;
        Self { daemon, client: http_client() }
    }

    /// Waits until `check` finds nothing missing any more.
    async fn reaches(&self, check: impl AsyncFn() -> Result<(), String>) {
        // The log of the daemon shows the reason when something is missing.
        let look = async || soon(check()).await.map_err(|missing| (missing, self.daemon.log()));
        _ = eventually(look, Result::is_ok).await;
    }

    /// `expr` is valid, and at least one of its values is a number.
    async fn has_data(&self, expr: &str) -> Result<(), String> {
        let data = self.get("query", &[("query", expr)]).await?;
        let samples = data["result"].as_array().unwrap();
        let is_number = |sample: &Value| sample["value"][1].as_str().unwrap() != "NaN";
        if samples.iter().any(is_number) { Ok(()) } else { Err(format!("{expr} is {data}")) }
    }

    /// The series has this label.
    async fn has_values(&self, series: &str, label: &str) -> Result<(), String> {
        let values = self.get(&format!("label/{label}/values"), &[("match[]", series)]).await?;
        if values == json!([]) { Err(format!("{series} has no {label}")) } else { Ok(()) }
    }

    /// No rule had an error, and exactly the expected alerts are raised.
    async fn evaluates_all_rules(&self) -> Result<(), String> {
        let data = self.get("rules", &[]).await?;
        let groups = data["groups"].as_array().unwrap();
        let rules: Vec<&Value> = groups.iter().flat_map(|group| group["rules"].as_array().unwrap()).collect();
        if let Some(rule) = rules.iter().find(|rule| rule["health"] != "ok") {
            return Err(rule.to_string());
        }
        let mut raised: Vec<_> = rules
            .iter()
            .filter(|rule| rule["state"] != "inactive")
            .map(|rule| (rule["name"].as_str().unwrap(), rule["state"].as_str().unwrap()))
            .collect();
        raised.sort_unstable();
        let expected =
            [("AllIsWell", "firing"), ("DeadMansSwitch", "firing"), ("WecomRelayUnauthorized", "pending")];
        if raised == expected { Ok(()) } else { Err(format!("{raised:?}")) }
    }

    /// The data in the answer of the API, or its error.
    async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, String> {
        let url = Url::parse_with_params(&format!("{}/api/v1/{path}", self.daemon.url), query).unwrap();
        let text = self.client.get(url).send().await.unwrap().text().await.unwrap();
        // Before Prometheus is ready, its answer is not JSON.
        let mut answer: Value = serde_json::from_str(&text).unwrap_or_default();
        if answer["status"] == "success" {
            Ok(answer["data"].take())
        } else {
            Err(format!("{query:?}: {text}"))
        }
    }
}
