//! Times that are not written as Alertmanager writes them.

use jiff::{
    Timestamp, Zoned,
    civil::DateTime,
    fmt::{rfc2822, strtime::BrokenDownTime},
};

/// Go's zero time, which Alertmanager sends as the end of a firing alert.
const ZERO: &str = "0001-01-01T00:00:00Z";

/// True if the text has a date and a `T`, as Alertmanager writes it.
fn is_usual(text: &str) -> bool {
    matches!(text.as_bytes(), [b'0'..=b'9', _, _, _, b'-', _, _, b'-', _, _, b'T', ..])
}

/// True for an empty text, the beginning of 1970 and Go's zero time, which all stand for no time.
pub(super) fn is_zero(text: &str) -> bool {
    text.is_empty() || text.starts_with("0001-01-01") || text.starts_with("1970-01-01T00:00:00")
}

/// Writes the time as in RFC 3339. Returns `None` if `text` has this form already, or if it is not a time.
///
/// A time without a zone stays without one: `2026-11-21T08:00:00`.
pub(super) fn corrected(text: &str) -> Option<String> {
    if text.is_empty() || is_usual(text) {
        return None;
    }
    let trimmed = text.trim();
    if let Some(time) = since_1970(trimmed) {
        return Some(time);
    }
    if ["0001-01-01", "0000-00-00"].iter().any(|zero| trimmed.starts_with(zero)) {
        return Some(ZERO.to_owned());
    }
    if let Ok(time) = trimmed.parse::<Timestamp>() {
        return Some(time.to_string());
    }
    if let Ok(time) = rfc2822::parse(trimmed) {
        return Some(with_offset(&time));
    }
    // Go's `time.String`; a name of the zone and a monotonic reading may follow.
    if let Ok((time, _)) = BrokenDownTime::parse_prefix("%Y-%m-%d %H:%M:%S%.f %z", trimmed)
        && let Ok(time) = time.to_zoned()
    {
        return Some(with_offset(&time));
    }
    for format in ["%Y-%m-%d %H:%M:%S%.f", "%Y/%m/%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M"] {
        if let Ok(time) = DateTime::strptime(format, trimmed) {
            return Some(time.to_string());
        }
    }
    None
}

fn with_offset(time: &Zoned) -> String {
    time.timestamp().display_with_offset(time.offset()).to_string()
}

/// Reads a number of seconds, milliseconds, microseconds or nanoseconds since 1970. Its size decides the unit. Zero and
/// negative numbers stand for no time and give an empty text. A number of 14 digits is a date and a time.
fn since_1970(text: &str) -> Option<String> {
    const FIRST_MILLISECONDS: f64 = 1e11;
    const FIRST_MICROSECONDS: f64 = 1e14;
    const FIRST_NANOSECONDS: f64 = 1e17;
    if !text.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
        return None;
    }
    if text.len() == 14
        && let Ok(time) = DateTime::strptime("%Y%m%d%H%M%S", text)
    {
        return Some(time.to_string());
    }
    let number: f64 = text.parse().ok()?;
    let unit = match number.abs() {
        size if size < FIRST_MILLISECONDS => 1e3,
        size if size < FIRST_MICROSECONDS => 1.0,
        size if size < FIRST_NANOSECONDS => 1e-3,
        _ => 1e-6,
    };
    if number <= 0.0 {
        return Some(String::new());
    }
    // Milliseconds are exact in a float, and precise enough.
    let time = Timestamp::from_millisecond((number * unit).round() as i64).ok()?;
    Some(time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_in_other_formats_are_read() {
        for (text, expected) in [
            ("2026-11-21T08:00:00.5+08:00", None),
            ("", None),
            ("soon", None),
            ("1795248000", Some("2026-11-21T08:00:00Z")),
            ("1795248000.25", Some("2026-11-21T08:00:00.25Z")),
            ("1.795248e9", Some("2026-11-21T08:00:00Z")),
            ("1795248000123", Some("2026-11-21T08:00:00.123Z")),
            ("1795248000123456", Some("2026-11-21T08:00:00.123Z")),
            ("1795248000123456789", Some("2026-11-21T08:00:00.123Z")),
            ("20261121080000", Some("2026-11-21T08:00:00")),
            ("0", Some("")),
            ("-62135596800", Some("")),
            ("0001-01-01 00:00:00", Some(ZERO)),
            ("0000-00-00 00:00:00", Some(ZERO)),
            ("2026-11-21 08:00:00", Some("2026-11-21T08:00:00")),
            ("2026/11/21 08:00", Some("2026-11-21T08:00:00")),
            ("2026-11-21 08:00:00Z", Some("2026-11-21T08:00:00Z")),
            ("2026-11-21 08:00:00.5 +0800 CST m=+0.1", Some("2026-11-21T08:00:00.5+08:00")),
            ("2026-11-21 08:00:00 +0000 UTC", Some("2026-11-21T08:00:00+00:00")),
            ("Sat, 21 Nov 2026 08:00:00 +0800", Some("2026-11-21T08:00:00+08:00")),
            ("1e999", None),
        ] {
            assert_eq!(corrected(text).as_deref(), expected, "{text}");
        }
    }
}
