//! `alertmanager`: where silences are created.

use super::{
    certificates, connection::call_timeout, context::LoadContext, credentials::user_name,
    secrets::SecretSource,
};
use crate::{
    alertmanager::client::{AlertmanagerSettings, AlertmanagerUrl, Credentials},
    config::{
        diagnostic::{Diagnostics, ErrorGuaranteed},
        raw::{self, Field},
    },
};

/// `None` without the section.
pub(super) fn read(
    field: &Field<'_>,
    context: &LoadContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<Option<AlertmanagerSettings>, ErrorGuaranteed> {
    if !field.is_written() {
        return Ok(None);
    }
    let raw = raw::Alertmanager::read(field, diagnostics)?;
    let url = url(&raw.url, diagnostics);
    let token = SecretSource::of_alertmanager_token(&raw).read(context, diagnostics);
    let basic = match raw.basic_auth.is_written() {
        true => basic(&raw.basic_auth, context, diagnostics).map(Some),
        false => Ok(None),
    };
    let extra_roots = certificates::ca_file(&raw.ca_file, context, diagnostics);
    let timeout = call_timeout(&raw.timeout, diagnostics);
    let (url, token, basic) = (url?, token?, basic?);
    let credentials = match (token, basic) {
        (Some(_), Some(_)) => {
            let message = "a request has one credential, and there are two";
            let help = "remove bearer_token or basic_auth";
            return Err(diagnostics.error(&raw.basic_auth.location, message, help));
        }
        (Some(token), None) => Credentials::Bearer(token),
        (None, Some(basic)) => basic,
        (None, None) => Credentials::None,
    };
    if url.is_open() && !matches!(credentials, Credentials::None) {
        let message = "the credentials go over the network unencrypted";
        diagnostics.warn(&raw.url.location, message, "use https");
    }
    // The certificates of the environment are for WeCom's proxies. They are trusted here too, as by other programs.
    let environment = certificates::of_environment(context, &mut Diagnostics::default());
    Ok(Some(AlertmanagerSettings {
        url,
        credentials,
        extra_roots: extra_roots?.with(&environment),
        timeout: timeout?,
    }))
}

fn url(field: &Field<'_>, diagnostics: &mut Diagnostics) -> Result<AlertmanagerUrl, ErrorGuaranteed> {
    let written =
        field.required_text("write the address of Alertmanager: http://127.0.0.1:9093", diagnostics)?;
    AlertmanagerUrl::parse(written)
        .map_err(|problem| diagnostics.error(&field.location, problem.to_string(), ""))
}

fn basic(
    field: &Field<'_>,
    context: &LoadContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<Credentials, ErrorGuaranteed> {
    let raw = raw::AlertmanagerUser::read(field, diagnostics)?;
    let username = user_name(&raw.username, "write the user name that Alertmanager expects", diagnostics);
    let password = SecretSource::of_alertmanager_password(&raw).required(context, diagnostics);
    Ok(Credentials::Basic { username: username?.to_owned(), password: password? })
}
