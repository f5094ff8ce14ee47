//! Escaping for HTML, JavaScript and URLs, and base64.

use base64::{
    Engine as _,
    alphabet::URL_SAFE,
    engine::{GeneralPurpose, GeneralPurposeConfig},
};

use super::{arguments::Arguments, function::Call};
use crate::render::go::{
    budget::Buffer,
    format::{print, quoted_bytes},
    runes::{is_printable, runes},
    value::{StrType, Value},
};

/// Go's URL alphabet with padding. As in Go, unused bits at the end are ignored.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&URL_SAFE, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

pub(super) fn html(call: &mut Call<'_>, args: Arguments<'_>) -> Result<Value, String> {
    let mut escaped = Buffer::default();
    for byte in argument_text(args)? {
        match byte {
            b'"' => escaped.push("&#34;")?,
            b'\'' => escaped.push("&#39;")?,
            b'&' => escaped.push("&amp;")?,
            b'<' => escaped.push("&lt;")?,
            b'>' => escaped.push("&gt;")?,
            0 => escaped.push("\u{fffd}")?,
            _ => escaped.push([byte])?,
        }
    }
    call.buffer(escaped)
}

pub(super) fn js(call: &mut Call<'_>, args: Arguments<'_>) -> Result<Value, String> {
    let mut escaped = Buffer::default();
    for rune in runes(&argument_text(args)?) {
        match rune {
            Ok(c @ ('\\' | '\'' | '"')) => escaped.push(format!("\\{c}"))?,
            Ok(c @ ('<' | '>' | '&' | '=' | '\0'..' ')) => {
                escaped.push(format!("\\u{:04X}", u32::from(c)))?;
            }
            Ok(c) if c.is_ascii() || is_printable(c) => escaped.push_char(c)?,
            Ok(c) => escaped.push(format!("\\u{:04X}", u32::from(c)))?,
            Err(byte) => escaped.push([byte])?,
        }
    }
    call.buffer(escaped)
}

pub(super) fn url_query(call: &mut Call<'_>, args: Arguments<'_>) -> Result<Value, String> {
    let mut escaped = Buffer::default();
    for byte in argument_text(args)? {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => escaped.push([byte])?,
            b' ' => escaped.push("+")?,
            _ => escaped.push(format!("%{byte:02X}"))?,
        }
    }
    call.buffer(escaped)
}

/// The text that these three functions escape: one string as it is, else as `print` writes the arguments.
fn argument_text(args: Arguments<'_>) -> Result<Vec<u8>, String> {
    if let [Value::Str(text, StrType::Plain)] = args.all() {
        return Ok(text.to_vec());
    }
    let printed = args.all().iter().map(|value| match value {
        Value::Nil => Value::text("<no value>".to_owned()),
        other => other.clone(),
    });
    let text = print(&printed.collect::<Vec<Value>>())?.into_bytes();
    // These functions print the struct that a pointer points to.
    let is_pointer = matches!(args.value(0), Value::Data(_));
    Ok(text.strip_prefix(b"&").filter(|_| is_pointer).map_or_else(|| text.clone(), <[u8]>::to_vec))
}

pub(super) fn url_unescape(text: &[u8]) -> Result<Vec<u8>, String> {
    let mut unescaped = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'+' => unescaped.push(b' '),
            b'%' => {
                let digit = |index: usize| char::from(*after.get(index)?).to_digit(16);
                let byte = digit(0).zip(digit(1)).and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
                let Some(byte) = byte else {
                    let mut escape = vec![b'%'];
                    escape.extend_from_slice(after.get(..2).unwrap_or(after));
                    return Err(format!("invalid URL escape {}", quoted_bytes(&escape, '"', false)));
                };
                unescaped.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => unescaped.push(*first),
        }
    }
    Ok(unescaped)
}

pub(super) fn base64_encode(text: &[u8]) -> String {
    BASE64.encode(text)
}

pub(super) fn base64_decode(text: &[u8]) -> Result<Vec<u8>, String> {
    let text: Vec<u8> = text.iter().copied().filter(|byte| !b"\r\n".contains(byte)).collect();
    BASE64.decode(text).map_err(|error| format!("illegal base64 data: {error}"))
}
