//! Helpers for text that other people wrote: shortening, single lines, display width, percent encoding.
//!
//! Labels and annotations decide the length and the characters of most texts in this program. These helpers never
//! cut within a character. Those that show an [`ELLIPSIS`] do not cut within a grapheme cluster either, so that an
//! emoji or an accented letter stays as the reader knows it:
//!
//! ```text
//! prefix("磁盘满", 7)            "磁盘"     bytes, the cut is not visible
//! shorten("磁盘已满", 10)        "磁盘…"    bytes
//! shorten_chars("磁盘已满", 3)   "磁盘…"    characters, the unit of most limits of WeCom
//! shorten_columns("磁盘已满", 6) "磁盘…"    columns of a terminal
//! ```

use std::{borrow::Cow, ops::Range};

use jiff::{
    Timestamp,
    tz::{Offset, TimeZone},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Marks the place where text was left out.
pub const ELLIPSIS: &str = "…";

/// RFC 3986 lets a URL have letters, digits and these characters as they are.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The longest character in UTF-8.
const MAX_CHAR_BYTES: usize = 4;

/// The part of `text` in `range`, whose ends must lie between characters.
///
/// An end within a character is a bug. Debug builds panic. Release builds log it and move the end to the beginning
/// of the character, because two slices that meet there then still have the whole text.
pub fn slice(text: &str, range: Range<usize>) -> &str {
    let slice = text.get(range.clone());
    debug_assert!(slice.is_some(), "{range:?} is no slice of {} bytes", text.len());
    slice.unwrap_or_else(|| {
        tracing::error!(?range, bytes = text.len(), "text was sliced within a character; report this bug");
        let before_end = prefix(text, range.end);
        before_end.split_at(prefix(before_end, range.start).len()).1
    })
}

/// The part of `text` from `start` on; see [`slice()`].
pub fn slice_from(text: &str, start: usize) -> &str {
    slice(text, start..text.len().max(start))
}

/// The longest beginning of `text` in at most `max_bytes` bytes.
pub fn prefix(text: &str, max_bytes: usize) -> &str {
    let mut end = max_bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.split_at(end).0
}

/// The first `max_chars` characters of `text`.
pub fn prefix_chars(text: &str, max_chars: usize) -> &str {
    let end = text.char_indices().nth(max_chars).map_or(text.len(), |(at, _)| at);
    text.split_at(end).0
}

/// The offsets up to `max_bytes` at which a grapheme cluster of `text` ends, in ascending order.
///
/// Time is linear in `max_bytes`, also when `text` is one very long cluster.
pub fn cluster_ends(text: &str, max_bytes: usize) -> impl Iterator<Item = usize> {
    // One character after `max_bytes` is enough to know if a cluster ends there.
    let window = prefix(text, max_bytes.saturating_add(MAX_CHAR_BYTES));
    let ends = window.grapheme_indices(true).map(|(at, cluster)| at + cluster.len());
    ends.take_while(move |end| *end <= max_bytes)
}

/// `text` in at most `max_bytes` bytes, at least the 3 of [`ELLIPSIS`].
pub fn shorten(text: &str, max_bytes: usize) -> Cow<'_, str> {
    debug_assert!(max_bytes >= ELLIPSIS.len(), "no room for an ellipsis in {max_bytes} bytes");
    if text.len() <= max_bytes {
        return Cow::Borrowed(text);
    }
    with_ellipsis(text, max_bytes.saturating_sub(ELLIPSIS.len()))
}

/// `text` in at most `max_chars` characters, at least one.
pub fn shorten_chars(text: &str, max_chars: usize) -> Cow<'_, str> {
    debug_assert!(max_chars > 0, "no room for an ellipsis");
    if text.chars().nth(max_chars).is_none() {
        return Cow::Borrowed(text);
    }
    with_ellipsis(text, prefix_chars(text, max_chars.saturating_sub(1)).len())
}

/// `text` in at most `max_columns` columns of a terminal, at least one.
pub fn shorten_columns(text: &str, max_columns: usize) -> Cow<'_, str> {
    debug_assert!(max_columns > 0, "no room for an ellipsis");
    if width(text) <= max_columns {
        return Cow::Borrowed(text);
    }
    let mut shortened = String::new();
    let mut columns = 1;
    for cluster in text.graphemes(true) {
        columns += width(cluster);
        if columns > max_columns {
            break;
        }
        shortened.push_str(cluster);
    }
    shortened.push_str(ELLIPSIS);
    Cow::Owned(shortened)
}

