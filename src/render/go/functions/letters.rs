//! Upper case, lower case and title case, character by character as in Go.

use crate::render::go::runes::{chars, continues_word, is_ideographic, is_letter, push_char, runes};

pub(super) fn to_upper(text: &[u8]) -> Vec<u8> {
    mapped(text, |c| single(c.to_uppercase()).or_else(|| greek_title(c)).unwrap_or(c))
}

pub(super) fn to_lower(text: &[u8]) -> Vec<u8> {
    // The only character with two in lower case is `İ`, whose first one Go takes.
    mapped(text, |c| c.to_lowercase().next().unwrap_or(c))
}

fn mapped(text: &[u8], map: impl Fn(char) -> char) -> Vec<u8> {
    let mut mapped = Vec::with_capacity(text.len());
    for c in chars(text) {
        push_char(&mut mapped, map(c));
    }
    mapped
}

/// The only character. A mapping to several, as of `ß`, is none for Go.
fn single(mut mapping: impl Iterator<Item = char>) -> Option<char> {
    mapping.next().filter(|_| mapping.next().is_none())
}

/// The character with an iota below, whose upper case has two characters in Unicode and one in Go.
fn greek_title(c: char) -> Option<char> {
    let offset = match c {
        '\u{1F80}'..='\u{1F87}' | '\u{1F90}'..='\u{1F97}' | '\u{1FA0}'..='\u{1FA7}' => 8,
        '\u{1FB3}' | '\u{1FC3}' | '\u{1FF3}' => 9,
        _ => return None,
    };
    char::from_u32(u32::from(c) + offset)
}

/// Go's `cases.Title`: the first letter of each word in upper case and the others in lower case.
pub(super) fn title(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let (mut is_inside_word, mut is_after_middle) = (false, false);
    for c in chars(text) {
        // One of these between two letters does not end a word.
        let is_middle = matches!(
            c,
            '\'' | '.'
                | ':'
                | '\u{b7}'
                | '\u{387}'
                | '\u{55f}'
                | '\u{5f4}'
                | '\u{2018}'
                | '\u{2019}'
                | '\u{2024}'
                | '\u{2027}'
                | '\u{fe13}'
                | '\u{fe52}'
                | '\u{fe55}'
                | '\u{ff07}'
                | '\u{ff0e}'
                | '\u{ff1a}'
        );
        if is_middle && is_after_middle {
            is_inside_word = false;
        }
        if is_cased(c) {
            if is_inside_word {
                lower(&mut out, c);
            } else {
                push_title(&mut out, c);
            }
            is_inside_word = true;
        } else {
            push_char(&mut out, c);
            let belongs_to_word = is_middle || continues_word(c) || is_letter(c) && !is_ideographic(c);
            is_inside_word &= belongs_to_word;
        }
        is_after_middle = is_middle;
    }
    out
}

fn is_cased(c: char) -> bool {
    c.is_lowercase() || c.is_uppercase() || digraph(c).is_some()
}

fn lower(out: &mut Vec<u8>, c: char) {
    c.to_lowercase().for_each(|c| push_char(out, c));
}

fn push_title(out: &mut Vec<u8>, c: char) {
    if let Some(title) = digraph(c).or_else(|| greek_title(c)) {
        return push_char(out, title);
    }
    let mut upper = c.to_uppercase();
    upper.by_ref().take(1).for_each(|c| push_char(out, c));
    // `ß` is `Ss` at the beginning of a word.
    upper.flat_map(char::to_lowercase).for_each(|c| push_char(out, c));
}

/// The title case of two letters in one character.
fn digraph(c: char) -> Option<char> {
    Some(match c {
        'Ǆ' | 'ǅ' | 'ǆ' => 'ǅ',
        'Ǉ' | 'ǈ' | 'ǉ' => 'ǈ',
        'Ǌ' | 'ǋ' | 'ǌ' => 'ǋ',
        'Ǳ' | 'ǲ' | 'ǳ' => 'ǲ',
        _ => return None,
    })
}

/// `text` without white space at its ends.
pub(super) fn trim_space(text: &[u8]) -> &[u8] {
    let (mut start, mut end, mut at) = (text.len(), 0, 0);
    for rune in runes(text) {
        let length = rune.map_or(1, char::len_utf8);
        if !rune.is_ok_and(char::is_whitespace) {
            start = start.min(at);
            end = at + length;
        }
        at += length;
    }
    text.get(start..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> &str {
        str::from_utf8(bytes).unwrap()
    }

    #[test]
    fn case_is_mapped_character_by_character() {
        assert_eq!(text(&to_upper("straße ŉ ᾳ éß".as_bytes())), "STRAßE ŉ ᾼ Éß");
        assert_eq!(text(&to_lower("İSTANBUL Σ".as_bytes())), "istanbul σ");
    }

    #[test]
    fn words_begin_in_upper_case() {
        for (from, to) in [
            ("hello wORLD", "Hello World"),
            ("it's a.b", "It's A.b"),
            ("3rd 4TH", "3Rd 4Th"),
            ("G0.expr", "G0.expr"),
            ("snake_case", "Snake_case"),
            ("a中b", "A中B"),
            ("ßa ǆ", "Ssa ǅ"),
            ("a..b", "A..B"),
        ] {
            assert_eq!(text(&title(from.as_bytes())), to, "{from}");
        }
    }

    #[test]
    fn all_white_space_is_trimmed() {
        assert_eq!(trim_space("\u{3000} a b\t\u{a0}".as_bytes()), b"a b");
        assert_eq!(trim_space(b" \n"), b"");
        assert_eq!(trim_space(b" \xff "), b"\xff");
    }
}
