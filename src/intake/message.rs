//! The message of a notification, its plain text and its summary line.
//!
//! There is always a text. The receiver's text replaces a card that fails or that WeCom would refuse. The built-in
//! text replaces a text that fails.

use super::{
    failure::TemplateFailure,
    interactive::{self, CardIdentity},
    mentions::Mentioned,
    receiver::{Address, MessageType, Receiver},
};
use crate::{
    language::Language,
    render::{self, RenderError, Rendered, Rendering, Rest},
    wecom::{
        Content, Recipients,
        limits::{self, CardLimits, TextCard},
    },
};

/// A message before it is split.
#[derive(Clone)]
pub(super) enum Body {
    Text(Rendered),
    Markdown(Rendered),
    MarkdownV2(Rendered),
    Card(Content),
}

pub(super) struct RenderedMessage {
    pub(super) body: Body,
    pub(super) plain: Rendered,
    pub(super) mentioned: Mentioned,
    pub(super) summary: String,
    pub(super) failures: Vec<TemplateFailure>,
}

/// Renders the receiver's templates.
pub(super) fn render(
    receiver: &Receiver,
    identity: &CardIdentity,
    rendering: &Rendering<'_>,
) -> RenderedMessage {
    let mut failures = Vec::new();
    let language = rendering.language();
    let template = match receiver.message_type {
        MessageType::Markdown | MessageType::MarkdownV2 => render::default_message(language),
        _ => &receiver.message,
    };
    let plain = rendered(rendering, template).unwrap_or_else(|failure| {
        let text = rendering.fallback().headed(&builtin_note(&failure, language));
        failures.push(failure);
        text
    });
    let mut left_out = Vec::new();
    let body = render_body(receiver, identity, rendering, &plain, &mut left_out);
    let body = body.unwrap_or_else(|failure| {
        let text = match (&failure, &receiver.message_type) {
            (TemplateFailure::Unfit(_), _) => plain.clone(),
            (_, MessageType::Markdown | MessageType::MarkdownV2) => {
                rendering.fallback().headed(&builtin_note(&failure, language))
            }
            _ => plain.clone().headed(&note(&failure, language, "its text form", "其文本形式")),
        };
        failures.push(failure);
        Body::Text(text)
    });
    failures.append(&mut left_out);
    let summary = rendered(rendering, render::DEFAULT_SUMMARY).map(Rendered::into_text);
    let summary = summary.unwrap_or_else(|failure| {
        failures.push(failure);
        rendering.fallback_summary()
    });
    let mut mentioned = Mentioned::render(&receiver.mentions, rendering);
    failures.append(&mut mentioned.failures);
    RenderedMessage { body, plain, mentioned, summary, failures }
}

/// Renders the configured message. `plain` is its plain text. `left_out` gets the reasons for missing buttons.
fn render_body(
    receiver: &Receiver,
    identity: &CardIdentity,
    rendering: &Rendering<'_>,
    plain: &Rendered,
    left_out: &mut Vec<TemplateFailure>,
) -> Result<Body, TemplateFailure> {
    match &receiver.message_type {
        MessageType::Text => Ok(Body::Text(plain.clone())),
        MessageType::Markdown => rendered(rendering, &receiver.message).map(Body::Markdown),
        MessageType::MarkdownV2 => rendered(rendering, &receiver.message).map(Body::MarkdownV2),
        MessageType::TextCard { title, description, url, btntxt } => {
            let card = TextCard {
                title: rendering.render(title)?,
                description: card_text(rendering, description, limits::DESCRIPTION_CHARS)?,
                url: rendering.render(url)?,
                btntxt: rendering.render(btntxt)?,
            };
            Ok(Body::Card(limits::text_card(card)?))
        }
        MessageType::TemplateCard(template) => {
            let card_limits = match receiver.address {
                Address::Literal(Recipients::Group) => &CardLimits::ROBOT,
                _ => &CardLimits::APP,
            };
            let mut render = |key: &str, template: &String| match key {
                limits::SUB_TITLE => card_text(rendering, template, card_limits.sub_title),
                _ => rendering.render(template),
            };
            let card = template.json("", &mut render)?;
            let card = card.as_object().cloned().unwrap_or_default();
            let content = match &receiver.actions {
                Some(actions) => {
                    interactive::content(card, receiver, actions, identity, rendering, left_out)?
                }
                None => limits::template_card(card, card_limits)?,
            };
            Ok(Body::Card(content))
        }
    }
}

/// Renders the built-in templates, because of `failure`.
pub(super) fn render_builtin(
    receiver: &Receiver,
    rendering: &Rendering<'_>,
    failure: TemplateFailure,
) -> RenderedMessage {
    let text = rendering.fallback().headed(&builtin_note(&failure, rendering.language()));
    RenderedMessage {
        body: Body::Text(text.clone()),
        plain: text,
        mentioned: Mentioned::fixed(&receiver.mentions),
        summary: rendering.fallback_summary(),
        failures: vec![failure],
    }
}

fn builtin_note(failure: &TemplateFailure, language: Language) -> String {
    note(failure, language, "the built-in text", "内置消息")
}

/// The first line of a text that replaces another message.
fn note(failure: &TemplateFailure, language: Language, replacement: &str, zh_replacement: &str) -> String {
    let failure = failure.text(language);
    match language {
        Language::En => format!("[wecom-relay: {failure}; this is {replacement}]"),
        Language::Zh => format!("[wecom-relay：{failure}；以下是{zh_replacement}]"),
    }
}

fn rendered(rendering: &Rendering<'_>, template: &str) -> Result<Rendered, TemplateFailure> {
    let text = rendering.message(template)?;
    if text.text().trim().is_empty() { Err(TemplateFailure::Empty(template.to_owned())) } else { Ok(text) }
}

/// A text of a card in as many characters as WeCom shows. The link of the card leads to the rest.
fn card_text(rendering: &Rendering<'_>, template: &str, max_chars: usize) -> Result<String, RenderError> {
    let rest = Rest { link: "", language: rendering.language() };
    Ok(render::shortened(&rendering.message(template)?, max_chars, rest))
}