/// `line` in rows of at most `max_columns` columns of a terminal. Only a grapheme cluster may be wider.
pub fn wrap_columns(line: &str, max_columns: usize) -> Vec<&str> {
    let mut rows = Vec::new();
    let (mut start, mut columns) = (0, 0);
    for (at, cluster) in line.grapheme_indices(true) {
        columns += width(cluster);
        if columns > max_columns && at > start {
            rows.push(slice(line, start..at));
            (start, columns) = (at, width(cluster));
        }
    }
    rows.push(slice_from(line, start));
    rows
}

/// The beginning of `text` in at most `room` bytes, and an ellipsis.
fn with_ellipsis(text: &str, room: usize) -> Cow<'_, str> {
    let kept = match cluster_ends(text, room).last() {
        Some(end) => text.split_at(end).0,
        // The first cluster is longer than the room, so it must be cut.
        None => prefix(text, room),
    };
    Cow::Owned([kept, ELLIPSIS].concat())
}

/// The columns that `text` takes in a terminal. Characters of East Asian scripts and emoji take two.
pub fn width(text: &str) -> usize {
    text.width()
}

/// `text` in one line: each run of spaces, line breaks and control characters becomes one space, and
/// [bidirectional controls](is_bidi_control) are removed.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    let mut after_space = false;
    for c in text.chars().filter(|c| !is_bidi_control(*c)) {
        if c.is_whitespace() || c.is_control() {
            after_space = true;
            continue;
        }
        if after_space && !line.is_empty() {
            line.push(' ');
        }
        after_space = false;
        line.push(c);
    }
    line
}

/// `text` with U+FFFD in place of each control character and [bidirectional control](is_bidi_control), because a
/// terminal must not obey an escape sequence that an alert contains.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || is_bidi_control(c) { '\u{FFFD}' } else { c }).collect()
}

/// `text` with `\\u001b` and the like in place of control characters and [bidirectional controls](is_bidi_control). Line
/// breaks and tabs stay.
///
/// In the strings of JSON the escape is the same character, so the value stays the same.
pub fn escape_controls(text: &str) -> Cow<'_, str> {
    let is_control = |c: char| (c.is_control() && !matches!(c, '\n' | '\t')) || is_bidi_control(c);
    if !text.contains(is_control) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if is_control(c) {
            escaped.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

/// `text` without control characters, or `None` if it has none. Line breaks and tabs stay.
///
/// Escape sequences of terminals, such as colours, are left out. Other line breaks become a space, and other control
/// characters U+FFFD.
pub fn without_controls(text: &str) -> Option<String> {
    const C1_LEAD_BYTE: u8 = 0xC2;
    let may_be_control =
        |byte: &u8| *byte < b' ' && !b"\t\n\r".contains(byte) || matches!(*byte, 0x7F | C1_LEAD_BYTE);
    if !text.as_bytes().iter().any(may_be_control) || !text.contains(is_removed_control) {
        return None;
    }
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(is_removed_control) {
        let (before, after) = rest.split_at(at);
        clean.push_str(before);
        let mut chars = after.chars();
        match (escape_sequence(after), chars.next()) {
            (Some(after_sequence), _) => {
                rest = after_sequence;
                continue;
            }
            (None, Some('\u{0B}' | '\u{0C}' | '\u{85}')) => clean.push(' '),
            (None, _) => clean.push(char::REPLACEMENT_CHARACTER),
        }
        rest = chars.as_str();
    }
    clean.push_str(rest);
    Some(clean)
}

fn is_removed_control(c: char) -> bool {
    c.is_control() && !matches!(c, '\t' | '\n' | '\r')
}

/// The text after an escape sequence of ECMA-48 at the beginning of `text`: a control sequence such as a colour, a
/// command such as a title or a link, or the choice of a character set.
fn escape_sequence(text: &str) -> Option<&str> {
    if let Some(parameters) = text.strip_prefix("\u{1B}[").or_else(|| text.strip_prefix('\u{9B}')) {
        let end = parameters.trim_start_matches(|c| matches!(c, ' '..='?'));
        return end.strip_prefix(|c| matches!(c, '@'..='~'));
    }
    if let Some(command) = text.strip_prefix("\u{1B}]") {
        let (_, end) = command.split_at(command.find(char::is_control)?);
        return end.strip_prefix('\u{7}').or_else(|| end.strip_prefix("\u{1B}\\"));
    }
    let set = text.strip_prefix("\u{1B}(").or_else(|| text.strip_prefix("\u{1B})"))?;
    set.strip_prefix(|c: char| c.is_ascii_alphanumeric())
}

/// Unicode's bidirectional controls (`Bidi_Control`): they change the direction of text and are invisible.
///
/// One of them can show `db1 is down` as `nwod si 1bd`. Right-to-left scripts have their direction without them.
pub const fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// True for characters that take no room on a screen, and that editors and chat programs add unseen.
pub const fn is_invisible(c: char) -> bool {
    is_bidi_control(c)
        || matches!(c, '\u{AD}' | '\u{200B}'..='\u{200D}' | '\u{2060}'..='\u{2064}' | '\u{FEFF}')
}

/// `c` with its number in Unicode, for a person who must find it in a file.
pub fn named_char(c: char) -> String {
    let number = format!("U+{:04X}", u32::from(c));
    if c.is_control() || c.is_whitespace() || is_invisible(c) { number } else { format!("{c} ({number})") }
}

/// `1 app`, `2 apps`. `noun` takes an `s` in the plural.
pub fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// A time in `zone`. UTC is named, because nobody may have configured it.
pub fn local_time(moment: Timestamp, zone: &TimeZone) -> String {
    let zoned = moment.to_zoned(zone.clone());
    let mark = if zoned.offset() == Offset::UTC { " UTC" } else { "" };
    format!("{}{mark}", zoned.strftime("%Y-%m-%d %H:%M:%S"))
}

/// `text` with all bytes escaped except ASCII letters, digits and `-_.~`.
pub fn percent_encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// `text` with the bytes of the characters escaped for which `is_unsafe` is true.
pub fn percent_encode_where(text: &str, is_unsafe: impl Fn(char) -> bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) {
            let mut utf8 = [0; MAX_CHAR_BYTES];
            encoded.extend(utf8_percent_encode(c.encode_utf8(&mut utf8), NON_ALPHANUMERIC));
        } else {
            encoded.push(c);
        }
    }
    encoded
}

