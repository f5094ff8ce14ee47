//! Checks that imports only go down the layers of [`MODULES`], and that no files import each other in a circle.

mod circles;
mod program;

use std::{collections::BTreeSet, fs, path::Path};

use self::{
    circles::circles,
    program::{Import, Program, Target, is_within, module_of},
};

/// The modules that a module may use beside itself.
#[derive(Clone, Copy)]
enum Rule {
    /// All modules below it in the table.
    Below,
    /// All modules below it except another driver, an adapter and the sandbox.
    Driver,
    /// These modules and the kernel.
    Only(&'static [&'static str]),
    /// All modules below it except the clock and tasks. No I/O and no tokio.
    Pure,
}

use Rule::{Below, Driver, Only, Pure};

/// The modules from the top layer to the bottom one. A file belongs to the entry with the longest matching name.
const MODULES: [(&str, Rule); 44] = [
    // shell
    ("main", Below),
    ("cli", Below),
    ("app", Below),
    ("config", Below),
    ("systemd", Below),
    // drivers
    ("http", Driver),
    ("console", Driver),
    ("dispatch", Driver),
    ("actions", Driver),
    // adapters: each knows its own port and the vocabulary of the port
    ("outbox::postgres", Only(&["outbox", "outbox::rules", "wecom"])),
    ("outbox::sqlite", Only(&["outbox", "outbox::rules", "wecom"])),
    ("wecom::client", Only(&["wecom", "wecom::token", "wecom::endpoint", "wecom::errcode"])),
    ("wecom::token", Only(&["wecom", "wecom::endpoint", "wecom::errcode"])),
    ("alertmanager::client", Only(&["alertmanager"])),
    // a WeCom for tests, beside the relay. Its pages show messages with `look`, which decides nothing
    ("sandbox", Only(&["clock", "language", "pages", "text", "wecom::look"])),
    // decisions
    ("intake", Pure),
    ("delivery", Pure),
    ("render", Pure),
    ("outbox::rules", Pure),
    ("wecom::look", Pure),
    ("wecom::limits", Pure),
    ("wecom::errcode", Pure),
    ("wecom::endpoint", Pure),
    ("wecom::callback", Pure),
    // vocabulary
    ("outbox", Below),
    ("wecom", Pure),
    ("alertmanager", Below),
    ("doctor", Below),
    // kernel
    ("metrics", Below),
    ("pages", Below),
    ("telemetry", Below),
    ("lifecycle", Below),
    ("heartbeat", Below),
    ("retry", Below),
    ("http_client", Below),
    ("tls", Below),
    ("secret", Below),
    ("yaml", Below),
    ("yaml_text", Below),
    ("language", Below),
    ("text", Below),
    ("nearest", Below),
    ("clock", Below),
    ("allocator", Below),
];
const DRIVERS: [&str; 4] = ["http", "console", "dispatch", "actions"];
const ADAPTERS: [&str; 5] =
    ["outbox::postgres", "outbox::sqlite", "wecom::client", "wecom::token", "alertmanager::client"];
const KERNEL: [&str; 16] = [
    "telemetry",
    "metrics",
    "pages",
    "lifecycle",
    "heartbeat",
    "retry",
    "secret",
    "http_client",
    "tls",
    "yaml",
    "yaml_text",
    "language",
    "text",
    "nearest",
    "clock",
    "allocator",
];
/// Other crates that a pure module must not use. `std::io` is not in the list, because its traits also write to memory.
const IMPURE: [&str; 14] = [
    "tokio",
    "tokio_util",
    "reqwest",
    "axum",
    "hyper",
    "rusqlite",
    "tokio_postgres",
    "std::fs",
    "std::net::Tcp",
    "std::net::Udp",
    "std::io::std",
    "std::env",
    "std::process",
    "std::thread",
];
/// Plain values of the crates in [`IMPURE`].
const PURE_VALUES: [&str; 1] = ["reqwest::Url"];
const MAIN_LINES: usize = 40;

