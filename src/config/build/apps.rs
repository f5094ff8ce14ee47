//! `apps[]`: an app with a secret.

use std::num::NonZeroU32;

use super::{
    callback,
    connection::ConnectionKeys,
    context::LoadContext,
    secrets::SecretSource,
    values::{Slashes, UsedName, unique_name},
};
use crate::{
    config::{
        diagnostic::{Diagnostics, ErrorGuaranteed},
        model::{App, Limits, SenderName},
        raw::{self, Field},
    },
    text::named_char,
    tls::ExtraRoots,
    wecom::message::AgentId,
};

pub(super) fn read<'y>(
    field: &Field<'y>,
    used_names: &mut Vec<UsedName<'y>>,
    environment_roots: &ExtraRoots,
    context: &LoadContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<App, ErrorGuaranteed> {
    let raw = raw::App::read(field, diagnostics)?;
    let name = unique_name(&raw.name, Slashes::None, used_names, diagnostics);
    let corp_id = corp_id(&raw.corp_id, diagnostics);
    let agent_id = agent_id(&raw.agent_id, diagnostics);
    let api_secret = SecretSource::of_app(&raw).required(context, diagnostics);
    let connection = ConnectionKeys::of_app(&raw).read(environment_roots, context, diagnostics);
    let limits = limits(&raw.limits, diagnostics);
    let callback =
        callback::read(&raw.callback, corp_id.as_deref().unwrap_or_default(), context, diagnostics);
    Ok(App {
        name: SenderName::checked(name?),
        corp_id: corp_id?,
        agent_id: agent_id?,
        api_secret: api_secret?,
        connection: connection?,
        limits: limits?,
        callback: callback?,
        location: field.location.clone(),
    })
}

fn corp_id(field: &Field<'_>, diagnostics: &mut Diagnostics) -> Result<String, ErrorGuaranteed> {
    let help =
        "write the corp's id, such as ww1234567890abcdef, which the console shows at 我的企业 → 企业ID";
    let id = field.required_text(help, diagnostics)?.trim();
    match id.chars().find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_')) {
        None => Ok(id.to_owned()),
        Some(odd) => {
            let message = format!("this is not a corp id, because it has the character {}", named_char(odd));
            Err(diagnostics.error(&field.location, message, help))
        }
    }
}

fn agent_id(field: &Field<'_>, diagnostics: &mut Diagnostics) -> Result<AgentId, ErrorGuaranteed> {
    let help = "write the app's AgentId, a whole number above 0, such as 1000030";
    field.required_text(help, diagnostics)?;
    let parse = |text: &str| text.trim().parse().ok().filter(|id| *id > 0).map(AgentId);
    let id = field.parsed(parse, "an agent id", help, diagnostics)?;
    id.ok_or_else(|| diagnostics.error(&field.location, "this is missing", help))
}

fn limits(field: &Field<'_>, diagnostics: &mut Diagnostics) -> Result<Limits, ErrorGuaranteed> {
    let raw = raw::Limits::read(field, diagnostics)?;
    let per_minute = limit(&raw.per_minute, 30, "minute", diagnostics);
    let per_hour = limit(&raw.per_hour, 1000, "hour", diagnostics);
    Ok(Limits { per_minute: per_minute?, per_hour: per_hour? })
}

/// A number of messages in a `window`. WeCom itself allows `wecom_limit` of them.
fn limit(
    field: &Field<'_>,
    wecom_limit: u32,
    window: &str,
    diagnostics: &mut Diagnostics,
) -> Result<Option<NonZeroU32>, ErrorGuaranteed> {
    let help = format!("write a whole number such as {wecom_limit}; 0 is no limit");
    let limit = field.parsed(|text| text.parse().ok(), "a number of messages", &help, diagnostics)?;
    let limit: u32 = limit.unwrap_or(wecom_limit);
    let dropped = format!(
        "WeCom silently drops more than {wecom_limit} messages per {window} to one member, and answers errcode 0"
    );
    if limit == 0 {
        let help = format!("write {wecom_limit}, or remove the key");
        diagnostics.warn(&field.location, format!("0 is no limit; {dropped}"), help);
    } else if limit > wecom_limit {
        diagnostics.warn(&field.location, dropped, format!("write at most {wecom_limit}"));
    }
    Ok(NonZeroU32::new(limit))
}
