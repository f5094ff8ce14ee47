//! Literals of Go: numbers, characters and strings.

use std::str::Chars;

use crate::render::go::{
    format::{parse_float, quoted, without_underscores},
    runes::{Bytes, push_char},
};

/// A number as written. Its type depends on where it is used.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::render::go) struct Number {
    pub(in crate::render::go) literal: String,
    /// The value, if it is an integer.
    pub(in crate::render::go) integer: Option<i64>,
    pub(in crate::render::go) float: f64,
    /// Written with a point or an exponent.
    pub(in crate::render::go) is_float: bool,
}

impl Number {
    /// Reads an integer or a float.
    pub(super) fn read(literal: &str) -> Result<Self, String> {
        let illegal = || format!("illegal number syntax: {}", quoted(literal));
        if literal.ends_with('i') && parse_float(literal.trim_end_matches('i')).is_some() {
            return Err(format!("complex numbers are not supported: {literal}"));
        }
        let is_hexadecimal = ["0x", "0X"].iter().any(|prefix| literal.starts_with(prefix));
        let has_exponent = literal.contains(['p', 'P']);
        let is_float = literal.contains(['.', 'e', 'E', 'p', 'P']) && (!is_hexadecimal || has_exponent);
        if let Some(integer) = parse_integer(literal) {
            let within_range = i64::try_from(integer).ok();
            let number = Self {
                literal: literal.to_owned(),
                integer: within_range,
                float: integer as f64,
                is_float: is_float && within_range.is_some(),
            };
            let is_unsigned = u64::try_from(integer).is_ok() && !literal.starts_with('+');
            return if within_range.is_some() || is_unsigned { Ok(number) } else { Err(overflow(literal)) };
        }
        let float = parse_float(literal).ok_or_else(illegal)?;
        if !literal.contains(['.', 'e', 'E', 'p', 'P']) {
            return Err(overflow(literal));
        }
        let integer = float as i64;
        let is_integer = integer as f64 == float && integer != i64::MAX;
        Ok(Self { literal: literal.to_owned(), integer: is_integer.then_some(integer), float, is_float })
    }

    /// Reads a character with its quotation marks. It is an integer.
    pub(super) fn of_char(literal: &str) -> Result<Self, String> {
        let malformed = || format!("malformed character constant: {literal}");
        let body =
            literal.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).ok_or_else(malformed)?;
        let mut chars = body.chars();
        let value = match chars.next() {
            Some('\\') => match escape(&mut chars, '\'') {
                Some(Escaped::Char(c)) => u32::from(c),
                Some(Escaped::Byte(byte)) => byte.into(),
                None => return Err("invalid syntax".to_owned()),
            },
            Some(c) if c != '\'' => c.into(),
            _ => return Err("invalid syntax".to_owned()),
        };
        if chars.next().is_some() {
            return Err(malformed());
        }
        Ok(Self {
            literal: literal.to_owned(),
            integer: Some(value.into()),
            float: value.into(),
            is_float: false,
        })
    }
}

fn overflow(literal: &str) -> String {
    format!("integer overflow: {}", quoted(literal))
}

/// The integer as Go's `strconv.ParseInt` reads it with base 0.
fn parse_integer(literal: &str) -> Option<i128> {
    let (is_negative, body) = match literal.strip_prefix('-') {
        Some(body) => (true, body),
        None => (false, literal.strip_prefix('+').unwrap_or(literal)),
    };
    let digits = without_underscores(body)?.to_ascii_lowercase();
    let (digits, radix) = match digits.as_bytes() {
        [b'0', b'x', ..] => (digits.strip_prefix("0x")?, 16),
        [b'0', b'o', ..] => (digits.strip_prefix("0o")?, 8),
        [b'0', b'b', ..] => (digits.strip_prefix("0b")?, 2),
        [b'0', _, ..] => (digits.as_str(), 8),
        _ => (digits.as_str(), 10),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let value = i128::from_str_radix(digits, radix).ok()?;
    let is_in_range = value <= u64::MAX.into();
    is_in_range.then_some(if is_negative { -value } else { value })
}

/// The value of a string with its quotation marks. `None` if it has an escape that Go does not know.
pub(super) fn unquoted(literal: &str) -> Option<Bytes> {
    if let Some(raw) = literal.strip_prefix('`') {
        return Some(raw.strip_suffix('`')?.replace('\r', "").into_bytes().into());
    }
    let body = literal.strip_prefix('"')?.strip_suffix('"')?;
    let mut value = Vec::with_capacity(body.len());
    let mut chars = body.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' | '\n' => return None,
            '\\' => match escape(&mut chars, '"')? {
                Escaped::Char(c) => push_char(&mut value, c),
                Escaped::Byte(byte) => value.push(byte),
            },
            _ => push_char(&mut value, c),
        }
    }
    Some(value.into())
}

