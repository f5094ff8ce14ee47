//! The command line.

use std::path::{Path, PathBuf};

use wecom_relay::clock::{Clock, SystemClock};

use crate::setup::Setup;

/// A row of the bench. `--only` selects rows by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Row {
    Relay1,
    Relay16,
    Relay64,
    Sweep,
    Accept,
    Console,
    Growth,
    Replicas,
    Footprint,
    Storm,
    Render,
}

/// The rows by name, in the order in which they are measured.
const ROWS: [(&str, Row); 11] = [
    ("relay1", Row::Relay1),
    ("relay16", Row::Relay16),
    ("relay64", Row::Relay64),
    ("sweep", Row::Sweep),
    ("accept", Row::Accept),
    ("console", Row::Console),
    ("growth", Row::Growth),
    ("replicas", Row::Replicas),
    ("footprint", Row::Footprint),
    ("storm", Row::Storm),
    ("render", Row::Render),
];

const HELP: &str = "\
Measure the relay on this machine, with default limits.

Usage: cargo bench -- [OPTION]...
       cargo bench -- --compare BEFORE.json AFTER.json

Options:
  --only ROW[,ROW]...  Measure only these rows; default: all, in some 15 minutes
  --quick              Take few samples, to see only that the bench works
  --relay FILE         Measure this binary; default: the one that cargo built
  --dir FOLDER         Make the databases there; default: target/bench
  --json FILE          Write the result there; default: target/bench/TIME.json
  --compare            Print the differences between two results

Rows:
  relay      The rows relay1, relay16 and relay64
  relay1     Webhook in, message at the sink: one connection; rate and latency
  relay16    The same with 16 connections; rate and CPU
  relay64    The same with 64 connections; rate and CPU
  sweep      The same with 1, 500, 2,500 and 10,000 members
  accept     Stored webhooks a second, while the sender is held
  console    Stored webhooks a second with and without readers of the console
  growth     The outbox with 1,000,000 queued deliveries and with none
  replicas   Acceptance, wake-ups and claims on a PostgreSQL that the bench starts
  footprint  Binary, time to ready, memory
  storm      10,000 notifications at once over 1,000 connections
  render     The built-in templates

The relay rows also measure the notifier of Alertmanager, if it is on the PATH.
Each figure that has a target is printed with it at the end.

Examples:
  cargo bench -- --only relay64 --relay FILE   One row, in less than a minute
  cargo bench -- --quick                       All rows, in less than a minute
";

#[derive(Debug)]
pub(crate) enum Action {
    Help(&'static str),
    Measure {
        setup: Setup,
        rows: Vec<(&'static str, Row)>,
        json: PathBuf,
    },
    Compare {
        before: PathBuf,
        after: PathBuf,
    },
    /// Run as one of the processes that are measured.
    RunChild {
        role: String,
        argument: String,
    },
}

pub(crate) fn read(mut arguments: impl Iterator<Item = String>) -> Action {
    // The default is the build's folder, because the folder for temporary files may be in memory.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench");
    let started = SystemClock.now().strftime("%Y%m%dT%H%M%SZ");
    let mut json = folder.join(format!("{started}.json"));
    let mut setup = Setup { quick: false, relay: env!("CARGO_BIN_EXE_wecom-relay").into(), folder };
    let mut only = Vec::new();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_else(|| panic!("{argument} needs a value\n\n{HELP}"));
        match argument.as_str() {
            // Cargo adds this argument.
            "--bench" => {}
            "--quick" => setup.quick = true,
            "--relay" => setup.relay = value().into(),
            "--dir" => setup.folder = value().into(),
            "--json" => json = value().into(),
            "--only" => only.extend(value().split(',').map(str::to_owned)),
            "--compare" => return Action::Compare { before: value().into(), after: value().into() },
            "--role" => return Action::RunChild { role: value(), argument: value() },
            "--help" | "-h" => return Action::Help(HELP),
            _ => panic!("unknown argument {argument:?}\n\n{HELP}"),
        }
    }
    Action::Measure { setup, rows: rows(&only), json }
}

fn rows(only: &[String]) -> Vec<(&'static str, Row)> {
    if only.is_empty() {
        return ROWS.to_vec();
    }
    let matches = |wanted: &str, name: &str| wanted == name || wanted == "relay" && name.starts_with("relay");
    for wanted in only {
        let known = ROWS.iter().any(|(name, _)| matches(wanted, name));
        assert!(known, "unknown row {wanted:?}\n\n{HELP}");
    }
    ROWS.into_iter().filter(|(name, _)| only.iter().any(|wanted| matches(wanted, name))).collect()
}
