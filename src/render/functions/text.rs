//! Text: escaped for a query, on one line, shortened.

use std::fmt::Write;

use tera::{Error, Kwargs, State, TeraResult};

use crate::render::{is_bidi_control, split::shorten};

/// Go's `url.QueryEscape`: a space is `+`, and all but letters, digits and `-_.~` is escaped by byte.
pub fn go_query_escape(text: &str) -> String {
    escape(text, |byte, escaped| {
        let space = byte == b' ';
        if space {
            escaped.push('+');
        }
        space
    })
}

/// As JavaScript's `encodeURIComponent`, but stricter: all but letters, digits and `-_.~` is escaped by byte.
pub(super) fn percent_encode(text: &str) -> String {
    escape(text, |_, _| false)
}

fn escape(text: &str, own: impl Fn(u8, &mut String) -> bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                escaped.push(char::from(byte));
            }
            _ if own(byte, &mut escaped) => {}
            // Writing to a `String` cannot fail.
            _ => _ = write!(escaped, "%{byte:02X}"),
        }
    }
    escaped
}

/// The text with every run of spaces, line breaks and control characters made one space, and without characters
/// that turn its direction.
pub(in crate::render) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    let mut parted = false;
    for c in text.chars().filter(|c| !is_bidi_control(*c)) {
        if c.is_whitespace() || c.is_control() {
            parted = true;
            continue;
        }
        if std::mem::take(&mut parted) && !line.is_empty() {
            line.push(' ');
        }
        line.push(c);
    }
    line
}

/// The text in at most `bytes` bytes, with `…` at its end when something is missing.
pub(super) fn truncate_bytes(text: &str, kwargs: Kwargs, _: &State<'_>) -> TeraResult<String> {
    let bytes = kwargs.must_get::<i64>("bytes")?;
    let bytes = usize::try_from(bytes).ok().filter(|bytes| *bytes >= "…".len());
    let bytes = bytes.ok_or_else(|| Error::message("`bytes` must be at least 3, which `…` takes"))?;
    Ok(shorten(text, bytes).into_owned())
}