/// The index in [`MODULES`] of a module.
fn rank(module: &str) -> Option<usize> {
    let ranks = MODULES.iter().enumerate().filter(|(_, (name, _))| is_within(module, name));
    ranks.max_by_key(|(_, (name, _))| name.len()).map(|(rank, _)| rank)
}

/// The imports that break the rules, and the files without a place in the table.
fn violations(sources: &[(&str, &str)]) -> Vec<String> {
    let program = Program::read(sources.iter().copied());
    let unknown = sources.iter().filter(|(file, _)| *file != "lib.rs" && rank(&module_of(file)).is_none());
    let unknown = unknown
        .map(|(file, _)| format!("src/{file}:1: the module is not in MODULES of tests/it/layers.rs"))
        .collect();
    let imports = program.imports();
    let used = imports.iter().filter(|import| !program.is_transparent(&import.file));
    let broken: BTreeSet<String> = used.filter_map(violation).collect();
    [unknown, broken.into_iter().collect::<Vec<_>>()].concat()
}

/// Describes how `import` breaks the rule of its module.
fn violation(import: &Import) -> Option<String> {
    let Import { file, line, module, path, target } = import;
    let from = rank(module)?;
    let (name, rule) = MODULES[from];
    let place = format!("src/{file}:{line}");
    let target = match target {
        Target::Item { module, .. } | Target::Module(module) => module,
        Target::OtherCrate => {
            let is_value = PURE_VALUES.contains(&path.as_str());
            let impure = IMPURE.iter().find(|impure| !is_value && path.starts_with(*impure))?;
            let is_pure = matches!(rule, Pure);
            return is_pure
                .then(|| format!("{place}: {name} is pure and uses {impure}: take a value as a parameter"));
        }
    };
    let Some(to) = rank(target) else {
        return Some(format!("{place}: {path} is in no module of MODULES in tests/it/layers.rs"));
    };
    let used = MODULES[to].0;
    let is_below = to > from;
    let (is_allowed, allowed) = match rule {
        _ if to == from => return None,
        Below => (is_below, "modules below it".to_owned()),
        Driver => (
            is_below && !DRIVERS.contains(&used) && !ADAPTERS.contains(&used) && used != "sandbox",
            "ports, decisions, vocabulary and kernel".to_owned(),
        ),
        Only(list) => {
            let is_kernel = KERNEL.contains(&used) && name != "sandbox";
            (list.contains(&used) || is_kernel, format!("{} and the kernel", list.join(", ")))
        }
        Pure => (
            is_below && used != "clock" && used != "lifecycle",
            "decisions below it, vocabulary and kernel except clock and lifecycle".to_owned(),
        ),
    };
    (!is_allowed).then(|| format!("{place}: {name} uses {used} ({path}); it may use {allowed}"))
}

/// Adds the files below `folder`: their paths below `root` and their texts.
fn read_folder(folder: &Path, root: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_folder(&path, root, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).unwrap().display().to_string();
            found.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
}

fn all_sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    read_folder(&root, &root, &mut found);
    found.sort();
    found
}

fn borrowed(sources: &[(String, String)]) -> Vec<(&str, &str)> {
    sources.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect()
}

