//! Files with certificates, and the CAs that are trusted beside the built-in ones: `ca_file` and `SSL_CERT_FILE`.

use std::path::Path;

use jiff::tz::TimeZone;

use super::context::LoadContext;
use crate::{
    config::{
        diagnostic::{Diagnostics, ErrorGuaranteed, Location},
        raw::Field,
    },
    tls::ExtraRoots,
};

pub(super) const LONGEST_PEM_BYTES: u64 = 1 << 20;
const CA_HELP: &str =
    "name a PEM file with the certificate of the CA, which starts with -----BEGIN CERTIFICATE-----";

/// The text of the file that a field names.
pub(super) fn pem(
    field: &Field<'_>,
    help: &str,
    context: &LoadContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<String, ErrorGuaranteed> {
    let path = context.path(field.required_text(help, diagnostics)?);
    context.secret_file(&path, LONGEST_PEM_BYTES).map_err(|error| {
        diagnostics.error(&field.location, format!("{} cannot be read: {error}", path.display()), help)
    })
}

/// The CAs of `ca_file`.
pub(super) fn ca_file(
    field: &Field<'_>,
    context: &LoadContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<ExtraRoots, ErrorGuaranteed> {
    if !field.is_written() {
        return Ok(ExtraRoots::default());
    }
    let path = context.path(field.required_text(CA_HELP, diagnostics)?);
    roots_in(&path, &field.location, context, diagnostics)
}

/// The CAs in a file that is named at `location`.
pub(super) fn roots_in(
    path: &Path,
    location: &Location,
    context: &LoadContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<ExtraRoots, ErrorGuaranteed> {
    let text = context.secret_file(path, LONGEST_PEM_BYTES).map_err(|error| {
        diagnostics.error(location, format!("{} cannot be read: {error}", path.display()), CA_HELP)
    })?;
    let roots = ExtraRoots::from_pem(&text).map_err(|problem| {
        diagnostics.error(location, format!("this file cannot be used: {problem}"), CA_HELP)
    })?;
    for end in roots.expired(context.now) {
        let day = end.to_zoned(TimeZone::UTC).date();
        let message = format!("a certificate in this file expired on {day}");
        diagnostics.warn(location, message, "ask for the present certificate of the CA");
    }
    Ok(roots)
}

/// The CAs of the file that the environment variable `SSL_CERT_FILE` names. A bad file is no error, because the variable
/// may be meant for other programs.
pub(super) fn of_environment(context: &LoadContext<'_>, diagnostics: &mut Diagnostics) -> ExtraRoots {
    let Some(path) = (context.env)("SSL_CERT_FILE").filter(|path| !path.is_empty()) else {
        return ExtraRoots::default();
    };
    let path = Path::new(&path);
    usable_roots(path, context).unwrap_or_else(|problem| {
        let message = format!("the environment variable SSL_CERT_FILE names this file, but {problem}");
        let help = "correct the variable or unset it; the built-in certificates are still trusted";
        diagnostics.warn(&Location::file(path), message, help);
        ExtraRoots::default()
    })
}

/// Reads a file of CAs that have not all expired. The error completes a sentence about the file.
fn usable_roots(path: &Path, context: &LoadContext<'_>) -> Result<ExtraRoots, String> {
    let text = context.secret_file(path, LONGEST_PEM_BYTES);
    let roots = ExtraRoots::from_pem(&text.map_err(|error| format!("it cannot be read: {error}"))?)?;
    let expired = roots.expired(context.now);
    match expired.iter().max() {
        Some(end) if expired.len() == roots.len() => {
            Err(format!("its last certificate expired on {}", end.to_zoned(TimeZone::UTC).date()))
        }
        _ => Ok(roots),
    }
}
