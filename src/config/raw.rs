//! The accepted keys of the YAML file, and typed access to their values.
//!
//! Every key is listed once, in `shapes!`. The macro generates the reader, the refusal of unknown keys and
//! [`accepted_keys`].

use std::borrow::Cow;

use super::{
    diagnostic::{Diagnostics, ErrorGuaranteed, Location, Position, quoted},
    foreign_keys,
    model::Located,
};
use crate::{
    intake::JsonTemplate,
    nearest::nearest,
    yaml::{Entry, Node, Value},
};

macro_rules! shapes {
    ($($name:ident at $path:literal { $($key:ident),* $(,)? })*) => {
        $(
            pub(super) struct $name<'y> {
                $(pub(super) $key: Field<'y>,)*
            }

            impl<'y> $name<'y> {
                const KEYS: &'static [&'static str] = &[$(stringify!($key)),*];

                /// Reads a mapping. A missing mapping has no keys.
                pub(super) fn read(field: &Field<'y>, diagnostics: &mut Diagnostics) -> Result<Self, ErrorGuaranteed> {
                    let entries = field.entries(Self::KEYS, diagnostics)?;
                    Ok(Self {
                        $($key: field.child(entries, stringify!($key)),)*
                    })
                }
            }
        )*

        /// The paths of all accepted keys. `[]` stands for an index.
        pub fn accepted_keys() -> Vec<String> {
            let mut keys = Vec::new();
            $(keys.extend($name::KEYS.iter().map(|key| format!("{}{key}", $path)));)*
            keys
        }
    };
}

shapes! {
    Root at "" { server, outbox, timezone, language, templates, apps, robots, alertmanager, receivers }
    Server at "server." { listen, callback_listen, callback_external_url, auth, tls, max_memory, console }
    Auth at "server.auth." { bearer_token, bearer_token_file, bearer_token_env, basic_auth }
    BasicAuth at "server.auth.basic_auth." { username, password, password_file, password_env }
    Tls at "server.tls." { cert_file, key_file, client_ca_file }
    Console at "server.console." {
        enabled, external_url, password, password_file, password_env, viewer_password, viewer_password_file,
        viewer_password_env, session, keep_payloads,
    }
    Outbox at "outbox." {
        path, url, url_file, url_env, ca_file, replica, dedupe_window, max_size, expire_after, retention,
    }
    App at "apps[]." {
        name, corp_id, agent_id, api_secret, api_secret_file, api_secret_env, api_url, proxy_url, proxy_url_file,
        proxy_url_env, ca_file, timeout, limits, callback,
    }
    Callback at "apps[].callback." {
        token, token_file, token_env, encoding_aes_key, encoding_aes_key_file, encoding_aes_key_env,
    }
    Limits at "apps[].limits." { per_minute, per_hour }
    Robot at "robots[]." {
        name, key, key_file, key_env, api_url, proxy_url, proxy_url_file, proxy_url_env, ca_file, timeout, limits,
    }
    RobotLimits at "robots[].limits." { per_minute }
    Alertmanager at "alertmanager." {
        url, bearer_token, bearer_token_file, bearer_token_env, basic_auth, ca_file, timeout,
    }
    AlertmanagerUser at "alertmanager.basic_auth." { username, password, password_file, password_env }
    Receiver at "receivers[]." {
        name, app, robot, also, to_user, to_party, to_tag, chat_id, mentioned_list, mentioned_mobile_list, language, template_language, message_type, message, title, description, url,
        btntxt, template_card, actions, plain_copy, max_parts, send_resolved, fallback, fallback_after,
    }
    Actions at "receivers[].actions." { buttons, allow_user, allow_party, allow_tag, repeats }
    Button at "receivers[].actions.buttons[]." { silence, silence_until, acknowledge, url, text, style }
}

/// A key of a mapping, with or without a value.
#[derive(Clone)]
pub(super) struct Field<'y> {
    /// The location of the value. If the key is missing, the location of the mapping.
    pub(super) location: Location,
    node: Option<&'y Node>,
}

impl<'y> Field<'y> {
    pub(super) fn root(node: &'y Node, file: &Location) -> Self {
        Self { location: Location { position: Some(node.at), ..file.clone() }, node: Some(node) }
    }

