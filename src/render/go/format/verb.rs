//! One verb of `printf` for one value.

use super::{
    flags::Flags,
    float::{float_text, with_point},
    quote::quoted_bytes,
};
use crate::render::go::{
    budget::{Buffer, Limit},
    runes::{is_printable, runes},
    time::{duration_text, month_name, time_text, weekday_name},
    value::{IntType, Kv, ListType, Value},
};

const MAX_CHAR_BYTES: usize = 4;

/// Appends `value` as `verb` asks for.
pub(super) fn push_verb(out: &mut Buffer, value: &Value, verb: char, flags: &Flags) -> Result<(), Limit> {
    match (verb, value) {
        ('T', _) => flags.pad(truncated(go_type(value).as_bytes(), flags), out),
        ('v', Value::Nil) => flags.pad("<nil>", out),
        (_, Value::Data(_)) if verb != 'p' => {
            out.push("&")?;
            push_nested(out, value, verb, flags)
        }
        _ => push_nested(out, value, verb, flags),
    }
}

/// The text of a value that has a method `String` in Go.
pub(super) fn stringer(value: &Value) -> Option<Vec<u8>> {
    Some(match value {
        Value::Time(time) => time_text(time).into_bytes(),
        Value::Zone(zone) => zone.name().as_bytes().to_vec(),
        Value::Int(duration, IntType::Duration) => duration_text(*duration).into_bytes(),
        Value::Int(month, IntType::Month) => month_name(*month).as_bytes().to_vec(),
        Value::Int(weekday, IntType::Weekday) => weekday_name(*weekday).as_bytes().to_vec(),
        Value::Kv(kv) => pairs_text(kv.sorted_pairs().map(|pair| (&*pair.name, &*pair.value))),
        Value::List(list) if list.kind == ListType::Pairs => {
            let pairs = list.items.iter().filter_map(|item| match item {
                Value::Pair(kv, index) => kv.0.get(*index).map(|pair| (&*pair.name, &*pair.value)),
                _ => None,
            });
            pairs_text(pairs)
        }
        _ => return None,
    })
}

/// `a=1, b=2`
fn pairs_text<'p>(pairs: impl Iterator<Item = (&'p [u8], &'p [u8])>) -> Vec<u8> {
    let mut text = Vec::new();
    for (index, (name, value)) in pairs.enumerate() {
        text.extend_from_slice(if index > 0 { b", " } else { b"" });
        text.extend_from_slice(name);
        text.push(b'=');
        text.extend_from_slice(value);
    }
    text
}

fn push_nested(out: &mut Buffer, value: &Value, verb: char, flags: &Flags) -> Result<(), Limit> {
    if matches!(verb, 'v' | 's' | 'q' | 'x' | 'X')
        && !flags.is_go_syntax
        && let Some(text) = stringer(value)
    {
        return push_str(out, value, &text, verb, flags);
    }
    push_raw(out, value, verb, flags)
}

/// Without the methods of the value.
fn push_raw(out: &mut Buffer, value: &Value, verb: char, flags: &Flags) -> Result<(), Limit> {
    match value {
        Value::Nil if verb == 'v' => out.push("<nil>"),
        Value::Nil => bad_verb(out, value, verb, flags),
        Value::Bool(boolean) if matches!(verb, 't' | 'v') => flags.pad(boolean.to_string(), out),
        Value::Bool(_) => bad_verb(out, value, verb, flags),
        Value::Int(number, kind) => push_int(out, value, *number, *kind, verb, flags),
        Value::Float(number) => push_float(out, value, *number, verb, flags),
        Value::Str(text, _) => push_str(out, value, text, verb, flags),
        Value::List(list) => {
            out.push("[")?;
            for (index, item) in list.items.iter().enumerate() {
                out.push(if index > 0 { " " } else { "" })?;
                push_nested(out, item, verb, flags)?;
            }
            out.push("]")
        }
        Value::Kv(kv) => push_kv(out, kv, verb, flags),
        Value::Dict(dict) => {
            out.push("map[")?;
            for (index, (name, item)) in dict.entries.iter().enumerate() {
                out.push(if index > 0 { " " } else { "" })?;
                push_nested(out, &Value::str(name.clone()), verb, flags)?;
                out.push(":")?;
                push_nested(out, item, verb, flags)?;
            }
            out.push("]")
        }
        Value::Pair(..) | Value::Data(_) | Value::Alert(_) => {
            out.push("{")?;
            for (index, field) in value.fields().unwrap_or_default().iter().enumerate() {
                out.push(if index > 0 { " " } else { "" })?;
                if flags.names_fields || flags.is_go_syntax {
                    out.push(field.name)?;
                    out.push(":")?;
                }
                push_nested(out, &field.value, verb, flags)?;
            }
            out.push("}")
        }
        // Go shows the private fields of these types here, and the addresses of others.
        Value::Time(_) | Value::Zone(_) => out.push(stringer(value).unwrap_or_default()),
    }
}

