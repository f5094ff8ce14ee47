//! The fields of a body or a message: the elements of an XML document, or the members of a JSON object.

use std::collections::BTreeMap;

use roxmltree::{Document, ParsingOptions};
use serde_json::{Map, Value};

use super::error::CallbackError;

/// The most nodes of a document. A press has some 40.
const MAX_NODES: u32 = 1000;
/// The most quotation marks in a body that nobody has signed. Attributes need them, WeCom sends none, and many attributes
/// take the parser long.
const MAX_QUOTES: usize = 64;

/// The texts of the fields, by their names in lower case. WeCom's XML and JSON differ in the case of the names only.
#[derive(Debug, Default)]
pub(super) struct Fields(BTreeMap<String, String>);

/// The encrypted text in the body of a POST.
///
/// # Errors
/// [`CallbackError::Body`]
pub fn encrypted(body: &[u8]) -> Result<String, CallbackError> {
    let quotes = body.iter().filter(|byte| matches!(byte, b'"' | b'\'')).count();
    if quotes > MAX_QUOTES {
        return Err(CallbackError::Body);
    }
    let fields = Fields::parse(body).ok_or(CallbackError::Body)?;
    fields.get("encrypt").map(str::to_owned).ok_or(CallbackError::Body)
}

impl Fields {
    /// `None` if this is neither XML nor JSON, or if a field is repeated.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?.trim_start_matches('\u{feff}').trim();
        if text.starts_with('{') { Self::of_json(text) } else { Self::of_xml(text) }
    }

    /// The text of a field, without white space around it. `None` if it is missing or empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|text| text.trim()).filter(|text| !text.is_empty())
    }

    /// Document types are refused, because an entity can be used against the parser.
    fn of_xml(text: &str) -> Option<Self> {
        let options =
            ParsingOptions { allow_dtd: false, nodes_limit: MAX_NODES, ..ParsingOptions::default() };
        let document = Document::parse_with_options(text, options).ok()?;
        let mut fields = Self::default();
        for element in document.root_element().children().filter(|node| node.is_element()) {
            fields.add(element.tag_name().name(), element.text().unwrap_or_default().to_owned())?;
        }
        Some(fields)
    }

    fn of_json(text: &str) -> Option<Self> {
        let members: Map<String, Value> = serde_json::from_str(text).ok()?;
        let mut fields = Self::default();
        for (name, value) in members {
            let text = match value {
                Value::String(text) => text,
                Value::Number(number) => number.to_string(),
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => continue,
            };
            fields.add(&name, text)?;
        }
        Some(fields)
    }

    /// `None` if there is a field of this name already, because programs disagree on the one that counts.
    fn add(&mut self, name: &str, text: String) -> Option<()> {
        self.0.insert(name.to_ascii_lowercase(), text).is_none().then_some(())
    }
}
