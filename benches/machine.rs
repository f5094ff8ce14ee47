//! The machine and the commit that the figures belong to.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use crate::setup::Setup;

/// With a higher load at the start, other programs disturb the figures.
const QUIET: f64 = 0.5;

pub(crate) fn describe(setup: &Setup) -> Vec<(String, String)> {
    fs::create_dir_all(&setup.folder).unwrap();
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let load = read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned();
    let busy = load.parse::<f64>().is_ok_and(|load| load > QUIET);
    let warning = if busy { " (OTHER PROGRAMS ARE RUNNING: do not trust the figures)" } else { "" };
    let rounds = setup.rounds();
    let quick = if setup.quick { " (QUICK: do not use the figures)" } else { "" };
    let pairs = [
        ("processors", thread::available_parallelism().map_or(0, usize::from).to_string()),
        ("kernel", read("/proc/sys/kernel/osrelease").trim().to_owned()),
        ("file system", file_system(&setup.folder)),
        ("load before", format!("{load}{warning}")),
        ("relay", setup.relay.display().to_string()),
        ("commit", commit().unwrap_or_else(|| "unknown".to_owned())),
        ("rounds", format!("{rounds}{quick}")),
    ];
    pairs.map(|(name, value)| (name.to_owned(), value)).to_vec()
}

/// The type of the file system that holds `folder`.
fn file_system(folder: &Path) -> String {
    let folder = folder.canonicalize().unwrap();
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((PathBuf::from(fields.next()?), fields.next()?))
    });
    let holding = mounts.filter(|(point, _)| folder.starts_with(point));
    let kind = holding.max_by_key(|(point, _)| point.as_os_str().len()).map_or("unknown", |(_, kind)| kind);
    let warning = if kind == "tmpfs" { " (NOT A DISK: name a folder on a disk with --dir)" } else { "" };
    format!("{kind}{warning}")
}

fn commit() -> Option<String> {
    let command = |arguments: &[&str]| {
        let output =
            Command::new("git").args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let dirty = command(&["status", "--porcelain", "-uno"])?;
    let mark = if dirty.is_empty() { "" } else { " and changes" };
    Some(format!("{}{mark}", command(&["rev-parse", "--short", "HEAD"])?))
}