fn push_kv(out: &mut Buffer, kv: &Kv, verb: char, flags: &Flags) -> Result<(), Limit> {
    out.push("map[")?;
    for (index, pair) in kv.0.iter().enumerate() {
        out.push(if index > 0 { " " } else { "" })?;
        push_nested(out, &Value::str(pair.name.clone()), verb, flags)?;
        out.push(":")?;
        push_nested(out, &Value::str(pair.value.clone()), verb, flags)?;
    }
    out.push("]")
}

/// `%!d(string=x)`
fn bad_verb(out: &mut Buffer, value: &Value, verb: char, flags: &Flags) -> Result<(), Limit> {
    out.push("%!")?;
    out.push_char(verb)?;
    if matches!(value, Value::Nil) {
        return out.push("(<nil>)");
    }
    out.push("(")?;
    out.push(go_type(value))?;
    out.push("=")?;
    push_raw(out, value, 'v', flags)?;
    out.push(")")
}

fn push_str(out: &mut Buffer, value: &Value, text: &[u8], verb: char, flags: &Flags) -> Result<(), Limit> {
    match verb {
        'v' if flags.is_go_syntax => push_quoted(out, text, flags),
        'v' | 's' => flags.pad(truncated(text, flags), out),
        'q' => push_quoted(out, text, flags),
        'x' | 'X' => push_hexadecimal(out, text, verb, flags),
        _ => bad_verb(out, value, verb, flags),
    }
}

/// The characters that the precision allows.
fn truncated<'t>(text: &'t [u8], flags: &Flags) -> &'t [u8] {
    let Some(precision) = flags.precision else { return text };
    // `runes` reads ahead, so it gets no more than can be shown.
    let start = text.get(..precision.saturating_mul(MAX_CHAR_BYTES)).unwrap_or(text);
    let length = runes(start).take(precision).map(|rune| rune.map_or(1, char::len_utf8)).sum();
    text.get(..length).unwrap_or(text)
}

fn push_quoted(out: &mut Buffer, text: &[u8], flags: &Flags) -> Result<(), Limit> {
    let text = truncated(text, flags);
    let can_be_raw = |c: char| (!c.is_control() || c == '\t') && !matches!(c, '`' | '\u{feff}');
    if flags.sharp
        && let Ok(raw) = str::from_utf8(text)
        && raw.chars().all(can_be_raw)
    {
        return flags.pad(format!("`{raw}`"), out);
    }
    flags.pad(quoted_bytes(text, '"', flags.plus), out)
}

fn push_hexadecimal(out: &mut Buffer, text: &[u8], verb: char, flags: &Flags) -> Result<(), Limit> {
    let text = text.get(..flags.precision.unwrap_or(text.len())).unwrap_or(text);
    let prefix = match (flags.sharp, verb) {
        (false, _) => "",
        (true, 'x') => "0x",
        (true, _) => "0X",
    };
    let mut digits = Buffer::default();
    for (index, byte) in text.iter().enumerate() {
        if index > 0 && flags.space {
            digits.push(" ")?;
        }
        if index == 0 || flags.space {
            digits.push(prefix)?;
        }
        digits.push(if verb == 'x' { format!("{byte:02x}") } else { format!("{byte:02X}") })?;
    }
    flags.pad(digits.into_bytes(), out)
}

