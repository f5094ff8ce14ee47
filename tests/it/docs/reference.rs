//! The tables and commands of the documentation match the program.

use std::{collections::BTreeSet, process::Command};

use wecom_relay::config::accepted_keys;

use super::page::Page;

const LIB: &str = include_str!("../../../src/lib.rs");

#[test]
fn the_reference_has_exactly_the_accepted_keys() {
    let page = Page::read("docs/configuration.md");
    let keys: BTreeSet<_> = page.section("All keys").first_column().into_iter().map(str::to_owned).collect();
    assert_eq!(keys, accepted_keys().into_iter().collect());
}

#[test]
fn the_architecture_lists_every_module() {
    let page = Page::read("docs/architecture.md");
    let listed = page.section("Modules").first_column();
    let modules = LIB.lines().filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod "));
    for module in modules.map(|module| module.trim_end_matches(';')) {
        let rows = [format!("{module}.rs"), format!("{module}/")];
        assert!(
            rows.iter().any(|row| listed.contains(&row.as_str())),
            "{module} is not in docs/architecture.md"
        );
    }
}

#[test]
fn every_subcommand_is_described() {
    let help = Command::new(env!("CARGO_BIN_EXE_wecom-relay")).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let commands = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let commands: Vec<_> = commands.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert!(commands.contains(&"serve"), "{help}");
    let page = Page::read("docs/operations.md");
    let described = page.section("Commands").first_column();
    for command in commands {
        let is_it = |row: &&str| row.split_whitespace().nth(1) == Some(command);
        assert!(described.iter().any(is_it), "{command} is not in {described:?}");
    }
}
