//! Reading a request body as a [`Payload`], and saying what a body that is none looks like.
//!
//! The body is read once and straight into the payload; only what was refused is looked at again, so that the
//! answer can name the mistake instead of a missing field.

use std::{fmt, str};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor, value},
};

use super::{Pairs, Payload};

/// Why a body is not an Alertmanager payload. The text is for the sender.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// Nothing was sent.
    #[error("the body is empty: send Alertmanager's webhook payload, a JSON object with `alerts`")]
    Empty,
    /// Bytes that are no text.
    #[error("the body is not UTF-8: byte {at} does not belong there; is it compressed?")]
    NotUtf8 {
        /// The offset of the first wrong byte.
        at: usize,
    },
    /// A mark that some editors and Windows tools put before a text.
    #[error(
        "the body begins with a byte-order mark (EF BB BF), which JSON does not have: send UTF-8 without it"
    )]
    ByteOrderMark,
    /// JSON that ends too soon.
    #[error("the JSON ends before it is complete, at line {line}, column {column}: was the body cut off?")]
    Truncated {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// No JSON.
    #[error("the body is not JSON: {detail}")]
    NotJson {
        /// What is wrong, with line and column.
        detail: String,
    },
    /// Arrays or objects in one another without an end.
    #[error("the JSON is nested too deeply: more than {MAX_DEPTH} levels")]
    TooDeep,
    /// What Prometheus pushes to Alertmanager.
    #[error(
        "this looks like the body of Alertmanager's own /api/v2/alerts, to which Prometheus pushes: point Prometheus \
         at Alertmanager, and `webhook_configs` of Alertmanager at this relay"
    )]
    PrometheusPush,
    /// What a WeCom group robot takes.
    #[error(
        "this looks like a message for a WeCom group robot: this relay takes Alertmanager's webhook payload and \
         writes the message itself"
    )]
    RobotMessage,
    /// An object of another kind.
    #[error(
        "the JSON object has no `alerts`, so it is not Alertmanager's webhook payload (it has {fields}): is a custom \
         payload configured?"
    )]
    NoAlerts {
        /// The names of some of its fields.
        fields: String,
    },
    /// JSON that is no object.
    #[error("the body is {found}, not Alertmanager's webhook payload, a JSON object with `alerts`")]
    NotAnObject {
        /// What it is.
        found: &'static str,
    },
    /// A field of the wrong kind.
    #[error("not Alertmanager's webhook payload: {detail}")]
    WrongField {
        /// What is wrong, with line and column.
        detail: String,
    },
}

/// As deep as serde_json reads.
const MAX_DEPTH: usize = 127;

/// Reads the body of a webhook request.
///
/// # Errors
/// [`PayloadError`] says what the body looks like and what would be right.
pub fn parse(body: &[u8]) -> Result<Payload, PayloadError> {
    // At once: otherwise each text is checked by itself.
    let text = str::from_utf8(body).map_err(|error| PayloadError::NotUtf8 { at: error.valid_up_to() })?;
    serde_json::from_str(text).map_err(|error| diagnose(text, &error))
}

fn diagnose(body: &str, error: &serde_json::Error) -> PayloadError {
    if body.trim_ascii().is_empty() {
        return PayloadError::Empty;
    }
    if body.starts_with('\u{feff}') {
        return PayloadError::ByteOrderMark;
    }
    if depth(body.as_bytes()) > MAX_DEPTH {
        return PayloadError::TooDeep;
    }
    match serde_json::from_str::<Shape>(body) {
        Err(error) if error.is_eof() => {
            PayloadError::Truncated { line: error.line(), column: error.column() }
        }
        Err(error) => PayloadError::NotJson { detail: error.to_string() },
        Ok(Shape::Array { of_alerts: true }) => PayloadError::PrometheusPush,
        Ok(Shape::Array { of_alerts: false }) => PayloadError::NotAnObject { found: "a JSON array" },
        Ok(Shape::Scalar(found)) => PayloadError::NotAnObject { found },
        Ok(Shape::Object(fields)) if fields.has("alerts") => {
            PayloadError::WrongField { detail: error.to_string() }
        }
        Ok(Shape::Object(fields)) if fields.has("msgtype") => PayloadError::RobotMessage,
        Ok(Shape::Object(fields)) => PayloadError::NoAlerts { fields: fields.to_string() },
    }
}

