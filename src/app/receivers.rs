//! Converts the configured receivers to those of `intake`. Each inline template gets a name and is compiled.

use std::{collections::HashMap, path::Path};

use crate::{
    config::{self, Config, Diagnostic, Located, Location, Position, Receiver, Sender, Template},
    intake::{self, Actions, Address, Button, ButtonEffect, DraftSource, MentionList, Mentions, MessageType},
    language::Language,
    outbox::{ConfiguredSender, ReceiverName, SenderName},
    render::{self, CompileError, Source, TemplateLanguage, Templates},
};

/// All receivers, and the templates that they name.
pub(super) struct CompiledReceivers {
    pub(super) receivers: Vec<intake::Receiver>,
    pub(super) templates: Templates,
    pub(super) origins: HashMap<String, Location>,
}

/// Compiles the template files and the inline templates of all receivers.
///
/// # Errors
/// All problems, each with its location.
pub(super) fn compile(config: &Config) -> Result<CompiledReceivers, Vec<Diagnostic>> {
    let mut inline = InlineTemplates::default();
    let receivers = config.receivers.iter().map(|receiver| convert(receiver, config, &mut inline)).collect();
    let files = config.templates.iter().map(|file| Source {
        name: (&file.name).into(),
        origin: file.path.display().to_string().into(),
        text: (&file.text).into(),
        language: file.language,
    });
    let keys = inline.0.iter().map(|(name, template)| Source {
        name: name.into(),
        origin: template.location.to_string().into(),
        text: (&template.value.text).into(),
        language: template.value.language,
    });
    let sources: Vec<_> = files.chain(keys).collect();
    match Templates::compile(&sources) {
        Ok(templates) => Ok(CompiledReceivers { receivers, templates, origins: inline.origins(config) }),
        Err(errors) => Err(errors.into_iter().map(|error| inline.problem(error)).collect()),
    }
}

/// Every template of the configuration, for drafts.
pub(super) fn draft_sources(config: &Config) -> Vec<DraftSource> {
    let mut inline = InlineTemplates::default();
    for receiver in &config.receivers {
        convert(receiver, config, &mut inline);
    }
    let files = config.templates.iter().map(|file| DraftSource {
        name: file.name.clone(),
        origin: file.path.display().to_string(),
        text: file.text.clone(),
        is_go: file.language == TemplateLanguage::Go,
    });
    let keys = inline.0.iter().map(|(name, template)| DraftSource {
        name: name.clone(),
        origin: template.location.to_string(),
        text: template.value.text.clone(),
        is_go: template.value.language == TemplateLanguage::Go,
    });
    files.chain(keys).collect()
}

/// WeCom counts messages by the API URL, the corp and the agent of an app, and by the key of a robot.
pub(super) fn identity(sender: &Sender) -> String {
    let api_url = sender.connection().api_url.as_str();
    match sender {
        Sender::App(app) => format!("{api_url} {} {}", app.corp_id, app.agent_id),
        Sender::Robot(robot) => format!("{api_url} robot {}", robot.key.fingerprint()),
    }
}

/// The configured senders with the identity of `sender`, including `sender`. They are one sender, with the name and the
/// credentials of the first one.
pub(super) fn same_sender(sender: &Sender, config: &Config) -> Vec<Sender> {
    let identity = identity(sender);
    config.senders().filter(|other| self::identity(other) == identity).collect()
}

pub(super) fn sender_name(sender: &Sender, config: &Config) -> SenderName {
    name(same_sender(sender, config).first().unwrap_or(sender).name())
}

fn name(name: &config::SenderName) -> SenderName {
    SenderName(name.as_str().to_owned())
}

pub(super) fn configured_senders(config: &Config) -> Vec<ConfiguredSender> {
    let mut senders = Vec::new();
    for sender in config.senders() {
        let same = same_sender(&sender, config);
        let mut names = same.iter().map(|sender| name(sender.name()));
        if let Some(name) = names.next().filter(|first| first.0 == sender.name().as_str()) {
            senders.push(ConfiguredSender { name, identity: identity(&sender), aliases: names.collect() });
        }
    }
    senders
}

pub(super) fn receiver_name(receiver: &Receiver) -> ReceiverName {
    ReceiverName(receiver.name.as_str().to_owned())
}

pub(super) fn language(receiver: &Receiver) -> (ReceiverName, Language) {
    (receiver_name(receiver), receiver.language)
}

/// The fallback of `receiver`, resolved to the receiver that it names.
pub(super) fn fallback(receiver: &Receiver, config: &Config) -> Option<intake::Fallback> {
    let to = config.receiver(receiver.fallback.as_ref()?.receiver.as_str())?;
    // The configuration refuses a fallback whose recipients are templates.
    let Address::Literal(recipients) = &to.recipients else { return None };
    Some(intake::Fallback {
        name: receiver_name(to),
        sender: sender_name(&to.sender, config),
        recipients: recipients.clone(),
        language: to.language,
    })
}

