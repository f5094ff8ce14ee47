//! Durations in Prometheus' grammar, so that values can be copied from Prometheus and Alertmanager.

use std::time::Duration;

/// Units with their milliseconds, in the order in which they must be written.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 24 * 60 * 60 * 1000),
    ("w", 7 * 24 * 60 * 60 * 1000),
    ("d", 24 * 60 * 60 * 1000),
    ("h", 60 * 60 * 1000),
    ("m", 60 * 1000),
    ("s", 1000),
    ("ms", 1),
];

/// Reads `90s`, `2m`, `1h30m`, `7d`, `1w`, `1y`, `500ms` or `0`.
///
/// `None` for everything else: a missing or repeated unit, a shorter unit before a longer one, a fraction, a sign, or
/// an overflow.
pub fn parse(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    if text.is_empty() {
        return None;
    }
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut total_ms: u64 = 0;
    while !rest.is_empty() {
        let (digits, after_digits) = split_while(rest, |c| c.is_ascii_digit());
        let (unit, after_unit) = split_while(after_digits, |c| c.is_ascii_alphabetic());
        let (_, unit_ms) = units.find(|(name, _)| *name == unit)?;
        let count: u64 = digits.parse().ok()?;
        total_ms = total_ms.checked_add(count.checked_mul(*unit_ms)?)?;
        rest = after_unit;
    }
    Some(Duration::from_millis(total_ms))
}

/// Splits `text` before the first character that does not match.
pub(super) fn split_while(text: &str, matches: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !matches(c)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn units_and_sums_of_units_are_read() {
        let read = |text| parse(text).map(|duration| duration.as_millis());
        assert_eq!(read("0"), Some(0));
        assert_eq!(read("0s"), Some(0));
        assert_eq!(read("500ms"), Some(500));
        assert_eq!(read("90s"), Some(90_000));
        assert_eq!(read("2m"), Some(120_000));
        assert_eq!(read("1h30m"), Some(5_400_000));
        assert_eq!(read("7d"), read("1w"));
        assert_eq!(read("1y"), read("365d"));
        assert_eq!(read("1y2w3d4h5m6s7ms"), Some(33_019_506_007));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "60", "s", "1", "-1s", "1.5h", "1 h", "1m1h", "1s1s", "1H", "1min", "１s"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse("99999999999999999999s"), None);
        assert_eq!(parse("999999999999y"), None);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".*") {
            parse(&text);
        }
    }
}