#[test]
fn every_module_uses_only_layers_below_it() {
    let wrong = violations(&borrowed(&all_sources()));
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn no_two_files_import_each_other() {
    let sources = all_sources();
    let found = circles(&Program::read(borrowed(&sources)));
    assert!(found.is_empty(), "\nFiles that import each other:\n{}\n", found.join("\n"));
}

#[test]
fn main_has_at_most_40_lines() {
    let sources = all_sources();
    let (_, main) = sources.iter().find(|(path, _)| path == "main.rs").unwrap();
    let lines = main.lines().count();
    assert!(lines <= MAIN_LINES, "src/main.rs has {lines} lines; {MAIN_LINES} are allowed");
}

/// The one violation in these sources.
fn only_violation(sources: &[(&str, &str)]) -> String {
    let wrong = violations(sources);
    assert_eq!(wrong.len(), 1, "{sources:?}: {wrong:?}");
    wrong.into_iter().next().unwrap()
}

#[test]
fn a_broken_layer_is_found() {
    let text = only_violation(&[
        ("http/webhook.rs", "//! Words.\n\nuse crate::{clock::Clock, dispatch::dispatcher};\n"),
        ("clock.rs", "pub trait Clock {}"),
        ("dispatch/dispatcher.rs", ""),
        ("dispatch/mod.rs", "pub mod dispatcher;"),
    ]);
    insta::assert_snapshot!(text, @"src/http/webhook.rs:3: http uses dispatch (crate::dispatch::dispatcher); it may use ports, decisions, vocabulary and kernel");
    let client = ("wecom/client.rs", "pub struct Client;");
    let path = "fn f() {\n    crate::wecom::client::Client::new();\n}\n";
    let wecom = ("wecom/mod.rs", "pub mod client;");
    insta::assert_snapshot!(only_violation(&[("dispatch/send.rs", path), wecom, client]), @"src/dispatch/send.rs:2: dispatch uses wecom::client (crate::wecom::client::Client::new); it may use ports, decisions, vocabulary and kernel");
    let re_export = ("wecom/mod.rs", "mod client;\npub use self::client::Client;");
    let used = ("http/mod.rs", "use crate::wecom::{self};\nfn f(_: wecom::Client) {}");
    insta::assert_snapshot!(only_violation(&[client, re_export, used]), @"src/http/mod.rs:2: http uses wecom::client (wecom::Client); it may use ports, decisions, vocabulary and kernel");
    insta::assert_snapshot!(only_violation(&[("brand_new.rs", "")]), @"src/brand_new.rs:1: the module is not in MODULES of tests/it/layers.rs");
}

#[test]
fn a_forbidden_import_is_found_in_every_form() {
    let sqlite = ("outbox/sqlite/mod.rs", "pub struct SqliteOutbox;\npub struct Access;");
    for (path, text) in [
        ("intake.rs", "use crate::{\n    outbox::{sqlite::{SqliteOutbox as Sqlite}},\n};"),
        ("render/mod.rs", "fn f(_: crate::outbox::sqlite::Access) {}"),
        ("delivery/plan.rs", "use crate::outbox as store;\nfn f(_: store::sqlite::Access) {}"),
        ("wecom/port.rs", "fn f() { println!(\"{:?}\", crate::outbox::sqlite::Access) }"),
        ("outbox.rs", "use self::sqlite::Access;\nstruct Port;"),
        ("outbox/query.rs", "use super::sqlite::*;"),
        ("outbox/query.rs", "fn f() { use super::sqlite::Access; }"),
    ] {
        let parent = ("outbox/mod.rs", "pub mod sqlite;");
        let text = only_violation(&[parent, sqlite, (path, text)]);
        assert!(text.contains(" uses outbox::sqlite ("), "{text}");
    }
    for text in [
        "use tokio::time::Instant;",
        "use std::{collections::BTreeMap, fs::File};",
        "fn f() { std::thread::yield_now(); }",
        "use crate::clock::Clock;",
    ] {
        only_violation(&[("delivery/plan.rs", text), ("clock.rs", "pub trait Clock {}")]);
    }
}

#[test]
fn allowed_imports_are_no_violations() {
    let sources = [
        ("cli/serve.rs", "use crate::{app, outbox::sqlite::Access, sandbox};"),
        ("app.rs", ""),
        ("sandbox/mod.rs", "pub(in crate::sandbox) fn f() {}"),
        ("http/mod.rs", "use self::answer::Answer;\nuse crate::{clock, wecom::Send};"),
        ("http/answer.rs", "pub struct Answer;"),
        ("clock.rs", ""),
        ("wecom/mod.rs", "mod client;\nmod port;\npub use self::{client::Client, port::Send};"),
        ("wecom/client.rs", "use super::Send;\npub struct Client;"),
        ("wecom/port.rs", "pub trait Send {}"),
        ("outbox/sqlite/mod.rs", "mod rows;\npub struct Access;"),
        ("outbox/sqlite/rows.rs", "use super::super::Changed;\n"),
        ("outbox/mod.rs", "pub struct Changed;"),
        ("delivery/plan.rs", "// crate::http\nconst A: &str = \"crate::http\";\nuse std::time::Duration;"),
        ("delivery/schedule.rs", "#[cfg(test)]\nmod tests { use tokio::time::Instant; }"),
    ];
    assert_eq!(violations(&sources), [""; 0]);
}

/// The descriptions of the circles in these sources.
fn circles_in(sources: &[(&str, &str)]) -> String {
    let found = circles(&Program::read(sources.iter().copied()));
    found.into_iter().map(|description| description + "\n").collect()
}

#[test]
fn a_circle_of_two_files_is_found() {
    let found = circles_in(&[
        ("outbox/mod.rs", "mod a;\nmod b;"),
        ("outbox/a.rs", "use super::b::B;\npub struct A;"),
        ("outbox/b.rs", "pub struct B;\nfn f(_: super::a::A) {}"),
    ]);
    insta::assert_snapshot!(found, @"
    outbox/a.rs outbox/b.rs
      src/outbox/a.rs:1 imports src/outbox/b.rs (super::b::B)
      src/outbox/b.rs:2 imports src/outbox/a.rs (super::a::A)
    ");
}

#[test]
fn a_longer_circle_is_found_with_its_shortest_path() {
    let found = circles_in(&[
        ("a.rs", "use crate::b::B;\npub struct A;"),
        ("b.rs", "use crate::c::{self, C};\npub struct B;"),
        ("c.rs", "use crate::{a::A, d::D};\npub struct C;"),
        ("d.rs", "use crate::c::C;\npub struct D;"),
        ("e.rs", "use crate::{a::A, f::F};"),
        ("f.rs", "pub struct F;"),
    ]);
    insta::assert_snapshot!(found, @"
    a.rs b.rs c.rs d.rs
      src/c.rs:1 imports src/d.rs (crate::d::D)
      src/d.rs:1 imports src/c.rs (crate::c::C)
    ");
}

#[test]
fn a_re_export_leads_to_the_file_of_the_item() {
    let found = circles_in(&[
        ("outbox/mod.rs", "mod a;\nmod b;\npub use self::{a::*, b::B};"),
        ("outbox/a.rs", "use crate::outbox::B;\npub struct A;"),
        ("outbox/b.rs", "use super::A;\npub struct B;"),
    ]);
    insta::assert_snapshot!(found, @"
    outbox/a.rs outbox/b.rs
      src/outbox/a.rs:1 imports src/outbox/b.rs (crate::outbox::B)
      src/outbox/b.rs:1 imports src/outbox/a.rs (super::A)
    ");
}

#[test]
fn a_parent_that_only_declares_is_in_no_circle() {
    let found = circles_in(&[
        ("outbox/mod.rs", "//! Words.\nmod a;\nmod b;\npub use self::{a::A, b::B};"),
        ("outbox/a.rs", "use super::B;\npub struct A;"),
        ("outbox/b.rs", "pub struct B;"),
    ]);
    assert_eq!(found, "");
}

#[test]
fn a_parent_with_items_may_be_in_a_circle() {
    let found = circles_in(&[
        ("outbox.rs", "mod a;\npub use self::a::A;\npub struct Port;"),
        ("outbox/a.rs", "use super::Port;\npub struct A;"),
    ]);
    insta::assert_snapshot!(found, @"
    outbox.rs outbox/a.rs
      src/outbox.rs:2 imports src/outbox/a.rs (self::a::A)
      src/outbox/a.rs:1 imports src/outbox.rs (super::Port)
    ");
}

#[test]
fn tests_may_import_their_parent() {
    let found = circles_in(&[
        ("a.rs", "#[cfg(test)]\nmod tests;\npub struct A;\nfn f() {}"),
        ("a/tests.rs", "use super::A;\nuse crate::b::B;"),
        ("b.rs", "use crate::a::A;\npub struct B;\n#[cfg(test)]\nmod tests { use crate::a::A; }"),
    ]);
    assert_eq!(found, "");
}
