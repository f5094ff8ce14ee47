//! Text that is safe inside WeCom's markdown.
//!
//! A backslash before a character was rejected: WeCom does not document one, and where it is not known it is
//! shown. What would begin a tag, a link, bold text, a heading or a quote is parted by a zero-width space
//! instead, which is right in any renderer; a backtick, which alone begins code, becomes a look-alike.

use crate::text::{is_bidi_control, percent_encode_where};

/// Parts characters and is not seen.
const PART: char = '\u{200B}';

/// Stands for a backtick.
const BACKTICK: char = 'ˋ';

/// The text with all that has a meaning in markdown made harmless, and without characters that turn its direction.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    let mut chars = text.chars().filter(|c| !is_bidi_control(*c)).peekable();
    let mut line_starts = true;
    while let Some(c) = chars.next() {
        // A text may be put at the beginning of a line, so its own beginning counts as one.
        if line_starts && matches!(c, '#' | '>') {
            escaped.push(PART);
        }
        let next = chars.peek().copied();
        match c {
            '`' => escaped.push(BACKTICK),
            '*' if next == Some('*') || next.is_none() || escaped.is_empty() => {
                // At either end it could meet another one outside.
                escaped.extend(escaped.is_empty().then_some(PART));
                escaped.push(c);
                escaped.push(PART);
            }
            '<' if next.is_none_or(|next| next.is_ascii_alphabetic() || next == '/') => {
                escaped.extend([c, PART]);
            }
            ']' if next.is_none_or(|next| next == '(') => escaped.extend([c, PART]),
            '(' if escaped.is_empty() => escaped.extend([PART, c]),
            _ => escaped.push(c),
        }
        line_starts = c == '\n' || c == '\r' || (line_starts && c == ' ');
    }
    escaped
}

/// The URL with all that would end a link, or have a meaning in it, escaped by byte; what is no http link is empty.
pub(in crate::render) fn url(url: &str) -> String {
    if !(url.starts_with("http://") || url.starts_with("https://")) {
        return String::new();
    }
    percent_encode_where(url, |c| {
        c.is_whitespace() || c.is_control() || is_bidi_control(c) || "()[]<>\"'`*\\|{}^".contains(c)
    })
}
