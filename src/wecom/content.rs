//! The content of a message, by its `msgtype`.
//!
//! A card is kept as JSON: the bytes that were checked are stored and sent. So a field that WeCom
//! adds can be used at once.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

/// The content of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// WeCom shows up to 2,048 bytes.
    Text(String),
    /// WeCom's subset of markdown, up to 2,048 bytes. Personal WeChat does not show it.
    Markdown(String),
    TextCard(Card),
    /// Personal WeChat does not show it.
    TemplateCard(Card),
}

/// A card as a compact JSON object. [`super::limits`] checks and creates it.
#[derive(Debug, Clone)]
pub struct Card(Box<RawValue>);

impl Card {
    pub(super) fn new(card: &impl Serialize) -> serde_json::Result<Self> {
        to_raw_value(card).map(Self)
    }

    /// `None` if `json` is not a JSON object.
    fn from_json(json: String) -> Option<Self> {
        let card = RawValue::from_string(json).ok()?;
        card.get().starts_with('{').then_some(Self(card))
    }

    pub fn json(&self) -> &str {
        self.0.get()
    }
}

impl PartialEq for Card {
    fn eq(&self, other: &Self) -> bool {
        self.json() == other.json()
    }
}

impl Eq for Card {}

impl Serialize for Card {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl fmt::Display for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.json())
    }
}

impl Content {
    /// Restores the content from its [`Content::msgtype`] and [`Content::text`]. `None` if they are not valid.
    pub fn stored(msgtype: &str, text: String) -> Option<Self> {
        match msgtype {
            "text" => Some(Self::Text(text)),
            "markdown" => Some(Self::Markdown(text)),
            "textcard" => Card::from_json(text).map(Self::TextCard),
            "template_card" => Card::from_json(text).map(Self::TemplateCard),
            _ => None,
        }
    }

    pub fn msgtype(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Markdown(_) => "markdown",
            Self::TextCard(_) => "textcard",
            Self::TemplateCard(_) => "template_card",
        }
    }

    /// The text, or the JSON of a card.
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Markdown(text) => text,
            Self::TextCard(card) | Self::TemplateCard(card) => card.json(),
        }
    }
}
