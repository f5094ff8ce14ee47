//! The content of a message, by its `msgtype`.
//!
//! A card is kept as JSON: the bytes that were checked are stored and sent. So a field that WeCom
//! adds can be used at once.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

/// The content of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// WeCom shows up to 2,048 bytes.
    Text(String),
    /// A text for a group that mentions members: the object `text` of the request, with `mentioned_list` and
    /// `mentioned_mobile_list`.
    GroupText(Card),
    /// WeCom's subset of markdown, up to 2,048 bytes, and 4,096 of a robot. Personal WeChat does not show it.
    Markdown(String),
    /// The markdown of robots with tables and lists, up to 4,096 bytes.
    MarkdownV2(String),
    TextCard(Card),
    /// Personal WeChat does not show it.
    TemplateCard(Card),
}

/// The object `text` of a request to a group.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GroupText {
    pub content: String,
    /// User ids, or `@all`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentioned_list: Vec<String>,
    /// Mobile numbers, or `@all`. Only robots have it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentioned_mobile_list: Vec<String>,
}

impl From<GroupText> for Content {
    fn from(text: GroupText) -> Self {
        if text.mentioned_list.is_empty() && text.mentioned_mobile_list.is_empty() {
            return Self::Text(text.content);
        }
        match Card::new(&text) {
            Ok(card) => Self::GroupText(card),
            // It never fails, and the text is more important than its mentions.
            Err(_) => Self::Text(text.content),
        }
    }
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
            "group_text" => Card::from_json(text).map(Self::GroupText),
            "markdown" => Some(Self::Markdown(text)),
            "markdown_v2" => Some(Self::MarkdownV2(text)),
            "textcard" => Card::from_json(text).map(Self::TextCard),
            "template_card" => Card::from_json(text).map(Self::TemplateCard),
            _ => None,
        }
    }

    /// The name of the type, as it is stored and shown.
    pub fn msgtype(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::GroupText(_) => "group_text",
            Self::Markdown(_) => "markdown",
            Self::MarkdownV2(_) => "markdown_v2",
            Self::TextCard(_) => "textcard",
            Self::TemplateCard(_) => "template_card",
        }
    }

    /// The text of a message without format.
    pub fn plain(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::GroupText(card) => {
                let text: GroupText = serde_json::from_str(card.json()).ok()?;
                Some(Cow::Owned(text.content))
            }
            _ => None,
        }
    }

    /// WeCom's `msgtype`.
    pub fn wecom_msgtype(&self) -> &'static str {
        match self {
            Self::GroupText(_) => "text",
            other => other.msgtype(),
        }
    }

    /// The text, or the JSON of a card.
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Markdown(text) | Self::MarkdownV2(text) => text,
            Self::GroupText(card) | Self::TextCard(card) | Self::TemplateCard(card) => card.json(),
        }
    }
}
