//! `apps[].callback`: the token and the key of the requests that WeCom sends to the relay.

use std::sync::Arc;

use super::{context::LoadContext, secrets::SecretSource};
use crate::{
    config::{
        diagnostic::{Diagnostics, ErrorGuaranteed, Location},
        model::{App, Server},
        raw::{self, Field},
    },
    http::TlsConfig,
    wecom::callback::{CallbackKeys, CallbackToken, EncodingAesKey},
};

const PAGE: &str = "in WeCom's admin console, on the page of the app, at 接收消息 → 设置API接收";

/// `None` without the section.
pub(super) fn read(
    field: &Field<'_>,
    corp_id: &str,
    context: &LoadContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<Option<CallbackKeys>, ErrorGuaranteed> {
    if !field.is_written() {
        return Ok(None);
    }
    let raw = raw::Callback::read(field, diagnostics)?;
    let token = token(&SecretSource::of_callback_token(&raw), context, diagnostics);
    let key = key(&SecretSource::of_callback_key(&raw), context, diagnostics);
    Ok(Some(CallbackKeys::new(token?, key?, corp_id)))
}

fn token(
    source: &SecretSource<'_, '_>,
    context: &LoadContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<CallbackToken, ErrorGuaranteed> {
    let token = source.required(context, diagnostics)?;
    CallbackToken::parse(token).map_err(|problem| {
        let message = format!("this is not a Token of a callback, because {problem}");
        let help = format!("write 1 to 32 letters and digits, the same as {PAGE}");
        diagnostics.error(source.location(), message, help)
    })
}

fn key(
    source: &SecretSource<'_, '_>,
    context: &LoadContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<EncodingAesKey, ErrorGuaranteed> {
    let key = source.required(context, diagnostics)?;
    EncodingAesKey::parse(&key).map_err(|problem| {
        let message = format!("this is not an EncodingAESKey, because {problem}");
        let help = format!("write the 43 letters and digits {PAGE}");
        diagnostics.error(source.location(), message, help)
    })
}

/// Warns of callbacks that WeCom cannot reach, and of listeners without callbacks. `location` is that of `server`.
pub(super) fn warn(server: &Server, apps: &[Arc<App>], location: &Location, diagnostics: &mut Diagnostics) {
    let callback = apps.iter().find(|app| app.callback.is_some());
    let Some(app) = callback else {
        if server.callback_listen.is_some() {
            let message = "there is a callback_listen, and no app has a callback";
            diagnostics.warn(location, message, "add callback to an app, or remove callback_listen");
        }
        return;
    };
    let asks = server.security.tls.as_ref().is_some_and(TlsConfig::asks_for_certificates);
    if asks && server.callback_listen.is_none() {
        let message = "WeCom cannot reach the callback, because it has no certificate of client_ca_file";
        diagnostics.warn(
            &app.location,
            message,
            "set server.callback_listen, which asks for no certificates",
        );
    }
}
