//! The content of a message, by its `msgtype`.
//!
//! A card is kept as JSON: the bytes that were checked are stored and sent. So a field that WeCom
//! adds can be used at once.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{
    Map, Value,
    value::{RawValue, to_raw_value},
};

use super::recipients::{check_user_ids, is_everybody, is_separator};

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
    /// A change of interactive cards that were sent: the JSON of a [`super::CardUpdate`].
    CardUpdate(Card),
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

/// The members of a group whom messages mention.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupMentions {
    /// User ids, or `@all`.
    pub users: Vec<String>,
    /// Mobile numbers, or `@all`.
    pub mobiles: Vec<String>,
}

/// The largest number of members that messages mention by id, and by mobile number.
pub const MAX_MENTIONS: usize = 100;

impl GroupMentions {
    /// Adds the mentions of `other` that are not there yet.
    pub fn add(&mut self, other: &Self) {
        add(&mut self.users, &other.users);
        add(&mut self.mobiles, &other.mobiles);
    }
}

fn add(list: &mut Vec<String>, others: &[String]) {
    for other in others {
        if list.len() < MAX_MENTIONS && !list.contains(other) {
            list.push(other.clone());
        }
    }
}

/// True if `text` is the id of one user.
fn is_one_user(text: &str) -> bool {
    !text.is_empty() && !text.contains(is_separator) && !is_everybody(text) && check_user_ids(text).is_ok()
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
    pub fn from_json(json: impl Into<String>) -> Option<Self> {
        let card = RawValue::from_string(json.into()).ok()?;
        card.get().starts_with('{').then_some(Self(card))
    }

    pub fn json(&self) -> &str {
        self.0.get()
    }

    /// The fields of the card.
    pub(super) fn fields(&self) -> Map<String, Value> {
        // It was written by this program.
        serde_json::from_str(self.json()).unwrap_or_default()
    }

    /// The same card with another value of `key`.
    pub fn with(&self, key: &str, value: &str) -> Self {
        let mut fields = self.fields();
        fields.insert(key.to_owned(), value.into());
        Self::of_fields(fields)
    }

    pub(super) fn of_fields(fields: Map<String, Value>) -> Self {
        let json = Value::Object(fields).to_string();
        // It never fails, because this is JSON.
        RawValue::from_string(json).map_or_else(|_| Self(RawValue::NULL.to_owned()), Self)
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

impl<'de> Deserialize<'de> for Card {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let card = Box::<RawValue>::deserialize(deserializer)?;
        if !card.get().starts_with('{') {
            return Err(de::Error::custom("a card is a JSON object"));
        }
        Ok(Self(card))
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
            "card_update" => Card::from_json(text).map(Self::CardUpdate),
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
            Self::CardUpdate(_) => "card_update",
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

    /// The members whom this mentions in a group: by its lists, or as `<@userid>` in markdown.
    pub fn group_mentions(&self) -> GroupMentions {
        match self {
            Self::GroupText(card) => {
                // It was written by this program.
                let text: GroupText = serde_json::from_str(card.json()).unwrap_or_default();
                GroupMentions { users: text.mentioned_list, mobiles: text.mentioned_mobile_list }
            }
            Self::Markdown(text) => {
                let mentioned = text.split("<@").skip(1).filter_map(|rest| Some(rest.split_once('>')?.0));
                let users = mentioned.filter(|user| is_one_user(user));
                GroupMentions { users: users.map(str::to_owned).collect(), mobiles: Vec::new() }
            }
            _ => GroupMentions::default(),
        }
    }

    /// WeCom's `msgtype`.
    pub fn wecom_msgtype(&self) -> &'static str {
        match self {
            Self::GroupText(_) => "text",
            Self::CardUpdate(_) => "template_card",
            other => other.msgtype(),
        }
    }

    /// The text, or the JSON of a card.
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Markdown(text) | Self::MarkdownV2(text) => text,
            Self::GroupText(card)
            | Self::TextCard(card)
            | Self::TemplateCard(card)
            | Self::CardUpdate(card) => card.json(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(content: &Content) -> Vec<String> {
        content.group_mentions().users
    }

    #[test]
    fn mentions_of_a_group_are_found() {
        let text = GroupText {
            content: "<@nobody>".to_owned(),
            mentioned_list: vec!["@all".to_owned(), "lisi".to_owned()],
            mentioned_mobile_list: vec!["13800138000".to_owned()],
        };
        let mentions = Content::from(text).group_mentions();
        assert_eq!(
            (mentions.users, mentions.mobiles),
            (vec!["@all".into(), "lisi".into()], vec!["13800138000".into()])
        );
        let markdown = |text: &str| users(&Content::Markdown(text.to_owned()));
        assert_eq!(markdown("a <@zhangsan><@li.si> <@all> <@> <@not an id> <@open"), ["zhangsan", "li.si"]);
        assert_eq!(users(&Content::MarkdownV2("<@zhangsan>".to_owned())), [""; 0]);
        assert_eq!(users(&Content::Text("<@zhangsan>".to_owned())), [""; 0]);
    }

    #[test]
    fn mentions_are_added_once_and_bounded() {
        let mut all = GroupMentions::default();
        for number in 0..2 * MAX_MENTIONS {
            let users = vec!["lisi".to_owned(), format!("user{number}")];
            all.add(&GroupMentions { users, mobiles: Vec::new() });
        }
        assert_eq!((all.users.len(), all.users[0].as_str()), (MAX_MENTIONS, "lisi"));
    }
}
