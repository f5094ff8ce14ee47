//! A receiver of the configuration.
//!
//! `T` is a template. In the configuration it is a text with its location, in a [`Receiver`] it is a name.

use std::fmt;

use serde_json::{Map, Value};

use super::actions::Actions;
use crate::{
    language::Language,
    outbox::{ReceiverName, SenderName},
    wecom::Recipients,
};

#[derive(Debug, Clone)]
pub struct Receiver {
    pub name: ReceiverName,
    pub sender: SenderName,
    pub address: Address<String>,
    /// The members of a group that a text mentions.
    pub mentions: Mentions<String>,
    /// Further receivers of each notification.
    pub also: Vec<ReceiverName>,
    /// The template of the text; for a card, of its text form.
    pub message: String,
    pub message_type: MessageType<String>,
    /// The buttons of its template cards.
    pub actions: Option<Actions<String>>,
    /// Markdown and cards are followed by their text form.
    pub plain_copy: bool,
    pub send_resolved: bool,
    /// The language of everything that the relay writes for this receiver.
    pub language: Language,
    /// The maximum number of parts of a long message.
    pub max_parts: u16,
    /// Gets the notifications that have no recipient.
    pub fallback: Option<Fallback>,
    /// The receiver uses only built-in templates, which always end.
    pub builtin_only: bool,
}

/// The fallback of a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallback {
    pub name: ReceiverName,
    pub sender: SenderName,
    pub recipients: Recipients,
    pub language: Language,
}

/// The recipients of a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address<T> {
    Literal(Recipients),
    /// Templates that are rendered for each payload. They must not address everybody.
    Template {
        /// `to_user`
        to_user: T,
        /// `to_party`
        to_party: T,
        /// `to_tag`
        to_tag: T,
    },
}

impl<T> fmt::Display for Address<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(recipients) => recipients.fmt(f),
            Self::Template { .. } => f.write_str("recipients from templates"),
        }
    }
}

/// The keys `mentioned_list` and `mentioned_mobile_list`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mentions<T> {
    pub users: MentionList<T>,
    pub mobiles: MentionList<T>,
}

impl<T> Mentions<T> {
    pub fn has_templates(&self) -> bool {
        !self.users.templates.is_empty() || !self.mobiles.templates.is_empty()
    }
}

/// Members to mention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MentionList<T> {
    /// Ids that the configuration names. Only these may be `@all`.
    pub fixed: Vec<String>,
    pub templates: Vec<T>,
}

/// The key `message_type`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageType<T> {
    Text,
    Markdown,
    /// Only robots send it.
    MarkdownV2,
    TextCard {
        title: T,
        description: T,
        url: T,
        btntxt: T,
    },
    TemplateCard(JsonTemplate<T>),
}

/// A YAML or JSON value whose strings are templates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JsonTemplate<T> {
    Text(T),
    /// A number or a boolean.
    Fixed(Value),
    List(Vec<Self>),
    /// In the order of the configuration.
    Map(Vec<(String, Self)>),
}

impl<T> JsonTemplate<T> {
    /// Replaces each string by the result of `replace`, which gets the path of the string below `path`.
    pub fn map<'t, U>(&'t self, path: &str, replace: &mut impl FnMut(String, &'t T) -> U) -> JsonTemplate<U> {
        match self {
            Self::Text(text) => JsonTemplate::Text(replace(path.to_owned(), text)),
            Self::Fixed(value) => JsonTemplate::Fixed(value.clone()),
            Self::List(items) => {
                let mut mapped = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    mapped.push(item.map(&format!("{path}[{index}]"), replace));
                }
                JsonTemplate::List(mapped)
            }
            Self::Map(entries) => {
                let mut mapped = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    mapped.push((key.clone(), value.map(&format!("{path}.{key}"), replace)));
                }
                JsonTemplate::Map(mapped)
            }
        }
    }

    /// The JSON value with each string rendered by `render`, which gets the key of the string, or `key` if it has none.
    ///
    /// # Errors
    /// The first error of `render`.
    pub fn json<E>(
        &self,
        key: &str,
        render: &mut impl FnMut(&str, &T) -> Result<String, E>,
    ) -> Result<Value, E> {
        match self {
            Self::Text(text) => Ok(Value::String(render(key, text)?)),
            Self::Fixed(value) => Ok(value.clone()),
            Self::List(items) => {
                let items: Result<Vec<Value>, E> = items.iter().map(|item| item.json(key, render)).collect();
                Ok(Value::Array(items?))
            }
            Self::Map(entries) => {
                let mut object = Map::new();
                for (key, value) in entries {
                    object.insert(key.clone(), value.json(key, render)?);
                }
                Ok(Value::Object(object))
            }
        }
    }
}
