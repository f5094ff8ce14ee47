//! Reading the values of a YAML tree as what they must be.

use super::yaml::{DirectoryError, fault};
use crate::yaml::{Entry, Node, Position, Value};

/// A value and where it is written.
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) at: Position,
}

/// A mapping whose keys are known and stand once. A key without a value is as good as no key.
pub(super) struct Fields<'y> {
    at: Position,
    entries: &'y [Entry],
}

impl<'y> Fields<'y> {
    pub(super) fn of(node: &'y Node, keys: &[&str]) -> Result<Self, DirectoryError> {
        let Value::Map(entries) = &node.value else { return Err(fault(node.at, "this must be a mapping")) };
        for (i, Entry { key, at, .. }) in entries.iter().enumerate() {
            if !keys.contains(&key.as_str()) {
                let known = keys.join(", ");
                return Err(fault(*at, format!("unknown field `{key}`, known here are {known}")));
            }
            if entries.iter().take(i).any(|first| first.key == *key) {
                return Err(fault(*at, format!("duplicate mapping key `{key}` is not allowed here")));
            }
        }
        Ok(Self { at: node.at, entries })
    }

    pub(super) fn optional(&self, key: &str) -> Option<&'y Node> {
        let entry = self.entries.iter().find(|entry| entry.key == key);
        entry.map(|entry| &entry.value).filter(|node| !matches!(node.value, Value::Null))
    }

    pub(super) fn required(&self, key: &str) -> Result<&'y Node, DirectoryError> {
        self.optional(key).ok_or_else(|| fault(self.at, format!("missing field `{key}`")))
    }

    /// The items of a list that may be left out.
    pub(super) fn list<T>(
        &self,
        key: &str,
        read: fn(&Node) -> Result<T, DirectoryError>,
    ) -> Result<Vec<T>, DirectoryError> {
        self.optional(key).map_or_else(|| Ok(Vec::new()), |node| list(node, read))
    }

    /// What people call it; it may be left out.
    pub(super) fn name(&self) -> Result<String, DirectoryError> {
        self.optional("name").map_or_else(|| Ok(String::new()), |node| text(node).map(|name| name.value))
    }
}

pub(super) fn list<T>(
    node: &Node,
    read: fn(&Node) -> Result<T, DirectoryError>,
) -> Result<Vec<T>, DirectoryError> {
    match &node.value {
        Value::List(items) => items.iter().map(read).collect(),
        _ => Err(fault(node.at, "this must be a list")),
    }
}

/// A text. A number is taken as the text that it is written as.
pub(super) fn text(node: &Node) -> Result<Placed<String>, DirectoryError> {
    match &node.value {
        Value::Text(text) | Value::Number(text) => Ok(Placed { value: text.clone(), at: node.at }),
        _ => Err(fault(node.at, "this must be a text")),
    }
}

pub(super) fn number(node: &Node) -> Result<Placed<u64>, DirectoryError> {
    let number = match &node.value {
        Value::Number(text) | Value::Text(text) => text.parse().ok(),
        _ => None,
    };
    let value = number.ok_or_else(|| fault(node.at, "this must be a whole number"))?;
    Ok(Placed { value, at: node.at })
}

pub(super) fn truth(node: &Node) -> Result<bool, DirectoryError> {
    match node.value {
        Value::Bool(value) => Ok(value),
        _ => Err(fault(node.at, "this must be true or false")),
    }
}
