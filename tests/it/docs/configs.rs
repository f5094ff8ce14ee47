//! The configurations in the documentation are valid. A block names the file that it belongs into.

use std::{fs, path::Path, process::Command};

use wecom_relay::config::{self, Config};

use super::page::{Block, Page};
use crate::support::tools::{AMTOOL, find};

const APPS: &str = "
apps:
  - { name: ops, corp_id: ww1234567890abcdef, agent_id: 1000002, api_secret: not-a-real-secret }
";
const RECEIVERS: &str = "
receivers:
  - { name: wechat, to_user: zhangsan }
";

/// Each block `yaml` with this mark.
fn marked(mark: &str) -> Vec<(String, Block)> {
    let mut found = Vec::new();
    for page in Page::all() {
        for block in page.sections.into_iter().flat_map(|section| section.blocks) {
            if block.language() == "yaml" && block.mark() == mark {
                found.push((format!("{}:{}", page.name, block.line), block));
            }
        }
    }
    found
}

#[test]
fn the_relay_accepts_every_configuration() {
    let blocks = marked("config.yml");
    assert!(blocks.len() >= 4, "the pages have other configurations");
    for (_, block) in blocks {
        parse(&block.text, tempfile::tempdir().unwrap().path());
    }
}

/// Parses a configuration in `folder`, which is completed and gets the files that it names.
pub(super) fn parse(yaml: &str, folder: &Path) -> Config {
    let path = folder.to_str().unwrap();
    let mut yaml = yaml.replace("/etc/wecom-relay/", &format!("{path}/"));
    for (key, missing) in [("apps:", APPS), ("receivers:", RECEIVERS)] {
        if !yaml.lines().any(|line| line == key) {
            yaml.push_str(missing);
        }
    }
    support_files(path, &yaml);
    let parsed = config::parse(&yaml, &folder.join("config.yml"), &|_| Some("text".into()));
    parsed.unwrap_or_else(|diagnostics| panic!("{diagnostics:?}\n{yaml}")).config
}

/// Writes the files that a configuration names.
fn support_files(folder: &str, yaml: &str) {
    let certified = rcgen::generate_simple_self_signed(vec!["relay.example.com".to_owned()]).unwrap();
    for word in yaml.split([' ', '\n', '"']).filter(|word| word.starts_with(folder)) {
        let text = match word.rsplit('.').next().unwrap() {
            "crt" => certified.cert.pem(),
            "key" => certified.signing_key.serialize_pem(),
            _ => "not-a-real-secret\n".to_owned(),
        };
        fs::write(word, text).unwrap();
    }
}

/// The configurations of Alertmanager, one file each. A block with receivers only gets a route.
fn alertmanager_configs() -> Vec<(String, tempfile::NamedTempFile)> {
    let blocks = marked("alertmanager.yml").into_iter();
    let written = blocks.map(|(place, block)| {
        let whole = block.text.starts_with("route:\n");
        let yaml = if whole {
            block.text
        } else {
            format!("route:\n  receiver: wechat\nreceivers:\n  - name: wechat\n{}", block.text)
        };
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), yaml).unwrap();
        (place, file)
    });
    written.collect()
}

#[test]
fn alertmanager_accepts_every_configuration() {
    let Some(amtool) = find(&AMTOOL) else { return };
    for (place, config) in alertmanager_configs() {
        let checked = Command::new(&amtool).arg("check-config").arg(config.path()).output().unwrap();
        assert!(checked.status.success(), "{place}: {checked:?}");
    }
}

#[test]
fn alerts_about_the_relay_take_another_way() {
    let Some(amtool) = find(&AMTOOL) else { return };
    let configs = alertmanager_configs();
    let with_heartbeat = |(_, file): &&(String, tempfile::NamedTempFile)| {
        fs::read_to_string(file.path()).unwrap().contains("DeadMansSwitch")
    };
    let (_, config) = configs.iter().find(with_heartbeat).unwrap();
    for (alert, receivers) in
        [("WecomRelayDown", "email,wechat"), ("DeadMansSwitch", "heartbeat"), ("DiskFull", "wechat")]
    {
        let mut routes = Command::new(&amtool);
        routes.args(["config", "routes", "test", "--config.file"]).arg(config.path());
        let routed = routes.arg(format!("alertname={alert}")).output().unwrap();
        assert_eq!(String::from_utf8(routed.stdout).unwrap().trim(), receivers, "{alert}");
    }
}
