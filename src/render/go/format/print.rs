//! `print`, `println`, and the text of a printed action.

use super::{
    flags::Flags,
    verb::{push_verb, stringer},
};
use crate::render::go::{
    budget::{Buffer, Limit},
    value::{IntType, Value},
};

/// Go's `fmt.Sprint`: a space stands between two values if neither is a string.
pub(in crate::render::go) fn print(values: &[Value]) -> Result<Buffer, Limit> {
    let mut out = Buffer::default();
    let mut is_after_string = true;
    for value in values {
        let is_string = matches!(value, Value::Str(..));
        if !is_string && !is_after_string {
            out.push(" ")?;
        }
        push_value(&mut out, value)?;
        is_after_string = is_string;
    }
    Ok(out)
}

/// Go's `fmt.Sprintln`.
pub(in crate::render::go) fn print_line(values: &[Value]) -> Result<Buffer, Limit> {
    let mut out = Buffer::default();
    for (index, value) in values.iter().enumerate() {
        out.push(if index > 0 { " " } else { "" })?;
        push_value(&mut out, value)?;
    }
    out.push("\n")?;
    Ok(out)
}

/// The text of `{{ value }}`.
pub(in crate::render::go) fn push_printed(out: &mut Buffer, value: &Value) -> Result<(), Limit> {
    match value {
        Value::Nil => out.push("<no value>"),
        Value::Str(text, _) => out.push(text),
        Value::Int(number, IntType::Int) => out.push(number.to_string()),
        // A printed pointer is the struct that it points to.
        Value::Data(_) => {
            let mut text = Buffer::default();
            push_value(&mut text, value)?;
            out.push(text.into_bytes().strip_prefix(b"&").unwrap_or_default())
        }
        _ => push_value(out, value),
    }
}

/// The text of `%v`.
pub(in crate::render::go) fn push_value(out: &mut Buffer, value: &Value) -> Result<(), Limit> {
    match stringer(value) {
        Some(text) => out.push(text),
        None => push_verb(out, value, 'v', &Flags::default()),
    }
}