/// How many arrays and objects are open at once at the deepest place.
fn depth(body: &[u8]) -> usize {
    let (mut depth, mut deepest, mut quoted, mut escaped) = (0usize, 0usize, false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'[' | b'{' if !quoted => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// What kind of JSON a body is, without keeping it.
enum Shape {
    Array { of_alerts: bool },
    Object(Fields),
    Scalar(&'static str),
}

/// The names of an object's fields, which are shown quoted and escaped: the text goes to the log.
struct Fields(Vec<String>);

impl Fields {
    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|field| field == name)
    }
}

impl fmt::Display for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 8;
        let short = |name: &String| format!("{:?}", name.chars().take(40).collect::<String>());
        match self.0.len() {
            0 => f.write_str("no fields"),
            fields => {
                f.write_str(&self.0.iter().take(SHOWN).map(short).collect::<Vec<_>>().join(", "))?;
                if fields > SHOWN { write!(f, " and {} more", fields - SHOWN) } else { Ok(()) }
            }
        }
    }
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ShapeVisitor)
    }
}

struct ShapeVisitor;

impl<'de> Visitor<'de> for ShapeVisitor {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape, A::Error> {
        // More names than these are never shown, and those that are asked for come early or are lost.
        const KEPT: usize = 1000;
        let mut fields = Vec::new();
        while let Some((name, IgnoredAny)) = map.next_entry::<String, IgnoredAny>()? {
            if fields.len() < KEPT {
                fields.push(name);
            }
        }
        Ok(Shape::Object(Fields(fields)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Shape, A::Error> {
        let first = seq.next_element::<Shape>()?;
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        let of_alerts =
            matches!(first, Some(Shape::Object(fields)) if fields.has("labels") || fields.has("startsAt"));
        Ok(Shape::Array { of_alerts })
    }

    fn visit_str<E>(self, _: &str) -> Result<Shape, E> {
        Ok(Shape::Scalar("a JSON string"))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Shape, E> {
        Ok(Shape::Scalar("a JSON boolean"))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Shape, E> {
        Ok(Shape::Scalar("a number"))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Shape, E> {
        Ok(Shape::Scalar("a number"))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Shape, E> {
        Ok(Shape::Scalar("a number"))
    }

    fn visit_unit<E>(self) -> Result<Shape, E> {
        Ok(Shape::Scalar("`null`"))
    }
}

/// A value, or the empty one for `null`.
pub(super) fn or_empty<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A text; what is another kind of value becomes one.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Text::deserialize(deserializer).map(|Text(text)| text)
}

/// Texts by name, or none for `null`.
pub(super) fn pairs<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Pairs, D::Error> {
    struct PairsVisitor;

    impl<'de> Visitor<'de> for PairsVisitor {
        type Value = Pairs;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object with texts")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
            let mut pairs = Pairs::new();
            while let Some((name, Text(value))) = map.next_entry()? {
                pairs.insert(name, value);
            }
            Ok(pairs)
        }

        fn visit_unit<E>(self) -> Result<Pairs, E> {
            Ok(Pairs::new())
        }
    }

    deserializer.deserialize_any(PairsVisitor)
}

/// A text, however it is written: `null` is empty, anything else that is no string is its JSON.
struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor).map(Text)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_string<E>(self, text: String) -> Result<String, E> {
        Ok(text)
    }

    fn visit_unit<E>(self) -> Result<String, E> {
        Ok(String::new())
    }

    fn visit_bool<E>(self, value: bool) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_i64<E>(self, value: i64) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_u64<E>(self, value: u64) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_f64<E>(self, value: f64) -> Result<String, E> {
        Ok(serde_json::Value::from(value).to_string())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<String, A::Error> {
        json(value::SeqAccessDeserializer::new(seq))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<String, A::Error> {
        json(value::MapAccessDeserializer::new(map))
    }
}

fn json<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    serde_json::Value::deserialize(deserializer).map(|value| value.to_string())
}