/// Go's `url.QueryEscape`: [`percent_encode`] with `+` for a space.
pub fn go_query_escape(text: &str) -> String {
    percent_encode(text).replace("%20", "+")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bidi_controls_are_those_of_unicode() {
        let all: String = ('\0'..=char::MAX).collect();
        let property = regex::Regex::new(r"\p{Bidi_Control}").unwrap();
        let expected: String = property.find_iter(&all).map(|found| found.as_str()).collect();
        assert_eq!(all.chars().filter(|c| is_bidi_control(*c)).collect::<String>(), expected);
        assert_eq!(expected.chars().count(), 12);
    }

    #[test]
    fn a_character_is_named_by_its_number() {
        assert_eq!(
            ['，', '\u{200B}', 'x', ' '].map(named_char),
            ["， (U+FF0C)", "U+200B", "x (U+0078)", "U+0020"]
        );
    }

    #[test]
    fn shortened_text_fits_and_ends_with_an_ellipsis() {
        assert_eq!(prefix("磁盘满", 7), "磁盘");
        assert_eq!(shorten("磁盘已满", 12), "磁盘已满");
        assert_eq!(shorten("磁盘已满", 10), "磁盘…");
        assert_eq!(shorten_chars("磁盘已满", 4), "磁盘已满");
        assert_eq!(shorten_chars("磁盘已满", 3), "磁盘…");
        assert_eq!(shorten_columns("磁盘已满", 8), "磁盘已满");
        assert_eq!(shorten_columns("磁盘已满", 6), "磁盘…");
        assert_eq!(shorten_columns("abcd", 3), "ab…");
    }

    #[test]
    fn a_grapheme_cluster_is_not_cut() {
        for cluster in ["👨\u{200D}👩\u{200D}👧", "e\u{301}", "🇨🇳", "👍\u{1F3FD}", "\r\n", "नि"]
        {
            let text = format!("a{cluster}bcdefgh");
            let bytes = 1 + cluster.len() + ELLIPSIS.len();
            assert_eq!(shorten(&text, bytes - 1), "a…", "{cluster:?}");
            assert_eq!(shorten(&text, bytes), format!("a{cluster}…"), "{cluster:?}");
            assert_eq!(shorten_chars(&text, 1 + cluster.chars().count()), "a…", "{cluster:?}");
        }
    }

    #[test]
    fn a_cluster_without_room_is_cut_between_characters() {
        let cluster = format!("e{}", "\u{301}".repeat(100));
        assert_eq!(shorten(&cluster, 9), "e\u{301}\u{301}…");
        assert_eq!(shorten_chars(&cluster, 3), "e\u{301}…");
    }

    #[test]
    fn cluster_ends_stop_at_the_limit() {
        assert_eq!(cluster_ends("ae\u{301}b", 3).collect::<Vec<_>>(), [1]);
        assert_eq!(cluster_ends("ae\u{301}b", 4).collect::<Vec<_>>(), [1, 4]);
        assert_eq!(cluster_ends("ae\u{301}b", 9).collect::<Vec<_>>(), [1, 4, 5]);
    }

    #[test]
    fn width_counts_wide_characters_twice() {
        assert_eq!(width("值班 a…"), 7);
        assert_eq!(width("👍\u{FFFD}"), 3);
    }

    #[test]
    fn rows_break_before_the_cluster_that_does_not_fit() {
        assert_eq!(wrap_columns("", 4), [""]);
        assert_eq!(wrap_columns("磁盘a已满", 4), ["磁盘", "a已", "满"]);
        assert_eq!(wrap_columns("磁e\u{301}", 1), ["磁", "e\u{301}"]);
    }

    #[test]
    fn terminal_controls_are_replaced() {
        assert_eq!(printable("a\u{1b}[2Jb\n"), "a\u{FFFD}[2Jb\u{FFFD}");
        assert_eq!(printable("a\u{202E}b\u{2066}c\u{61C}"), "a\u{FFFD}b\u{FFFD}c\u{FFFD}");
    }

    #[test]
    fn escaped_controls_are_the_same_json() {
        assert_eq!(escape_controls("磁盘\tb\nc 👨\u{200D}👩"), "磁盘\tb\nc 👨\u{200D}👩");
        assert_eq!(escape_controls("a\u{1b}[2J\r\u{85}\u{202E}b"), r"a\u001b[2J\u000d\u0085\u202eb");
        let text = "\u{7f}\u{9b}2J\u{202E}\u{2066}\u{61C}\r\n\t";
        let json = serde_json::Value::from(text).to_string();
        assert_ne!(escape_controls(&json), json);
        assert_eq!(serde_json::from_str::<String>(&escape_controls(&json)).unwrap(), text);
    }

    #[test]
    fn escape_sequences_of_terminals_are_left_out() {
        for (text, clean) in [
            ("\u{1b}[31mdisk\u{1b}[0m is \u{9b}1;31mfull", "disk is full"),
            ("\u{1b}]0;title\u{7}a\u{1b}]8;;http://x\u{1b}\\link\u{1b}(B", "alink"),
            ("a\0b\u{7f}c\u{80}", "a\u{fffd}b\u{fffd}c\u{fffd}"),
            ("a\u{b}b\u{85}c", "a b c"),
            ("\u{1b}", "\u{fffd}"),
            ("\u{1b}[31", "\u{fffd}[31"),
            ("\u{1b}[31\nm", "\u{fffd}[31\nm"),
            ("\u{1b}]no end", "\u{fffd}]no end"),
        ] {
            assert_eq!(without_controls(text).as_deref(), Some(clean), "{text:?}");
        }
        for text in ["", "a\tb\r\nc", "磁盘 é ¢ [31m"] {
            assert_eq!(without_controls(text), None);
        }
    }

    #[test]
    fn percent_encoding_keeps_unreserved_characters() {
        assert_eq!(percent_encode("aZ0-_.~ +/名"), "aZ0-_.~%20%2B%2F%E5%90%8D");
        assert_eq!(go_query_escape("aZ0-_.~ +/名%20"), "aZ0-_.~+%2B%2F%E5%90%8D%2520");
        assert_eq!(percent_encode_where("a (名)*", |c| "(*)\u{202E} ".contains(c)), "a%20%28名%29%2A");
    }

    #[test]
    fn slices_that_meet_have_the_whole_text() {
        assert_eq!([slice("磁盘", 0..3), slice_from("磁盘", 3), slice_from("磁盘", 6)], ["磁", "盘", ""]);
    }

    #[test]
    #[should_panic(expected = "is no slice")]
    fn a_slice_within_a_character_panics_in_debug_builds() {
        slice("磁盘", 0..4);
    }

    #[test]
    #[should_panic(expected = "is no slice")]
    fn a_slice_beyond_the_end_panics_in_debug_builds() {
        slice_from("磁盘", 7);
    }

    proptest! {
        #[test]
        fn shortened_text_keeps_its_limit(text in any::<String>(), limit in 3usize..60) {
            let bytes = shorten(&text, limit);
            prop_assert!(bytes.len() <= limit);
            prop_assert!(*bytes == text || bytes.ends_with('…'));
            let chars = shorten_chars(&text, limit);
            prop_assert!(chars.chars().count() <= limit);
            prop_assert!(*chars == text || chars.ends_with('…'));
            prop_assert!(width(&shorten_columns(&text, limit)) <= limit);
        }

        #[test]
        fn text_without_controls_has_none(text in "[\u{0}-\u{A0}]{0,30}") {
            let clean = without_controls(&text).unwrap_or(text);
            prop_assert!(!clean.contains(is_removed_control));
            prop_assert_eq!(without_controls(&clean), None);
        }

        #[test]
        fn one_line_joins_words_by_one_space(text in any::<String>(), special in "[a-c \n\t\u{202E}]{0,40}") {
            for text in [text, special] {
                let plain = text.replace(is_bidi_control, "").replace(char::is_control, " ");
                let words: Vec<&str> = plain.split_whitespace().collect();
                prop_assert_eq!(one_line(&text), words.join(" "));
            }
        }
    }
}
