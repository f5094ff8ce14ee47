//! `receivers`: at least one, each with a sender, recipients and a valid fallback.

use std::time::Duration;

use super::{
    actions::{self, Surroundings},
    fallbacks::FallbackGraph,
    mentions,
    message::{self, Audience, Defaults},
    recipients,
    senders::Senders,
    values::{MINUTE, Slashes, duration, template_language, unique_name},
};
use crate::{
    config::{
        diagnostic::{Diagnostics, ErrorGuaranteed, Location, quoted},
        model::{Fallback, Receiver, ReceiverName, Sender},
        raw::{self, Field},
    },
    intake::Address,
    render::TemplateLanguage,
};

pub(super) fn read(
    field: &Field<'_>,
    senders: &Senders<'_>,
    defaults: &Defaults<'_>,
    has_alertmanager: bool,
    diagnostics: &mut Diagnostics,
) -> Result<Vec<Receiver>, ErrorGuaranteed> {
    let items = field.items(diagnostics)?.unwrap_or_default();
    if items.is_empty() {
        let help = "list at least one, with name and to_user, to_party or to_tag";
        return Err(diagnostics.error(&field.location, "there is no receiver", help));
    }
    // All names are read first, because a fallback may be listed later than its receiver.
    let mut used_names = Vec::new();
    let mut named = Vec::new();
    for item in &items {
        let raw = raw::Receiver::read(item, diagnostics);
        named.push(raw.map(|raw| NamedReceiver {
            name: unique_name(&raw.name, Slashes::Inner, &mut used_names, diagnostics),
            location: item.location.clone(),
            raw,
        }));
    }
    let mut fallbacks = FallbackGraph::new(used_names.iter().map(|used| used.name).collect());
    // All receivers are read before the first error returns, so that all errors are reported.
    let mut receivers = Vec::new();
    for receiver in named {
        receivers.push(receiver.and_then(|named| {
            build(named, senders, defaults, has_alertmanager, &mut fallbacks, diagnostics)
        }));
    }
    fallbacks.check_circles(diagnostics)?;
    let receivers = receivers.into_iter().collect::<Result<Vec<_>, _>>()?;
    refuse_templated_fallbacks(&receivers, diagnostics)?;
    warn_of_shared_senders(&receivers, diagnostics);
    Ok(receivers)
}

struct NamedReceiver<'y> {
    name: Result<&'y str, ErrorGuaranteed>,
    location: Location,
    raw: raw::Receiver<'y>,
}

fn build<'y>(
    named: NamedReceiver<'y>,
    senders: &Senders<'_>,
    defaults: &Defaults<'_>,
    has_alertmanager: bool,
    fallbacks: &mut FallbackGraph<'y>,
    diagnostics: &mut Diagnostics,
) -> Result<Receiver, ErrorGuaranteed> {
    let NamedReceiver { name, location, raw } = named;
    let sender = senders.of_receiver(&raw.app, &raw.robot, diagnostics);
    let audience = Audience::of(sender.as_ref().ok(), &raw, senders.default_audience());
    let template_language = template_language(&raw.template_language, diagnostics);
    // The texts are checked also if the language is wrong, so that all errors are reported.
    let language = template_language.unwrap_or_default();
    let recipients = recipients::read(&raw, audience, language, diagnostics);
    let message = message::read(&raw, audience, language, defaults, diagnostics);
    let mentions = mentions::read(&raw, audience, message.as_ref().ok(), language, diagnostics);
    let max_parts =
        message::max_parts(&raw.max_parts, message.as_ref().ok(), sender.as_ref().ok(), diagnostics);
    let surroundings = Surroundings {
        sender: sender.as_ref().ok(),
        message_type: message.as_ref().ok().map(|message| &message.message_type),
        language,
        has_alertmanager,
    };
    let actions = actions::read(&raw.actions, audience, surroundings, diagnostics);
    let also = also(name, &raw.also, fallbacks, diagnostics);
    let send_resolved = raw.send_resolved.bool(diagnostics);
    let fallback = fallback(name, &raw, fallbacks, diagnostics);
    let (name, message) = (name?, message?);
    template_language?;
    let actions = actions?;
    Ok(Receiver {
        name: ReceiverName::checked(name),
        sender: sender?,
        default_templates: message::is_default(&raw)
            && language == TemplateLanguage::Tera
            && matches!(recipients, Ok(Address::Literal(_)))
            && mentions.as_ref().is_ok_and(|mentions| !mentions.has_templates())
            && actions.as_ref().is_none_or(actions::has_default_buttons),
        also: also?,
        mentions: mentions?,
        recipients: recipients?,
        language: message.language,
        message: message.message,
        message_type: message.message_type,
        actions,
        plain_copy: message.plain_copy,
        max_parts: max_parts?,
        send_resolved: send_resolved?.unwrap_or(true),
        fallback: fallback?,
        location,
    })
}

