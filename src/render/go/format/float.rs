//! Floats as Go's `strconv` writes and reads them.

/// The value in the format `verb`, which is one of `b`, `e`, `E`, `f`, `F`, `g`, `G`, `x` and `X`. Without `precision` the shortest
/// text that is read as the same value.
pub(in crate::render::go) fn float_text(value: f64, verb: char, precision: Option<usize>) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let text = match verb {
        'f' | 'F' => match precision {
            Some(precision) => format!("{value:.precision$}"),
            None => format!("{value}"),
        },
        'e' | 'E' => scientific(value, precision),
        'x' | 'X' => hexadecimal(value, precision),
        'b' => binary(value),
        _ => general(value, precision),
    };
    if verb.is_ascii_uppercase() { text.to_ascii_uppercase() } else { text }
}

/// With an exponent of at least two digits.
fn scientific(value: f64, precision: Option<usize>) -> String {
    let text = match precision {
        Some(precision) => format!("{value:.precision$e}"),
        None => format!("{value:e}"),
    };
    let Some((mantissa, exponent)) = text.split_once('e') else { return text };
    match exponent.strip_prefix('-') {
        Some(digits) => format!("{mantissa}e-{digits:0>2}"),
        None => format!("{mantissa}e+{exponent:0>2}"),
    }
}

/// The bits of the mantissa, and the exponent of its first bit.
fn parts(value: f64) -> (u64, i32) {
    const MANTISSA_BITS: u32 = 52;
    const BIAS: i32 = 1023;
    let bits = value.to_bits();
    let mantissa = bits & ((1 << MANTISSA_BITS) - 1);
    match i32::try_from((bits >> MANTISSA_BITS) & 0x7FF).unwrap_or_default() {
        0 => (mantissa, 1 - BIAS),
        exponent => (mantissa | 1 << MANTISSA_BITS, exponent - BIAS),
    }
}

