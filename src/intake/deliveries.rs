//! The deliveries of a notification, in order.

use super::{interactive, message::Body};
use crate::{
    language::Language,
    outbox::{NewDelivery, Part},
    render::{self, Limits, Markup, Rendered, Rest},
    wecom::{
        Content, Recipients,
        limits::{MAX_CONTENT_BYTES, ROBOT_MARKDOWN_BYTES},
    },
};

/// The longest text that replaces a message which WeCom refuses. A line with the reason has space beside it.
pub(super) const TEXT_FORM_BYTES: usize = MAX_CONTENT_BYTES - 200;

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
        for (recipients, batch) in batches.iter().zip(0..) {
            let part = Part { number, total };
            let content = interactive::for_batch(&content, batch);
            deliveries.push(NewDelivery { recipients: recipients.clone(), content, part });
        }
    }
    deliveries
}

impl Body {
    /// Splits the body into parts that WeCom shows completely. A card always fits, because it was cut when it was made.
    pub(super) fn split(&self, recipients: &Recipients, max_parts: usize, rest: Rest<'_>) -> Vec<Content> {
        let markdown = |text| match recipients {
            Recipients::Group => robot_markdown(text, max_parts, rest).into_iter(),
            _ => parts(text, Markup::Markdown, MAX_CONTENT_BYTES, max_parts, rest).into_iter(),
        };
        match self {
            Self::Text(text) => {
                let texts = parts(text, Markup::Plain, MAX_CONTENT_BYTES, max_parts, rest);
                texts.into_iter().map(Content::Text).collect()
            }
            Self::Markdown(text) => markdown(text).map(Content::Markdown).collect(),
            Self::MarkdownV2(text) => markdown(text).map(Content::MarkdownV2).collect(),
            Self::Card(card) => vec![card.clone()],
        }
    }
}

/// Markdown of a robot may be twice as long as a text. Only one part alone has a text form of its own. A part that WeCom
/// refuses is sent as a text, so several parts are as short as texts, unless alerts would then be left out.
fn robot_markdown(text: &Rendered, max_parts: usize, rest: Rest<'_>) -> Vec<String> {
    let long = parts(text, Markup::Markdown, ROBOT_MARKDOWN_BYTES, max_parts, rest);
    if long.len() <= 1 {
        return long;
    }
    // One more part than allowed shows that some are left out.
    let short = parts(text, Markup::Markdown, TEXT_FORM_BYTES, max_parts + 1, rest);
    if short.len() > max_parts { long } else { short }
}

fn parts(
    text: &Rendered,
    markup: Markup,
    part_bytes: usize,
    max_parts: usize,
    rest: Rest<'_>,
) -> Vec<String> {
    render::parts(text, markup, Limits { part_bytes, max_parts }, rest)
}
