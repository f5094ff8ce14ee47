//! Parses a request body as a [`Payload`].
//!
//! The body is parsed once. Only a body that is not a payload is parsed again, so that the error can name the
//! mistake instead of a missing field.

use std::{borrow::Cow, fmt, str};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::payload::Payload;

/// The reason why a body is not an Alertmanager payload. The sender reads the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    #[error("the body is empty: send Alertmanager's webhook payload, a JSON object with `alerts`")]
    Empty,
    #[error("the body is not UTF-8: byte {at} is invalid; is the body compressed?")]
    NotUtf8 {
        /// The offset of the first invalid byte.
        at: usize,
    },
    /// Some editors and Windows tools write this mark.
    #[error(
        "the body begins with a byte-order mark (EF BB BF), which JSON does not have: send UTF-8 without it"
    )]
    ByteOrderMark,
    #[error("the JSON ends before it is complete, at line {line}, column {column}: was the body cut off?")]
    Truncated {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    #[error("the body is not JSON: {detail}")]
    NotJson {
        /// The mistake, with line and column.
        detail: String,
    },
    #[error("the JSON is nested too deeply: more than {MAX_DEPTH} levels")]
    TooDeep,
    #[error(
        "this looks like the body of Alertmanager's own /api/v2/alerts, to which Prometheus pushes: point Prometheus \
         at Alertmanager, and `webhook_configs` of Alertmanager at this relay"
    )]
    PrometheusPush,
    #[error(
        "this looks like a message for a WeCom group robot: this relay takes Alertmanager's webhook payload and \
         writes the message itself"
    )]
    RobotMessage,
    #[error(
        "the JSON object has no `alerts`, so it is not Alertmanager's webhook payload (it has {fields}): is a custom \
         payload configured?"
    )]
    NoAlerts { fields: String },
    #[error("the body is {found}, not Alertmanager's webhook payload, a JSON object with `alerts`")]
    NotAnObject { found: &'static str },
    #[error("not Alertmanager's webhook payload: {detail}")]
    WrongField {
        /// The mistake, with line and column.
        detail: String,
    },
}

/// The recursion limit of serde_json.
const MAX_DEPTH: usize = 127;

/// Reads the body of a webhook request.
///
/// # Errors
/// [`PayloadError`] says what the body looks like and what the relay expects.
pub fn parse(body: &[u8]) -> Result<Payload, PayloadError> {
    // One check of the whole body is faster than a check of each string in it.
    let text = str::from_utf8(body).map_err(|error| PayloadError::NotUtf8 { at: error.valid_up_to() })?;
    let text = replace_nul(text);
    serde_json::from_str(&text).map_err(|error| diagnose(&text, &error))
}

/// Replaces each escaped U+0000 by U+FFFD, because PostgreSQL cannot store U+0000 in a text. JSON has no other way
/// to write U+0000.
fn replace_nul(json: &str) -> Cow<'_, str> {
    const NUL: &str = "\\u0000";
    if !json.contains(NUL) {
        return Cow::Borrowed(json);
    }
    let mut replaced = String::with_capacity(json.len());
    let mut rest = json;
    while let Some((before, escape)) = rest.find('\\').and_then(|at| rest.split_at_checked(at)) {
        replaced.push_str(before);
        let is_nul = escape.starts_with(NUL);
        // Other escapes have two significant characters: `\\` before `u0000` must not be taken for U+0000.
        let length = if is_nul { NUL.len() } else { 1 + escape.chars().nth(1).map_or(0, char::len_utf8) };
        let (escape, after) = escape.split_at_checked(length).unwrap_or((escape, ""));
        replaced.push_str(if is_nul { "\\ufffd" } else { escape });
        rest = after;
    }
    replaced.push_str(rest);
    Cow::Owned(replaced)
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

/// The deepest nesting of arrays and objects.
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

/// The kind of a JSON value. The value itself is not kept.
enum Shape {
    Array { of_alerts: bool },
    Object(Fields),
    Scalar(&'static str),
}

/// The names of an object's fields. They are shown quoted and escaped, because the text is logged.
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
        // This bounds the memory. Eight names are shown, and `alerts` or `msgtype` are usually among the first.
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
