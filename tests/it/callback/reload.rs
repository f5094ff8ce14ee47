//! Keys that change while the relay runs.

use std::{fs, sync::Arc, time::Duration};

use reqwest::Method;
use tempfile::TempDir;
use wecom_relay::app::Tuning;

use super::{Call, KEY, OTHER_KEY, TOKEN, keys, keys_of, with_callback};
use crate::support::{CORP, Options, Relay, Wecom, eventually, short_delays};

#[tokio::test]
async fn a_changed_secret_file_is_used_without_a_reload() {
    let wecom = Wecom::start().await;
    let folder = Arc::new(TempDir::new().unwrap());
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("token", &format!("{TOKEN}\n"));
    write("key", KEY);
    let options = Options {
        app: "    callback: { token_file: token, encoding_aes_key_file: key }\n".to_owned(),
        folder: Some(Arc::clone(&folder)),
        tuning: Tuning { secret_check: Duration::from_millis(20), ..short_delays() },
        ..Options::default()
    };
    let relay = Relay::with(&wecom.url, options).await;
    let status =
        async |token, key| Call::verification(&keys_of(token, key, CORP), "123").send(&relay).await.status;
    assert_eq!(status(TOKEN, KEY).await, 200);
    write("key", OTHER_KEY);
    eventually(async || status(TOKEN, OTHER_KEY).await, |status| *status == 200).await;
    assert_eq!(status(TOKEN, KEY).await, 403);
    write("token", "Another0Token");
    eventually(async || status("Another0Token", OTHER_KEY).await, |status| *status == 200).await;
    // A key that cannot be one leaves the old one in use.
    write("key", "short");
    let failed = async || relay.request(Method::GET, "/metrics", "").await.1;
    eventually(failed, |metrics| metrics.contains("\nwecom_relay_config_last_reload_successful 0\n")).await;
    assert_eq!(status("Another0Token", OTHER_KEY).await, 200);
    relay.stop().await;
}

#[tokio::test]
async fn a_reload_adds_and_removes_callbacks() {
    let wecom = Wecom::start().await;
    let relay = Relay::with(&wecom.url, with_callback()).await;
    let path = relay.folder.path().join("config.yml");
    let yaml = fs::read_to_string(&path).unwrap();
    let line = with_callback().app;
    fs::write(&path, yaml.replace(&line, "")).unwrap();
    assert!(relay.reloads.reload().await.unwrap().is_ok());
    assert_eq!(Call::verification(&keys(), "123").send(&relay).await.status, 403);
    fs::write(&path, yaml).unwrap();
    assert!(relay.reloads.reload().await.unwrap().is_ok());
    assert_eq!(Call::verification(&keys(), "123").send(&relay).await.status, 200);
    relay.stop().await;
}

#[tokio::test]
async fn another_address_needs_a_restart() {
    let wecom = Wecom::start().await;
    let relay = Relay::with(&wecom.url, with_callback()).await;
    let path = relay.folder.path().join("config.yml");
    let yaml = fs::read_to_string(&path).unwrap();
    fs::write(&path, yaml.replace("'127.0.0.1:0'", "'127.0.0.1:0', callback_listen: '127.0.0.1:1'")).unwrap();
    let summary = relay.reloads.reload().await.unwrap().unwrap();
    assert!(summary.contains("needs a restart to change: server.callback_listen"), "{summary}");
    assert_eq!(Call::verification(&keys(), "123").send(&relay).await.status, 200);
    relay.stop().await;
}
