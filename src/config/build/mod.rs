//! From the YAML's shape to the valid model.
//!
//! A builder reads all its keys before it gives up on any of them; that is how every problem is found at once.
//! What it gives back in place of a value is the proof that a problem was put down ([`Reported`]).

mod apps;
mod fallbacks;
mod form;
mod receivers;
mod recipients;
mod secrets;
mod server;
mod templates;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::tz::TimeZone;

use super::{
    duration,
    model::{Config, Outbox},
    problem::{Place, Report, Reported, quoted},
    raw::{self, Field},
    size,
};
use crate::yaml::Node;

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const MINUTE: Duration = Duration::from_secs(60);

/// What a configuration refers to outside of its file.
pub(super) struct Surroundings<'a> {
    /// The folder that relative paths start from.
    pub(super) folder: &'a Path,
    /// The environment.
    pub(super) env: &'a dyn Fn(&str) -> Option<String>,
}

impl Surroundings<'_> {
    fn path(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }
}

pub(super) fn config(
    document: &Node,
    file: &Place,
    around: &Surroundings<'_>,
    report: &mut Report,
) -> Result<Config, Reported> {
    let root = raw::Root::read(&Field::root(document, file), report)?;
    let server = server::read(&root.server, around, report);
    let outbox = outbox(&root.outbox, around, report);
    let timezone = timezone(&root.timezone, report);
    let templates = templates::read(&root.templates, around, report);
    let apps = apps::read(&root.apps, around, report);
    let receivers = receivers::read(&root.receivers, &apps, report);
    Ok(Config {
        server: server?,
        outbox: outbox?,
        timezone: timezone?,
        templates: templates?,
        apps: apps.into_valid()?,
        receivers: receivers?,
    })
}

fn timezone(field: &Field<'_>, report: &mut Report) -> Result<Option<TimeZone>, Reported> {
    let right = "write a name of the time zone database, such as Asia/Shanghai or UTC";
    field.parsed(|name| TimeZone::get(name.trim()).ok(), "a time zone", right, report)
}

fn outbox(field: &Field<'_>, around: &Surroundings<'_>, report: &mut Report) -> Result<Outbox, Reported> {
    const SMALLEST_BYTES: u64 = 16 << 20;
    let raw = raw::Outbox::read(field, report)?;
    let path = if raw.path.is_set() {
        raw.path.required_text("name the database file, or leave the key out", report)
    } else {
        Ok("/var/lib/wecom-relay/outbox.db")
    };
    let dedupe_window = duration(&raw.dedupe_window, Duration::ZERO, 2 * MINUTE, report);
    let max_size_bytes = raw.max_size.parsed(size::parse, "a size", "write it as 2GiB or 500MB", report);
    let max_size_bytes = max_size_bytes.and_then(|size| match size {
        Some(size) if size < SMALLEST_BYTES => {
            Err(report.problem(&raw.max_size.place, "this is too small", "give it at least 16MiB"))
        }
        size => Ok(size.unwrap_or(2 << 30)),
    });
    let expire_after = duration(&raw.expire_after, MINUTE, DAY, report);
    let retention = duration(&raw.retention, HOUR, 7 * DAY, report);
    Ok(Outbox {
        path: around.path(path?),
        dedupe_window: Some(dedupe_window?).filter(|window| !window.is_zero()),
        max_size_bytes: max_size_bytes?,
        expire_after: expire_after?,
        retention: retention?,
    })
}

/// A duration of at least `shortest`, a minute or an hour; zero is no bound.
fn duration(
    field: &Field<'_>,
    shortest: Duration,
    default: Duration,
    report: &mut Report,
) -> Result<Duration, Reported> {
    let right = "write it with a unit, as 90s, 2m, 1h30m or 7d";
    let given = field.parsed(duration::parse, "a duration", right, report)?.unwrap_or(default);
    if given < shortest {
        let bound = if shortest < HOUR { "1m" } else { "1h" };
        return Err(report.problem(&field.place, "this is too short", format!("give it at least {bound}")));
    }
    Ok(given)
}

/// A name that is not among `taken`, which it joins.
fn name<'y>(
    field: &Field<'y>,
    taken: &mut Vec<(&'y str, Place)>,
    report: &mut Report,
) -> Result<&'y str, Reported> {
    const LONGEST_BYTES: usize = 200;
    let name = field.required_text("give it a name", report)?;
    if let Some((_, first)) = taken.iter().find(|(other, _)| *other == name) {
        let line = first.at.map(|at| format!(" in line {}", at.line)).unwrap_or_default();
        let wrong = format!("the name {} is taken by {}{line}", quoted(name), first.key);
        return Err(report.problem(&field.place, wrong, "give each its own name"));
    }
    taken.push((name, field.place.clone()));
    if name.len() > LONGEST_BYTES {
        return Err(report.problem(&field.place, "this name is too long", "use at most 200 bytes"));
    }
    if name.chars().any(|c| c == '/' || c.is_control()) {
        let wrong = format!("the name {} has a slash or a control character in it", quoted(name));
        return Err(report.problem(&field.place, wrong, "use other characters"));
    }
    Ok(name)
}
