//! What a notification says: the message as it is meant, its plain text, and its line.
//!
//! There is always a text. What fails or would be refused is replaced by the next plainer thing: a card by the
//! receiver's text, a text by the built-in one.

use std::time::Duration;

use super::{Form, Receiver};
use crate::{
    render::{self, RenderError, Rendered, Rendering},
    wecom::{
        Content,
        limits::{self, CardError, TextCard},
    },
};

/// Why a message is not what the configuration describes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateFailure {
    /// A template failed.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// It wrote nothing that would be shown.
    #[error("template {0} wrote an empty message")]
    Empty(String),
    /// It did not end.
    #[error("the templates did not end within {} s", .0.as_secs_f64())]
    Late(Duration),
    /// They were not tried.
    #[error("the templates were not tried: earlier ones of this receiver still run")]
    Hanging,
    /// WeCom would refuse the card.
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

/// What a notification says.
pub(super) struct Written {
    pub(super) body: Body,
    pub(super) plain: Rendered,
    pub(super) summary: String,
    pub(super) failures: Vec<TemplateFailure>,
}

/// By the receiver's templates.
pub(super) fn write(receiver: &Receiver, rendering: &Rendering<'_>) -> Written {
    let mut failures = Vec::new();
    let template = match receiver.form {
        Form::Markdown => render::DEFAULT_MESSAGE,
        _ => &receiver.message,
    };
    let plain = rendered(rendering, template).unwrap_or_else(|failure| {
        let text = rendering.fallback().headed(&builtin_line(&failure));
        failures.push(failure);
        text
    });
    let body = match &receiver.form {
        Form::Text => Ok(Body::Text(plain.clone())),
        Form::Markdown => rendered(rendering, &receiver.message).map(Body::Markdown),
        Form::TextCard { .. } | Form::TemplateCard(_) => card(&receiver.form, rendering).map(Body::Card),
    };
    let body = body.unwrap_or_else(|failure| {
        let text = match (&failure, &receiver.form) {
            (TemplateFailure::Unfit(_), _) => plain.clone(),
            (_, Form::Markdown) => rendering.fallback().headed(&builtin_line(&failure)),
            _ => plain.clone().headed(&line(&failure, "its text form")),
        };
        failures.push(failure);
        Body::Text(text)
    });
    let summary = rendered(rendering, render::DEFAULT_SUMMARY).map(Rendered::into_text);
    let summary = summary.unwrap_or_else(|failure| {
        failures.push(failure);
        rendering.fallback_summary()
    });
    Written { body, plain, summary, failures }
}

/// By the built-in templates, because of `failure`.
pub(super) fn write_builtin(rendering: &Rendering<'_>, failure: TemplateFailure) -> Written {
    let text = rendering.fallback().headed(&builtin_line(&failure));
    Written {
        body: Body::Text(text.clone()),
        plain: text,
        summary: rendering.fallback_summary(),
        failures: vec![failure],
    }
}

fn builtin_line(failure: &TemplateFailure) -> String {
    line(failure, "the built-in text")
}

fn line(failure: &TemplateFailure, what: &str) -> String {
    format!("[wecom-relay: {failure}; this is {what}]")
}

fn rendered(rendering: &Rendering<'_>, template: &str) -> Result<Rendered, TemplateFailure> {
    let text = rendering.message(template)?;
    if text.text().trim().is_empty() { Err(TemplateFailure::Empty(template.to_owned())) } else { Ok(text) }
}

fn card(form: &Form<String>, rendering: &Rendering<'_>) -> Result<Content, TemplateFailure> {
    match form {
        Form::TextCard { title, description, url, btntxt } => Ok(limits::text_card(TextCard {
            title: rendering.render(title)?,
            description: rendering.render(description)?,
            url: rendering.render(url)?,
            btntxt: rendering.render(btntxt)?,
        })?),
        Form::TemplateCard(tree) => {
            let card = tree.json(&mut |template: &String| rendering.render(template))?;
            let card = card.as_object().cloned().unwrap_or_default();
            Ok(limits::template_card(card)?)
        }
        Form::Text | Form::Markdown => Err(TemplateFailure::Empty("of the card".to_owned())),
    }
}
