//! Secret files that change while the relay runs.

use std::{fs, os::unix::fs::symlink, sync::Arc, time::Duration};

use reqwest::Method;
use tempfile::TempDir;
use wecom_relay::{app::Tuning, outbox::Outbox as _, sandbox::Settings};

use crate::support::{Options, Relay, SECRET, Wecom, eventually, payload, short_delays, soon};

/// A relay with the secret `first` in a file, and the folder of the file. A change is noticed at once.
async fn relay(wecom: &Wecom, first: &str) -> (Relay, Arc<TempDir>) {
    let folder = Arc::new(TempDir::new().unwrap());
    fs::write(folder.path().join("ops.secret"), first).unwrap();
    let tuning = Tuning { secret_check: Duration::from_millis(20), ..short_delays() };
    let options = Options {
        // The key api_secret is empty, so the next line counts.
        secret: "\n    api_secret_file: ops.secret",
        folder: Some(Arc::clone(&folder)),
        tuning,
        ..Options::default()
    };
    (Relay::with(&wecom.url, options).await, folder)
}

impl Relay {
    async fn reload_metric(&self) -> bool {
        let (_, metrics) = self.request(Method::GET, "/metrics", "").await;
        metrics.contains("\nwecom_relay_config_last_reload_successful 1\n")
    }

    /// The line with the time of the last successful reload.
    async fn last_reload(&self) -> String {
        let (_, metrics) = self.request(Method::GET, "/metrics", "").await;
        let name = "wecom_relay_config_last_reload_success_timestamp_seconds ";
        metrics.lines().find(|line| line.starts_with(name)).unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_held_app_is_released_by_a_new_secret_file() {
    let wecom = Wecom::start().await;
    let (relay, folder) = relay(&wecom, "wrong-secret").await;
    relay.post(&payload("Down", &[("a", true)])).await;
    eventually(async || relay.outbox.holds().await.unwrap(), |holds| !holds.is_empty()).await;
    // A file that is being edited must not matter.
    fs::write(folder.path().join("config.yml"), "apps: 1").unwrap();
    fs::write(folder.path().join("ops.secret"), SECRET).unwrap();
    wecom.sandbox.wait_for_delivered("zhangsan", 1).await;
    relay.stop().await;
}

#[tokio::test]
async fn a_bad_secret_file_leaves_the_old_secret_in_use() {
    let wecom = Wecom::start().await;
    let (relay, folder) = relay(&wecom, SECRET).await;
    fs::remove_file(folder.path().join("ops.secret")).unwrap();
    eventually(async || relay.reload_metric().await, |is_successful| !is_successful).await;
    relay.post(&payload("Down", &[("a", true)])).await;
    wecom.sandbox.wait_for_delivered("zhangsan", 1).await;
    // As Kubernetes does it: a link to another file.
    fs::write(folder.path().join("mounted"), SECRET).unwrap();
    symlink("mounted", folder.path().join("ops.secret")).unwrap();
    eventually(async || relay.reload_metric().await, |is_successful| *is_successful).await;
    relay.stop().await;
}

/// Two robots with one key are one sender. A new key makes them two.
#[tokio::test]
async fn a_new_key_file_moves_a_robot_to_its_other_group() {
    const GROUPS: [(&str, &str); 2] =
        [("运维群", "sandbox-robot-key-ops"), ("数据库群", "sandbox-robot-key-db")];
    let [(first_group, first_key), (second_group, second_key)] = GROUPS;
    let wecom = Wecom::live(Settings::default()).await;
    let folder = Arc::new(TempDir::new().unwrap());
    fs::write(folder.path().join("oncall.key"), first_key).unwrap();
    let url = &wecom.url;
    let options = Options {
        more: format!(
            "robots:\n  - {{ name: team, key: {first_key}, api_url: {url} }}\n  \
             - {{ name: oncall, key_file: oncall.key, api_url: {url} }}\n"
        ),
        receivers: "  - { name: wechat, robot: oncall }\n  - { name: team, robot: team }\n".to_owned(),
        tuning: Tuning { secret_check: Duration::from_millis(20), ..short_delays() },
        folder: Some(Arc::clone(&folder)),
        ..Options::default()
    };
    let relay = Relay::with(url, options).await;
    relay.post(&payload("Before", &[("a", true)])).await;
    soon(wecom.sandbox.wait_for_group(first_group, 1)).await;
    soon(relay.settled(1)).await;
    let first_reload = relay.last_reload().await;
    fs::write(folder.path().join("oncall.key"), second_key).unwrap();
    eventually(async || relay.last_reload().await, |last| *last != first_reload).await;
    relay.post(&payload("After", &[("a", true)])).await;
    let shown = soon(wecom.sandbox.wait_for_group(second_group, 1)).await;
    assert!(shown[0].text.starts_with("[FIRING:1] After "), "{}", shown[0].text);
    soon(relay.settled(2)).await;
    relay.stop().await;
    assert_eq!(wecom.sandbox.delivered_to_group(first_group).len(), 1);
}
