//! A configuration's receivers as the intake takes them: every template of theirs gets a name, and is compiled.

use std::path::Path;

use crate::{
    config::{Config, Located, Place, Position, Problem, Receiver},
    intake::{self, Address, Form},
    outbox::{ReceiverName, SenderName},
    render::{self, CompileError, Source, Templates},
};

/// Compiles all templates of a configuration.
///
/// # Errors
/// All that is wrong with them, each in its place.
pub(super) fn compile(config: &Config) -> Result<Templates, Vec<Problem>> {
    let mut found: Vec<(String, &Located<String>)> = Vec::new();
    for receiver in &config.receivers {
        _ = named(receiver, config, &mut |name, template| found.push((name, template)));
    }
    let files = config.templates.iter().map(|file| Source {
        name: (&file.name).into(),
        origin: file.path.display().to_string().into(),
        text: (&file.text).into(),
    });
    let keys = found.iter().map(|(name, template)| Source {
        name: name.into(),
        origin: template.place.to_string().into(),
        text: (&template.value).into(),
    });
    let sources: Vec<_> = files.chain(keys).collect();
    Templates::compile(&sources).map_err(|errors| {
        let problem = |error: CompileError| {
            let key = found.iter().find(|(_, template)| template.place.to_string() == error.origin);
            let Some((_, template)) = key else {
                let place = Place { at: error.at.map(position), ..Place::file(Path::new(&error.origin)) };
                return Problem::new(place, error.message, "");
            };
            let at = error.at.map(|at| format!("line {}, column {} of the template: ", at.line, at.column));
            let wrong = format!("{}{}", at.unwrap_or_default(), error.message);
            Problem::new(template.place.clone(), wrong, "")
        };
        errors.into_iter().map(problem).collect()
    })
}

/// Where a template's mistake is in its file.
fn position(at: render::Position) -> Position {
    Position { line: at.line as u64, column: at.column as u64 }
}

/// The receivers with the names that [`compile`] gave their templates.
pub(super) fn receivers(config: &Config) -> impl Iterator<Item = intake::Receiver> {
    config.receivers.iter().map(|receiver| named(receiver, config, &mut |_, _| ()))
}

/// The receiver with a name for each of its templates, which `found` is told.
fn named<'c>(
    receiver: &'c Receiver,
    config: &Config,
    found: &mut dyn FnMut(String, &'c Located<String>),
) -> intake::Receiver {
    let mut name = |field: &str, template: &'c Located<String>| {
        let name = render::receiver_template(receiver.name.as_str(), field);
        found(name.clone(), template);
        name
    };
    let address = match &receiver.recipients {
        Address::Literal(recipients) => Address::Literal(recipients.clone()),
        Address::Template { to_user, to_party, to_tag } => Address::Template {
            to_user: name("to_user", to_user),
            to_party: name("to_party", to_party),
            to_tag: name("to_tag", to_tag),
        },
    };
    let message = name("message", &receiver.message);
    let form = match &receiver.message_type {
        Form::Text => Form::Text,
        Form::Markdown => Form::Markdown,
        Form::TextCard { title, description, url, btntxt } => Form::TextCard {
            title: name("title", title),
            description: name("description", description),
            url: name("url", url),
            btntxt: name("btntxt", btntxt),
        },
        Form::TemplateCard(tree) => {
            Form::TemplateCard(tree.map("template_card", &mut |path, template| name(&path, template)))
        }
    };
    intake::Receiver {
        name: ReceiverName(receiver.name.as_str().to_owned()),
        sender: channel_of(receiver),
        address,
        message,
        form,
        plain_copy: receiver.plain_copy,
        send_resolved: receiver.send_resolved,
        max_parts: receiver.max_parts,
        fallback: fallback(receiver, config),
        builtin_only: receiver.default_templates && config.templates.is_empty(),
    }
}

/// The sender of the app that sends for it.
pub(super) fn channel_of(receiver: &Receiver) -> SenderName {
    SenderName(receiver.app.name.as_str().to_owned())
}

/// Where what cannot be delivered to `receiver` goes.
pub(super) fn fallback(receiver: &Receiver, config: &Config) -> Option<intake::Fallback> {
    let to = config.receiver(receiver.fallback.as_ref()?.receiver.as_str())?;
    // The configuration has no fallback whose recipients are templates.
    let Address::Literal(recipients) = &to.recipients else { return None };
    Some(intake::Fallback {
        name: ReceiverName(to.name.as_str().to_owned()),
        sender: channel_of(to),
        recipients: recipients.clone(),
    })
}
