//! The whole file: its sections, and the short sections themselves.

use jiff::tz::TimeZone;

use super::{
    actions, alertmanager, callback,
    context::LoadContext,
    message::Defaults,
    outbox, receivers,
    senders::{self, ValidSenders},
    server, templates,
    values::language,
};
use crate::{
    config::{
        diagnostic::{Diagnostics, ErrorGuaranteed, Location},
        model::{Config, Outbox},
        raw::{self, Field},
    },
    yaml::Node,
};

/// `outbox` of a document that has nothing else.
pub(in crate::config) fn only_outbox(
    document: &Node,
    file: &Location,
    context: &LoadContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<Outbox, ErrorGuaranteed> {
    let root = raw::Root::read(&Field::root(document, file), diagnostics)?;
    outbox::read(&root.outbox, context, diagnostics)
}

pub(in crate::config) fn config(
    document: &Node,
    file: &Location,
    context: &LoadContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<Config, ErrorGuaranteed> {
    let root = raw::Root::read(&Field::root(document, file), diagnostics)?;
    let server = server::read(&root.server, context, diagnostics);
    let outbox = outbox::read(&root.outbox, context, diagnostics);
    let timezone = timezone(&root.timezone, diagnostics);
    let language = language(&root.language, diagnostics);
    let templates = match context.only_secrets {
        true => Ok(Vec::new()),
        false => templates::read(&root.templates, context, diagnostics),
    };
    let senders = senders::read(&root.apps, &root.robots, context, diagnostics);
    let defaults = Defaults {
        language: language.unwrap_or_default(),
        templates: templates.as_deref().unwrap_or_default(),
    };
    let alertmanager = alertmanager::read(&root.alertmanager, context, diagnostics);
    let has_alertmanager = !matches!(alertmanager, Ok(None));
    let receivers = receivers::read(&root.receivers, &senders, &defaults, has_alertmanager, diagnostics);
    language?;
    let senders = senders.into_valid();
    let ValidSenders { apps, robots } = senders?;
    let server = server?;
    callback::warn(&server, &apps, &root.server.location, diagnostics);
    let (timezone, receivers) = (timezone?, receivers?);
    if !root.timezone.is_set() {
        actions::warn_of_utc(&timezone, &receivers, diagnostics);
    }
    Ok(Config {
        server,
        outbox: outbox?,
        timezone,
        apps,
        robots,
        alertmanager: alertmanager?,
        templates: templates?,
        receivers,
        origin: context.origin(),
    })
}

/// The configured zone, else that of the environment variable `TZ` or of the system.
fn timezone(field: &Field<'_>, diagnostics: &mut Diagnostics) -> Result<TimeZone, ErrorGuaranteed> {
    let help = "write a name of the time zone database, such as Asia/Shanghai or UTC";
    let zone = field.parsed(|name| TimeZone::get(name.trim()).ok(), "a time zone", help, diagnostics)?;
    Ok(zone.unwrap_or_else(|| TimeZone::try_system().unwrap_or(TimeZone::UTC)))
}