/// Templates that are written in the configuration itself, by the names that they are compiled under.
#[derive(Default)]
struct InlineTemplates<'c>(Vec<(String, &'c Located<Template>)>);

impl<'c> InlineTemplates<'c> {
    fn add(&mut self, receiver: &Receiver, field: &str, template: &'c Located<Template>) -> String {
        let name = render::receiver_template(receiver.name.as_str(), field);
        self.0.push((name.clone(), template));
        name
    }

    fn problem(&self, error: CompileError) -> Diagnostic {
        let inline = self.0.iter().find(|(_, template)| template.location.to_string() == error.origin);
        let origin = match inline {
            Some((_, template)) => template.location.clone(),
            None => Location::file(Path::new(&error.origin)),
        };
        located(origin, error.at, &error.message)
    }

    /// The place where each template is written, by its name.
    fn origins(&self, config: &Config) -> HashMap<String, Location> {
        let files = config.templates.iter().map(|file| (file.name.clone(), Location::file(&file.path)));
        let keys = self.0.iter().map(|(name, template)| (name.clone(), template.location.clone()));
        files.chain(keys).collect()
    }
}

/// A problem at a place of the template that is written at `origin`. An inline template is located by its key, because
/// its own line numbers count from the key.
pub(super) fn located(origin: Location, at: Option<render::Position>, message: &str) -> Diagnostic {
    if origin.key.is_empty() {
        let at = at.map(|at| Position { line: at.line as u64, column: at.column as u64 });
        return Diagnostic::new(Location { position: at, ..origin }, message, "");
    }
    let at = at.map(|at| format!("line {}, column {} of the template: ", at.line, at.column));
    Diagnostic::new(origin, format!("{}{message}", at.unwrap_or_default()), "")
}

fn convert<'c>(
    receiver: &'c Receiver,
    config: &Config,
    inline: &mut InlineTemplates<'c>,
) -> intake::Receiver {
    let mut name = |field: &str, template: &'c Located<Template>| inline.add(receiver, field, template);
    let address = match &receiver.recipients {
        Address::Literal(recipients) => Address::Literal(recipients.clone()),
        Address::Template { to_user, to_party, to_tag } => Address::Template {
            to_user: name("to_user", to_user),
            to_party: name("to_party", to_party),
            to_tag: name("to_tag", to_tag),
        },
    };
    let message = name("message", &receiver.message);
    let message_type = match &receiver.message_type {
        MessageType::Text => MessageType::Text,
        MessageType::Markdown => MessageType::Markdown,
        MessageType::MarkdownV2 => MessageType::MarkdownV2,
        MessageType::TextCard { title, description, url, btntxt } => MessageType::TextCard {
            title: name("title", title),
            description: name("description", description),
            url: name("url", url),
            btntxt: name("btntxt", btntxt),
        },
        MessageType::TemplateCard(tree) => {
            MessageType::TemplateCard(tree.map("template_card", &mut |path, template| name(&path, template)))
        }
    };
    let actions = receiver.actions.as_ref().map(|actions| {
        let buttons = actions.card.buttons.iter().zip(0..).map(|(button, at)| {
            let effect = match &button.effect {
                ButtonEffect::Action(action) => ButtonEffect::Action(*action),
                ButtonEffect::Link(url) => {
                    ButtonEffect::Link(name(&format!("actions.buttons[{at}].url"), url))
                }
            };
            Button { text: button.text.clone(), style: button.style, effect }
        });
        Actions { buttons: buttons.collect(), repeats: actions.card.repeats }
    });
    let mut list = |key: &str, list: &'c MentionList<Located<Template>>| {
        let named = (0..).zip(&list.templates).map(|(at, template)| name(&format!("{key}[{at}]"), template));
        MentionList { fixed: list.fixed.clone(), templates: named.collect() }
    };
    let mentions = Mentions {
        users: list("mentioned_list", &receiver.mentions.users),
        mobiles: list("mentioned_mobile_list", &receiver.mentions.mobiles),
    };
    let also = receiver.also.iter().map(|also| ReceiverName(also.as_str().to_owned())).collect();
    intake::Receiver {
        name: receiver_name(receiver),
        mentions,
        also,
        sender: sender_name(&receiver.sender, config),
        address,
        message,
        message_type,
        actions,
        plain_copy: receiver.plain_copy,
        send_resolved: receiver.send_resolved,
        language: receiver.language,
        max_parts: receiver.max_parts,
        fallback: fallback(receiver, config),
        builtin_only: receiver.default_templates && config.templates.is_empty(),
    }
}
