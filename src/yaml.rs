//! A YAML document as a tree in which every value and key has a position.
//!
//! serde stops at its first error. A tree allows the reader to report all errors at once. Numbers keep their spelling
//! (`007` stays `007`), and duplicate keys stay in the tree, so that the reader can report them. The tree cannot be
//! printed, because it may contain secrets, and a syntax error never quotes the file.

use std::{fmt, ops::Range};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_yaml::{
    Error, Location, Spanned,
    options::{DuplicateKeyPolicy, NonFiniteFloatPolicy},
};

/// A position in a file. Both numbers count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub line: u64,
    /// In characters.
    pub column: u64,
}

/// A value with its position. The position of an alias is that of the alias itself.
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) at: Position,
    /// The bytes of the value in the source.
    bytes: Option<Range<usize>>,
}

pub(crate) enum Value {
    Null,
    Bool(bool),
    /// An unquoted number, as it is written.
    Number(String),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key with its value. The key is empty if it is a list, a mapping or null.
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) at: Position,
    pub(crate) value: Node,
}

pub(crate) struct SyntaxError {
    pub(crate) at: Option<Position>,
    pub(crate) message: String,
}

impl Value {
    /// The type of the value, for diagnostics.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "true or false",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

/// Reads one document. An empty document is [`Value::Null`].
pub(crate) fn parse(source: &str) -> Result<Node, SyntaxError> {
    let options = serde_yaml::options! {
        budget: serde_yaml::budget! { max_depth: 32, max_nodes: 100_000, max_documents: 2 },
        alias_limits: serde_yaml::alias_limits! { max_total_replayed_events: 100_000 },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        reject_unsupported_tags: true,
        ignore_binary_tag_for_string: true,
        strict_booleans: true,
        with_snippet: false,
    };
    let mut node: Node =
        serde_yaml::from_str_with_options(source, options).map_err(|error| syntax(&error))?;
    node.restore_spelling(source);
    Ok(node)
}

fn syntax(error: &Error) -> SyntaxError {
    // The texts of the other kinds are not used, because they may quote the file.
    let message = match error.without_snippet() {
        Error::AliasError { error, .. } => return syntax(error),
        Error::ExternalMessage { msg, .. } => format!("this is not YAML: {msg}"),
        Error::Eof { .. } => "this is not YAML: it ends too early".to_owned(),
        Error::MultipleDocuments { .. } => {
            "a second document starts here, and only one is allowed".to_owned()
        }
        Error::UnknownAnchor { .. } => "this is not YAML: an alias (*…) without its anchor (&…)".to_owned(),
        Error::UnsupportedTag { .. } => "this has a tag (!…), and tags are not allowed".to_owned(),
        Error::RecursiveReferencesRequireWeakTypes { .. } => "an anchor contains itself".to_owned(),
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            "this is nested too deeply, too long, or repeated too often by aliases".to_owned()
        }
        _ => "this is not YAML that the relay can read".to_owned(),
    };
    SyntaxError { at: error.location().as_ref().and_then(known), message }
}

fn known(location: &Location) -> Option<Position> {
    (location.line() > 0).then(|| Position { line: location.line(), column: location.column() })
}

fn position(location: &Location) -> Position {
    known(location).unwrap_or(Position { line: 1, column: 1 })
}

impl Node {
    /// The bytes of a scalar in the source, with its quotes. Lists and mappings have none.
    pub(crate) fn scalar_bytes(&self) -> Option<Range<usize>> {
        match self.value {
            Value::List(_) | Value::Map(_) => None,
            _ => self.bytes.clone(),
        }
    }

    /// The value of a key, if this is a mapping with the key.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// The entries of a mapping. Another value has none.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list. Another value has none.
    pub(crate) fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// A scalar as a text. A missing value, a list and a mapping are none.
    pub(crate) fn scalar(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) | Value::Number(text) => Some(text),
            Value::Bool(true) => Some("true"),
            Value::Bool(false) => Some("false"),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// Restores the spelling of numbers in the source, because some of them are ids.
    fn restore_spelling(&mut self, source: &str) {
        match &mut self.value {
            Value::Number(text) => {
                let written = self.bytes.clone().and_then(|bytes| source.get(bytes));
                if let Some(written) = written.map(str::trim).filter(|text| is_plain(text)) {
                    written.clone_into(text);
                }
            }
            Value::List(items) => items.iter_mut().for_each(|item| item.restore_spelling(source)),
            Value::Map(entries) => entries.iter_mut().for_each(|entry| entry.value.restore_spelling(source)),
            Value::Null | Value::Bool(_) | Value::Text(_) => {}
        }
    }
}

