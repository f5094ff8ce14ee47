//! A receiver as the configuration describes it. `T` is a template: its text and place in the configuration, its
//! name here.

use std::fmt;

use serde_json::{Map, Value};

use crate::{
    outbox::{ReceiverName, SenderName},
    wecom::Recipients,
};

/// A receiver, its templates by name.
#[derive(Debug, Clone)]
pub struct Receiver {
    /// Its name.
    pub name: ReceiverName,
    /// The app that sends for it.
    pub sender: SenderName,
    /// Whom its messages are for.
    pub address: Address<String>,
    /// The template of the message; of a card, of its text form.
    pub message: String,
    /// What its messages are.
    pub form: Form<String>,
    /// Whether markdown and cards are followed by their text form.
    pub plain_copy: bool,
    /// Whether resolved alerts are sent.
    pub send_resolved: bool,
    /// How many parts a long message has at most.
    pub max_parts: u16,
    /// Who gets what is for nobody.
    pub fallback: Option<Fallback>,
    /// Whether all its templates are this program's own, which end quickly.
    pub builtin_only: bool,
}

impl Receiver {
    /// Whether its recipients are the same for every payload.
    pub fn has_literal_address(&self) -> bool {
        matches!(self.address, Address::Literal(_))
    }
}

/// Where a fallback's messages go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallback {
    /// Its name.
    pub name: ReceiverName,
    /// The app that sends for it.
    pub sender: SenderName,
    /// Whom they are for.
    pub recipients: Recipients,
}

/// Whom messages are for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address<T> {
    /// The same for every payload.
    Literal(Recipients),
    /// As the payload says; never everybody.
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
            Self::Template { .. } => f.write_str("whom the payload names"),
        }
    }
}

/// `message_type`
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form<T> {
    /// `text`
    Text,
    /// `markdown`
    Markdown,
    /// `textcard`
    TextCard {
        /// `title`
        title: T,
        /// `description`
        description: T,
        /// `url`
        url: T,
        /// `btntxt`
        btntxt: T,
    },
    /// `template_card`
    TemplateCard(Tree<T>),
}

/// A value in YAML or JSON whose texts are templates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tree<T> {
    /// A text.
    Text(T),
    /// A number, `true` or `false`.
    Fixed(Value),
    /// A list.
    List(Vec<Self>),
    /// A mapping, in the order written.
    Map(Vec<(String, Self)>),
}

impl<T> Tree<T> {
    /// The same with other texts; `of` is told the path of keys below `path`.
    pub fn map<'t, U>(&'t self, path: &str, of: &mut impl FnMut(String, &'t T) -> U) -> Tree<U> {
        match self {
            Self::Text(text) => Tree::Text(of(path.to_owned(), text)),
            Self::Fixed(value) => Tree::Fixed(value.clone()),
            Self::List(items) => {
                let item = |(at, item): (usize, &'t Self)| item.map(&format!("{path}[{at}]"), of);
                Tree::List(items.iter().enumerate().map(item).collect())
            }
            Self::Map(entries) => {
                let entry =
                    |(key, value): &'t (String, Self)| (key.clone(), value.map(&format!("{path}.{key}"), of));
                Tree::Map(entries.iter().map(entry).collect())
            }
        }
    }

    /// The JSON that it is when `render` gives the texts.
    ///
    /// # Errors
    /// The first of `render`.
    pub fn json<E>(&self, render: &mut impl FnMut(&T) -> Result<String, E>) -> Result<Value, E> {
        Ok(match self {
            Self::Text(text) => render(text)?.into(),
            Self::Fixed(value) => value.clone(),
            Self::List(items) => {
                items.iter().map(|item| item.json(render)).collect::<Result<Vec<_>, _>>()?.into()
            }
            Self::Map(entries) => {
                let entry = |(key, value): &(String, Self)| Ok((key.clone(), value.json(render)?));
                Value::Object(entries.iter().map(entry).collect::<Result<Map<_, _>, _>>()?)
            }
        })
    }
}