/// A mantissa in base 16, and an exponent of two.
fn hexadecimal(value: f64, precision: Option<usize>) -> String {
    // The first bit of the mantissa moves here, with a hexadecimal digit before it.
    const FIRST_BIT: u32 = 60;
    const MAX_DIGITS: usize = 15;
    let (mantissa, mut exponent) = parts(value);
    let mut mantissa = mantissa << 8;
    if mantissa == 0 {
        exponent = 0;
    }
    while mantissa != 0 && mantissa >> FIRST_BIT == 0 {
        mantissa <<= 1;
        exponent -= 1;
    }
    if let Some(digits) = precision.filter(|digits| *digits < MAX_DIGITS) {
        let kept_bits = digits as u32 * 4;
        let dropped = (mantissa << kept_bits) & ((1 << FIRST_BIT) - 1);
        mantissa >>= FIRST_BIT - kept_bits;
        // Halfway values are rounded to even.
        if dropped | (mantissa & 1) > 1 << (FIRST_BIT - 1) {
            mantissa += 1;
        }
        mantissa <<= FIRST_BIT - kept_bits;
        if mantissa >> (FIRST_BIT + 1) != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let mut text = format!("{}0x{}", if value.is_sign_negative() { "-" } else { "" }, mantissa >> FIRST_BIT);
    let mut digits = String::new();
    mantissa <<= 4;
    while precision.map_or(mantissa != 0, |precision| digits.len() < precision) {
        digits += &format!("{:x}", mantissa >> FIRST_BIT);
        mantissa <<= 4;
    }
    if !digits.is_empty() {
        text += &format!(".{digits}");
    }
    format!("{text}p{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

/// The mantissa as an integer, and an exponent of two.
fn binary(value: f64) -> String {
    let (mantissa, exponent) = parts(value);
    format!("{}{mantissa}p{:+}", if value.is_sign_negative() { "-" } else { "" }, exponent - 52)
}

/// `text` as the flag `#` asks for: with a point, and with zeros up to `digits` digits.
pub(super) fn with_point(text: &str, digits: usize, is_hexadecimal: bool) -> String {
    let is_exponent = |c: char| matches!(c, 'p' | 'P') || !is_hexadecimal && matches!(c, 'e' | 'E');
    let (number, exponent) = text.split_at(text.find(is_exponent).unwrap_or(text.len()));
    let unsigned = number.trim_start_matches(['+', '-']);
    let significant = unsigned.chars().filter(|c| *c != '.').skip_while(|c| *c == '0').count();
    let has_point = number.contains('.');
    let written = if !has_point && unsigned == "0" { 1 } else { significant };
    let point = if has_point { "" } else { "." };
    format!("{number}{point}{}{exponent}", "0".repeat(digits.saturating_sub(written)))
}

/// With an exponent only if it is small or large.
fn general(value: f64, precision: Option<usize>) -> String {
    const SHORTEST_PRECISION: i32 = 6;
    const MIN_EXPONENT: i32 = -4;
    let precision = precision.map(|precision| precision.max(1));
    let text = match precision {
        Some(precision) => format!("{value:.*e}", precision - 1),
        None => format!("{value:e}"),
    };
    let Some((mantissa, exponent)) = text.split_once('e') else { return text };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let digits = mantissa.trim_start_matches('-').replace('.', "");
    let digits = if precision.is_some() { digits.trim_end_matches('0') } else { &digits };
    let digits = i32::try_from(digits.len().max(1)).unwrap_or(i32::MAX);
    let limit = match precision.map(|precision| i32::try_from(precision).unwrap_or(i32::MAX)) {
        None => SHORTEST_PRECISION,
        Some(precision) if precision > digits && digits > exponent => digits,
        Some(precision) => precision,
    };
    let fraction = |digits: i32| usize::try_from(digits).unwrap_or_default();
    if exponent < MIN_EXPONENT || exponent >= limit {
        return scientific(value, precision.map(|_| fraction(digits - 1)));
    }
    match precision {
        Some(_) => format!("{value:.*}", fraction(digits - 1 - exponent)),
        None => format!("{value}"),
    }
}

/// `digits` without underscores, which may only stand between two digits or after the prefix of a base.
pub(in crate::render::go) fn without_underscores(digits: &str) -> Option<String> {
    let is_digit = |c: char| c.is_ascii_alphanumeric();
    let mut chars = digits.chars().peekable();
    let mut before = ' ';
    while let Some(c) = chars.next() {
        if c == '_' && !(is_digit(before) && chars.peek().copied().is_some_and(is_digit)) {
            return None;
        }
        before = c;
    }
    Some(digits.replace('_', ""))
}

/// The float as Go's `strconv.ParseFloat` reads it. `None` also for a number that is too large.
pub(in crate::render::go) fn parse_float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    match unsigned.to_ascii_lowercase().as_str() {
        "inf" | "infinity" => return Some(sign * f64::INFINITY),
        "nan" => return Some(f64::NAN),
        _ => {}
    }
    let digits = without_underscores(unsigned)?.to_ascii_lowercase();
    let value = match digits.strip_prefix("0x") {
        Some(hexadecimal) => hexadecimal_float(hexadecimal)?,
        None if digits.bytes().all(|byte| byte.is_ascii_digit() || b".e+-".contains(&byte)) => {
            digits.parse::<f64>().ok()?
        }
        None => return None,
    };
    value.is_finite().then_some(sign * value)
}

/// The value of digits, a point, and an exponent of two.
fn hexadecimal_float(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once('p')?;
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut value = 0.0;
    for c in whole.chars().chain(fraction.chars()) {
        value = value * 16.0 + f64::from(c.to_digit(16)?);
    }
    let digits = i32::try_from(fraction.len()).ok()?.checked_mul(4)?;
    let has_digits = !whole.is_empty() || !fraction.is_empty();
    has_digits.then(|| value * 2f64.powi(exponent.saturating_sub(digits)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_go_writes_them() {
        for (value, text) in [
            (0.0, "0"),
            (1.0, "1"),
            (1.5, "1.5"),
            (123_456.0, "123456"),
            (0.0001, "0.0001"),
            (0.000_01, "1e-05"),
            (1_000_000.0, "1e+06"),
            (12_345_678.5, "1.23456785e+07"),
            (-2.5e-7, "-2.5e-07"),
            (f64::INFINITY, "+Inf"),
        ] {
            assert_eq!(float_text(value, 'g', None), text);
        }
        assert_eq!(float_text(1234.5678, 'g', Some(4)), "1235");
        assert_eq!(float_text(12_345.0, 'g', Some(4)), "1.234e+04");
        assert_eq!(float_text(100_000.0, 'g', Some(4)), "1e+05");
        assert_eq!(float_text(2.0, 'f', Some(6)), "2.000000");
        assert_eq!(float_text(1500.0, 'E', Some(2)), "1.50E+03");
        assert_eq!(float_text(0.5, 'x', None), "0x1p-01");
        assert_eq!(float_text(-1000.0, 'X', Some(1)), "-0X1.FP+09");
        assert_eq!(float_text(1.0, 'b', None), "4503599627370496p-52");
        assert_eq!(with_point("1", 6, false), "1.00000");
        assert_eq!(with_point("1e+06", 6, false), "1.00000e+06");
        assert_eq!(with_point("0", 6, false), "0.00000");
    }

    #[test]
    fn floats_are_read_as_go_reads_them() {
        for (text, value) in [("1.5", 1.5), ("-1e3", -1000.0), ("0x1p-2", 0.25), ("1_0", 10.0), (".5", 0.5)] {
            assert_eq!(parse_float(text), Some(value), "{text}");
        }
        assert_eq!(parse_float("-Inf"), Some(f64::NEG_INFINITY));
        for text in ["", "1x", "0x1", "1e400", "+", "1__0"] {
            assert_eq!(parse_float(text), None, "{text}");
        }
    }
}
