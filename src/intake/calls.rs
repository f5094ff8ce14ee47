//! The calls of `message/send` that a notification takes, in order.

use std::iter;

use super::message::Body;
use crate::{
    outbox::{NewDelivery, Part},
    render::{self, Limits, Markup, Rendered},
    wecom::{Content, Recipients},
};

/// The calls for a text without alerts, such as a test message.
pub fn text_deliveries(recipients: &Recipients, text: String) -> Vec<NewDelivery> {
    let body = Body::Text(Rendered::from(text));
    deliveries(recipients, body.split(Limits::default(), ""))
}

/// Content by content, each to every batch of the recipients.
pub(super) fn deliveries(recipients: &Recipients, contents: Vec<Content>) -> Vec<NewDelivery> {
    let of = u16::try_from(contents.len()).unwrap_or(u16::MAX);
    let batches = recipients.batches();
    let calls = contents.into_iter().zip(1..=of).flat_map(|(content, number)| {
        let part = Part { number, of };
        let call = move |(recipients, content)| NewDelivery { recipients, content, part };
        batches.iter().cloned().zip(iter::repeat_n(content, batches.len())).map(call)
    });
    calls.collect()
}

impl Body {
    /// The messages that it takes: what WeCom shows of one is bounded. A card was cut when it was made.
    pub(super) fn split(&self, limits: Limits, link: &str) -> Vec<Content> {
        let parts = |text, markup| render::parts(text, markup, limits, link).into_iter();
        match self {
            Self::Text(text) => parts(text, Markup::Plain).map(Content::Text).collect(),
            Self::Markdown(text) => parts(text, Markup::Markdown).map(Content::Markdown).collect(),
            Self::Card(card) => vec![card.clone()],
        }
    }
}
