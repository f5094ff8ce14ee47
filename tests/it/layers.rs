//! The layers of the program: which module may use which. `use crate::…` points down [`MODULES`] only.
//!
//! What a folder holds belongs to the longest name in the table that its path begins with, and may use its own.

mod paths;

use std::{fs, path::Path};

use self::paths::{Used, used};

/// What a module may do beside using its own.
#[derive(Clone, Copy)]
enum Rule {
    /// Everything below it in the table.
    Below,
    /// Everything below it but another driver and any adapter.
    Driver,
    /// These modules and the kernel.
    Only(&'static [&'static str]),
    /// Everything below it, but no I/O, no clock and no tokio.
    Pure,
}

use Rule::{Below, Driver, Only, Pure};

/// Every module, from the top to the bottom.
const MODULES: [(&str, Rule); 29] = [
    // shell
    ("main", Below),
    ("cli", Below),
    ("app", Below),
    ("config", Below),
    ("lifecycle", Below),
    ("systemd", Below),
    // drivers
    ("http", Driver),
    ("dispatch", Driver),
    // adapters: each knows its own port, and what the port speaks of
    ("outbox::sqlite", Only(&["outbox", "wecom"])),
    ("wecom::client", Only(&["wecom", "wecom::token", "wecom::endpoint", "wecom::errcode"])),
    ("wecom::token", Only(&["wecom", "wecom::endpoint"])),
    // a WeCom beside the relay, not a part of it
    ("sandbox", Only(&["clock", "text", "wecom::limits"])),
    // decisions
    ("intake", Pure),
    ("delivery", Pure),
    ("render", Pure),
    ("wecom::limits", Pure),
    ("wecom::errcode", Pure),
    ("wecom::endpoint", Pure),
    // vocabulary
    ("outbox", Below),
    ("wecom", Pure),
    ("alertmanager", Below),
    // kernel
    ("telemetry", Below),
    ("metrics", Below),
    ("heartbeat", Below),
    ("retry", Below),
    ("secret", Below),
    ("yaml", Below),
    ("clock", Below),
    ("text", Below),
];
const DRIVERS: [&str; 2] = ["http", "dispatch"];
const ADAPTERS: [&str; 3] = ["outbox::sqlite", "wecom::client", "wecom::token"];
const KERNEL: [&str; 8] = ["telemetry", "metrics", "heartbeat", "retry", "secret", "yaml", "clock", "text"];
/// What a decision must not touch. `std::io` is not here: its traits write to memory as well.
const IMPURE: [&str; 13] = [
    "tokio",
    "tokio_util",
    "reqwest",
    "axum",
    "hyper",
    "rusqlite",
    "std::fs",
    "std::net::Tcp",
    "std::net::Udp",
    "std::io::std",
    "std::env",
    "std::process",
    "std::thread",
];
/// What of [`IMPURE`] is a mere value.
const PURE_ALL_THE_SAME: [&str; 1] = ["reqwest::Url"];
/// The longest `main.rs`.
const MAIN_LINES: usize = 40;

/// The place in the table of the module that `path` (`a::b::C`) belongs to.
fn rank(path: &str) -> Option<usize> {
    let within =
        |name: &str| path == name || path.strip_prefix(name).is_some_and(|rest| rest.starts_with("::"));
    let ranks = MODULES.iter().enumerate().filter(|(_, (name, _))| within(name));
    ranks.max_by_key(|(_, (name, _))| name.len()).map(|(rank, _)| rank)
}

/// What of `source`, the text of the file at `path` below `src`, breaks the rules.
fn violations(path: &str, source: &str) -> Vec<String> {
    let module = paths::module(path);
    if module.is_empty() {
        return Vec::new();
    }
    let Some(from) = rank(&module) else {
        return vec![format!("src/{path}:1: module {module} has no place in MODULES of tests/it/layers.rs")];
    };
    let (name, rule) = MODULES[from];
    let mut wrong = Vec::new();
    for Used { line, path: target, of_crate } in used(&module, source) {
        let place = format!("src/{path}:{line}");
        if !of_crate {
            let value = PURE_ALL_THE_SAME.contains(&target.as_str());
            let impure = IMPURE.iter().find(|impure| !value && target.starts_with(*impure));
            if let (Pure, Some(impure)) = (rule, impure) {
                wrong.push(format!(
                    "{place}: {name} decides only, and uses {impure}: take a value in its place"
                ));
            }
            continue;
        }
        let Some(to) = rank(&target) else {
            // An item of the crate's root, or of an inner module: there is none but modules.
            wrong.push(format!("{place}: crate::{target} is in no module of MODULES in tests/it/layers.rs"));
            continue;
        };
        let used = MODULES[to].0;
        let below = to > from;
        let (allowed, may) = match rule {
            _ if to == from => (true, String::new()),
            Below => (below, "what is below it".to_owned()),
            Driver => (
                below && !DRIVERS.contains(&used) && !ADAPTERS.contains(&used) && used != "sandbox",
                "ports, decisions, vocabulary and kernel".to_owned(),
            ),
            Only(list) => {
                let kernel = KERNEL.contains(&used) && name != "sandbox";
                (list.contains(&used) || kernel, format!("{} (and the kernel)", list.join(", ")))
            }
            Pure => (
                below && used != "clock",
                "decisions below it, vocabulary and kernel but the clock".to_owned(),
            ),
        };
        if !allowed {
            wrong.push(format!("{place}: {name} uses {used} (crate::{target}); it may use {may}"));
        }
    }
    wrong
}

