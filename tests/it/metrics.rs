//! Metrics of a running relay: each one changes with its event, and with no other.

mod deliveries;
mod queue;
mod table;

pub(crate) use table::{Metric, described, exported};

use std::process::Command;

use reqwest::Method;

use wecom_relay::{
    clock::{Clock, SystemClock},
    sandbox::{Api, Effect, Fault, Settings},
};

use crate::support::{
    Options, Relay, Wecom, eventually, payload, short_delays, soon,
    tools::{PROMTOOL, find},
};

/// A relay for zhangsan with pauses of tenths of seconds instead of seconds and minutes.
fn quick() -> Options {
    Options { tuning: short_delays(), ..Options::default() }
}

pub(crate) async fn scrape(relay: &Relay) -> String {
    let request = relay.client.get(format!("{}/metrics", relay.url));
    let response = request.header("accept", "application/openmetrics-text").send().await.unwrap();
    assert_eq!(response.status(), 200);
    response.text().await.unwrap()
}

/// The value of a series in `text`, if it is exported.
pub(crate) fn value(text: &str, series: &str) -> Option<f64> {
    let of_series = |line: &str| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok();
    text.lines().find_map(of_series)
}

/// The current values of these series.
async fn values<const N: usize>(relay: &Relay, series: [&str; N]) -> [f64; N] {
    let text = scrape(relay).await;
    series.map(|series| value(&text, series).unwrap_or_else(|| panic!("{series} is not in:\n{text}")))
}

/// Waits until a series has a value.
async fn until(relay: &Relay, series: &str, wanted: impl Fn(f64) -> bool) {
    eventually(async || values(relay, [series]).await[0], |value| wanted(*value)).await;
}

#[tokio::test]
async fn promtool_accepts_the_older_text_format() {
    let Some(promtool) = find(&PROMTOOL) else { return };
    let wecom = Wecom::start().await;
    let relay = Relay::start(&wecom.url).await;
    let response = relay.client.get(format!("{}/metrics", relay.url)).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let text = response.text().await.unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &text).unwrap();
    let input = std::fs::File::open(file.path()).unwrap();
    let checked = Command::new(promtool).args(["check", "metrics"]).stdin(input).output().unwrap();
    assert!(checked.status.success(), "{}\n{text}", String::from_utf8_lossy(&checked.stderr));
    relay.stop().await;
}

