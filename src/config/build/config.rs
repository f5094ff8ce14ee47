//! The whole file: its sections, and the short sections themselves.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::{
    apps,
    context::LoadContext,
    message::Defaults,
    receivers, server, templates,
    values::{DAY, HOUR, MINUTE, duration, language},
};
use crate::{
    config::{
        diagnostic::{Diagnostics, ErrorGuaranteed, Location},
        model::{Config, Outbox},
        raw::{self, Field},
        size,
    },
    yaml::Node,
};

pub(in crate::config) fn config(
    document: &Node,
    file: &Location,
    context: &LoadContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<Config, ErrorGuaranteed> {
    let root = raw::Root::read(&Field::root(document, file), diagnostics)?;
    let server = server::read(&root.server, context, diagnostics);
    let outbox = outbox(&root.outbox, context, diagnostics);
    let timezone = timezone(&root.timezone, diagnostics);
    let language = language(&root.language, diagnostics);
    let templates = match context.only_secrets {
        true => Ok(Vec::new()),
        false => templates::read(&root.templates, context, diagnostics),
    };
    let apps = apps::read(&root.apps, context, diagnostics);
    let defaults = Defaults {
        language: language.unwrap_or_default(),
        templates: templates.as_deref().unwrap_or_default(),
    };
    let receivers = receivers::read(&root.receivers, &apps, &defaults, diagnostics);
    language?;
    Ok(Config {
        server: server?,
        outbox: outbox?,
        timezone: timezone?,
        templates: templates?,
        apps: apps.into_valid()?,
        receivers: receivers?,
        origin: context.origin(),
    })
}

/// The configured zone, else that of the environment variable `TZ` or of the system.
fn timezone(field: &Field<'_>, diagnostics: &mut Diagnostics) -> Result<TimeZone, ErrorGuaranteed> {
    let help = "write a name of the time zone database, such as Asia/Shanghai or UTC";
    let zone = field.parsed(|name| TimeZone::get(name.trim()).ok(), "a time zone", help, diagnostics)?;
    Ok(zone.unwrap_or_else(|| TimeZone::try_system().unwrap_or(TimeZone::UTC)))
}

fn outbox(
    field: &Field<'_>,
    context: &LoadContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<Outbox, ErrorGuaranteed> {
    let raw = raw::Outbox::read(field, diagnostics)?;
    let path = if raw.path.is_set() {
        raw.path.required_text("name the database file, or remove the key", diagnostics)
    } else {
        Ok("/var/lib/wecom-relay/outbox.db")
    };
    let dedupe_window = duration(&raw.dedupe_window, Duration::ZERO, 2 * MINUTE, diagnostics);
    let max_size_bytes = max_size_bytes(&raw.max_size, diagnostics);
    let expire_after = duration(&raw.expire_after, MINUTE, DAY, diagnostics);
    let retention = duration(&raw.retention, HOUR, 7 * DAY, diagnostics);
    let path = context.path(path?);
    if path.is_dir() {
        let message = format!("{} is a folder", path.display());
        let help = format!("name the database file, such as {}", path.join("outbox.db").display());
        return Err(diagnostics.error(&raw.path.location, message, help));
    }
    Ok(Outbox {
        path,
        dedupe_window: Some(dedupe_window?).filter(|window| !window.is_zero()),
        max_size_bytes: max_size_bytes?,
        expire_after: expire_after?,
        retention: retention?,
    })
}

fn max_size_bytes(field: &Field<'_>, diagnostics: &mut Diagnostics) -> Result<u64, ErrorGuaranteed> {
    const DEFAULT_BYTES: u64 = 2 << 30;
    const SMALLEST_BYTES: u64 = 16 << 20;
    let size = field.parsed(size::parse, "a size", "write it as 2GiB or 500MB", diagnostics)?;
    let size = size.unwrap_or(DEFAULT_BYTES);
    if size < SMALLEST_BYTES {
        return Err(diagnostics.error(&field.location, "this is too small", "write at least 16MiB"));
    }
    Ok(size)
}
