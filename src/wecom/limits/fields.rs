//! The fields of a card: texts, mappings and lists.

use serde_json::{Map, Value};

use super::check::{CardError, url};
use crate::text::shorten_chars;

pub(super) type Object = Map<String, Value>;

pub(super) fn text<'a>(object: &'a Object, key: &str) -> &'a str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn shorten(object: &mut Object, key: &str, max_chars: usize) {
    if let Some(Value::String(text)) = object.get_mut(key) {
        *text = shorten_chars(text.trim(), max_chars).into_owned();
    }
}

pub(super) fn inner<'a>(object: &'a mut Object, key: &str) -> Result<Option<&'a mut Object>, CardError> {
    match object.get_mut(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(inner)) => Ok(Some(inner)),
        Some(_) => Err(CardError::new(key, "is not a mapping")),
    }
}

/// The target of a tap: 0 for none, 1 for a URL, 2 for a mini program. The last two need a field.
pub(super) fn target(object: &mut Object, path: &str) -> Result<i64, CardError> {
    let number = match object.get("type") {
        None | Some(Value::Null) => 0,
        Some(value) => value.as_i64().unwrap_or(-1),
    };
    match number {
        1 => {
            let url = url(&format!("{path}.url"), text(object, "url"))?;
            object.insert("url".to_owned(), url.into());
        }
        2 => required(object, path, "appid")?,
        0 => {}
        _ => return Err(CardError::new(format!("{path}.type"), "must be 0, 1 or 2")),
    }
    Ok(number)
}

pub(super) fn required(object: &Object, path: &str, key: &str) -> Result<(), CardError> {
    if text(object, key).trim().is_empty() {
        return Err(CardError::new(format!("{path}.{key}"), "is empty"));
    }
    Ok(())
}

pub(super) fn list<'a>(
    card: &'a mut Object,
    key: &str,
    most: usize,
) -> Result<Vec<&'a mut Object>, CardError> {
    let items = match card.get_mut(key) {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(items)) => items,
        Some(_) => return Err(CardError::new(key, "is not a list")),
    };
    if items.len() > most {
        return Err(CardError::new(key, format!("has {} entries, and WeCom allows {most}", items.len())));
    }
    let object = |item: &'a mut Value| {
        item.as_object_mut().ok_or_else(|| CardError::new(key, "has an entry that is not a mapping"))
    };
    items.iter_mut().map(object).collect()
}
