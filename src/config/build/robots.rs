//! `robots[]`: a group robot with the key of its webhook URL.

use std::num::NonZeroU32;

use super::{
    connection::ConnectionKeys,
    context::LoadContext,
    secrets::SecretSource,
    values::{Slashes, UsedName, unique_name},
};
use crate::{
    config::{
        diagnostic::{Diagnostics, ErrorGuaranteed},
        model::{Limits, Robot, SenderName},
        raw::{self, Field},
    },
    tls::ExtraRoots,
    wecom::endpoint::WebhookUrl,
};

/// WeCom's limit.
const PER_MINUTE: u32 = 20;

pub(super) fn read<'y>(
    field: &Field<'y>,
    used_names: &mut Vec<UsedName<'y>>,
    environment_roots: &ExtraRoots,
    context: &LoadContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<Robot, ErrorGuaranteed> {
    let raw = raw::Robot::read(field, diagnostics)?;
    let name = unique_name(&raw.name, Slashes::None, used_names, diagnostics);
    let webhook = webhook(&raw, context, diagnostics);
    let default_api_url = webhook.as_ref().ok().and_then(|webhook| webhook.api_url.clone());
    let connection =
        ConnectionKeys::of_robot(&raw, default_api_url).read(environment_roots, context, diagnostics);
    let limits = limits(&raw.limits, diagnostics);
    Ok(Robot {
        name: SenderName::checked(name?),
        key: webhook?.key,
        connection: connection?,
        limits: limits?,
        location: field.location.clone(),
    })
}

/// The key alone, or the whole webhook URL as WeCom shows it.
fn webhook(
    raw: &raw::Robot<'_>,
    context: &LoadContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<WebhookUrl, ErrorGuaranteed> {
    let source = SecretSource::of_robot(raw);
    let written = source.required(context, diagnostics)?;
    WebhookUrl::parse(&written).map_err(|error| diagnostics.error(source.location(), error.to_string(), ""))
}

fn limits(field: &Field<'_>, diagnostics: &mut Diagnostics) -> Result<Limits, ErrorGuaranteed> {
    let raw = raw::RobotLimits::read(field, diagnostics)?;
    let help = format!("write a whole number such as {PER_MINUTE}; 0 is no limit");
    let field = &raw.per_minute;
    let limit = field.parsed(|text| text.parse().ok(), "a number of messages", &help, diagnostics)?;
    let limit: u32 = limit.unwrap_or(PER_MINUTE);
    if limit == 0 || limit > PER_MINUTE {
        let message = format!(
            "WeCom refuses more than {PER_MINUTE} messages per minute of one robot (45009), and blocks it for a while"
        );
        diagnostics.warn(&field.location, message, format!("write at most {PER_MINUTE}, and not 0"));
    }
    Ok(Limits { per_minute: NonZeroU32::new(limit), per_hour: None })
}
