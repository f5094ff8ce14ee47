//! The command line.

use std::path::{Path, PathBuf};

use wecom_relay::clock::{Clock, SystemClock};

use crate::setup::Setup;

/// What can be measured, in this order.
pub(crate) const PARTS: [&str; 6] = ["accept", "relay", "render", "storm", "growth", "footprint"];

const HELP: &str = "\
Usage: cargo bench -- [PART…] [OPTION…]
       cargo bench -- --compare BEFORE.json AFTER.json

Parts: accept relay render storm growth footprint; all without one

  --quick        seconds in place of minutes: whether it runs, not how fast
  --relay FILE   another relay than the one that was just built
  --dir FOLDER   where databases are made, and so the disk that is measured
  --json FILE    where the result goes
";

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Action {
    Help(&'static str),
    Measure {
        setup: Setup,
        parts: Vec<String>,
        json: PathBuf,
    },
    Compare {
        before: PathBuf,
        after: PathBuf,
    },
    /// As one of the processes that are measured.
    Play {
        role: String,
        argument: String,
    },
}

pub(crate) fn read(arguments: impl Iterator<Item = String>) -> Action {
    // Beside the build, on the disk that holds it.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench");
    let started = SystemClock.now().strftime("%Y%m%dT%H%M%SZ");
    let mut json = folder.join(format!("{started}.json"));
    let mut setup = Setup { quick: false, relay: env!("CARGO_BIN_EXE_wecom-relay").into(), folder };
    let (mut parts, mut arguments) = (Vec::new(), arguments);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_else(|| panic!("{argument} wants a value\n\n{HELP}"));
        match argument.as_str() {
            // Cargo's own.
            "--bench" => {}
            "--quick" => setup.quick = true,
            "--relay" => setup.relay = value().into(),
            "--dir" => setup.folder = value().into(),
            "--json" => json = value().into(),
            "--compare" => return Action::Compare { before: value().into(), after: value().into() },
            "--role" => return Action::Play { role: value(), argument: value() },
            "--help" | "-h" => return Action::Help(HELP),
            part if PARTS.contains(&part) => parts.push(argument),
            _ => panic!("what is {argument:?}?\n\n{HELP}"),
        }
    }
    Action::Measure { setup, parts, json }
}
