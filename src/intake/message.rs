//! The message of a notification, its plain text and its summary line.
//!
//! There is always a text. The receiver's text replaces a card that fails or that WeCom would refuse. The built-in
//! text replaces a text that fails.

use std::time::Duration;

use super::receiver::{MessageType, Receiver};
use crate::{
    render::{self, RenderError, Rendered, Rendering},
    wecom::{
        Content,
        limits::{self, CardError, TextCard},
    },
};

/// The reason why a message differs from the configured one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateFailure {
    #[error(transparent)]
    Render(#[from] RenderError),
    #[error("template {0} wrote an empty message")]
    Empty(String),
    #[error("the templates did not end within {} s", .0.as_secs_f64())]
    TimedOut(Duration),
    #[error("the templates were not run, because earlier ones of this receiver still run")]
    Stuck,
    #[error("the templates were interrupted by a defect of the relay, which is in its log")]
    Panicked,
    #[error("WeCom would refuse the card, and the text is sent: {0}")]
    Unfit(#[from] CardError),
}

/// A message before it is split.
#[derive(Clone)]
pub(super) enum Body {
    Text(Rendered),
    Markdown(Rendered),
    Card(Content),
}

pub(super) struct RenderedMessage {
    pub(super) body: Body,
    pub(super) plain: Rendered,
    pub(super) summary: String,
    pub(super) failures: Vec<TemplateFailure>,
}

/// Renders the receiver's templates.
pub(super) fn render(receiver: &Receiver, rendering: &Rendering<'_>) -> RenderedMessage {
    let mut failures = Vec::new();
    let template = match receiver.message_type {
        MessageType::Markdown => render::DEFAULT_MESSAGE,
        _ => &receiver.message,
    };
    let plain = rendered(rendering, template).unwrap_or_else(|failure| {
        let text = rendering.fallback().headed(&builtin_note(&failure));
        failures.push(failure);
        text
    });
    let body = match &receiver.message_type {
        MessageType::Text => Ok(Body::Text(plain.clone())),
        MessageType::Markdown => rendered(rendering, &receiver.message).map(Body::Markdown),
        MessageType::TextCard { .. } | MessageType::TemplateCard(_) => {
            card(&receiver.message_type, rendering).map(Body::Card)
        }
    };
    let body = body.unwrap_or_else(|failure| {
        let text = match (&failure, &receiver.message_type) {
            (TemplateFailure::Unfit(_), _) => plain.clone(),
            (_, MessageType::Markdown) => rendering.fallback().headed(&builtin_note(&failure)),
            _ => plain.clone().headed(&note(&failure, "its text form")),
        };
        failures.push(failure);
        Body::Text(text)
    });
    let summary = rendered(rendering, render::DEFAULT_SUMMARY).map(Rendered::into_text);
    let summary = summary.unwrap_or_else(|failure| {
        failures.push(failure);
        rendering.fallback_summary()
    });
    RenderedMessage { body, plain, summary, failures }
}

/// Renders the built-in templates, because of `failure`.
pub(super) fn render_builtin(rendering: &Rendering<'_>, failure: TemplateFailure) -> RenderedMessage {
    let text = rendering.fallback().headed(&builtin_note(&failure));
    RenderedMessage {
        body: Body::Text(text.clone()),
        plain: text,
        summary: rendering.fallback_summary(),
        failures: vec![failure],
    }
}

fn builtin_note(failure: &TemplateFailure) -> String {
    note(failure, "the built-in text")
}

fn note(failure: &TemplateFailure, replacement: &str) -> String {
    format!("[wecom-relay: {failure}; this is {replacement}]")
}

fn rendered(rendering: &Rendering<'_>, template: &str) -> Result<Rendered, TemplateFailure> {
    let text = rendering.message(template)?;
    if text.text().trim().is_empty() { Err(TemplateFailure::Empty(template.to_owned())) } else { Ok(text) }
}

fn card(message_type: &MessageType<String>, rendering: &Rendering<'_>) -> Result<Content, TemplateFailure> {
    match message_type {
        MessageType::TextCard { title, description, url, btntxt } => Ok(limits::text_card(TextCard {
            title: rendering.render(title)?,
            description: rendering.render(description)?,
            url: rendering.render(url)?,
            btntxt: rendering.render(btntxt)?,
        })?),
        MessageType::TemplateCard(template) => {
            let card = template.json(&mut |template: &String| rendering.render(template))?;
            let card = card.as_object().cloned().unwrap_or_default();
            Ok(limits::template_card(card)?)
        }
        MessageType::Text | MessageType::Markdown => Err(TemplateFailure::Empty("of the card".to_owned())),
    }
}
