//! The shape of the YAML: which keys there are, and what a key holds.
//!
//! Every key is named once, in `shapes!`; the reading, the refusal of all other keys and the list of what is
//! accepted follow from it. Structs with `derive(Deserialize)` were rejected: they end at the first mistake.

use super::{
    model::Located,
    nearest::nearest,
    problem::{Place, Position, Report, Reported, quoted},
};
use crate::{
    intake::JsonTemplate,
    yaml::{Entry, Node, Value},
};

macro_rules! shapes {
    ($($(#[$doc:meta])* $name:ident at $path:literal { $($key:ident),* $(,)? })*) => {
        $(
            $(#[$doc])*
            pub(super) struct $name<'y> {
                $(pub(super) $key: Field<'y>,)*
            }

            impl<'y> $name<'y> {
                const KEYS: &'static [&'static str] = &[$(stringify!($key)),*];

                /// Reads a mapping; one that is not there has no keys.
                pub(super) fn read(field: &Field<'y>, report: &mut Report) -> Result<Self, Reported> {
                    let entries = field.entries(Self::KEYS, report)?;
                    Ok(Self {
                        $($key: field.child(entries, stringify!($key)),)*
                    })
                }
            }
        )*

        /// The path of every key that a configuration may have, with `[]` for any place in a list.
        pub fn accepted_keys() -> Vec<String> {
            let mut keys = Vec::new();
            $(keys.extend($name::KEYS.iter().map(|key| format!("{}{key}", $path)));)*
            keys
        }
    };
}

shapes! {
    /// The whole file.
    Root at "" { server, outbox, timezone, templates, apps, receivers }
    /// The listening side.
    Server at "server." { listen, auth, tls }
    /// Who may use it.
    Auth at "server.auth." { bearer_token, bearer_token_file, bearer_token_env, basic_auth }
    /// A user name with its password.
    BasicAuth at "server.auth.basic_auth." { username, password, password_file, password_env }
    /// Its encryption.
    Tls at "server.tls." { cert_file, key_file, client_ca_file }
    /// The queue on disk.
    Outbox at "outbox." { path, dedupe_window, max_size, expire_after, retention }
    /// A WeCom application.
    App at "apps[]." {
        name, corp_id, agent_id, api_secret, api_secret_file, api_secret_env, api_url, proxy_url, proxy_url_file,
        proxy_url_env, limits,
    }
    /// The pace of an application.
    Limits at "apps[].limits." { per_minute, per_hour }
    /// A receiver of alerts.
    Receiver at "receivers[]." {
        name, app, to_user, to_party, to_tag, message_type, message, title, description, url, btntxt, template_card,
        plain_copy, max_parts, send_resolved, fallback, fallback_after,
    }
}

/// What stands at a key, or that nothing does.
#[derive(Clone)]
pub(super) struct Field<'y> {
    /// Where the value is; where the mapping is that lacks it.
    pub(super) place: Place,
    node: Option<&'y Node>,
}

impl<'y> Field<'y> {
    /// The whole document.
    pub(super) fn root(node: &'y Node, file: &Place) -> Self {
        Self { place: Place { at: Some(node.at), ..file.clone() }, node: Some(node) }
    }

    /// The value, unless there is none or it is null: a key without a value is as good as no key.
    fn value(&self) -> Option<&'y Value> {
        self.node.map(|node| &node.value).filter(|value| !matches!(value, Value::Null))
    }

    /// Whether something is set here.
    pub(super) fn is_set(&self) -> bool {
        self.value().is_some()
    }

    /// Whether the key is written, be it without a value.
    pub(super) fn is_written(&self) -> bool {
        self.node.is_some()
    }

    /// A text. A number is taken as the text that it is written as.
    pub(super) fn text(&self, report: &mut Report) -> Result<Option<&'y str>, Reported> {
        match self.value() {
            None => Ok(None),
            Some(Value::Text(text) | Value::Number(text)) => Ok(Some(text)),
            Some(Value::Bool(_)) => Err(self.mistyped("a text", "put it in quotes", report)),
            Some(_) => Err(self.mistyped("a text", "", report)),
        }
    }

    /// A text that must be there and not be empty.
    pub(super) fn required_text(&self, right: &str, report: &mut Report) -> Result<&'y str, Reported> {
        match self.text(report)? {
            Some(text) if !text.trim().is_empty() => Ok(text),
            Some(_) => Err(report.problem(&self.place, "this is empty", right)),
            None => Err(report.problem(&self.place, "this is missing", right)),
        }
    }

    /// `true` or `false`.
    pub(super) fn truth(&self, report: &mut Report) -> Result<Option<bool>, Reported> {
        match self.value() {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(_) => Err(self.mistyped("true or false", "write true or false, without quotes", report)),
        }
    }

    /// A text that `parse` understands; `what` names it and `right` says how it is written.
    pub(super) fn parsed<T>(
        &self,
        parse: impl FnOnce(&str) -> Option<T>,
        what: &str,
        right: &str,
        report: &mut Report,
    ) -> Result<Option<T>, Reported> {
        let Some(text) = self.text(report)? else { return Ok(None) };
        let wrong = || format!("{} is not {what}", quoted(text));
        parse(text).map(Some).ok_or_else(|| report.problem(&self.place, wrong(), right))
    }

    /// The items of a list.
    pub(super) fn items(&self, report: &mut Report) -> Result<Option<Vec<Self>>, Reported> {
        match self.value() {
            None => Ok(None),
            Some(Value::List(items)) => {
                let item = |(i, node): (usize, &'y Node)| Field {
                    place: self.at(Some(node.at), format!("{}[{i}]", self.place.key)),
                    node: Some(node),
                };
                Ok(Some(items.iter().enumerate().map(item).collect()))
            }
            Some(_) => Err(self.mistyped("a list", "begin each item with a dash, or write [ … ]", report)),
        }
    }

    /// A mapping of anything, whose texts are kept with their places. What is null is left out.
    pub(super) fn tree(
        &self,
        report: &mut Report,
    ) -> Result<Option<JsonTemplate<Located<String>>>, Reported> {
        match self.value() {
            None => Ok(None),
            Some(Value::Map(_)) => Ok(self.subtree(report)?),
            Some(_) => Err(self.mistyped("a mapping", "", report)),
        }
    }

    fn subtree(&self, report: &mut Report) -> Result<Option<JsonTemplate<Located<String>>>, Reported> {
        Ok(Some(match self.value() {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Bool(value)) => JsonTemplate::Fixed((*value).into()),
            Some(Value::Number(text)) => JsonTemplate::Fixed(number(text)),
            Some(Value::Text(text)) => {
                JsonTemplate::Text(Located { value: text.clone(), place: self.place.clone() })
            }
            Some(Value::List(_)) => {
                let items = self.items(report)?.unwrap_or_default();
                let items = items.iter().filter_map(|item| item.subtree(report).transpose());
                JsonTemplate::List(items.collect::<Result<_, _>>()?)
            }
            Some(Value::Map(entries)) => {
                let keys: Vec<_> = entries.iter().map(|entry| entry.key.as_str()).collect();
                self.entries_of(entries, &keys, report);
                let mut map: Vec<(String, JsonTemplate<_>)> = Vec::new();
                for key in keys {
                    if map.iter().all(|(other, _)| other != key)
                        && let Some(value) = self.child(entries, key).subtree(report)?
                    {
                        map.push((key.to_owned(), value));
                    }
                }
                JsonTemplate::Map(map)
            }
        }))
    }

    /// The entries of a mapping, after a word on those that are doubled or not in `keys`.
    fn entries(&self, keys: &[&'static str], report: &mut Report) -> Result<&'y [Entry], Reported> {
        match self.value() {
            None => Ok(&[]),
            Some(Value::Map(entries)) => {
                self.entries_of(entries, keys, report);
                Ok(entries)
            }
            Some(_) => Err(self.mistyped("a mapping", &format!("its keys are {}", list(keys)), report)),
        }
    }

    fn entries_of(&self, entries: &[Entry], keys: &[&str], report: &mut Report) {
        for (i, entry) in entries.iter().enumerate() {
            let place = self.at(Some(entry.at), self.path(shown(&entry.key)));
            if !keys.contains(&entry.key.as_str()) {
                let right = match nearest(&entry.key, keys.iter().copied()) {
                    Some(key) => format!("did you mean {key}?"),
                    None => format!("known here are {}", list(keys)),
                };
                report.problem(&place, "this key is unknown", right);
            } else if let Some(first) = entries.iter().take(i).find(|first| first.key == entry.key) {
                let wrong = format!("this key stands twice, first in line {}", first.at.line);
                report.problem(&place, wrong, "keep one of them");
            }
        }
    }

    fn child(&self, entries: &'y [Entry], key: &str) -> Self {
        let node = entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value);
        let at = node.map(|node| node.at).or(self.place.at);
        Self { place: self.at(at, self.path(key)), node }
    }

    fn path(&self, key: &str) -> String {
        if self.place.key.is_empty() { key.to_owned() } else { format!("{}.{key}", self.place.key) }
    }

    fn at(&self, at: Option<Position>, key: String) -> Place {
        Place { at, key, ..self.place.clone() }
    }

    // The value is never shown: a secret may have slipped under another key.
    fn mistyped(&self, wanted: &str, right: &str, report: &mut Report) -> Reported {
        let found = self.node.map_or("nothing", |node| node.value.kind());
        report.problem(&self.place, format!("this is {found}, where {wanted} belongs"), right)
    }
}

/// A number as JSON has it; as a text when JSON has none like it.
fn number(text: &str) -> serde_json::Value {
    let number = text.parse::<serde_json::Number>().ok().filter(|number| number.to_string() == text);
    number.map_or_else(|| text.into(), serde_json::Value::Number)
}

/// `words` with commas between them.
pub(super) fn list(words: &[&str]) -> String {
    words.join(", ")
}

/// An unknown key as far as it may be shown: `api_secret:s3cr3t`, without the space, is one long key.
fn shown(key: &str) -> &str {
    const LONGEST: usize = 40;
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.len() <= LONGEST && key.chars().all(word) { key } else { "?" }
}
