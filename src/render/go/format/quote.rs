//! Quoted strings as Go's `strconv.Quote` writes them.

use std::fmt::Write as _;

use crate::render::go::runes::{is_printable, runes};

/// `text` in quotation marks.
pub(in crate::render::go) fn quoted(text: &str) -> String {
    quoted_bytes(text.as_bytes(), '"', false)
}

/// `bytes` between two `mark`s; with `is_ascii` in ASCII alone.
pub(in crate::render::go) fn quoted_bytes(bytes: &[u8], mark: char, is_ascii: bool) -> String {
    let mut text = String::with_capacity(bytes.len() + 2);
    text.push(mark);
    for rune in runes(bytes) {
        match rune {
            Ok(c) => push_escaped(&mut text, c, mark, is_ascii),
            Err(byte) => _ = write!(text, "\\x{byte:02x}"),
        }
    }
    text.push(mark);
    text
}

fn push_escaped(text: &mut String, c: char, mark: char, is_ascii: bool) {
    let number = u32::from(c);
    let _ = match c {
        '\u{7}' => text.write_str("\\a"),
        '\u{8}' => text.write_str("\\b"),
        '\u{c}' => text.write_str("\\f"),
        '\n' => text.write_str("\\n"),
        '\r' => text.write_str("\\r"),
        '\t' => text.write_str("\\t"),
        '\u{b}' => text.write_str("\\v"),
        _ if c == mark || c == '\\' => write!(text, "\\{c}"),
        _ if is_printable(c) && (c.is_ascii() || !is_ascii) => text.write_char(c),
        _ if number < u32::from(' ') || number == 0x7f => write!(text, "\\x{number:02x}"),
        _ if number < 0x10000 => write!(text, "\\u{number:04x}"),
        _ => write!(text, "\\U{number:08x}"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_quoted_as_go_quotes_them() {
        assert_eq!(quoted("a\"b\\\n\u{1}\u{7f}中\u{200b}\u{1F4A9}"), r#""a\"b\\\n\x01\x7f中\u200b💩""#);
        assert_eq!(quoted_bytes(b"\xff'", '\'', false), r"'\xff\''");
        assert_eq!(quoted_bytes("中💩".as_bytes(), '"', true), r#""\u4e2d\U0001f4a9""#);
    }
}
