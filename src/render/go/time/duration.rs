//! Go's `time.Duration`: a number of nanoseconds.

use std::fmt::Write as _;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// Such as `1h2m3.5s`, `15ms` or `0s`.
pub(in crate::render::go) fn duration_text(duration: i64) -> String {
    let nanoseconds = duration.unsigned_abs();
    let mut text = String::new();
    if duration < 0 {
        text.push('-');
    }
    match nanoseconds {
        0 => text.push_str("0s"),
        1..1_000 => _ = write!(text, "{nanoseconds}ns"),
        1_000..1_000_000 => push_decimal(&mut text, nanoseconds, 1_000, "µs"),
        1_000_000..NANOS_PER_SECOND => push_decimal(&mut text, nanoseconds, 1_000_000, "ms"),
        _ => {
            let minutes = nanoseconds / NANOS_PER_SECOND / 60;
            if minutes >= 60 {
                _ = write!(text, "{}h", minutes / 60);
            }
            if minutes > 0 {
                _ = write!(text, "{}m", minutes % 60);
            }
            push_decimal(&mut text, nanoseconds - minutes * 60 * NANOS_PER_SECOND, NANOS_PER_SECOND, "s");
        }
    }
    text
}

/// Appends `number / unit` without trailing zeros. `unit` is a power of ten.
fn push_decimal(text: &mut String, number: u64, unit: u64, name: &str) {
    let digits = unit.ilog10() as usize;
    let decimal = format!("{}.{:0digits$}", number / unit, number % unit);
    text.push_str(decimal.trim_end_matches('0').trim_end_matches('.'));
    text.push_str(name);
}

/// The duration in units of `unit` nanoseconds, as Go computes it: whole units and the rest apart.
pub(in crate::render::go) fn seconds(duration: i64, unit: i64) -> f64 {
    (duration / unit) as f64 + (duration % unit) as f64 / unit as f64
}

/// `duration` rounded towards zero to a multiple of `unit`.
pub(in crate::render::go) fn truncated(duration: i64, unit: i64) -> i64 {
    if unit <= 0 { duration } else { duration - duration % unit }
}

/// `duration` rounded to the nearest multiple of `unit`; halfway values away from zero.
pub(in crate::render::go) fn rounded(duration: i64, unit: i64) -> i64 {
    if unit <= 0 {
        return duration;
    }
    let rest = duration % unit;
    let is_below_half = i128::from(rest).abs() * 2 < i128::from(unit);
    let truncated = duration - rest;
    match (is_below_half, duration < 0) {
        (true, _) => truncated,
        (false, true) => truncated.saturating_sub(unit),
        (false, false) => truncated.saturating_add(unit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_go_writes_them() {
        for (duration, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1_100, "1.1µs"),
            (-2_200_000, "-2.2ms"),
            (1_000_000_000, "1s"),
            (61_000_000_000, "1m1s"),
            (3_600_000_000_000, "1h0m0s"),
            (28_800_500_000_000, "8h0m0.5s"),
            (i64::MIN, "-2562047h47m16.854775808s"),
            (i64::MAX, "2562047h47m16.854775807s"),
        ] {
            assert_eq!(duration_text(duration), text);
        }
    }

    #[test]
    fn durations_are_rounded_as_go_rounds_them() {
        assert_eq!((truncated(1999, 1000), truncated(-1999, 1000), truncated(5, 0)), (1000, -1000, 5));
        assert_eq!((rounded(1500, 1000), rounded(1499, 1000), rounded(-1500, 1000)), (2000, 1000, -2000));
        assert_eq!(rounded(i64::MAX, i64::MAX - 1), i64::MAX - 1);
        assert_eq!(rounded(i64::MIN, 10), i64::MIN);
    }
}
