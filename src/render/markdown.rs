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
            '<' if next.is_none_or(|next| next.is_ascii_alphabetic() || matches!(next, '/' | '@')) => {
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

/// [`escape`] for the markdown of robots (`markdown_v2`), which also has tables, italics and struck text.
pub(super) fn escape_v2(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    let mut before = ' ';
    for c in escape(text).chars() {
        match c {
            // It would begin another cell of a table.
            '|' => escaped.push('｜'),
            // Within a word it has no meaning, and names of hosts have many.
            '_' if !before.is_alphanumeric() => escaped.extend([ZERO_WIDTH_SPACE, c]),
            '~' if before == '~' => escaped.extend([ZERO_WIDTH_SPACE, c]),
            _ => escaped.push(c),
        }
        before = c;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_has_no_meaning_in_the_markdown_of_robots() {
        assert_eq!(escape_v2("a|b"), "a｜b");
        assert_eq!(escape_v2("db_01_x"), "db_01_x");
        assert_eq!(escape_v2("_x_ ~~y~~"), "\u{200B}_x_ ~\u{200B}~y~\u{200B}~");
        assert_eq!(escape("<@all> <@zhangsan>"), "<\u{200B}@all> <\u{200B}@zhangsan>");
    }
}
