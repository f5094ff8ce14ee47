//! `message_type` and the keys that belong to it.
//!
//! A key that the type does not use is an error, because its author expects an effect that it does not have.

use std::num::NonZeroU32;

use super::values;
use crate::{
    config::{
        diagnostic::{Diagnostics, ErrorGuaranteed, Location},
        model::{Located, Sender, Template, TemplateFile},
        raw::{self, Field},
    },
    intake::{JsonTemplate, MessageType},
    language::Language,
    render::TemplateLanguage,
};

const MESSAGE: &str = r#"{% include "wechat.default.message" %}"#;
const ZH_MESSAGE: &str = r#"{% include "wechat.zh.message" %}"#;
const MARKDOWN: &str = r#"{% include "wechat.markdown.message" %}"#;
const MARKDOWN_V2: &str = r#"{% include "wechat.markdown_v2.message" %}"#;
const GO_MESSAGE: &str = r#"{{ template "wechat.default.message" . }}"#;
const TITLE: &str = "{{ headline() }}";
const DESCRIPTION: &str = r#"{% include "wechat.textcard.description" %}"#;
const URL: &str = "{{ alerts_url() }}";
const DESC: &str = "\
    {% for detail in sharedAnnotations | details %}{% if loop.first %}{{ detail.value | one_line }}{% endif %}{% endfor %}";
const SUB_TITLE: &str = r#"{% include "wechat.template_card.sub_title" %}"#;

const MAX_PARTS: u16 = 5;

/// Values outside of the receiver that decide its defaults.
pub(super) struct Defaults<'c> {
    /// The `language` of all receivers.
    pub(super) language: Option<Language>,
    pub(super) templates: &'c [TemplateFile],
}

/// The settings of a receiver's messages.
pub(super) struct Message {
    pub(super) language: Language,
    pub(super) message: Located<Template>,
    pub(super) message_type: MessageType<Located<Template>>,
    pub(super) plain_copy: bool,
}

/// The readers of a receiver's messages. WeCom has other types of messages for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Audience {
    /// Members of an app.
    Members,
    /// The group of a robot.
    Robot,
    /// A group chat of an app.
    Chat,
}

impl Audience {
    /// `default` is the audience if the sender is not known, because it has errors.
    pub(super) fn of(sender: Option<&Sender>, raw: &raw::Receiver<'_>, default: Self) -> Self {
        match sender {
            Some(Sender::Robot(_)) => Self::Robot,
            None if raw.robot.is_set() => Self::Robot,
            _ if raw.chat_id.is_set() => Self::Chat,
            None if !raw.app.is_set() => default,
            _ => Self::Members,
        }
    }