/// `true` for a possible number without tag or quotes.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-._".contains(&byte))
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        let span = spanned.defined.span();
        let start = span.byte_offset().and_then(|start| usize::try_from(start).ok());
        let length = span.byte_len().and_then(|length| usize::try_from(length).ok());
        let bytes = start.zip(length).and_then(|(start, length)| Some(start..start.checked_add(length)?));
        Ok(Self { value: spanned.value, at: position(&spanned.referenced), bytes })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Number(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, value)) = map.next_entry::<Node, Node>()? {
            let at = key.at;
            let key = match key.value {
                Value::Text(text) | Value::Number(text) => text,
                Value::Bool(value) => value.to_string(),
                Value::Null | Value::List(_) | Value::Map(_) => String::new(),
            };
            entries.push(Entry { key, at, value });
        }
        Ok(Value::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows a tree in one line, with positions.
    fn shown(source: &str) -> String {
        match parse(source) {
            Ok(node) => show(&node),
            Err(error) => {
                let at = error.at.map(|at| format!("{}:{}", at.line, at.column));
                format!("{}: {}", at.unwrap_or_default(), error.message)
            }
        }
    }

    fn show(node: &Node) -> String {
        let value = match &node.value {
            Value::Null => "null".to_owned(),
            Value::Bool(value) => value.to_string(),
            Value::Number(text) => text.clone(),
            Value::Text(text) => format!("{text:?}"),
            Value::List(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(" ")),
            Value::Map(entries) => {
                let entry = |e: &Entry| format!("{}@{}:{}={}", e.key, e.at.line, e.at.column, show(&e.value));
                format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(" "))
            }
        };
        format!("{value}@{}:{}", node.at.line, node.at.column)
    }

    #[test]
    fn values_and_keys_have_positions() {
        let source = "a:\n  - b: yes\n    c: 'x'\n  -\nd: true\n";
        insta::assert_snapshot!(shown(source), @r#"{a@1:1=[{b@2:5="yes"@2:8 c@3:5="x"@3:8}@2:5 null@4:4]@2:3 d@5:1=true@5:4}@1:1"#);
    }

    #[test]
    fn numbers_keep_their_spelling() {
        insta::assert_snapshot!(shown("[0x10, 007, 1e999, 1_000, .inf, -3, 18446744073709551616]"), @r#"[0x10@1:2 007@1:8 ".inf"@1:13 1_000@1:20 ".inf"@1:27 -3@1:33 18446744073709551616@1:37]@1:1"#);
    }

    #[test]
    fn duplicate_keys_are_kept_and_odd_keys_are_empty() {
        insta::assert_snapshot!(shown("a: 1\na: 2\n[b]: 3\n4: 5\n"), @"{a@1:1=1@1:4 a@2:1=2@2:4 @3:1=3@3:6 4@4:1=5@4:4}@1:1");
    }

    #[test]
    fn aliases_and_merges_have_the_position_of_their_use() {
        insta::assert_snapshot!(shown("a: &x 007\nb: *x\nc: &m {d: 1}\ne:\n  <<: *m\n  f: 2\n"), @"{a@1:1=007@1:7 b@2:1=007@2:4 c@3:1={d@3:8=1@3:11}@3:7 e@4:1={f@6:3=2@6:6 d@5:7=1@5:7}@5:3}@1:1");
    }

    #[test]
    fn an_empty_document_is_null() {
        assert_eq!(shown(""), "null@1:1");
        assert_eq!(shown("# nothing\n"), "null@2:1");
    }

    #[test]
    fn syntax_errors_have_a_position_and_quote_nothing() {
        let broken = [
            "a: [s3cr3t",
            "a: *s3cr3t",
            "a: !s3cr3t b",
            "a: b: s3cr3t",
            "a: \"s3cr3t\\q\"",
            "a:\n\t- b",
            "a: &x [*x]",
            "a\n---\nb",
            "%s3cr3t\na",
            "a: @s3cr3t",
            "a: 's3cr3t",
        ];
        let errors: Vec<_> = broken.iter().map(|source| shown(source)).collect();
        assert!(errors.iter().all(|error| !error.contains("s3cr3t")), "{errors:#?}");
        insta::assert_snapshot!(errors.join("\n"), @r"
        1:4: this is not YAML: unclosed bracket '['
        1:4: this is not YAML: an alias (*…) without its anchor (&…)
        1:12: this has a tag (!…), and tags are not allowed
        1:5: this is not YAML: mapping values are not allowed in this context
        1:4: this is not YAML: while parsing a quoted scalar, found unknown escape character
        2:2: this is not YAML: tabs disallowed within this context (block indentation)
        1:8: an anchor contains itself
        3:1: a second document starts here, and only one is allowed
        2:1: this is not YAML: did not find expected <document start>
        1:4: this is not YAML: unexpected character: `@'
        1:4: this is not YAML: unclosed quote
        ");
    }

    #[test]
    fn depth_and_repetition_are_bounded() {
        insta::assert_snapshot!(shown(&("[".repeat(50) + &"]".repeat(50))), @"1:33: this is nested too deeply, too long, or repeated too often by aliases");
        let laughs = "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n";
        insta::assert_snapshot!(shown(laughs), @"1:26: this is nested too deeply, too long, or repeated too often by aliases");
    }
}
