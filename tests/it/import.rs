//! A real Alertmanager with its own `wechat_configs`, and one with what `import` makes of them, send the same bytes.

mod configurations;

use std::{fs, path::Path, process::Command};

use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;
use wecom_relay::{
    clock::{Clock as _, SystemClock},
    sandbox::Settings,
};

use crate::{
    alertmanager::{Alertmanager, alerts},
    support::{
        Process, Wecom, eventually,
        tools::{ALERTMANAGER, find},
    },
};
use configurations::{ALL, Configuration, TEMPLATES};

/// Where the imported configuration says that the relay listens. The test replaces it by a free port.
const RELAY: &str = "http://127.0.0.1:1";

#[tokio::test]
async fn an_imported_configuration_sends_the_same_bytes() {
    let Some(binary) = find(&ALERTMANAGER) else { return };
    for configurations in ALL.chunks(6) {
        let compared = configurations.iter().map(|configuration| compare(&binary, configuration));
        futures_util::future::join_all(compared).await;
    }
}

/// Sends the same alerts to both, first firing and then resolved.
async fn compare(binary: &Path, configuration: &Configuration) {
    let (native_wecom, relay_wecom) =
        (Wecom::live(Settings::default()).await, Wecom::live(Settings::default()).await);
    let folder = TempDir::new().unwrap();
    for (name, text) in TEMPLATES {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let filled = |wecom: &Wecom| {
        let text = configuration.text.replace("API", &format!("{}/cgi-bin/", wecom.url));
        text.replace("FOLDER", &folder.path().display().to_string())
    };
    let native = Alertmanager::start(binary, &filled(&native_wecom)).await;
    let (relay, imported) = import(&folder, &filled(&relay_wecom)).await;
    let imported = Alertmanager::start(binary, &imported).await;

    // Alertmanager waits `group_wait` for the other alerts of a group only after new alerts. It tells of resolved alerts
    // after `group_interval`, so all of them arrive before.
    let start = SystemClock.now();
    let mut expected = 0;
    for (fires, messages) in [true, false].into_iter().zip(configuration.messages) {
        let alerts = moved_to(start, alerts(|_| fires));
        native.post(&alerts).await;
        imported.post(&alerts).await;
        expected += messages;
        let (one, other) = eventually(
            async || (received(&native_wecom), received(&relay_wecom)),
            |(native, relayed)| native.len() >= expected && relayed.len() >= expected,
        )
        .await;
        assert_eq!(one, other, "{}", configuration.name);
        assert_eq!(one.len(), expected, "{}", configuration.name);
    }
    drop((native, imported));
    relay.kill().await;
}

/// Imports a configuration, and starts a relay with it. Returns the new configuration of Alertmanager.
async fn import(folder: &TempDir, alertmanager: &str) -> (Process, String) {
    let (source, new) = (folder.path().join("alertmanager.yml"), folder.path().join("new"));
    fs::write(&source, alertmanager).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_wecom-relay"));
    command.arg("import").arg(&source).arg("--out").arg(&new).args(["--relay-url", RELAY]);
    let imported = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(imported.status.success(), "{alertmanager}\n{imported:?}");
    let config = new.join("config.yml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("127.0.0.1:1'", "127.0.0.1:0'")).unwrap();
    let relay = Process::start(&config).await;
    let alertmanager = fs::read_to_string(new.join("alertmanager.yml")).unwrap();
    assert!(!alertmanager.contains("wechat_configs"), "{alertmanager}");
    let alertmanager = alertmanager.replace(RELAY, &relay.url);
    (relay, alertmanager)
}

/// `alerts` with this time as their start and, if they are resolved, as their end.
fn moved_to(time: Timestamp, mut alerts: Value) -> Value {
    for alert in alerts.as_array_mut().unwrap() {
        let ends = alert.get("endsAt").is_some();
        alert["startsAt"] = json!(time.to_string());
        if ends {
            alert["endsAt"] = json!(time.to_string());
        }
    }
    alerts
}

/// The messages in a fixed order: type, members and text.
fn received(wecom: &Wecom) -> Vec<String> {
    let messages = wecom.sandbox.messages().into_iter();
    let mut messages: Vec<_> = messages
        .map(|message| format!("{} {:?}\n{}", message.msgtype, message.members, message.text))
        .collect();
    messages.sort();
    messages
}