    fn types(self) -> &'static [Type] {
        match self {
            Self::Members => &[Type::Text, Type::Markdown, Type::TextCard, Type::TemplateCard],
            Self::Robot => &[Type::Text, Type::Markdown, Type::MarkdownV2, Type::TemplateCard],
            Self::Chat => &[Type::Text, Type::Markdown, Type::TextCard],
        }
    }

    fn refusal(self, name: &str) -> String {
        match self {
            Self::Members => format!("an app sends no {name} to members"),
            Self::Robot => format!("a robot sends no {name}"),
            Self::Chat => format!("an app sends no {name} to a group chat"),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Text,
    Markdown,
    MarkdownV2,
    TextCard,
    TemplateCard,
}

const TYPES: [(&str, Type); 5] = [
    ("text", Type::Text),
    ("markdown", Type::Markdown),
    ("markdown_v2", Type::MarkdownV2),
    ("textcard", Type::TextCard),
    ("template_card", Type::TemplateCard),
];

pub(super) fn read(
    raw: &raw::Receiver<'_>,
    audience: Audience,
    template_language: TemplateLanguage,
    defaults: &Defaults<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<Message, ErrorGuaranteed> {
    let kind = message_type(&raw.message_type, audience, diagnostics);
    let own_language = values::language(&raw.language, diagnostics);
    let configured = own_language.unwrap_or_default().or(defaults.language);
    let text = configured.unwrap_or_default().choose(MESSAGE, ZH_MESSAGE);
    let default = match (template_language, kind) {
        // Templates of Alertmanager often define this name and nothing else.
        (TemplateLanguage::Go, _) => Template { text: GO_MESSAGE.to_owned(), language: TemplateLanguage::Go },
        (TemplateLanguage::Tera, Ok(Some(Type::Markdown))) => tera(MARKDOWN),
        (TemplateLanguage::Tera, Ok(Some(Type::MarkdownV2))) => tera(MARKDOWN_V2),
        (TemplateLanguage::Tera, _) => tera(text),
    };
    let message = template(&raw.message, template_language, default, diagnostics);
    if let Ok(message) = &message
        && is_file_name(&message.value.text)
    {
        let help = match template_language {
            TemplateLanguage::Tera => {
                "list the file below templates, and write '{% include \"name\" %}' here, with its name without .tera"
            }
            TemplateLanguage::Go => {
                "list the file below templates, and write '{{ template \"name\" . }}' here, with a name that it defines"
            }
        };
        diagnostics.warn(&message.location, "this is the name of a file, and would be sent as it is", help);
    }
    let written = message.as_ref().map(|message| language_of(&message.value, defaults.templates));
    let language = configured.or(written.ok()).unwrap_or_default();
    let fields = [(&raw.title, TITLE), (&raw.description, DESCRIPTION), (&raw.url, URL), (&raw.btntxt, "")];
    let [title, description, url, btntxt] =
        fields.map(|(field, default)| template(field, template_language, tera(default), diagnostics));
    let card = raw.template_card.tree(diagnostics);
    let plain_copy = raw.plain_copy.bool(diagnostics);
    let kind = kind?.unwrap_or(Type::Text);
    let checked = check_keys(raw, kind, plain_copy == Ok(Some(true)), diagnostics);
    let message_type = match kind {
        Type::Text => MessageType::Text,
        Type::Markdown => MessageType::Markdown,
        Type::MarkdownV2 => MessageType::MarkdownV2,
        Type::TextCard => {
            MessageType::TextCard { title: title?, description: description?, url: url?, btntxt: btntxt? }
        }
        Type::TemplateCard => {
            let (card, language) = match card? {
                Some(card) => (card, template_language),
                None => (default_card(&raw.template_card.location), TemplateLanguage::Tera),
            };
            MessageType::TemplateCard(card.map("", &mut |_, text| text.clone().in_language(language)))
        }
    };
    checked?;
    own_language?;
    Ok(Message { language, message: message?, message_type, plain_copy: plain_copy?.unwrap_or(false) })
}

fn message_type(
    field: &Field<'_>,
    audience: Audience,
    diagnostics: &mut Diagnostics,
) -> Result<Option<Type>, ErrorGuaranteed> {
    let type_of = |text: &str| TYPES.into_iter().find(|(name, _)| *name == text).map(|(_, kind)| kind);
    let names: Vec<_> = audience.types().iter().map(|kind| name_of(*kind)).collect();
    let help = match names.split_last() {
        Some((last, others)) => format!("write {} or {last}", others.join(", ")),
        None => String::new(),
    };
    let kind = field.parsed(type_of, "a type of message", &help, diagnostics)?;
    match kind {
        Some(kind) if !audience.types().contains(&kind) => {
            let message = audience.refusal(name_of(kind));
            Err(diagnostics.error(&field.location, message, help))
        }
        kind => Ok(kind),
    }
}

fn name_of(kind: Type) -> &'static str {
    TYPES.into_iter().find(|(_, other)| *other == kind).map_or("", |(name, _)| name)
}

fn is_file_name(message: &str) -> bool {
    let endings = [".tera", ".tmpl", ".tpl", ".j2", ".txt"];
    !message.contains(char::is_whitespace) && endings.iter().any(|ending| message.ends_with(ending))
}

/// The language in which the author of a template writes: Chinese if the template, or a file that it includes, has a
/// Chinese character or includes the Chinese message.
fn language_of(template: &Template, files: &[TemplateFile]) -> Language {
    let is_chinese = |text: &str| {
        text.contains("wechat.zh.message") || text.contains(|c| matches!(c, '\u{4E00}'..='\u{9FFF}'))
    };
    let is_included = |file: &&TemplateFile| match template.language {
        TemplateLanguage::Tera => template.text.contains(&format!("\"{}\"", file.name)),
        // All Go files are one set, in which names do not show the file.
        TemplateLanguage::Go => file.language == TemplateLanguage::Go,
    };
    let included = files.iter().filter(is_included);
    let mut texts = included.map(|file| file.text.as_str()).chain([template.text.as_str()]);
    if texts.any(is_chinese) { Language::Zh } else { Language::En }
}

pub(super) fn is_default(raw: &raw::Receiver<'_>) -> bool {
    let keys = [&raw.message, &raw.title, &raw.description, &raw.url, &raw.btntxt, &raw.template_card];
    !keys.into_iter().any(Field::is_set)
}

fn tera(text: &str) -> Template {
    Template { text: text.to_owned(), language: TemplateLanguage::Tera }
}

fn template(
    field: &Field<'_>,
    language: TemplateLanguage,
    default: Template,
    diagnostics: &mut Diagnostics,
) -> Result<Located<Template>, ErrorGuaranteed> {
    if !field.is_set() {
        return Ok(Located { value: default, location: field.location.clone() });
    }
    let text = field.required_text("write a template, or remove the key", diagnostics)?;
    let value = Template { text: text.to_owned(), language };
    Ok(Located { value, location: field.location.clone() })
}

/// The card of a receiver that configures none.
fn default_card(location: &Location) -> JsonTemplate<Located<String>> {
    let text =
        |value: &str| JsonTemplate::Text(Located { value: value.to_owned(), location: location.clone() });
    let map = |entries: Vec<(&str, JsonTemplate<_>)>| {
        JsonTemplate::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    };
    map(vec![
        ("main_title", map(vec![("title", text(TITLE)), ("desc", text(DESC))])),
        ("sub_title_text", text(SUB_TITLE)),
        ("card_action", map(vec![("type", JsonTemplate::Fixed(1.into())), ("url", text(URL))])),
    ])
}

fn check_keys(
    raw: &raw::Receiver<'_>,
    kind: Type,
    plain_copy: bool,
    diagnostics: &mut Diagnostics,
) -> Result<(), ErrorGuaranteed> {
    let mut checked = Ok(());
    let keys = [
        (&raw.title, Type::TextCard),
        (&raw.description, Type::TextCard),
        (&raw.url, Type::TextCard),
        (&raw.btntxt, Type::TextCard),
        (&raw.template_card, Type::TemplateCard),
    ];
    for (field, owner) in keys {
        if field.is_set() && kind != owner {
            let message = format!(
                "this key needs message_type {}, and the type here is {}",
                name_of(owner),
                name_of(kind)
            );
            checked =
                Err(diagnostics.error(&field.location, message, "remove the key, or change message_type"));
        }
    }
    if plain_copy && kind == Type::Text {
        let help = "remove the key, because the message is a text already";
        checked = Err(diagnostics.error(&raw.plain_copy.location, "a text needs no plain copy", help));
    }
    checked
}

/// Refuses more parts than the sender may send in a minute, because such a message would always be folded into a digest.
pub(super) fn max_parts(
    field: &Field<'_>,
    message: Option<&Message>,
    sender: Option<&Sender>,
    diagnostics: &mut Diagnostics,
) -> Result<u16, ErrorGuaranteed> {
    let help = format!("write a whole number of at least 1, such as {MAX_PARTS}");
    let parse = |text: &str| text.parse().ok().filter(|parts| *parts > 0);
    let given = field.parsed(parse, "a number of parts", &help, diagnostics)?;
    let per_minute = sender.and_then(|sender| sender.limits().per_minute).map_or(u32::MAX, NonZeroU32::get);
    let kind = sender.map_or("the app", Sender::kind);
    let max_parts = match message.filter(|message| message.plain_copy).map(|message| &message.message_type) {
        None => per_minute,
        Some(MessageType::Markdown | MessageType::MarkdownV2) => per_minute / 2,
        Some(_) => per_minute - 1,
    };
    let max_parts = u16::try_from(max_parts).unwrap_or(u16::MAX);
    if max_parts == 0 {
        let message = format!("{kind} may not send a message and its plain copy in one minute");
        let help = format!("raise limits.per_minute of {kind}, or remove plain_copy");
        return Err(diagnostics.error(&field.location, message, help));
    }
    match given {
        Some(parts) if parts > max_parts => {
            let message = format!("{kind} may not send {parts} parts in a minute");
            let help =
                format!("write at most {max_parts}, because limits.per_minute and plain_copy allow no more");
            Err(diagnostics.error(&field.location, message, help))
        }
        given => Ok(given.unwrap_or(MAX_PARTS.min(max_parts))),
    }
}
