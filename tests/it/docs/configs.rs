//! The configurations in the documentation are valid. A block names the file that it belongs into.

use std::{fs, path::Path, process::Command};

use wecom_relay::config::{self, Config};

use super::page::{Block, Page};
use crate::support::tools::{AMTOOL, find};

const APPS: &str = "
apps:
  - { name: ops, corp_id: ww1234567890abcdef, agent_id: 1000002, api_secret: not-a-real-secret }
";
const ROBOTS: &str = "
robots:
  - { name: team, key: not-a-real-key }
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

/// A configuration that sets `key`, or leaves it out if `value` is `~`.
fn with(key: &str, value: &str) -> String {
    let [apps, robots, receivers] = [APPS, ROBOTS, RECEIVERS].map(|yaml| yaml.replace(" }\n", ", KEY }\n"));
    let nested = |path: &str| {
        let keys: Vec<_> = path.split('.').collect();
        let end = " }".repeat(keys.len() - 1);
        format!("{}: {value}{end}", keys.join(": { "))
    };
    if let Some(path) = key.strip_prefix("apps[].") {
        return apps.replace("KEY", &nested(path)) + RECEIVERS;
    }
    if let Some(path) = key.strip_prefix("robots[].") {
        return robots.replace("KEY", &nested(path)) + APPS + RECEIVERS;
    }
    match key.strip_prefix("receivers[].") {
        Some(path) => APPS.to_owned() + &receivers.replace("KEY", &nested(path)),
        None => format!("{}\n{APPS}{RECEIVERS}", nested(key)),
    }
}

#[test]
fn the_defaults_in_the_table_are_those_of_the_program() {
    let page = Page::read("docs/configuration.md");
    let mut compared = 0;
    for row in page.section("All keys").text.lines().filter_map(|line| line.strip_prefix("| `")) {
        let (key, rest) = row.split_once("` | ").unwrap();
        let default = rest.split(" | ").next().unwrap();
        let literal = default.strip_prefix('`').and_then(|default| default.strip_suffix('`'));
        let Some(default) = literal.filter(|text| !text.contains(['`', '{']) && *text != "language") else {
            continue;
        };
        let folder = tempfile::tempdir().unwrap();
        let read = |value: &str| format!("{:?}", parse(&with(key, value), folder.path()));
        assert_eq!(read(default), read("~"), "{key}");
        compared += 1;
    }
    assert!(compared >= 14, "only {compared} defaults were compared");
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
            _ if word.ends_with("_aes_key") => "NotARealKeyNotARealKeyNotARealKeyNotARealKe\n".to_owned(),
            _ if word.ends_with("_callback_token") => "NotARealToken\n".to_owned(),
            _ if word.ends_with("_url") => "postgres://relay:not-a-real-password@db1/relay".to_owned(),
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

/// The receivers of an alert with this label, in the configuration that contains `word`.
fn receivers(amtool: &Path, word: &str, label: &str) -> String {
    let configs = alertmanager_configs();
    let has_word = |(_, file): &&(String, tempfile::NamedTempFile)| {
        fs::read_to_string(file.path()).unwrap().contains(word)
    };
    let (_, config) = configs.iter().find(has_word).unwrap();
    let mut routes = Command::new(amtool);
    routes.args(["config", "routes", "test", "--config.file"]).arg(config.path());
    let routed = routes.arg(label).output().unwrap();
    String::from_utf8(routed.stdout).unwrap().trim().to_owned()
}

#[test]
fn critical_alerts_reach_somebody_by_day_and_by_night() {
    let Some(amtool) = find(&AMTOOL) else { return };
    assert_eq!(receivers(&amtool, "active_time_intervals", "severity=critical"), "night,day");
    assert_eq!(receivers(&amtool, "active_time_intervals", "severity=warning"), "day");
}

#[test]
fn alerts_about_the_relay_take_another_way() {
    let Some(amtool) = find(&AMTOOL) else { return };
    for (alert, expected) in
        [("WecomRelayDown", "email,wechat"), ("DeadMansSwitch", "heartbeat"), ("DiskFull", "wechat")]
    {
        assert_eq!(receivers(&amtool, "DeadMansSwitch", &format!("alertname={alert}")), expected, "{alert}");
    }
}
