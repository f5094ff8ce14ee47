//! The README matches the program.

mod chinese;

use std::{collections::BTreeSet, process::Command};

use wecom_relay::config::accepted_keys;

use crate::support::tools::{AMTOOL, find};

const README: &str = include_str!("../../README.md");
const ARCHITECTURE: &str = include_str!("../../docs/architecture.md");
const LIB: &str = include_str!("../../src/lib.rs");
const CI: &str = include_str!("../../.ci/run");

pub(crate) fn section(heading: &str) -> &'static str {
    let section = README.split(&format!("\n## {heading}\n")).nth(1).unwrap();
    section.split("\n## ").next().unwrap()
}

/// The first cell of each row, without backticks.
fn first_column(heading: &str) -> Vec<&'static str> {
    let rows = section(heading).lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| row.split('`').next().unwrap()).collect()
}

#[test]
fn the_reference_has_exactly_the_accepted_keys() {
    let keys: BTreeSet<String> = first_column("Configuration").into_iter().map(str::to_owned).collect();
    assert_eq!(keys, accepted_keys().into_iter().collect());
}

#[test]
fn the_architecture_lists_every_module() {
    let modules = LIB.lines().filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod "));
    for module in modules.map(|module| module.trim_end_matches(';')) {
        let rows = [format!("\n| `{module}.rs` |"), format!("\n| `{module}/` |")];
        assert!(rows.iter().any(|row| ARCHITECTURE.contains(row)), "{module} is not in docs/architecture.md");
    }
}

#[test]
fn every_subcommand_is_described() {
    let help = Command::new(env!("CARGO_BIN_EXE_wecom-relay")).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let commands = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let commands: Vec<_> = commands.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert!(commands.contains(&"serve"), "{help}");
    let described = first_column("Commands");
    for command in commands {
        let is_it = |row: &&str| row.split_whitespace().nth(1) == Some(command);
        assert!(described.iter().any(is_it), "{command} is not in {described:?}");
    }
}

#[test]
fn ci_runs_the_commands_of_the_readme() {
    for command in
        ["cargo test --locked", "cargo fmt --check", "cargo clippy --locked --all-targets -- -D warnings"]
    {
        assert!(README.contains(command), "{command} is not in the README");
        assert!(CI.contains(command), "{command} is not in .ci/run");
    }
    assert!(README.contains("\ncargo run --release -- demo\n"));
    assert!(CI.contains(r#""$release" demo --once"#));
}

#[test]
fn the_shortest_configuration_is_valid() {
    let section = README.split("in its shortest form:").nth(1).unwrap();
    let yaml = section.split("```").nth(1).unwrap().strip_prefix("yaml\n").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "not-a-real-secret\n").unwrap();
    let yaml = yaml.replace("/etc/wecom-relay/ops_secret", secret.to_str().unwrap());
    let parsed = wecom_relay::config::parse(&yaml, &folder.path().join("config.yml"), &|_| None);
    assert_eq!(parsed.unwrap().config.receivers.len(), 1);
}

/// Alertmanager configurations of the README, one file each.
fn alertmanager_configs() -> Vec<tempfile::NamedTempFile> {
    let blocks = README.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let whole = blocks.filter(|yaml| yaml.starts_with("route:\n"));
    let written = whole.map(|yaml| {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), yaml).unwrap();
        file
    });
    written.collect()
}

#[test]
fn alertmanager_accepts_the_configurations_and_routes() {
    let Some(amtool) = find(&AMTOOL) else { return };
    let [first, second] = &alertmanager_configs()[..] else { panic!("the README has other configurations") };
    for config in [first, second] {
        let checked = Command::new(&amtool).arg("check-config").arg(config.path()).output().unwrap();
        assert!(checked.status.success(), "{checked:?}");
    }
    for (alert, receivers) in
        [("WecomRelayDown", "email,wechat"), ("DeadMansSwitch", "heartbeat"), ("DiskFull", "wechat")]
    {
        let mut routes = Command::new(&amtool);
        routes.args(["config", "routes", "test", "--config.file"]).arg(second.path());
        let routed = routes.arg(format!("alertname={alert}")).output().unwrap();
        assert_eq!(String::from_utf8(routed.stdout).unwrap().trim(), receivers, "{alert}");
    }
}
