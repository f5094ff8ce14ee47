//! `receivers`: at least one, each with an app, recipients and a valid fallback.

use std::{sync::Arc, time::Duration};

use super::{
    apps::Apps,
    fallbacks::FallbackGraph,
    message::{self, Defaults},
    recipients,
    values::{MINUTE, Slashes, duration, template_language, unique_name},
};
use crate::{
    config::{
        diagnostic::{Diagnostics, ErrorGuaranteed, Location, quoted},
        model::{App, Fallback, Receiver, ReceiverName},
        raw::{self, Field},
    },
    intake::Address,
    nearest::suggestion,
    render::TemplateLanguage,
};

pub(super) fn read(
    field: &Field<'_>,
    apps: &Apps<'_>,
    defaults: &Defaults<'_>,
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
        receivers.push(receiver.and_then(|named| build(named, apps, defaults, &mut fallbacks, diagnostics)));
    }
    fallbacks.check_circles(diagnostics)?;
    let receivers = receivers.into_iter().collect::<Result<Vec<_>, _>>()?;
    refuse_templated_fallbacks(&receivers, diagnostics)?;
    warn_of_shared_apps(&receivers, diagnostics);
    Ok(receivers)
}

struct NamedReceiver<'y> {
    name: Result<&'y str, ErrorGuaranteed>,
    location: Location,
    raw: raw::Receiver<'y>,
}

fn build<'y>(
    named: NamedReceiver<'y>,
    apps: &Apps<'_>,
    defaults: &Defaults<'_>,
    fallbacks: &mut FallbackGraph<'y>,
    diagnostics: &mut Diagnostics,
) -> Result<Receiver, ErrorGuaranteed> {
    let NamedReceiver { name, location, raw } = named;
    let app = app(&raw.app, apps, diagnostics);
    let template_language = template_language(&raw.template_language, diagnostics);
    // The texts are checked also if the language is wrong, so that all errors are reported.
    let language = template_language.unwrap_or_default();
    let recipients = recipients::read(&raw, language, diagnostics);
    let message = message::read(&raw, language, defaults, diagnostics);
    let max_parts = message::max_parts(&raw.max_parts, message.as_ref().ok(), app.as_ref().ok(), diagnostics);
    let send_resolved = raw.send_resolved.bool(diagnostics);
    let fallback = fallback(name, &raw, fallbacks, diagnostics);
    let (name, message) = (name?, message?);
    template_language?;
    Ok(Receiver {
        name: ReceiverName::checked(name),
        app: app?,
        default_templates: message::is_default(&raw)
            && language == TemplateLanguage::Tera
            && matches!(recipients, Ok(Address::Literal(_))),
        recipients: recipients?,
        language: message.language,
        message: message.message,
        message_type: message.message_type,
        plain_copy: message.plain_copy,
        max_parts: max_parts?,
        send_resolved: send_resolved?.unwrap_or(true),
        fallback: fallback?,
        location,
    })
}

fn app(
    field: &Field<'_>,
    apps: &Apps<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<Arc<App>, ErrorGuaranteed> {
    let Some(name) = field.text(diagnostics)? else {
        return only_app(field, apps, diagnostics);
    };
    if let Some(app) = apps.valid.iter().find(|app| app.name.as_str() == name) {
        return Ok(app.clone());
    }
    // The named app is probably one with errors, which are reported already.
    if let Err(reported) = apps.complete
        && (apps.names.is_empty() || apps.names.contains(&name))
    {
        return Err(reported);
    }
    let message = format!("there is no app {}", quoted(name));
    Err(diagnostics.error(&field.location, message, suggestion(name, &apps.names)))
}

fn only_app(
    field: &Field<'_>,
    apps: &Apps<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<Arc<App>, ErrorGuaranteed> {
    match (apps.valid.as_slice(), apps.complete) {
        ([only], Ok(())) => Ok(only.clone()),
        (_, Err(reported)) if apps.listed < 2 => Err(reported),
        _ => {
            let help = format!("name the app that sends: {}", apps.names.join(", "));
            let message = "there are several apps, and this receiver names none";
            Err(diagnostics.error(&field.location, message, help))
        }
    }
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

fn warn_of_shared_apps(receivers: &[Receiver], diagnostics: &mut Diagnostics) {
    for receiver in receivers {
        let Some(fallback) = fallback_of(receiver, receivers) else { continue };
        if Arc::ptr_eq(&fallback.app, &receiver.app) {
            let message =
                format!("the fallback {} sends with the same app, {}", fallback.name, receiver.app.name);
            let help = "use a fallback on another app, which still works when this app fails";
            diagnostics.warn(&receiver.location, message, help);
        }
    }
}

fn fallback_of<'r>(receiver: &Receiver, receivers: &'r [Receiver]) -> Option<&'r Receiver> {
    let fallback = receiver.fallback.as_ref()?;
    receivers.iter().find(|other| other.name == fallback.receiver)
}