fn push_int(
    out: &mut Buffer,
    value: &Value,
    number: i64,
    kind: IntType,
    verb: char,
    flags: &Flags,
) -> Result<(), Limit> {
    let c = u32::try_from(number).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
    let magnitude = number.unsigned_abs();
    let (digits, prefix) = match verb {
        'v' if flags.is_go_syntax && kind == IntType::Byte => (format!("{magnitude:x}"), "0x"),
        'v' | 'd' => (magnitude.to_string(), ""),
        'b' => (format!("{magnitude:b}"), if flags.sharp { "0b" } else { "" }),
        'o' => (format!("{magnitude:o}"), if flags.sharp { "0" } else { "" }),
        'O' => (format!("{magnitude:o}"), if flags.sharp { "0o0" } else { "0o" }),
        'x' => (format!("{magnitude:x}"), if flags.sharp { "0x" } else { "" }),
        'X' => (format!("{magnitude:X}"), if flags.sharp { "0X" } else { "" }),
        'c' => return flags.pad(c.to_string(), out),
        'q' => return flags.pad(quoted_bytes(c.to_string().as_bytes(), '\'', flags.plus), out),
        'U' => return push_unicode(out, number, c, flags),
        _ => return bad_verb(out, value, verb, flags),
    };
    if flags.precision == Some(0) && number == 0 {
        return flags.without_zero().pad("", out);
    }
    let sign = if number < 0 {
        "-"
    } else if flags.plus {
        "+"
    } else if flags.space {
        " "
    } else {
        ""
    };
    let zeros_to = match (flags.precision, flags.width) {
        (Some(precision), _) => precision,
        (None, Some(width)) if flags.zero => width - sign.len().min(width),
        _ => 0,
    };
    let mut text = Buffer::default();
    text.push(sign)?;
    let is_padded = zeros_to > digits.len();
    let begins_with_zero = is_padded || digits.starts_with('0');
    text.push(match prefix {
        // An octal number that begins with a zero needs no other.
        "0" if begins_with_zero => "",
        "0o0" if begins_with_zero => "0o",
        _ => prefix,
    })?;
    text.fill(b'0', zeros_to.saturating_sub(digits.len()))?;
    text.push(digits)?;
    flags.without_zero().pad(text.into_bytes(), out)
}

/// `U+4E2D`, or with `#` also the character.
fn push_unicode(out: &mut Buffer, number: i64, c: char, flags: &Flags) -> Result<(), Limit> {
    let digits = flags.precision.unwrap_or_default().max(4);
    let mut text = Buffer::default();
    let hexadecimal = format!("{number:X}");
    text.push("U+")?;
    text.fill(b'0', digits.saturating_sub(hexadecimal.len()))?;
    text.push(hexadecimal)?;
    if flags.sharp && is_printable(c) {
        text.push(format!(" '{c}'"))?;
    }
    flags.without_zero().pad(text.into_bytes(), out)
}

fn push_float(out: &mut Buffer, value: &Value, number: f64, verb: char, flags: &Flags) -> Result<(), Limit> {
    const MAX_DIGITS: usize = 2000;
    let (format, usual_precision) = match verb {
        'v' => ('g', None),
        'b' | 'g' | 'G' | 'x' | 'X' => (verb, None),
        'e' | 'E' | 'f' | 'F' => (verb, Some(6)),
        _ => return bad_verb(out, value, verb, flags),
    };
    // No float has more digits than these; the others are zeros.
    let precision = flags.precision.or(usual_precision);
    let mut text = float_text(number, format, precision.map(|precision| precision.min(MAX_DIGITS)));
    if matches!(format, 'f' | 'F') && number.is_finite() {
        let missing = precision.unwrap_or_default().saturating_sub(MAX_DIGITS);
        text.extend(std::iter::repeat_n('0', missing));
    }
    if flags.sharp && verb != 'b' && number.is_finite() {
        let digits = if matches!(verb, 'v' | 'g' | 'G' | 'x') { precision.unwrap_or(6) } else { 0 };
        text = with_point(&text, digits, matches!(verb, 'x' | 'X'));
    }
    let has_sign = text.starts_with(['+', '-']);
    let sign = match (has_sign, flags.plus, flags.space) {
        (true, false, true) if text.starts_with('+') => " ",
        (true, ..) if text.starts_with('-') || flags.plus || number.is_infinite() => {
            text.get(..1).unwrap_or("")
        }
        (false, true, _) => "+",
        (false, false, true) => " ",
        _ => "",
    };
    let digits = if has_sign { text.get(1..).unwrap_or_default() } else { &text };
    if !number.is_finite() {
        return flags.without_zero().pad(format!("{sign}{digits}"), out);
    }
    match flags.width {
        // The sign stands before the zeros.
        Some(width) if flags.zero && !sign.is_empty() && width > sign.len() + digits.len() => {
            out.push(sign)?;
            out.fill(b'0', width - sign.len() - digits.len())?;
            out.push(digits)
        }
        _ => flags.pad(format!("{sign}{digits}"), out),
    }
}

/// The text of `%T`.
pub(super) fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Nil => "<nil>",
        Value::Data(_) => "*template.Data",
        _ => value.type_name(),
    }
}
