//! The message of a notification, its plain text and its summary line.
//!
//! There is always a text. The receiver's text replaces a card that fails or that WeCom would refuse. The built-in
//! text replaces a text that fails.

use std::time::Duration;

use super::receiver::{MessageType, Receiver};
use crate::{
    language::Language,
    render::{self, RenderError, Rendered, Rendering, Rest},
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

impl TemplateFailure {
    /// The reason in the language of the member who reads it.
    fn text(&self, language: Language) -> String {
        match (language, self) {
            (Language::En, failure) => failure.to_string(),
            (Language::Zh, Self::Render(RenderError { template, at, message })) => {
                let at = at.map(|at| format!(" 第 {} 行第 {} 列", at.line, at.column)).unwrap_or_default();
                format!("模板 {template}{at}出错：{message}")
            }
            (Language::Zh, Self::Empty(template)) => format!("模板 {template} 输出为空"),
            (Language::Zh, Self::TimedOut(limit)) => format!("模板在 {} 秒内没有完成", limit.as_secs_f64()),
            (Language::Zh, Self::Stuck) => "该接收器之前的模板仍在运行，本次未渲染".to_owned(),
            (Language::Zh, Self::Panicked) => "模板被中继自身的缺陷中断，详见中继日志".to_owned(),
            (Language::Zh, Self::Unfit(error)) => format!("企业微信会拒绝这张卡片：{error}"),
        }
    }
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
    let language = rendering.language();
    let template = match receiver.message_type {
        MessageType::Markdown => render::default_message(language),
        _ => &receiver.message,
    };
    let plain = rendered(rendering, template).unwrap_or_else(|failure| {
        let text = rendering.fallback().headed(&builtin_note(&failure, language));
        failures.push(failure);
        text
    });
    let body = render_body(receiver, rendering, &plain).unwrap_or_else(|failure| {
        let text = match (&failure, &receiver.message_type) {
            (TemplateFailure::Unfit(_), _) => plain.clone(),
            (_, MessageType::Markdown) => rendering.fallback().headed(&builtin_note(&failure, language)),
            _ => plain.clone().headed(&note(&failure, language, "its text form", "其文本形式")),
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

/// Renders the configured message. `plain` is its plain text.
fn render_body(
    receiver: &Receiver,
    rendering: &Rendering<'_>,
    plain: &Rendered,
) -> Result<Body, TemplateFailure> {
    match &receiver.message_type {
        MessageType::Text => Ok(Body::Text(plain.clone())),
        MessageType::Markdown => rendered(rendering, &receiver.message).map(Body::Markdown),
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
            let mut render = |key: &str, template: &String| match key {
                limits::SUB_TITLE => card_text(rendering, template, limits::SUB_TITLE_CHARS),
                _ => rendering.render(template),
            };
            let card = template.json("", &mut render)?;
            let card = card.as_object().cloned().unwrap_or_default();
            Ok(Body::Card(limits::template_card(card)?))
        }
    }
}

/// Renders the built-in templates, because of `failure`.
pub(super) fn render_builtin(rendering: &Rendering<'_>, failure: TemplateFailure) -> RenderedMessage {
    let text = rendering.fallback().headed(&builtin_note(&failure, rendering.language()));
    RenderedMessage {
        body: Body::Text(text.clone()),
        plain: text,
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
