//! `outbox`: the database of the queue, and its limits.

use std::{path::PathBuf, time::Duration};

use super::{
    certificates,
    context::LoadContext,
    secrets::SecretSource,
    values::{DAY, HOUR, MINUTE, duration},
};
use crate::{
    config::{
        diagnostic::{Diagnostics, ErrorGuaranteed},
        model::{Database, Outbox, Postgres},
        raw::{self, Field},
        size,
    },
    outbox::postgres::{PostgresUrl, Transport},
};

const ONE_DATABASE: &str =
    "set path for a file of SQLite, or one of url, url_file and url_env for a database of PostgreSQL";

pub(super) fn read(
    field: &Field<'_>,
    context: &LoadContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<Outbox, ErrorGuaranteed> {
    let raw = raw::Outbox::read(field, diagnostics)?;
    let database = database(&raw, context, diagnostics);
    let dedupe_window = duration(&raw.dedupe_window, Duration::ZERO, 2 * MINUTE, diagnostics);
    let max_size_bytes = max_size_bytes(&raw.max_size, diagnostics);
    let expire_after = duration(&raw.expire_after, MINUTE, DAY, diagnostics);
    let retention = duration(&raw.retention, HOUR, 7 * DAY, diagnostics);
    Ok(Outbox {
        database: database?,
        dedupe_window: Some(dedupe_window?).filter(|window| !window.is_zero()),
        max_size_bytes: max_size_bytes?,
        expire_after: expire_after?,
        retention: retention?,
    })
}

fn database(
    raw: &raw::Outbox<'_>,
    context: &LoadContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<Database, ErrorGuaranteed> {
    let urls = [&raw.url, &raw.url_file, &raw.url_env];
    if urls.iter().any(|url| url.is_set()) {
        if raw.path.is_set() {
            let message = "the outbox has a path and a URL";
            return Err(diagnostics.error(&raw.path.location, message, ONE_DATABASE));
        }
        return Ok(Database::Postgres(Box::new(postgres(raw, context, diagnostics)?)));
    }
    for field in [&raw.ca_file, &raw.replica] {
        if field.is_set() {
            let help = "set outbox.url, url_file or url_env, or remove this key";
            return Err(diagnostics.error(&field.location, "this is for a database of PostgreSQL", help));
        }
    }
    Ok(Database::File(path(&raw.path, context, diagnostics)?))
}

fn path(
    field: &Field<'_>,
    context: &LoadContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<PathBuf, ErrorGuaranteed> {
    let path = if field.is_set() {
        field.required_text("name the database file, or remove the key", diagnostics)?
    } else {
        "/var/lib/wecom-relay/outbox.db"
    };
    // The URL may have a password, so it is not shown.
    if path.starts_with("postgres://") || path.starts_with("postgresql://") {
        let message = "this is the URL of a PostgreSQL database";
        let help = "write it as outbox.url, or into the file of outbox.url_file";
        return Err(diagnostics.error(&field.location, message, help));
    }
    let path = context.path(path);
    if path.is_dir() {
        let message = format!("{} is a folder", path.display());
        let help = format!("name the database file, such as {}", path.join("outbox.db").display());
        return Err(diagnostics.error(&field.location, message, help));
    }
    Ok(path)
}

fn postgres(
    raw: &raw::Outbox<'_>,
    context: &LoadContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<Postgres, ErrorGuaranteed> {
    let url = SecretSource::of_outbox(raw).required(context, diagnostics);
    let roots = certificates::ca_file(&raw.ca_file, context, diagnostics);
    let replica = replica(&raw.replica, diagnostics);
    let location = [&raw.url_file, &raw.url_env].into_iter().find(|field| field.is_set()).unwrap_or(&raw.url);
    let url = PostgresUrl::parse(&url?)
        .map_err(|problem| diagnostics.error(&location.location, problem.message, problem.help))?;
    if url.transport() == Transport::Plain {
        let message = "with sslmode=disable, the password and all alerts cross the network without TLS";
        diagnostics.warn(&location.location, message, "remove sslmode=disable, and let the server use TLS");
    }
    let mut roots = roots?;
    if let Some(path) = url.root_certificate() {
        let of_url = certificates::roots_in(&context.path(path), &location.location, context, diagnostics)?;
        roots = roots.with(&of_url);
    }
    Ok(Postgres { url, extra_roots: roots, replica: replica? })
}

/// The configured name, else that of the machine, which in a container is the container's.
fn replica(field: &Field<'_>, diagnostics: &mut Diagnostics) -> Result<String, ErrorGuaranteed> {
    const LONGEST_BYTES: usize = 200;
    let help = "write a name such as relay-1, which no other replica has";
    if !field.is_set() {
        return Ok(rustix::system::uname().nodename().to_string_lossy().into_owned());
    }
    let name = field.required_text(help, diagnostics)?.trim();
    if name.len() > LONGEST_BYTES || name.chars().any(char::is_control) {
        return Err(diagnostics.error(&field.location, "this is no name", help));
    }
    Ok(name.to_owned())
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
