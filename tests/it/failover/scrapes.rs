//! The metrics of two replicas: their sums are the truth, whichever of them sends.

use reqwest::header::ACCEPT;
use wecom_relay::sandbox::{Api, Fault};

use super::site::{Site, name};
use crate::{
    metrics::value,
    support::{
        eventually, http_client,
        members::{member, payload_for},
        process::post,
    },
};

const GROUPS: usize = 40;

/// Counters, summed over the processes.
const COUNTERS: [&str; 4] = [
    r#"wecom_relay_notifications_received_total{receiver="wechat",result="accepted"}"#,
    r#"wecom_relay_notifications_received_total{receiver="wechat",result="duplicate"}"#,
    r#"wecom_relay_deliveries_total{receiver="wechat",state="delivered",reason=""}"#,
    "wecom_relay_attempts_total",
];

/// The metrics of a replica.
async fn scrape(site: &Site, number: usize) -> String {
    let request = http_client().get(format!("{}/metrics", site.urls[number]));
    let answer = request.header(ACCEPT, "application/openmetrics-text").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.text().await.unwrap()
}

/// The sum of a series over both replicas, or of all series with a name.
pub(super) async fn sum(site: &Site, series: &str) -> f64 {
    let mut sum = 0.0;
    for number in 0..2 {
        sum += of(&scrape(site, number).await, series);
    }
    sum
}

/// A series in `metrics`, or the sum of all series with a name. A series that is not exported is 0.
fn of(metrics: &str, series: &str) -> f64 {
    if series.contains('{') {
        return value(metrics, series).unwrap_or(0.0);
    }
    let lines =
        metrics.lines().filter_map(|line| line.strip_prefix(series)?.strip_prefix('{')?.rsplit_once(' '));
    lines.map(|(_, value)| value.parse::<f64>().unwrap()).sum()
}

/// Posts groups to both replicas, which must accept them.
async fn post_all(site: &Site, groups: std::ops::Range<usize>) {
    let client = http_client();
    for group in groups {
        let alert = payload_for(&member(group), &name(0, group), &[("a", true)]);
        let [a, b] = &site.urls;
        let answers = tokio::join!(post(&client, a, &alert), post(&client, b, &alert));
        assert_eq!(answers, (Some(200), Some(200)));
    }
}

/// Waits until the counters of both replicas and those of `ended` processes are the truth for this many groups.
async fn agree(site: &Site, groups: usize, ended: &[f64; 4]) {
    let (groups, sandbox) = (groups as f64, &site.wecom.sandbox);
    let sums = async || {
        let mut sums = *ended;
        for (sum, series) in sums.iter_mut().zip(COUNTERS) {
            *sum += self::sum(site, series).await;
        }
        (sums, sandbox.send_calls() as f64)
    };
    let is_truth = |(sums, calls): &([f64; 4], f64)| *sums == [groups, groups, groups, *calls];
    eventually(sums, is_truth).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_metrics_of_two_replicas_add_up() {
    let mut site = Site::start(&[]).await;
    let owner = site.owned().await;
    // The first scrape: the app is held, and everything waits.
    site.wecom.sandbox.inject(Fault::errcode(60020).on(Api::MessageSend));
    post_all(&site, 0..GROUPS).await;
    let held = r#"wecom_relay_sender_held{app="ops",reason="configuration"}"#;
    eventually(async || sum(&site, held).await, |held| *held == 1.0).await;
    let waiting = site.sql("SELECT count(*) FROM wecom_relay.delivery WHERE settled_at IS NULL");
    let depth = r#"wecom_relay_outbox_depth{receiver="wechat"}"#;
    assert_eq!(waiting, GROUPS.to_string());
    assert_eq!(sum(&site, depth).await, GROUPS as f64);
    assert_eq!(sum(&site, r#"wecom_relay_sender_owned{app="ops"}"#).await, 1.0);
    // The second one: everything is delivered.
    site.wecom.sandbox.clear_faults();
    agree(&site, GROUPS, &[0.0; 4]).await;
    assert_eq!(sum(&site, depth).await, 0.0);
    // The third one: the other replica sends. The counters of the process that has ended count as in Prometheus.
    let last = scrape(&site, owner).await;
    let ended = COUNTERS.map(|series| of(&last, series));
    site.stop(owner).await;
    site.launch(owner).await;
    post_all(&site, GROUPS..2 * GROUPS).await;
    agree(&site, 2 * GROUPS, &ended).await;
    assert_eq!(sum(&site, depth).await, 0.0);
    assert_eq!(sum(&site, r#"wecom_relay_sender_owned{app="ops"}"#).await, 1.0);
    assert_eq!(sum(&site, r#"wecom_relay_takeovers_total{app="ops",reason="released"}"#).await, 1.0);
}
