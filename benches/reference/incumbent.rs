//! Alertmanager's own WeChat notifier.

use std::{
    env, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use crate::{http1, payload, process::Process};

/// Debian's name of it, or its own.
pub(crate) fn find() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let names = ["prometheus-alertmanager", "alertmanager"];
    let mut files =
        names.iter().flat_map(|name| env::split_paths(&path).map(move |folder| folder.join(name)));
    files.find(|file| file.is_file())
}

/// Alertmanager, which groups as the relay's payloads are grouped, all for `sink`.
pub(crate) fn start(binary: &Path, folder: &Path, sink: SocketAddr) -> Process {
    let config = folder.join("alertmanager.yml");
    let text = format!(
        "route:\n  receiver: wechat\n  group_by: [alertname, job]\n  group_wait: 1s\n  group_interval: 5m\n  \
         repeat_interval: 4h\nreceivers:\n  - name: wechat\n    wechat_configs:\n      - api_url: http://{sink}/cgi-bin/\n        \
         corp_id: ww1234567890abcdef\n        agent_id: '1000002'\n        api_secret: not-a-real-secret\n        \
         to_user: user\n"
    );
    fs::write(&config, text).unwrap();
    let mut command = Command::new(binary);
    command
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.path={}", folder.join("data").display()))
        .args(["--web.listen-address=127.0.0.1:0", "--cluster.listen-address=", "--log.level=info"]);
    Process::launch(command, |line| {
        line.split_once("Listening on")?.1.split_once("address=")?.1.trim().parse().ok()
    })
}

/// Posts the alerts of `groups` groups: those that the relay is posted.
pub(crate) fn fire(address: SocketAddr, groups: u64) {
    let alerts = (0..groups).flat_map(|id| {
        let notification: Value = serde_json::from_str(&payload::payload(id, payload::ALERTS)).unwrap();
        let alerts = notification["alerts"].as_array().unwrap().clone();
        alerts.into_iter().map(|alert| {
            json!({ "labels": alert["labels"], "annotations": alert["annotations"], "generatorURL": alert["generatorURL"] })
        })
    });
    let body = Value::Array(alerts.collect()).to_string();
    let (status, answer) = http1::once(address, "POST", "/api/v2/alerts", &body);
    assert_eq!(status, 200, "{answer}");
}