/// The further receivers of each notification.
fn also<'y>(
    name: Result<&'y str, ErrorGuaranteed>,
    field: &Field<'y>,
    fallbacks: &FallbackGraph<'y>,
    diagnostics: &mut Diagnostics,
) -> Result<Vec<ReceiverName>, ErrorGuaranteed> {
    let mut also = Vec::new();
    let mut checked = Ok(());
    for item in field.items(diagnostics)?.unwrap_or_default() {
        let other = item.required_text("name another receiver, or remove the entry", diagnostics)?;
        let other_name = ReceiverName::checked(other);
        if also.contains(&other_name) {
            let message = format!("{} is listed twice", quoted(other));
            checked = Err(diagnostics.error(&item.location, message, "list it once"));
        }
        match fallbacks.check(
            name.ok(),
            other,
            &item.location,
            "a receiver cannot be listed in its own also",
            diagnostics,
        ) {
            Ok(()) => also.push(other_name),
            Err(reported) => checked = Err(reported),
        }
    }
    checked.map(|()| also)
}

fn fallback<'y>(
    name: Result<&'y str, ErrorGuaranteed>,
    raw: &raw::Receiver<'y>,
    fallbacks: &mut FallbackGraph<'y>,
    diagnostics: &mut Diagnostics,
) -> Result<Option<Fallback>, ErrorGuaranteed> {
    let after = duration(&raw.fallback_after, Duration::ZERO, 5 * MINUTE, diagnostics);
    let Some(receiver) = raw.fallback.text(diagnostics)? else {
        if raw.fallback_after.is_set() {
            let message = "this has no effect without fallback";
            diagnostics.warn(&raw.fallback_after.location, message, "add fallback");
        }
        after?;
        return Ok(None);
    };
    fallbacks.add(name.ok(), receiver, &raw.fallback.location, diagnostics)?;
    Ok(Some(Fallback { receiver: ReceiverName::checked(receiver), after: after? }))
}

/// Refuses a fallback with templates as recipients, because notices have no payload to render them with.
fn refuse_templated_fallbacks(
    receivers: &[Receiver],
    diagnostics: &mut Diagnostics,
) -> Result<(), ErrorGuaranteed> {
    let mut checked = Ok(());
    for receiver in receivers {
        let Some(fallback) = fallback_of(receiver, receivers) else { continue };
        if matches!(fallback.recipients, Address::Template { .. }) {
            let message = format!("the fallback {} has templates for recipients", fallback.name);
            let help = "name a receiver with fixed recipients";
            checked = Err(diagnostics.error(&receiver.location, message, help));
        }
    }
    checked
}

fn warn_of_shared_senders(receivers: &[Receiver], diagnostics: &mut Diagnostics) {
    for receiver in receivers {
        let Some(fallback) = fallback_of(receiver, receivers) else { continue };
        let (name, is_robot) = (receiver.sender.name(), matches!(receiver.sender, Sender::Robot(_)));
        if fallback.sender.name() == name {
            let kind = if is_robot { "robot" } else { "app" };
            let message = format!("the fallback {} sends with the same {kind}, {name}", fallback.name);
            let help = format!("use a fallback on another {kind}, which still works when this {kind} fails");
            diagnostics.warn(&receiver.location, message, help);
        }
    }
}

fn fallback_of<'r>(receiver: &Receiver, receivers: &'r [Receiver]) -> Option<&'r Receiver> {
    let fallback = receiver.fallback.as_ref()?;
    receivers.iter().find(|other| other.name == fallback.receiver)
}
