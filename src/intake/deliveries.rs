//! The deliveries of a notification, in order.

use super::message::Body;
use crate::{
    language::Language,
    outbox::{NewDelivery, Part},
    render::{self, Limits, Markup, Rendered, Rest},
    wecom::{
        Content, Recipients,
        limits::{MAX_CONTENT_BYTES, ROBOT_MARKDOWN_BYTES},
    },
};

/// The deliveries of a text without alerts, such as a test message.
pub fn text_deliveries(recipients: &Recipients, text: String) -> Vec<NewDelivery> {
    let body = Body::Text(Rendered::from(text));
    let rest = Rest { link: "", language: Language::default() };
    deliveries(recipients, body.split(recipients, Limits::default().max_parts, rest))
}

/// One delivery for each content and each batch of recipients; all batches of a content come before the next content.
pub(super) fn deliveries(recipients: &Recipients, contents: Vec<Content>) -> Vec<NewDelivery> {
    let total = u16::try_from(contents.len()).unwrap_or(u16::MAX);
    let batches = recipients.batches();
    let mut deliveries = Vec::with_capacity(contents.len() * batches.len());
    for (content, number) in contents.into_iter().zip(1..=total) {
        for recipients in &batches {
            let part = Part { number, total };
            deliveries.push(NewDelivery { recipients: recipients.clone(), content: content.clone(), part });
        }
    }
    deliveries
}

impl Body {
    /// Splits the body into parts that WeCom shows completely. A card always fits, because it was cut when it was made.
    pub(super) fn split(&self, recipients: &Recipients, max_parts: usize, rest: Rest<'_>) -> Vec<Content> {
        let is_robot = *recipients == Recipients::Group;
        let part_bytes = match self {
            Self::Markdown(_) | Self::MarkdownV2(_) if is_robot => ROBOT_MARKDOWN_BYTES,
            _ => MAX_CONTENT_BYTES,
        };
        let limits = Limits { part_bytes, max_parts };
        let parts = |text, markup| render::parts(text, markup, limits, rest).into_iter();
        match self {
            Self::Text(text) => parts(text, Markup::Plain).map(Content::Text).collect(),
            Self::Markdown(text) => parts(text, Markup::Markdown).map(Content::Markdown).collect(),
            Self::MarkdownV2(text) => parts(text, Markup::Markdown).map(Content::MarkdownV2).collect(),
            Self::Card(card) => vec![card.clone()],
        }
    }
}