enum Escaped {
    Char(char),
    Byte(u8),
}

/// Reads an escape whose backslash is consumed.
fn escape(chars: &mut Chars<'_>, mark: char) -> Option<Escaped> {
    let simple = match chars.next()? {
        'a' => '\u{7}',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        '\\' => '\\',
        c if c == mark => c,
        'x' => return Some(Escaped::Byte(u8::try_from(digits(chars, 2, 16, 0)?).ok()?)),
        'u' => return char::from_u32(digits(chars, 4, 16, 0)?).map(Escaped::Char),
        'U' => return char::from_u32(digits(chars, 8, 16, 0)?).map(Escaped::Char),
        c @ '0'..='7' => {
            let value = digits(chars, 2, 8, c.to_digit(8)?)?;
            return Some(Escaped::Byte(u8::try_from(value).ok()?));
        }
        _ => return None,
    };
    Some(Escaped::Char(simple))
}

fn digits(chars: &mut Chars<'_>, count: usize, radix: u32, first: u32) -> Option<u32> {
    let mut value = first;
    for _ in 0..count {
        value = value.checked_mul(radix)?.checked_add(chars.next()?.to_digit(radix)?)?;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_go_reads_them() {
        for (literal, integer, float, is_float) in [
            ("1", Some(1), 1.0, false),
            ("-5", Some(-5), -5.0, false),
            ("010", Some(8), 8.0, false),
            ("0x1F", Some(31), 31.0, false),
            ("0x1e", Some(30), 30.0, false),
            ("-0x1e", Some(-30), -30.0, true),
            ("0b101", Some(5), 5.0, false),
            ("1_000", Some(1000), 1000.0, false),
            ("28800e9", Some(28_800_000_000_000), 2.88e13, true),
            ("28800.5", None, 28800.5, true),
            ("0x1p4", Some(16), 16.0, true),
            ("1e3", Some(1000), 1000.0, true),
            ("18446744073709551615", None, 1.844_674_407_370_955_2e19, false),
        ] {
            let number = Number::read(literal).unwrap();
            assert_eq!((number.integer, number.float), (integer, float), "{literal}");
            assert_eq!(number.is_float, is_float, "{literal}");
        }
        for literal in ["08", "1__0", "1_", "0x", "1e400", "99999999999999999999", "1i", "0xg"] {
            assert!(Number::read(literal).is_err(), "{literal}");
        }
    }

    #[test]
    fn characters_are_numbers() {
        let value = |literal| Number::of_char(literal).map(|number| number.integer);
        assert_eq!(value("'x'"), Ok(Some(120)));
        assert_eq!(value(r"'\n'"), Ok(Some(10)));
        assert_eq!(value(r"'\x41'"), Ok(Some(65)));
        assert_eq!(value("'中'"), Ok(Some(0x4e2d)));
        assert!(value("'ab'").is_err() && value("''").is_err() && value(r"'\q'").is_err());
    }

    #[test]
    fn strings_have_the_escapes_of_go() {
        let value = |literal| unquoted(literal).map(|bytes| bytes.to_vec());
        assert_eq!(value(r#""\x41\101\u4e2d\"\t""#), Some("AA中\"\t".into()));
        assert_eq!(value(r#""\xff""#), Some(vec![0xff]));
        assert_eq!(value("`a\r\\n`"), Some(b"a\\n".to_vec()));
        for literal in [r#""\q""#, r#""\x4""#, r#""\400""#, r#""\'""#, r#""\ud800""#] {
            assert_eq!(value(literal), None, "{literal}");
        }
    }
}
