//! Escapes text for WeCom's markdown.
//!
//! WeCom documents no escape character, and an unknown backslash would be shown. So a zero-width space separates the
//! characters that would begin a tag, a link, bold text, a heading or a quote. This is right in any renderer. A
//! backtick begins code on its own, so it is replaced by a similar character.

use crate::text::{is_bidi_control, percent_encode_where};

const ZERO_WIDTH_SPACE: char = '\u{200B}';

const BACKTICK_LOOKALIKE: char = 'ˋ';

/// Escapes `text`, so that it has no meaning in markdown. Removes [bidirectional controls](is_bidi_control).
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    let mut chars = text.chars().filter(|c| !is_bidi_control(*c)).peekable();
    // The template may put the text at the beginning of a line.
    let mut is_line_start = true;
    while let Some(c) = chars.next() {
        if is_line_start && matches!(c, '#' | '>') {
            escaped.push(ZERO_WIDTH_SPACE);
        }
        let next = chars.peek().copied();
        match c {
            '`' => escaped.push(BACKTICK_LOOKALIKE),
            // The first or last `*` could join a `*` outside of the text.
            '*' if escaped.is_empty() => escaped.extend([ZERO_WIDTH_SPACE, c, ZERO_WIDTH_SPACE]),
            '*' if next.is_none_or(|next| next == '*') => escaped.extend([c, ZERO_WIDTH_SPACE]),
            '<' if next.is_none_or(|next| next.is_ascii_alphabetic() || next == '/') => {
                escaped.extend([c, ZERO_WIDTH_SPACE]);
            }
            ']' if next.is_none_or(|next| next == '(') => escaped.extend([c, ZERO_WIDTH_SPACE]),
            '(' if escaped.is_empty() => escaped.extend([ZERO_WIDTH_SPACE, c]),
            _ => escaped.push(c),
        }
        is_line_start = c == '\n' || c == '\r' || (is_line_start && c == ' ');
    }
    escaped
}

/// `url` for a link in markdown, with every character percent-encoded that could end the link or has a meaning in it.
///
/// Empty if `url` is not `http://` or `https://`.
pub(super) fn url(url: &str) -> String {
    if !(url.starts_with("http://") || url.starts_with("https://")) {
        return String::new();
    }
    percent_encode_where(url, |c| {
        c.is_whitespace() || c.is_control() || is_bidi_control(c) || "()[]<>\"'`*\\|{}^".contains(c)
    })
}
