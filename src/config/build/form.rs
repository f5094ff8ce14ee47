//! `message_type` and the keys that go with it. A key that the type has no use for is a problem: its author expects
//! something that would not happen.

use std::{num::NonZeroU32, sync::Arc};

use crate::{
    config::{
        model::{App, Located},
        problem::{Report, Reported},
        raw::{self, Field},
    },
    intake::{JsonTemplate, MessageType},
};

const MESSAGE: &str = r#"{% include "wechat.default.message" %}"#;
const MARKDOWN: &str = r#"{% include "wechat.markdown.message" %}"#;
const TITLE: &str = r#"{% include "wechat.default.summary" %}"#;
// `<br>` is the line break that WeCom documents for a textcard.
const DESCRIPTION: &str = r#"{% for alert in alerts %}{{ alert.labels | values | join(sep=" ") }}{% if alert.annotations.summary %}: {{ alert.annotations.summary }}{% endif %}{% if not loop.last %}<br>{% endif %}{% endfor %}"#;
const URL: &str = "{{ alerts_url() }}";

const MAX_PARTS: u16 = 5;

/// What a receiver's messages are.
pub(super) struct Message {
    pub(super) message: Located<String>,
    pub(super) message_type: MessageType<Located<String>>,
    pub(super) plain_copy: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    Text,
    Markdown,
    TextCard,
    TemplateCard,
}

const TYPES: [(&str, Type); 4] = [
    ("text", Type::Text),
    ("markdown", Type::Markdown),
    ("textcard", Type::TextCard),
    ("template_card", Type::TemplateCard),
];

pub(super) fn read(raw: &raw::Receiver<'_>, report: &mut Report) -> Result<Message, Reported> {
    let named = |text: &str| TYPES.into_iter().find(|(name, _)| *name == text).map(|(_, kind)| kind);
    let right = "write text, markdown, textcard or template_card";
    let kind = raw.message_type.parsed(named, "a type of message", right, report);
    let default = if kind == Ok(Some(Type::Markdown)) { MARKDOWN } else { MESSAGE };
    let message = template(&raw.message, default, report);
    let fields = [(&raw.title, TITLE), (&raw.description, DESCRIPTION), (&raw.url, URL), (&raw.btntxt, "")];
    let [title, description, url, btntxt] = fields.map(|(field, default)| template(field, default, report));
    let card = raw.template_card.tree(report);
    let plain_copy = raw.plain_copy.truth(report);
    let kind = kind?.unwrap_or(Type::Text);
    let fitting = refuse_unfitting(raw, kind, plain_copy == Ok(Some(true)), report);
    let message_type = match kind {
        Type::Text => MessageType::Text,
        Type::Markdown => MessageType::Markdown,
        Type::TextCard => {
            MessageType::TextCard { title: title?, description: description?, url: url?, btntxt: btntxt? }
        }
        Type::TemplateCard => MessageType::TemplateCard(card_of(card?, &raw.template_card, report)?),
    };
    fitting?;
    Ok(Message { message: message?, message_type, plain_copy: plain_copy?.unwrap_or(false) })
}

/// Whether every template is a default.
pub(super) fn is_default(raw: &raw::Receiver<'_>) -> bool {
    let keys = [&raw.message, &raw.title, &raw.description, &raw.url, &raw.btntxt, &raw.template_card];
    !keys.into_iter().any(Field::is_set)
}

fn template(field: &Field<'_>, default: &str, report: &mut Report) -> Result<Located<String>, Reported> {
    let text = match field.is_set() {
        true => field.required_text("write a template, or leave the key out", report)?,
        false => default,
    };
    Ok(Located { value: text.to_owned(), place: field.place.clone() })
}

fn card_of(
    card: Option<JsonTemplate<Located<String>>>,
    field: &Field<'_>,
    report: &mut Report,
) -> Result<JsonTemplate<Located<String>>, Reported> {
    card.ok_or_else(|| {
        let right =
            "write the card's fields: at least main_title with title, and card_action with type and url";
        report.problem(&field.place, "the card is missing", right)
    })
}

fn refuse_unfitting(
    raw: &raw::Receiver<'_>,
    kind: Type,
    plain_copy: bool,
    report: &mut Report,
) -> Result<(), Reported> {
    let name = |kind| TYPES.into_iter().find(|(_, other)| *other == kind).map_or("", |(name, _)| name);
    let mut fitting = Ok(());
    let keys = [
        (&raw.title, Type::TextCard),
        (&raw.description, Type::TextCard),
        (&raw.url, Type::TextCard),
        (&raw.btntxt, Type::TextCard),
        (&raw.template_card, Type::TemplateCard),
    ];
    for (field, of) in keys {
        if field.is_set() && kind != of {
            let wrong = format!("this is for message_type {}, and here it is {}", name(of), name(kind));
            fitting = Err(report.problem(&field.place, wrong, "leave it out, or change message_type"));
        }
    }
    if plain_copy && kind == Type::Text {
        let right = "leave it out: the message is a text already";
        fitting = Err(report.problem(&raw.plain_copy.place, "a text needs no plain copy", right));
    }
    fitting
}

/// A message that needs more than the app may send in a minute would never go out whole: it would always be folded
/// into a digest.
pub(super) fn max_parts(
    field: &Field<'_>,
    message: Option<&Message>,
    app: Option<&Arc<App>>,
    report: &mut Report,
) -> Result<u16, Reported> {
    let right = format!("write a whole number from 1 on, such as {MAX_PARTS}");
    let parse = |text: &str| text.parse().ok().filter(|parts| *parts > 0);
    let given = field.parsed(parse, "a number of parts", &right, report)?;
    let pace = app.and_then(|app| app.limits.per_minute).map_or(u32::MAX, NonZeroU32::get);
    let most = match message.filter(|message| message.plain_copy).map(|message| &message.message_type) {
        None => pace,
        Some(MessageType::Markdown) => pace / 2,
        Some(_) => pace - 1,
    };
    let most = u16::try_from(most).unwrap_or(u16::MAX);
    if most == 0 {
        let wrong = "the app may send too little in a minute for a message with its plain copy";
        return Err(report.problem(
            &field.place,
            wrong,
            "raise its limits.per_minute, or leave out plain_copy",
        ));
    }
    match given {
        Some(parts) if parts > most => {
            let wrong = format!("{parts} parts are more than the app may send in a minute");
            let right = format!("write at most {most}: limits.per_minute, less what a plain copy needs");
            Err(report.problem(&field.place, wrong, right))
        }
        given => Ok(given.unwrap_or(MAX_PARTS.min(most))),
    }
}
