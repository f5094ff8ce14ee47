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

/// Finds Alertmanager on the `PATH`, under the name that Debian gives it or under its own. CI must have it.
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
    for name in ["prometheus-alertmanager", "alertmanager"] {
        let mut files = env::split_paths(&path).map(|folder| folder.join(name));
        if let Some(file) = files.find(|file| file.is_file()) {
            return Some(file);
        }
    }
    None
}

/// Starts an Alertmanager that sends the same notifications to the same members as the relay, with its own notifier. It
/// does not wait for more alerts of a group, because the relay does not wait either.
pub(crate) fn start(binary: &Path, folder: &Path, sink: SocketAddr) -> Process {
    let config = folder.join("alertmanager.yml");
    let text = format!(
        "
route:
  receiver: wechat
  group_by: [alertname, job]
  group_wait: 0s
  group_interval: 5m
  repeat_interval: 4h
receivers:
  - name: wechat
    wechat_configs:
      - api_url: http://{sink}/cgi-bin/
        corp_id: ww1234567890abcdef
        agent_id: '1000002'
        api_secret: not-a-real-secret
        to_user: '{MEMBER_TEMPLATE_GO}'
"
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
