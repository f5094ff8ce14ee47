//! Writes a time in a layout.

use std::fmt::Write as _;

use super::{
    calendar::{month_name, weekday_name},
    layout::{OffsetStyle, Part, split_first},
    moment::{Clock, Time},
};

/// The layout of Go's JSON.
pub(in crate::render::go) const JSON: &str = "2006-01-02T15:04:05.999999999Z07:00";
/// The layout of Go's `Time.String`.
const TEXT: &str = "2006-01-02 15:04:05.999999999 -0700 MST";

/// Go's `Time.String`.
pub(in crate::render::go) fn time_text(time: &Time) -> String {
    formatted(time, TEXT)
}

/// Go's `Time.Format`.
pub(in crate::render::go) fn formatted(time: &Time, layout: &str) -> String {
    let clock = time.clock();
    let mut text = String::with_capacity(layout.len() + 10);
    let mut rest = layout;
    while let Some(split) = split_first(rest) {
        text.push_str(split.before);
        push_part(&mut text, split.part, time, &clock);
        rest = split.after;
    }
    text + rest
}

fn push_part(text: &mut String, part: Part, time: &Time, clock: &Clock) {
    let hour12 = if clock.hour % 12 == 0 { 12 } else { clock.hour % 12 };
    let short = |name: &'static str| name.get(..3).unwrap_or(name);
    let _ = match part {
        Part::LongYear if clock.year < 0 => write!(text, "-{:04}", -clock.year),
        Part::LongYear => write!(text, "{:04}", clock.year),
        Part::Year => write!(text, "{:02}", clock.year.max(0) % 100),
        Part::LongMonth => write!(text, "{}", month_name(clock.month)),
        Part::Month => write!(text, "{}", short(month_name(clock.month))),
        Part::NumberMonth => write!(text, "{}", clock.month),
        Part::ZeroMonth => write!(text, "{:02}", clock.month),
        Part::LongWeekday => write!(text, "{}", weekday_name(clock.weekday)),
        Part::Weekday => write!(text, "{}", short(weekday_name(clock.weekday))),
        Part::Day => write!(text, "{}", clock.day),
        Part::UnderDay => write!(text, "{:2}", clock.day),
        Part::ZeroDay => write!(text, "{:02}", clock.day),
        Part::UnderYearDay => write!(text, "{:3}", clock.year_day()),
        Part::ZeroYearDay => write!(text, "{:03}", clock.year_day()),
        Part::Hour => write!(text, "{:02}", clock.hour),
        Part::Hour12 => write!(text, "{hour12}"),
        Part::ZeroHour12 => write!(text, "{hour12:02}"),
        Part::Minute => write!(text, "{}", clock.minute),
        Part::ZeroMinute => write!(text, "{:02}", clock.minute),
        Part::Second => write!(text, "{}", clock.second),
        Part::ZeroSecond => write!(text, "{:02}", clock.second),
        Part::HalfDay { is_upper } => {
            let (before_noon, after_noon) = if is_upper { ("AM", "PM") } else { ("am", "pm") };
            write!(text, "{}", if clock.hour < 12 { before_noon } else { after_noon })
        }
        Part::ZoneName => write!(text, "{}", zone_name(time)),
        Part::Offset(style) => write!(text, "{}", offset_text(time.offset().seconds, style)),
        Part::Fraction { separator, digits, is_trimmed } => {
            write!(text, "{}", fraction(time.nanosecond, separator, digits, is_trimmed))
        }
    };
}

/// Such as `CST`, or the offset if the zone has no name.
fn zone_name(time: &Time) -> String {
    let offset = time.offset();
    if !offset.abbreviation.is_empty() {
        return offset.abbreviation;
    }
    let style = OffsetStyle { has_z: false, has_colons: false, has_minutes: true, has_seconds: false };
    offset_text(offset.seconds, style)
}

fn offset_text(seconds: i64, style: OffsetStyle) -> String {
    if style.has_z && seconds == 0 {
        return "Z".to_owned();
    }
    let minutes = seconds / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    let colon = if style.has_colons { ":" } else { "" };
    let mut text = format!("{sign}{:02}", minutes.abs() / 60);
    if style.has_minutes {
        let _ = write!(text, "{colon}{:02}", minutes.abs() % 60);
    }
    if style.has_seconds {
        let _ = write!(text, "{colon}{:02}", seconds.abs() % 60);
    }
    text
}

fn fraction(nanosecond: i64, separator: char, digits: usize, is_trimmed: bool) -> String {
    if is_trimmed && nanosecond == 0 {
        return String::new();
    }
    let all = format!("{nanosecond:09}");
    let shown = all.get(..digits).unwrap_or(&all);
    let shown = if is_trimmed { shown.trim_end_matches('0') } else { shown };
    if shown.is_empty() { String::new() } else { format!("{separator}{shown}") }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::{super::zone::Zone, *};

    fn time() -> Time {
        Time { second: 1_795_218_905, nanosecond: 120_000_000, zone: Zone::Fixed(28_800) }
    }

    #[test]
    fn layouts_are_those_of_go() {
        for (layout, text) in [
            ("2006-01-02 15:04:05", "2026-11-21 07:55:05"),
            ("2006-01-02T15:04:05.999999999Z07:00", "2026-11-21T07:55:05.12+08:00"),
            ("Mon Jan _2 3:04PM 06 MST -070000", "Sat Nov 21 7:55AM 26 +0800 +080000"),
            ("Monday January 002 __2 .000 ,99", "Saturday November 325 325 .120 ,12"),
            ("Z0700 Z07 -07 pm _2006 Month Jane", "+0800 +08 +08 am _2026 Month Jane"),
            // These layouts are wrong, and their users see the same as in Alertmanager.
            ("2020-01-24 00:00:00", "21210-11-2155 00:00:00"),
            ("2006-01-02 15:04:05 +000 UTC", "2026-11-21 07:55:05 +000 UTC"),
            ("2006年1月2日 15时04分", "2026年11月21日 07时55分"),
            ("5.0000000000000", "5.120000000"),
            ("", ""),
        ] {
            assert_eq!(formatted(&time(), layout), text, "{layout}");
        }
    }

    #[test]
    fn a_zone_without_a_name_is_written_as_its_offset() {
        let shanghai = TimeZone::get("Asia/Shanghai").unwrap();
        let local = time().in_zone(Zone::local(&shanghai));
        assert_eq!(time_text(&local), "2026-11-21 07:55:05.12 +0800 CST");
        assert_eq!(time_text(&time()), "2026-11-21 07:55:05.12 +0800 +0800");
        assert_eq!(time_text(&Time::zero()), "0001-01-01 00:00:00 +0000 UTC");
        assert_eq!(formatted(&time().in_zone(Zone::Fixed(-5400)), "-07:00 Z07"), "-01:30 -01");
    }
}
