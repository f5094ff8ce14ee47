//! What a message says, by its `msgtype`.
//!
//! A card is kept as the JSON that WeCom is given: what was checked, what is stored and what is sent are the same
//! bytes. A struct for each card was rejected: a field that WeCom adds would need a release before it can be used.

use std::fmt;

use serde_json::{Map, Value};

/// The body of a message by its `msgtype`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// `text`: shown up to 2,048 bytes.
    Text(String),
    /// `markdown`: WeCom's subset, up to 2,048 bytes, not shown in personal WeChat.
    Markdown(String),
    /// `textcard`
    TextCard(Card),
    /// `template_card`: not shown in personal WeChat.
    TemplateCard(Card),
}

/// The object of a card, as compact JSON. Made by [`super::limits`], which checks it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card(String);

impl Card {
    pub(super) fn of(object: Map<String, Value>) -> Self {
        Self(Value::Object(object).to_string())
    }

    pub(super) fn checked(json: String) -> Self {
        Self(json)
    }

    /// The JSON.
    pub fn json(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Content {
    /// Reads what [`Content::msgtype`] and [`Content::text`] gave; `None` when they cannot have.
    pub fn stored(msgtype: &str, text: String) -> Option<Self> {
        let card =
            |text: String| matches!(serde_json::from_str(&text), Ok(Value::Object(_))).then_some(Card(text));
        match msgtype {
            "text" => Some(Self::Text(text)),
            "markdown" => Some(Self::Markdown(text)),
            "textcard" => card(text).map(Self::TextCard),
            "template_card" => card(text).map(Self::TemplateCard),
            _ => None,
        }
    }

    /// WeCom's name of the type.
    pub fn msgtype(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Markdown(_) => "markdown",
            Self::TextCard(_) => "textcard",
            Self::TemplateCard(_) => "template_card",
        }
    }

    /// The text that is shown; of a card its JSON.
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Markdown(text) => text,
            Self::TextCard(card) | Self::TemplateCard(card) => card.json(),
        }
    }
}
