//! Go's `encoding/json`.

use super::float::float_text;
use crate::render::go::{
    budget::{Buffer, Limit},
    runes::runes,
    time::{JSON, formatted},
    value::{Kv, Value},
};

/// Appends `value` as JSON.
///
/// # Errors
/// The value has no form in JSON, or is too long.
pub(in crate::render::go) fn push_json(out: &mut Buffer, value: &Value) -> Result<(), String> {
    match value {
        Value::Nil => out.push("null")?,
        Value::Bool(boolean) => out.push(boolean.to_string())?,
        Value::Int(number, _) => out.push(number.to_string())?,
        Value::Float(number) => out.push(number_text(*number)?)?,
        Value::Str(text, _) => push_text(out, text)?,
        Value::List(list) => {
            out.push("[")?;
            for (index, item) in list.items.iter().enumerate() {
                out.push(if index > 0 { "," } else { "" })?;
                push_json(out, item)?;
            }
            out.push("]")?;
        }
        Value::Kv(kv) => push_kv(out, kv)?,
        Value::Dict(dict) => {
            out.push("{")?;
            for (index, (name, item)) in dict.entries.iter().enumerate() {
                push_name(out, index, name)?;
                push_json(out, item)?;
            }
            out.push("}")?;
        }
        Value::Pair(..) | Value::Data(_) | Value::Alert(_) => {
            out.push("{")?;
            for (index, field) in value.fields().unwrap_or_default().iter().enumerate() {
                push_name(out, index, field.json.as_bytes())?;
                push_json(out, &field.value)?;
            }
            out.push("}")?;
        }
        Value::Time(time) => {
            if !(0..10_000).contains(&time.clock().year) {
                return Err(
                    "json: error calling MarshalJSON for type time.Time: year outside of range [0,9999]"
                        .to_owned(),
                );
            }
            push_text(out, formatted(time, JSON).as_bytes())?;
        }
        Value::Zone(_) => out.push("{}")?,
    }
    Ok(())
}

fn push_kv(out: &mut Buffer, kv: &Kv) -> Result<(), Limit> {
    out.push("{")?;
    for (index, pair) in kv.0.iter().enumerate() {
        push_name(out, index, &pair.name)?;
        push_text(out, &pair.value)?;
    }
    out.push("}")
}

fn push_name(out: &mut Buffer, index: usize, name: &[u8]) -> Result<(), Limit> {
    out.push(if index > 0 { "," } else { "" })?;
    push_text(out, name)?;
    out.push(":")
}

/// With an exponent only for numbers that are very small or large.
fn number_text(number: f64) -> Result<String, String> {
    if !number.is_finite() {
        return Err(format!("json: unsupported value: {}", float_text(number, 'g', None)));
    }
    let magnitude = number.abs();
    if magnitude == 0.0 || (1e-6..1e21).contains(&magnitude) {
        return Ok(float_text(number, 'f', None));
    }
    // An exponent has no leading zero here.
    Ok(float_text(number, 'e', None).replace("e-0", "e-"))
}

fn push_text(out: &mut Buffer, text: &[u8]) -> Result<(), Limit> {
    out.push("\"")?;
    for rune in runes(text) {
        match rune {
            Ok('"') => out.push("\\\"")?,
            Ok('\\') => out.push("\\\\")?,
            Ok('\n') => out.push("\\n")?,
            Ok('\r') => out.push("\\r")?,
            Ok('\t') => out.push("\\t")?,
            Ok('\u{8}') => out.push("\\b")?,
            Ok('\u{c}') => out.push("\\f")?,
            Ok(c @ ('\0'..' ' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}')) => {
                out.push(format!("\\u{:04x}", u32::from(c)))?;
            }
            Ok(c) => out.push_char(c)?,
            Err(_) => out.push("\\ufffd")?,
        }
    }
    out.push("\"")
}
