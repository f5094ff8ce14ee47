//! Corrects the mistakes of programs that write JSON by hand: wrong encodings, raw control characters, half surrogate
//! pairs, unknown escapes, extra commas, and words such as `NaN`.
//!
//! The result need not be JSON. Only a body that is not JSON is corrected, so usual bodies cost nothing.

use std::{borrow::Cow, iter::Peekable, str::Chars};

use serde_json::value::RawValue;

use super::repairs::{Repair, Repairs};

/// The body as JSON text, as far as it can be corrected.
pub(super) fn repaired(body: &[u8], repairs: &mut Repairs) -> String {
    let text = decoded(body);
    repairs.add_if(text.as_bytes() != body, Repair::Encoding);
    let mut writer =
        Writer { json: String::with_capacity(text.len()), chars: text.chars().peekable(), repairs };
    writer.run();
    writer.json
}

/// The text of UTF-8 or UTF-16 without a byte-order mark. U+FFFD stands for what cannot be read.
fn decoded(body: &[u8]) -> Cow<'_, str> {
    match body {
        [0xFF, 0xFE, rest @ ..] => Cow::Owned(utf16(rest, u16::from_le_bytes)),
        [0xFE, 0xFF, rest @ ..] => Cow::Owned(utf16(rest, u16::from_be_bytes)),
        [b'{' | b'[', 0, ..] => Cow::Owned(utf16(body, u16::from_le_bytes)),
        [0, b'{' | b'[', ..] => Cow::Owned(utf16(body, u16::from_be_bytes)),
        [0xEF, 0xBB, 0xBF, rest @ ..] => String::from_utf8_lossy(rest),
        _ => String::from_utf8_lossy(body),
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let (units, _) = bytes.as_chunks::<2>();
    let chars = char::decode_utf16(units.iter().map(|bytes| unit(*bytes)));
    chars.map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

struct Writer<'t, 'r> {
    json: String,
    chars: Peekable<Chars<'t>>,
    repairs: &'r mut Repairs,
}

impl Writer<'_, '_> {
    fn run(&mut self) {
        while let Some(c) = self.chars.next() {
            match c {
                '"' => self.string(),
                ']' | '}' => {
                    self.drop_comma();
                    self.json.push(c);
                }
                ',' | ':' | '[' | '{' | ' ' | '\n' | '\r' | '\t' => self.json.push(c),
                _ if c.is_control() || c == '\u{feff}' => self.repairs.add(Repair::Syntax),
                _ => self.word(c),
            }
        }
    }

    /// Removes a comma before the end of an object or array.
    fn drop_comma(&mut self) {
        let length = self.json.trim_end().len();
        if self.json.get(..length).is_some_and(|json| json.ends_with(',')) {
            self.json.truncate(length - 1);
            self.repairs.add(Repair::Syntax);
        }
    }

    /// Copies a number or a word outside of strings.
    fn word(&mut self, first: char) {
        let mut word = String::from(first);
        let is_end = |c: &char| c.is_whitespace() || c.is_control() || ",:[]{}\"".contains(*c);
        while let Some(c) = self.chars.next_if(|c| !is_end(c)) {
            word.push(c);
        }
        let corrected = match word.as_str() {
            "None" | "nil" | "undefined" => "null",
            "True" => "true",
            "False" => "false",
            _ if is_odd_number(&word) => &format!("\"{word}\""),
            _ => return self.json.push_str(&word),
        };
        self.repairs.add(Repair::Syntax);
        self.json.push_str(corrected);
    }

    /// Copies a string whose first quotation mark is consumed.
    fn string(&mut self) {
        self.json.push('"');
        while let Some(c) = self.chars.next() {
            match c {
                '"' => return self.json.push('"'),
                '\\' => self.escape(),
                _ if c < ' ' => self.control(c),
                _ => self.json.push(c),
            }
        }
    }

    /// Writes a raw control character. An escape of six bytes for each one would make a large body several times as large,
    /// so it is only written where it may begin a sequence that is removed as a whole.
    fn control(&mut self, c: char) {
        self.repairs.add(Repair::Syntax);
        let text = match c {
            '\t' => "\\t",
            '\n' => "\\n",
            '\r' => "\\r",
            '\u{0B}' | '\u{0C}' => " ",
            '\u{1B}' if self.chars.peek().is_some_and(|next| !next.is_control() && *next != '"') => "\\u001b",
            '\u{7}' => "\\u0007",
            _ => "\u{FFFD}",
        };
        self.repairs.add_if(!matches!(c, '\t' | '\n' | '\r'), Repair::ControlCharacter);
        self.json.push_str(text);
    }

    /// Copies an escape whose backslash is consumed.
    fn escape(&mut self) {
        match self.chars.next() {
            Some(c @ ('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't')) => {
                self.json.push('\\');
                self.json.push(c);
            }
            Some('u') => self.unicode(),
            Some('\'') => {
                self.repairs.add(Repair::Syntax);
                self.json.push('\'');
            }
            // The backslash was meant as a character, as in `C:\data`.
            Some(c) => {
                self.repairs.add(Repair::Syntax);
                self.json.push_str("\\\\");
                if c < ' ' {
                    self.control(c);
                } else {
                    self.json.push(c);
                }
            }
            None => {}
        }
    }

    /// Copies an escaped character whose `\u` is consumed. Half of a surrogate pair becomes U+FFFD.
    fn unicode(&mut self) {
        let Some(unit) = hex(&mut self.chars) else {
            self.repairs.add(Repair::Syntax);
            return self.json.push_str("\\\\u");
        };
        if !(0xD800..0xE000).contains(&unit) {
            return self.json.push_str(&format!("\\u{unit:04x}"));
        }
        if unit < 0xDC00
            && let Some(low) = low_surrogate(&mut self.chars)
        {
            return self.json.push_str(&format!("\\u{unit:04x}\\u{low:04x}"));
        }
        self.repairs.add(Repair::Encoding);
        self.json.push('\u{FFFD}');
    }
}

/// Reads an escaped low surrogate, or consumes nothing.
fn low_surrogate(chars: &mut Peekable<Chars<'_>>) -> Option<u32> {
    let mut ahead = chars.clone();
    if ahead.next()? != '\\' || ahead.next()? != 'u' {
        return None;
    }
    let unit = hex(&mut ahead).filter(|unit| (0xDC00..0xE000).contains(unit))?;
    *chars = ahead;
    Some(unit)
}

/// Reads four hexadecimal digits, or consumes nothing.
fn hex(chars: &mut Peekable<Chars<'_>>) -> Option<u32> {
    let mut ahead = chars.clone();
    let mut unit = 0;
    for _ in 0..4 {
        unit = unit * 16 + ahead.next()?.to_digit(16)?;
    }
    *chars = ahead;
    Some(unit)
}

/// True for a number that JSON does not have, such as `NaN`, `-Infinity`, `007`, `+1`, `.5` or `0x1f`.
fn is_odd_number(word: &str) -> bool {
    let unsigned = word.trim_start_matches(['+', '-']);
    let is_named = ["nan", "infinity", "inf"].iter().any(|name| unsigned.eq_ignore_ascii_case(name));
    let has_digit = unsigned.trim_start_matches('.').starts_with(|c: char| c.is_ascii_digit());
    let is_plain = unsigned.chars().all(|c| c.is_ascii_alphanumeric() || "+-._".contains(c));
    is_named || has_digit && is_plain && serde_json::from_str::<&RawValue>(word).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repair(body: impl AsRef<[u8]>) -> (String, String) {
        let mut repairs = Repairs::default();
        (repaired(body.as_ref(), &mut repairs), repairs.to_string())
    }

    #[test]
    fn mistakes_of_handmade_json_are_corrected() {
        for (body, json, repairs) in [
            (r#"{"a":"x\"\\\/\b\u00e9\ud83d\ude00"}"#, r#"{"a":"x\"\\\/\b\u00e9\ud83d\ude00"}"#, ""),
            (r#"["\ud83d","\ude00x","\ud83d\ud83d\ude00"]"#, r#"["�","�x","�\ud83d\ude00"]"#, "encoding"),
            (r#"["C:\data\x","it\'s","\u12","\"#, r#"["C:\\data\\x","it's","\\u12",""#, "syntax"),
            ("[\"a\tb\nc\"]", r#"["a\tb\nc"]"#, "syntax"),
            ("[\"\0\u{B}\u{1B}[1m\u{1B}\"]", r#"["� \u001b[1m�"]"#, "syntax, control_character"),
            ("{\"a\":[1, 2 , ],\n}\0", "{\"a\":[1, 2 ]}", "syntax"),
            (
                "[NaN,-Infinity,007,.5,+1,1.,0x1f]",
                r#"["NaN","-Infinity","007",".5","+1","1.","0x1f"]"#,
                "syntax",
            ),
            ("[None,True,False,undefined]", "[null,true,false,null]", "syntax"),
            ("[true,null,-1.5e9,word]", "[true,null,-1.5e9,word]", ""),
            ("\u{feff}{}", "{}", "encoding"),
        ] {
            assert_eq!(repair(body), (json.to_owned(), repairs.to_owned()), "{body}");
        }
    }

    #[test]
    fn utf_16_and_broken_utf_8_are_decoded() {
        let text = "{\"a\":\"磁盘\"}";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let decoded = (text.to_owned(), "encoding".to_owned());
        assert_eq!(repair(&little), decoded);
        assert_eq!(repair(&big), decoded);
        assert_eq!(repair([b"\xff\xfe".as_slice(), &little].concat()), decoded);
        assert_eq!(repair([b"\xfe\xff".as_slice(), &big].concat()), decoded);
        assert_eq!(repair(b"[\"\xb4\xc5\"]"), ("[\"\u{fffd}\u{fffd}\"]".to_owned(), "encoding".to_owned()));
    }
}
