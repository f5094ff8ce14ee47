//! `receivers`: at least one, each with an app, somebody to write to, and a fallback that leads somewhere.

use std::{sync::Arc, time::Duration};

use super::{MINUTE, apps::Apps, duration, fallbacks::Links, form, name, recipients};
use crate::{
    config::{
        model::{App, Fallback, Receiver, ReceiverName},
        nearest::nearest,
        problem::{Place, Report, Reported, quoted},
        raw::{self, Field, list},
    },
    intake::Address,
};

pub(super) fn read(
    field: &Field<'_>,
    apps: &Apps<'_>,
    report: &mut Report,
) -> Result<Vec<Receiver>, Reported> {
    let items = field.items(report)?.unwrap_or_default();
    if items.is_empty() {
        let right = "list at least one, with name and to_user, to_party or to_tag";
        return Err(report.problem(&field.place, "there is no receiver", right));
    }
    let raws: Vec<_> = items.iter().map(|item| raw::Receiver::read(item, report)).collect();
    let mut taken = Vec::new();
    let named = raws.into_iter().map(|raw| raw.map(|raw| (name(&raw.name, &mut taken, report), raw)));
    let named: Vec<_> = named.zip(&items).collect();
    let mut links = Links::new(taken.iter().map(|(name, _)| *name).collect());
    let receivers = named.into_iter().map(|(named, item)| {
        let (name, raw) = named?;
        receiver(name, raw, &item.place, apps, &mut links, report)
    });
    // Read to the end before the first that failed ends it.
    let receivers: Vec<_> = receivers.collect();
    links.refuse_circles(report)?;
    let receivers = receivers.into_iter().collect::<Result<Vec<_>, _>>()?;
    refuse_templated_fallbacks(&receivers, report)?;
    warn_of_shared_apps(&receivers, report);
    Ok(receivers)
}

fn receiver<'y>(
    name: Result<&'y str, Reported>,
    raw: raw::Receiver<'y>,
    place: &Place,
    apps: &Apps<'_>,
    links: &mut Links<'y>,
    report: &mut Report,
) -> Result<Receiver, Reported> {
    let app = app(&raw.app, apps, report);
    let recipients = recipients::read(&raw, report);
    let form = form::read(&raw, report);
    let max_parts = form::max_parts(&raw.max_parts, form.as_ref().ok(), app.as_ref().ok(), report);
    let send_resolved = raw.send_resolved.truth(report);
    let fallback = fallback(name, &raw, links, report);
    let (name, form) = (name?, form?);
    Ok(Receiver {
        name: ReceiverName::checked(name),
        app: app?,
        default_templates: form::is_default(&raw) && matches!(recipients, Ok(Address::Literal(_))),
        recipients: recipients?,
        message: form.message,
        message_type: form.message_type,
        plain_copy: form.plain_copy,
        max_parts: max_parts?,
        send_resolved: send_resolved?.unwrap_or(true),
        fallback: fallback?,
        place: place.clone(),
    })
}

fn app(field: &Field<'_>, apps: &Apps<'_>, report: &mut Report) -> Result<Arc<App>, Reported> {
    let Some(named) = field.text(report)? else {
        return match (apps.valid.as_slice(), apps.complete) {
            ([only], Ok(())) => Ok(only.clone()),
            (_, Err(reported)) if apps.listed < 2 => Err(reported),
            _ => {
                let right = format!("name the one that sends: {}", list(&apps.names));
                Err(report.problem(&field.place, "there is more than one app, and none is named here", right))
            }
        };
    };
    if let Some(app) = apps.valid.iter().find(|app| app.name.as_str() == named) {
        return Ok(app.clone());
    }
    if let Err(reported) = apps.complete
        && (apps.names.is_empty() || apps.names.contains(&named))
    {
        return Err(reported);
    }
    Err(report.problem(&field.place, format!("there is no app {}", quoted(named)), meant(named, &apps.names)))
}

/// What an unknown name may have meant.
pub(super) fn meant(name: &str, known: &[&str]) -> String {
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("there are {}", list(known)),
    }
}

fn fallback<'y>(
    name: Result<&'y str, Reported>,
    raw: &raw::Receiver<'y>,
    links: &mut Links<'y>,
    report: &mut Report,
) -> Result<Option<Fallback>, Reported> {
    let after = duration(&raw.fallback_after, Duration::ZERO, 5 * MINUTE, report);
    let Some(receiver) = raw.fallback.text(report)? else {
        if raw.fallback_after.is_set() {
            report.warn(&raw.fallback_after.place, "this has no effect without fallback", "name a fallback");
        }
        after?;
        return Ok(None);
    };
    links.add(name.ok(), receiver, &raw.fallback.place, report)?;
    Ok(Some(Fallback { receiver: ReceiverName::checked(receiver), after: after? }))
}

/// A fallback is told what has no payload: there is nothing that its templates could be rendered with.
fn refuse_templated_fallbacks(receivers: &[Receiver], report: &mut Report) -> Result<(), Reported> {
    let mut all = Ok(());
    for receiver in receivers {
        let Some(fallback) = &receiver.fallback else { continue };
        let templated = |other: &&Receiver| {
            other.name == fallback.receiver && matches!(other.recipients, Address::Template { .. })
        };
        if receivers.iter().any(|other| templated(&other)) {
            let wrong = format!("the fallback {} has templates for recipients", fallback.receiver);
            all = Err(report.problem(&receiver.place, wrong, "name one whose recipients are written out"));
        }
    }
    all
}

fn warn_of_shared_apps(receivers: &[Receiver], report: &mut Report) {
    for receiver in receivers {
        let Some(fallback) = &receiver.fallback else { continue };
        let shares =
            |other: &&Receiver| other.name == fallback.receiver && Arc::ptr_eq(&other.app, &receiver.app);
        if receivers.iter().find(shares).is_some() {
            let wrong =
                format!("the fallback {} sends with the same app, {}", fallback.receiver, receiver.app.name);
            report.warn(&receiver.place, wrong, "one on another app works when this app does not");
        }
    }
}