/// The files below `folder` with their text, by their path below `src`.
fn sources(folder: &Path, root: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, root, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).unwrap().display().to_string();
            found.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
}

fn all_sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    sources(&root, &root, &mut found);
    found.sort();
    found
}

#[test]
fn every_module_uses_only_what_is_below_it() {
    let wrong: Vec<String> =
        all_sources().iter().flat_map(|(path, source)| violations(path, source)).collect();
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn the_paths_of_the_program_are_seen() {
    let sources = all_sources();
    let sees = |path: &str, target: &str| {
        let (_, source) = sources.iter().find(|(name, _)| name == path).unwrap();
        let used = used(&paths::module(path), source);
        assert!(used.iter().any(|used| used.of_crate && used.path == target), "{path}: {target}");
    };
    sees("app/outbox.rs", "outbox::sqlite::SqliteOutbox");
    sees("app/running.rs", "dispatch::dispatcher::Dispatcher::new");
    sees("dispatch/sender/mod.rs", "wecom::WeCom");
    sees("wecom/client/send.rs", "wecom::token::TokenCache");
}

#[test]
fn main_decides_only_the_exit_code() {
    let sources = all_sources();
    let (_, main) = sources.iter().find(|(path, _)| path == "main.rs").unwrap();
    let lines = main.lines().count();
    assert!(lines <= MAIN_LINES, "src/main.rs has {lines} lines; {MAIN_LINES} are allowed");
}

#[test]
fn a_wrong_dependency_is_caught() {
    let caught = |path: &str, source: &str| {
        let wrong = violations(path, source);
        assert_eq!(wrong.len(), 1, "{path}: {source}: {wrong:?}");
        wrong.into_iter().next().unwrap()
    };
    let told = caught("http/webhook.rs", "//! Words.\n\nuse crate::{clock::Clock, dispatch::dispatcher};\n");
    assert!(
        told.starts_with("src/http/webhook.rs:3: http uses dispatch (crate::dispatch::dispatcher)"),
        "{told}"
    );
    let told = caught("dispatch/sender/mod.rs", "fn f() {\n    crate::wecom::client::Client::new();\n}\n");
    assert!(told.starts_with("src/dispatch/sender/mod.rs:2: dispatch uses wecom::client"), "{told}");
    caught("intake.rs", "use crate::{\n    outbox::{self, sqlite::{SqliteOutbox as Sqlite}},\n};");
    caught("intake.rs", "use crate::outbox::{self, Outbox};\nfn f(_: outbox::sqlite::Access) {}");
    caught("intake.rs", "use crate::outbox as store;\nfn f(_: store::sqlite::Access) {}");
    caught("wecom/mod.rs", "pub use self::client::Client;");
    caught("outbox/sqlite/claim.rs", "use super::super::super::delivery;");
    caught("outbox/sqlite/claim.rs", "use crate::alertmanager::Payload;");
    caught("delivery/pace.rs", "use tokio::time::Instant;");
    caught("delivery/pace.rs", "use std::{collections::BTreeMap, fs::File};");
    caught("render/mod.rs", "use crate::clock::Clock;");
    caught("sandbox/send.rs", "use crate::secret::Secret;");
    caught("brand_new.rs", "");
    let root = "use crate::nonsense;";
    caught("cli/mod.rs", root);
}

#[test]
fn what_is_allowed_is_not_caught() {
    for (path, source) in [
        ("cli/serve.rs", "use crate::{app, outbox::sqlite::Access, sandbox};"),
        ("http/mod.rs", "pub use self::{answer::Answer, body::Memory};\nuse crate::{intake::Intake, clock};"),
        ("outbox/sqlite/people.rs", "use super::rows::{self, To};\nuse crate::outbox::Changed;"),
        ("wecom/client/call.rs", "use super::super::{Api, token::Token};\nuse crate::secret::Secret;"),
        (
            "delivery/step.rs",
            "// crate::http is not used\nlet _ = \"crate::http\";\nuse std::time::Duration;",
        ),
        ("sandbox/directory/mod.rs", "pub(in crate::sandbox) fn f() {}"),
    ] {
        assert_eq!(violations(path, source), [""; 0], "{path}");
    }
}