    /// The value. A null value is the same as a missing key.
    fn value(&self) -> Option<&'y Value> {
        self.node.map(|node| &node.value).filter(|value| !matches!(value, Value::Null))
    }

    pub(super) fn is_set(&self) -> bool {
        self.value().is_some()
    }

    /// True if the key is in the file, also without a value.
    pub(super) fn is_written(&self) -> bool {
        self.node.is_some()
    }

    /// A text. A number is taken as it is written.
    pub(super) fn text(&self, diagnostics: &mut Diagnostics) -> Result<Option<&'y str>, ErrorGuaranteed> {
        match self.value() {
            None => Ok(None),
            Some(Value::Text(text) | Value::Number(text)) => Ok(Some(text)),
            Some(Value::Bool(_)) => Err(self.type_error("a text", "put it in quotes", diagnostics)),
            // `{{ x }}` without quotes is a mapping whose key is a mapping.
            Some(Value::Map(entries)) if entries.first().is_some_and(|entry| entry.key.is_empty()) => {
                Err(self.type_error("a text", "quote a text that begins with {{", diagnostics))
            }
            Some(_) => Err(self.type_error("a text", "", diagnostics)),
        }
    }

    /// A text, or a list of texts that `separator` joins.
    pub(super) fn joined(
        &self,
        separator: &str,
        diagnostics: &mut Diagnostics,
    ) -> Result<Option<Cow<'y, str>>, ErrorGuaranteed> {
        if !matches!(self.value(), Some(Value::List(_))) {
            return Ok(self.text(diagnostics)?.map(Cow::Borrowed));
        }
        let mut texts = Vec::new();
        for item in self.items(diagnostics)?.unwrap_or_default() {
            texts.extend(item.text(diagnostics)?);
        }
        Ok(Some(Cow::Owned(texts.join(separator))))
    }

    pub(super) fn required_text(
        &self,
        help: &str,
        diagnostics: &mut Diagnostics,
    ) -> Result<&'y str, ErrorGuaranteed> {
        match self.text(diagnostics)? {
            Some(text) if !text.trim().is_empty() => Ok(text),
            Some(_) => Err(diagnostics.error(&self.location, "this is empty", help)),
            None => Err(diagnostics.error(&self.location, "this is missing", help)),
        }
    }

    pub(super) fn bool(&self, diagnostics: &mut Diagnostics) -> Result<Option<bool>, ErrorGuaranteed> {
        match self.value() {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(_) => {
                Err(self.type_error("true or false", "write true or false, without quotes", diagnostics))
            }
        }
    }

    /// A text that `parse` accepts. `expected` names its type, such as "a duration".
    pub(super) fn parsed<T>(
        &self,
        parse: impl FnOnce(&str) -> Option<T>,
        expected: &str,
        help: &str,
        diagnostics: &mut Diagnostics,
    ) -> Result<Option<T>, ErrorGuaranteed> {
        let Some(text) = self.text(diagnostics)? else { return Ok(None) };
        let message = || format!("{} is not {expected}", quoted(text));
        parse(text).map(Some).ok_or_else(|| diagnostics.error(&self.location, message(), help))
    }

    /// The items of a list, or a text as the only item.
    pub(super) fn text_or_items(
        &self,
        diagnostics: &mut Diagnostics,
    ) -> Result<Option<Vec<Self>>, ErrorGuaranteed> {
        match self.value() {
            None => Ok(None),
            Some(Value::List(_)) => self.items(diagnostics),
            Some(_) => Ok(Some(vec![self.clone()])),
        }
    }

    pub(super) fn items(&self, diagnostics: &mut Diagnostics) -> Result<Option<Vec<Self>>, ErrorGuaranteed> {
        match self.value() {
            None => Ok(None),
            Some(Value::List(items)) => {
                let item = |(i, node): (usize, &'y Node)| Field {
                    location: self.at(Some(node.at), format!("{}[{i}]", self.location.key)),
                    node: Some(node),
                };
                Ok(Some(items.iter().enumerate().map(item).collect()))
            }
            Some(_) => {
                Err(self.type_error("a list", "start each item with a dash, or write [ … ]", diagnostics))
            }
        }
    }

    /// A mapping with any keys. Null values are left out.
    pub(super) fn tree(
        &self,
        diagnostics: &mut Diagnostics,
    ) -> Result<Option<JsonTemplate<Located<String>>>, ErrorGuaranteed> {
        match self.value() {
            None => Ok(None),
            Some(Value::Map(_)) => Ok(self.subtree(diagnostics)?),
            Some(_) => Err(self.type_error("a mapping", "", diagnostics)),
        }
    }

    fn subtree(
        &self,
        diagnostics: &mut Diagnostics,
    ) -> Result<Option<JsonTemplate<Located<String>>>, ErrorGuaranteed> {
        Ok(Some(match self.value() {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Bool(value)) => JsonTemplate::Fixed((*value).into()),
            Some(Value::Number(text)) => JsonTemplate::Fixed(number(text)),
            Some(Value::Text(text)) => {
                JsonTemplate::Text(Located { value: text.clone(), location: self.location.clone() })
            }
            Some(Value::List(_)) => {
                let items = self.items(diagnostics)?.unwrap_or_default();
                let items = items.iter().filter_map(|item| item.subtree(diagnostics).transpose());
                JsonTemplate::List(items.collect::<Result<_, _>>()?)
            }
            Some(Value::Map(entries)) => {
                let keys: Vec<_> = entries.iter().map(|entry| entry.key.as_str()).collect();
                self.check_keys(entries, &keys, diagnostics);
                let mut map: Vec<(String, JsonTemplate<_>)> = Vec::new();
                for key in keys {
                    if map.iter().all(|(other, _)| other != key)
                        && let Some(value) = self.child(entries, key).subtree(diagnostics)?
                    {
                        map.push((key.to_owned(), value));
                    }
                }
                JsonTemplate::Map(map)
            }
        }))
    }

    /// The entries of a mapping. Unknown and duplicate keys are reported.
    fn entries(
        &self,
        keys: &[&'static str],
        diagnostics: &mut Diagnostics,
    ) -> Result<&'y [Entry], ErrorGuaranteed> {
        match self.value() {
            None => Ok(&[]),
            Some(Value::Map(entries)) => {
                self.check_keys(entries, keys, diagnostics);
                Ok(entries)
            }
            Some(Value::Text(text)) if text.contains('：') => Err(self.type_error(
                "a mapping",
                "write a half-width : and a space in place of ：",
                diagnostics,
            )),
            Some(_) => {
                Err(self.type_error("a mapping", &format!("its keys are {}", keys.join(", ")), diagnostics))
            }
        }
    }

    fn check_keys(&self, entries: &[Entry], keys: &[&str], diagnostics: &mut Diagnostics) {
        for (i, entry) in entries.iter().enumerate() {
            let location = self.at(Some(entry.at), self.path(shown_key(&entry.key)));
            if !keys.contains(&entry.key.as_str()) {
                let near = nearest(&entry.key, keys.iter().copied());
                let help = match (foreign_keys::help(&entry.key), near) {
                    (Some(help), _) => help.to_owned(),
                    (None, Some(key)) => format!("did you mean {key}?"),
                    (None, None) => format!("the keys here are {}", keys.join(", ")),
                };
                diagnostics.error(&location, "unknown key", help);
            } else if let Some(first) = entries.iter().take(i).find(|first| first.key == entry.key) {
                let message = format!("duplicate key, first written in line {}", first.at.line);
                diagnostics.error(&location, message, "keep one of them");
            }
        }
    }

    fn child(&self, entries: &'y [Entry], key: &str) -> Self {
        let node = entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value);
        let position = node.map(|node| node.at).or(self.location.position);
        Self { location: self.at(position, self.path(key)), node }
    }

    fn path(&self, key: &str) -> String {
        if self.location.key.is_empty() { key.to_owned() } else { format!("{}.{key}", self.location.key) }
    }

    fn at(&self, position: Option<Position>, key: String) -> Location {
        Location { position, key, ..self.location.clone() }
    }

    // The value is never shown, because it may be a secret under the wrong key.
    fn type_error(&self, expected: &str, help: &str, diagnostics: &mut Diagnostics) -> ErrorGuaranteed {
        let found = self.node.map_or("nothing", |node| node.value.kind());
        diagnostics.error(&self.location, format!("{expected} is expected, but this is {found}"), help)
    }
}

/// A JSON number, or a text if JSON would write the number differently.
fn number(text: &str) -> serde_json::Value {
    let number = text.parse::<serde_json::Number>().ok().filter(|number| number.to_string() == text);
    number.map_or_else(|| text.into(), serde_json::Value::Number)
}

/// An unknown key, or `?` if it may contain a secret: `api_secret:s3cr3t`, without the space, is one long key.
pub(super) fn shown_key(key: &str) -> &str {
    const LONGEST: usize = 40;
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.len() <= LONGEST && key.chars().all(is_word) { key } else { "?" }
}
