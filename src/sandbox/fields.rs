//! The fields of a request's JSON.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::reply::ErrorReply;

/// A checked message, as members see it.
pub(super) struct Shown {
    pub(super) text: String,
    pub(super) content: Value,
    /// The name of a card that can call back. It gets a `response_code`.
    pub(super) task_id: Option<String>,
}

/// An object of the request, with WeCom's rules for types.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    pub(super) object: &'a Map<String, Value>,
    pub(super) strict: bool,
}

impl<'a> Fields<'a> {
    /// A text. A missing field and `null` are empty.
    pub(super) fn text(&self, key: &str) -> Result<&'a str, ErrorReply> {
        match self.object.get(key) {
            None | Some(Value::Null) => Ok(""),
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(wrong_type(key, "string")),
        }
    }

    /// A whole number. Unless `strict`, a text with digits is allowed, and an empty text is `None`.
    pub(super) fn number(&self, key: &str, range: RangeInclusive<i64>) -> Result<Option<i64>, ErrorReply> {
        let number = match self.object.get(key) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Number(number)) => number.as_i64(),
            Some(Value::String(text)) if !self.strict && text.trim().is_empty() => return Ok(None),
            Some(Value::String(text)) if !self.strict => text.trim().parse().ok(),
            Some(_) => None,
        };
        let number = number.ok_or_else(|| wrong_type(key, "int"))?;
        if !range.contains(&number) {
            return Err(ErrorReply::parameter(format!("invalid param '{key}'")));
        }
        Ok(Some(number))
    }

    pub(super) fn inner(&self, key: &str) -> Option<Fields<'a>> {
        self.object.get(key).and_then(Value::as_object).map(|object| Fields { object, ..*self })
    }

    /// A list of objects. An item of another type counts as an empty object.
    pub(super) fn list(&self, key: &str) -> Vec<Fields<'a>> {
        static EMPTY: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
        let items = self.object.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        items.iter().map(|item| Fields { object: item.as_object().unwrap_or(&EMPTY), ..*self }).collect()
    }

    /// A list of texts. A missing list and `null` are empty.
    pub(super) fn texts(&self, key: &str) -> Result<Vec<String>, ErrorReply> {
        let text = |item: &Value| item.as_str().map(str::to_owned);
        self.array(key)?.iter().map(|item| text(item).ok_or_else(|| wrong_type(key, "string"))).collect()
    }

    /// A list of whole numbers that are not negative. A missing list and `null` are empty.
    pub(super) fn ids(&self, key: &str) -> Result<Vec<u64>, ErrorReply> {
        let items = self.array(key)?.iter();
        items.map(|item| item.as_u64().ok_or_else(|| wrong_type(key, "int"))).collect()
    }

    fn array(&self, key: &str) -> Result<&'a [Value], ErrorReply> {
        match self.object.get(key) {
            None | Some(Value::Null) => Ok(&[]),
            Some(Value::Array(items)) => Ok(items),
            Some(_) => Err(wrong_type(key, "array")),
        }
    }

    /// A text that must not be empty.
    pub(super) fn required(&self, key: &str, errcode: i64) -> Result<&'a str, ErrorReply> {
        match self.text(key)? {
            "" => Err(ErrorReply::new(errcode)),
            text => Ok(text),
        }
    }
}

fn wrong_type(key: &str, expected: &str) -> ErrorReply {
    ErrorReply::parameter(format!("invalid param '{key}', it should be of type {expected}"))
}