#[tokio::test]
async fn all_series_are_exported_from_the_start_as_openmetrics() {
    let wecom = Wecom::start().await;
    let began = SystemClock.now().as_second() as f64;
    let relay = Relay::start(&wecom.url).await;
    let request = relay.client.get(format!("{}/metrics", relay.url));
    let response = request.header("accept", "application/openmetrics-text").send().await.unwrap();
    let format = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(response.headers()["content-type"], format);
    let text = response.text().await.unwrap();
    assert!(text.ends_with("\n# EOF\n") && text.matches("# EOF").count() == 1, "{text}");
    for series in [
        r#"wecom_relay_notifications_received_total{receiver="wechat",result="accepted"}"#,
        r#"wecom_relay_notifications_received_total{receiver="",result="rejected"}"#,
        r#"wecom_relay_deliveries_total{receiver="wechat",state="delivered",reason=""}"#,
        r#"wecom_relay_deliveries_total{receiver="wechat",state="dead",reason="discarded"}"#,
        r#"wecom_relay_attempts_total{app="ops",errcode="0"}"#,
        r#"wecom_relay_delivery_latency_seconds_count{receiver="wechat"}"#,
        r#"wecom_relay_request_duration_seconds_count{app="ops"}"#,
        r#"wecom_relay_rate_limit_wait_seconds_count{app="ops"}"#,
        r#"wecom_relay_sender_held{app="ops",reason="configuration"}"#,
        r#"wecom_relay_sender_held{app="ops",reason="rate_limited"}"#,
        r#"wecom_relay_folded_total{app="ops"}"#,
        r#"wecom_relay_token_refreshes_total{app="ops",result="failed"}"#,
        r#"wecom_relay_template_fallbacks_total{receiver="wechat"}"#,
        r#"wecom_relay_invalid_recipients_total{app="ops",kind="unlicenseduser"}"#,
        r#"wecom_relay_outbox_depth{receiver="wechat"}"#,
        r#"wecom_relay_outbox_oldest_age_seconds{receiver="wechat"}"#,
    ] {
        assert_eq!(value(&text, series), Some(0.0), "{series} in:\n{text}");
    }
    let version = format!("wecom_relay_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
    assert_eq!(value(&text, &version), Some(1.0));
    assert_eq!(value(&text, "wecom_relay_config_last_reload_successful"), Some(1.0));
    let loaded = value(&text, "wecom_relay_config_last_reload_success_timestamp_seconds").unwrap();
    assert!((began..began + 60.0).contains(&loaded), "{loaded}");
    let process =
        ["cpu_seconds_total", "resident_memory_bytes", "virtual_memory_bytes", "open_fds", "max_fds"];
    for name in process {
        assert!(value(&text, &format!("process_{name}")).unwrap() > 0.0, "{name}");
    }
    let started = value(&text, "process_start_time_seconds").unwrap();
    assert!((began - 3600.0..=began + 2.0).contains(&started), "{started}");
    relay.stop().await;
}

#[tokio::test]
async fn requests_are_counted_by_result_and_known_receiver() {
    let wecom = Wecom::start().await;
    let receivers = "  - { name: wechat, to_user: zhangsan, send_resolved: false }\n".to_owned();
    let relay = Relay::with(&wecom.url, Options { receivers, ..Options::default() }).await;
    relay.post(&payload("Down", &[("a", true)])).await;
    relay.post(&payload("Down", &[("a", true)])).await;
    relay.post(&payload("Down", &[("a", false)])).await;
    for (path, body) in [("/webhook/made-up-1", "{}"), ("/webhook/made-up-2", "{}"), ("/webhook", "no json")]
    {
        assert!(relay.request(Method::POST, path, body).await.0 >= 400);
    }
    let text = scrape(&relay).await;
    for (receiver, result, count) in [
        ("wechat", "accepted", 1.0),
        ("wechat", "duplicate", 1.0),
        ("wechat", "filtered", 1.0),
        ("wechat", "storage_error", 0.0),
        ("", "rejected", 3.0),
    ] {
        let series = format!(
            "wecom_relay_notifications_received_total{{receiver=\"{receiver}\",result=\"{result}\"}}"
        );
        assert_eq!(value(&text, &series), Some(count), "{series} in:\n{text}");
    }
    assert!(!text.contains("made-up"), "{text}");
    relay.stop().await;
}

#[tokio::test]
async fn a_post_to_a_wrong_path_is_counted_as_rejected() {
    let wecom = Wecom::start().await;
    let relay = Relay::start(&wecom.url).await;
    let series = r#"wecom_relay_notifications_received_total{receiver="",result="rejected"}"#;
    for (count, method, path, status) in [
        (1.0, Method::POST, "/webhok", 404),
        (2.0, Method::PUT, "/webhook/a/b", 404),
        (3.0, Method::POST, "/webhook/%FF", 404),
        (4.0, Method::POST, "/metrics", 405),
        (5.0, Method::PATCH, "/webhook", 405),
        // A GET carries no alert.
        (5.0, Method::GET, "/favicon.ico", 204),
        (5.0, Method::GET, "/webhook", 405),
    ] {
        assert_eq!(relay.request(method, path, "{}").await.0, status, "{path}");
        assert_eq!(value(&scrape(&relay).await, series), Some(count), "{path}");
    }
    relay.stop().await;
}

#[tokio::test]
async fn a_template_that_falls_back_is_counted() {
    let wecom = Wecom::start().await;
    let receivers =
        "  - { name: wechat, to_user: zhangsan, message: '{{ commonLabels.nothing }}' }\n".to_owned();
    let relay = Relay::with(&wecom.url, Options { receivers, ..Options::default() }).await;
    relay.post(&payload("Down", &[("a", true)])).await;
    let fallbacks = r#"wecom_relay_template_fallbacks_total{receiver="wechat"}"#;
    assert_eq!(values(&relay, [fallbacks]).await, [1.0]);
    relay.stop().await;
}

#[tokio::test]
async fn token_refreshes_are_counted_by_their_result() {
    let wecom = Wecom::live(Settings::default()).await;
    let relay = Relay::with(&wecom.url, quick()).await;
    let lost = Effect::HttpStatus { status: 500, body: String::new(), taken: false };
    wecom.sandbox.inject(Fault::new(lost).on(Api::Gettoken).times(1));
    relay.post(&payload("First", &[("a", true)])).await;
    soon(wecom.sandbox.wait_for_delivered("zhangsan", 1)).await;
    let series_of =
        |result: &str| format!("wecom_relay_token_refreshes_total{{app=\"ops\",result=\"{result}\"}}");
    let [ok, refused, failed] = ["ok", "refused", "failed"].map(series_of);
    let series = [ok.as_str(), refused.as_str(), failed.as_str()];
    assert_eq!(values(&relay, series).await, [1.0, 0.0, 1.0]);
    wecom.sandbox.inject(Fault::errcode(40001).on(Api::Gettoken).times(1));
    wecom.sandbox.inject(Fault::errcode(42001).on(Api::MessageSend).times(1));
    relay.post(&payload("Second", &[("a", true)])).await;
    soon(wecom.sandbox.wait_for_delivered("zhangsan", 2)).await;
    assert_eq!(values(&relay, series).await, [2.0, 1.0, 1.0]);
    relay.stop().await;
}
