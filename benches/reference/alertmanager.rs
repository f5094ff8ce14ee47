//! Alertmanager's own WeChat notifier.

use std::{
    env, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    payload::{Api, MEMBER_TEMPLATE_GO},
    process::Process,
};

/// Looks for Alertmanager on the `PATH`, under Debian's name and under its own. CI must have it.
pub(crate) fn find() -> Option<PathBuf> {
    let found = find_on_path();
    let ci = env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(
        found.is_some() || !ci,
        "Alertmanager is not on the PATH: apt-get install prometheus-alertmanager"
    );
    found
}

fn find_on_path() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let names = ["prometheus-alertmanager", "alertmanager"];
    let mut files =
        names.iter().flat_map(|name| env::split_paths(&path).map(move |folder| folder.join(name)));
    files.find(|file| file.is_file())
}

/// Starts an Alertmanager that sends the same notifications to the same members with its own notifier. It does not
/// wait for more alerts of a group, because the relay does not wait either.
pub(crate) fn start(binary: &Path, folder: &Path, sink: SocketAddr) -> Process {
    let config = folder.join("alertmanager.yml");
    let text = format!(
        "route:\n  receiver: wechat\n  group_by: [alertname, job]\n  group_wait: 0s\n  group_interval: 5m\n  \
         repeat_interval: 4h\nreceivers:\n  - name: wechat\n    wechat_configs:\n      - api_url: http://{sink}/cgi-bin/\n        \
         corp_id: ww1234567890abcdef\n        agent_id: '1000002'\n        api_secret: not-a-real-secret\n        \
         to_user: '{MEMBER_TEMPLATE_GO}'\n"
    );
    fs::write(&config, text).unwrap();
    let mut command = Command::new(binary);
    command
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.path={}", folder.join("data").display()))
        .args(["--web.listen-address=127.0.0.1:0", "--cluster.listen-address=", "--log.level=info"]);
    Process::launch(command, Api::Alerts, |line| {
        line.split_once("Listening on")?.1.split_once("address=")?.1.trim().parse().ok()
    })
}
