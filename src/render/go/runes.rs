//! Characters as Go sees them. Go's strings are bytes, and a byte that is no UTF-8 counts as one character.

use std::sync::{Arc, LazyLock};

use regex::Regex;

/// The bytes of a string of Go. Clones share them.
pub(super) type Bytes = Arc<[u8]>;

/// The characters of `bytes`, and the bytes that belong to none.
pub(super) fn runes(bytes: &[u8]) -> impl Iterator<Item = Result<char, u8>> + '_ {
    bytes.utf8_chunks().flat_map(|chunk| {
        let invalid = chunk.invalid().iter().map(|byte| Err(*byte));
        chunk.valid().chars().map(Ok).chain(invalid)
    })
}

/// The characters of `bytes`. U+FFFD stands for each byte that belongs to none.
pub(super) fn chars(bytes: &[u8]) -> impl Iterator<Item = char> + '_ {
    runes(bytes).map(|rune| rune.unwrap_or(char::REPLACEMENT_CHARACTER))
}

/// The text of `bytes` as Go's JSON writes it: U+FFFD for each byte that is no UTF-8.
pub(super) fn lossy(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| chars(error.as_bytes()).collect())
}

/// Appends `c` in UTF-8.
pub(super) fn push_char(out: &mut Vec<u8>, c: char) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Go's `unicode.IsLetter`.
pub(super) fn is_letter(c: char) -> bool {
    static LETTER: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\p{L}").ok());
    if c.is_ascii() { c.is_ascii_alphabetic() } else { c.is_alphabetic() && is_in(&LETTER, c) }
}

/// Go's `unicode.IsDigit`: a decimal digit of any script.
pub(super) fn is_digit(c: char) -> bool {
    static DIGIT: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\p{Nd}").ok());
    if c.is_ascii() { c.is_ascii_digit() } else { c.is_numeric() && is_in(&DIGIT, c) }
}

/// Go's `unicode.IsPrint`: letters, marks, numbers, punctuation, symbols, and the space of ASCII.
pub(super) fn is_printable(c: char) -> bool {
    static PRINTABLE: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"[\p{L}\p{M}\p{N}\p{P}\p{S}]").ok());
    if c.is_ascii() { (' '..='~').contains(&c) } else { is_in(&PRINTABLE, c) }
}

/// A letter of a script that is written without spaces, where Unicode breaks words between any two letters.
pub(super) fn is_ideographic(c: char) -> bool {
    static IDEOGRAPHIC: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(
            r"[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}]",
        )
        .ok()
    });
    !c.is_ascii() && is_in(&IDEOGRAPHIC, c)
}

/// A character that belongs to the one before it: a mark, a digit or a connector.
pub(super) fn continues_word(c: char) -> bool {
    static CONTINUES: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"[\p{M}\p{Nd}\p{Pc}\p{Cf}]").ok());
    if c.is_ascii() { c.is_ascii_digit() || c == '_' } else { is_in(&CONTINUES, c) }
}

fn is_in(class: &LazyLock<Option<Regex>>, c: char) -> bool {
    class.as_ref().is_some_and(|class| class.is_match(c.encode_utf8(&mut [0; 4])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_that_is_no_utf_8_is_one_character() {
        assert_eq!(lossy("警告".as_bytes().get(..5).unwrap().to_vec()), "警\u{fffd}\u{fffd}");
        let found: Vec<Result<char, u8>> = runes(b"a\xffb").collect();
        assert_eq!(found, [Ok('a'), Err(0xff), Ok('b')]);
    }

    #[test]
    fn classes_of_characters_are_those_of_go() {
        assert!(is_letter('中') && is_letter('é') && !is_letter('ⅷ') && !is_letter('1'));
        assert!(is_digit('٣') && !is_digit('²') && !is_digit('a'));
        assert!(is_printable('，') && is_printable('\u{fffd}') && !is_printable('\u{200b}'));
        assert!(!is_printable('\u{3000}') && !is_printable('\n') && is_printable(' '));
    }
}
