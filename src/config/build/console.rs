//! `server.console`: the web console and its passwords.

use super::{
    context::LoadContext,
    credentials::Credentials,
    secrets::SecretSource,
    values::{HOUR, MINUTE, duration},
};
use crate::{
    config::{
        diagnostic::{Diagnostics, ErrorGuaranteed},
        raw::{self, Field},
    },
    console::{ConsoleConfig, ExternalUrl, Passwords, Role},
    secret::Secret,
};

const FEWEST_CHARACTERS: usize = 12;
const KEPT_PAYLOADS: usize = 16;
const MOST_PAYLOADS: usize = 64;

/// Without passwords of its own, the console accepts those of `server.auth`.
pub(super) fn read(
    field: &Field<'_>,
    auth: Option<&Credentials>,
    context: &LoadContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<ConsoleConfig, ErrorGuaranteed> {
    let raw = raw::Console::read(field, diagnostics)?;
    let enabled = raw.enabled.bool(diagnostics);
    let help =
        "write the address in the browser, such as https://ops.example.com/wecom, without `.`, `..` and `//`";
    let external_url = raw.external_url.parsed(ExternalUrl::parse, "an http or https URL", help, diagnostics);
    let operator = password(&SecretSource::of_console(&raw), context, diagnostics);
    let viewer = password(&SecretSource::of_viewer(&raw), context, diagnostics);
    let keep = |text: &str| text.parse().ok().filter(|number| *number <= MOST_PAYLOADS);
    let help = "write 0 to keep none, or at most 64";
    let keep_payloads = raw.keep_payloads.parsed(keep, "a number of webhooks", help, diagnostics);
    let session = duration(&raw.session, MINUTE, 12 * HOUR, diagnostics);
    let (operator, viewer, external_url) = (operator?, viewer?, external_url?);
    if viewer.is_some() && operator.is_none() {
        let message = "only a viewer can log in, because there is no password for operators";
        let location = SecretSource::of_viewer(&raw).location().clone();
        return Err(diagnostics.error(&location, message, "set server.console.password_file too"));
    }
    let mut passwords = Passwords::default();
    let of_auth = auth.into_iter().flat_map(Credentials::secrets).filter(|_| operator.is_none());
    operator.iter().chain(of_auth).for_each(|password| passwords.add(password, Role::Operator));
    viewer.iter().for_each(|password| passwords.add(password, Role::Viewer));
    if let Some(path) = external_url.as_ref().and_then(ExternalUrl::own_path) {
        let message = format!("the path begins with /{path}, which is a path of the relay itself");
        let help = "choose another path for the proxy, such as /wecom";
        return Err(diagnostics.error(&raw.external_url.location, message, help));
    }
    if external_url.is_some() && passwords.is_empty() && auth.is_some() {
        let message = "a console behind a proxy needs a password";
        let help = "set server.console.password_file, or remove external_url";
        return Err(diagnostics.error(&raw.external_url.location, message, help));
    }
    Ok(ConsoleConfig {
        enabled: enabled?.unwrap_or(true),
        external_url,
        passwords,
        keep_payloads: keep_payloads?.unwrap_or(KEPT_PAYLOADS),
        session: session?,
    })
}

fn password(
    source: &SecretSource<'_, '_>,
    context: &LoadContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<Option<Secret>, ErrorGuaranteed> {
    let Some(password) = source.read(context, diagnostics)? else { return Ok(None) };
    if password.expose().chars().count() < FEWEST_CHARACTERS {
        let message = format!("the password has fewer than {FEWEST_CHARACTERS} characters");
        let help = "make one with `openssl rand -base64 18`";
        return Err(diagnostics.error(source.location(), message, help));
    }
    Ok(Some(password))
}
