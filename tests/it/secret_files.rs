//! Secret files that change while the relay runs.

use std::{fs, os::unix::fs::symlink, sync::Arc, time::Duration};

use reqwest::Method;
use tempfile::TempDir;
use wecom_relay::{app::Tuning, outbox::Outbox as _};

use crate::support::{Options, Relay, SECRET, Wecom, eventually, payload, short_delays};

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
