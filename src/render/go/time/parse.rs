//! Reads times: those of a payload, and those in any layout.

use jiff::{Timestamp, tz::TimeZone};

use super::{
    calendar::{Date, read_month, read_weekday},
    layout::{OffsetStyle, Part, split_first},
    moment::Time,
    zone::Zone,
};
use crate::render::go::format::quoted;

/// The time of a payload. As in Go, a time whose offset is that of the `local` zone is in the local zone.
///
/// A time without a zone is in UTC. A time that cannot be read is Go's zero time.
pub(in crate::render::go) fn parse_rfc3339(text: &str, local: &TimeZone) -> Time {
    let Ok(moment) = text.parse::<Timestamp>() else {
        return read("2006-01-02T15:04:05", text, local).unwrap_or_else(|_| Time::zero());
    };
    let time = Time::at(moment, Zone::Utc);
    match written_offset(text) {
        Some(offset) => Time { zone: zone_at(offset, time.second, local), ..time },
        None => time,
    }
}

/// The seconds of an offset such as `+08:00` at the end of `text`.
fn written_offset(text: &str) -> Option<i64> {
    let (_, offset) = text.split_at_checked(text.len().checked_sub("+08:00".len())?)?;
    let (hours, minutes) = offset.split_once(':')?;
    let sign = if hours.starts_with('-') { -1 } else { 1 };
    let hours: i64 = hours.strip_prefix(['+', '-'])?.parse().ok()?;
    let minutes: i64 = minutes.parse().ok()?;
    Some(sign * (hours * 3600 + minutes * 60))
}

/// The local zone if it has `offset` at `second`, else a zone without a name.
fn zone_at(offset: i64, second: i64, local: &TimeZone) -> Zone {
    let local = Zone::local(local);
    if local.offset_seconds(second) == offset { local } else { Zone::Fixed(offset) }
}

/// Go's `time.ParseInLocation` in UTC.
///
/// # Errors
/// The text does not have this layout.
pub(in crate::render::go) fn parse(layout: &str, text: &str) -> Result<Time, String> {
    read(layout, text, &TimeZone::UTC).map_err(|reason| {
        let mut message = format!("parsing time {} as {}", quoted(text), quoted(layout));
        match reason {
            Reason::Mismatch { rest, part } => {
                message += &format!(": cannot parse {} as {}", quoted(&rest), quoted(&part));
            }
            Reason::Extra(rest) => {
                message = format!("parsing time {}: extra text: {}", quoted(text), quoted(&rest));
            }
            Reason::Range(what) => message = format!("parsing time {}: {what} out of range", quoted(text)),
        }
        message
    })
}

#[derive(Debug)]
enum Reason {
    Mismatch { rest: String, part: String },
    Extra(String),
    Range(&'static str),
}

/// What is known of the time so far.
#[derive(Default)]
struct Fields {
    year: i64,
    month: Option<i64>,
    day: Option<i64>,
    year_day: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    nanosecond: i64,
    is_afternoon: Option<bool>,
    offset: Option<i64>,
    is_utc: bool,
}

fn read(layout: &str, text: &str, local: &TimeZone) -> Result<Time, Reason> {
    let mut fields = Fields::default();
    let mut layout_rest = layout;
    let mut rest = text;
    while let Some(split) = split_first(layout_rest) {
        rest = skip(rest, split.before)?;
        let mismatch = || Reason::Mismatch {
            rest: rest.to_owned(),
            part: part_text(layout_rest, split.before, split.after).to_owned(),
        };
        rest = fields.read(split.part, rest, split.after).ok_or_else(mismatch)?;
        layout_rest = split.after;
    }
    rest = skip(rest, layout_rest)?;
    if !rest.is_empty() {
        return Err(Reason::Extra(rest.to_owned()));
    }
    fields.time(local)
}

/// The part of a layout between the texts around it.
fn part_text<'l>(layout: &'l str, before: &str, after: &str) -> &'l str {
    layout.get(before.len()..layout.len() - after.len()).unwrap_or_default()
}

/// Skips `prefix`. As in Go, any number of spaces matches one or more spaces.
fn skip<'t>(mut text: &'t str, mut prefix: &str) -> Result<&'t str, Reason> {
    while let Some(c) = prefix.chars().next() {
        let mismatch = || Reason::Mismatch { rest: text.to_owned(), part: prefix.to_owned() };
        if c == ' ' {
            if !text.is_empty() && !text.starts_with(' ') {
                return Err(mismatch());
            }
            text = text.trim_start_matches(' ');
            prefix = prefix.trim_start_matches(' ');
            continue;
        }
        text = text.strip_prefix(c).ok_or_else(mismatch)?;
        prefix = prefix.strip_prefix(c).unwrap_or_default();
    }
    Ok(text)
}

impl Fields {
    /// Reads `part` and returns the rest. `after` is the layout after the part.
    fn read<'t>(&mut self, part: Part, text: &'t str, after: &str) -> Option<&'t str> {
        let mut rest = text;
        match part {
            Part::LongYear => self.year = digits(&mut rest, 4, 4)?,
            Part::Year => {
                let year = digits(&mut rest, 2, 2)?;
                self.year = if year >= 69 { year + 1900 } else { year + 2000 };
            }
            Part::LongMonth | Part::Month => {
                let (month, after_month) = read_month(rest, part == Part::Month)?;
                self.month = Some(month);
                rest = after_month;
            }
            Part::LongWeekday | Part::Weekday => rest = read_weekday(rest, part == Part::Weekday)?,
            Part::NumberMonth => self.month = Some(digits(&mut rest, 1, 2)?),
            Part::ZeroMonth => self.month = Some(digits(&mut rest, 2, 2)?),
            Part::Day | Part::UnderDay | Part::ZeroDay => {
                if part == Part::UnderDay {
                    rest = rest.strip_prefix(' ').unwrap_or(rest);
                }
                self.day = Some(digits(&mut rest, if part == Part::ZeroDay { 2 } else { 1 }, 2)?);
            }
            Part::UnderYearDay | Part::ZeroYearDay => {
                let trimmed = if part == Part::UnderYearDay { rest.trim_start_matches(' ') } else { rest };
                let shortest = 3 - rest.len().checked_sub(trimmed.len()).filter(|spaces| *spaces < 3)?;
                rest = trimmed;
                self.year_day = Some(digits(&mut rest, shortest, shortest)?);
            }
            Part::Hour => self.hour = digits(&mut rest, 2, 2)?,
            Part::Hour12 => self.hour = digits(&mut rest, 1, 2)?,
            Part::ZeroHour12 => self.hour = digits(&mut rest, 2, 2)?,
            Part::Minute => self.minute = digits(&mut rest, 1, 2)?,
            Part::ZeroMinute => self.minute = digits(&mut rest, 2, 2)?,
            Part::Second | Part::ZeroSecond => {
                self.second = digits(&mut rest, if part == Part::ZeroSecond { 2 } else { 1 }, 2)?;
                rest = self.undeclared_fraction(rest, after)?;
            }
            Part::HalfDay { is_upper } => {
                let names = if is_upper { ["AM", "PM"] } else { ["am", "pm"] };
                let [before_noon, after_noon] = names;
                let afternoon = rest.strip_prefix(after_noon);
                self.is_afternoon = Some(afternoon.is_some());
                rest = afternoon.or_else(|| rest.strip_prefix(before_noon))?;
            }
            Part::ZoneName => rest = self.zone_name(rest)?,
            Part::Offset(style) => rest = self.zone_offset(rest, style)?,
            Part::Fraction { digits, is_trimmed, .. } => rest = self.fraction(rest, digits, is_trimmed)?,
        }
        Some(rest)
    }

    /// Seconds may have a fraction that the layout does not mention.
    fn undeclared_fraction<'t>(&mut self, text: &'t str, after: &str) -> Option<&'t str> {
        let has_fraction =
            text.strip_prefix(['.', ',']).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        let is_declared = split_first(after)
            .is_some_and(|next| next.before.is_empty() && matches!(next.part, Part::Fraction { .. }));
        if has_fraction && !is_declared { self.fraction(text, 0, true) } else { Some(text) }
    }

    /// Reads exactly `digits` digits, or with `is_optional` any number of them.
    fn fraction<'t>(&mut self, text: &'t str, digits: usize, is_optional: bool) -> Option<&'t str> {
        let fraction = text.strip_prefix(['.', ',']);
        let starts_with_digit = fraction.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        if is_optional && !starts_with_digit {
            return Some(text);
        }
        let fraction = fraction?;
        let all = fraction.len() - fraction.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let length = if is_optional { all } else { digits };
        let (shown, rest) = fraction.split_at_checked(length).filter(|_| length <= all)?;
        let nanoseconds = format!("{:0<9}", shown.get(..9).unwrap_or(shown));
        self.nanosecond = nanoseconds.parse().ok()?;
        Some(rest)
    }

    /// A zone of three or four upper-case letters. As in Go, a zone other than UTC whose offset is unknown counts
    /// as UTC.
    fn zone_name<'t>(&mut self, text: &'t str) -> Option<&'t str> {
        if let Some(rest) = text.strip_prefix("UTC") {
            self.is_utc = true;
            return Some(rest);
        }
        if let Some(after_sign) = text.strip_prefix(['+', '-']) {
            let rest = after_sign.trim_start_matches(|c: char| c.is_ascii_digit());
            return (rest.len() < after_sign.len()).then_some(rest);
        }
        let rest = text.trim_start_matches(|c: char| c.is_ascii_uppercase());
        (3..=5).contains(&(text.len() - rest.len())).then_some(rest)
    }

    fn zone_offset<'t>(&mut self, text: &'t str, style: OffsetStyle) -> Option<&'t str> {
        if let Some(rest) = text.strip_prefix('Z').filter(|_| style.has_z) {
            self.is_utc = true;
            return Some(rest);
        }
        let sign = if text.starts_with('-') { -1 } else { 1 };
        let mut rest = text.strip_prefix(['+', '-'])?;
        let mut seconds = digits(&mut rest, 2, 2)? * 3600;
        for (is_written, unit) in [(style.has_minutes, 60), (style.has_seconds, 1)] {
            if is_written {
                rest = if style.has_colons { rest.strip_prefix(':')? } else { rest };
                seconds += digits(&mut rest, 2, 2)? * unit;
            }
        }
        self.offset = Some(sign * seconds);
        Some(rest)
    }

    fn time(self, local: &TimeZone) -> Result<Time, Reason> {
        let date = self.date()?;
        let mut hour = self.hour;
        for (what, value, limit) in
            [("hour", hour, 24), ("minute", self.minute, 60), ("second", self.second, 60)]
        {
            if value >= limit {
                return Err(Reason::Range(what));
            }
        }
        match self.is_afternoon {
            Some(true) if hour < 12 => hour += 12,
            Some(false) if hour == 12 => hour = 0,
            _ => {}
        }
        let second_of_day = hour * 3600 + self.minute * 60 + self.second;
        let time = Time::of_date(date, second_of_day, self.nanosecond, Zone::Utc);
        let Some(offset) = self.offset.filter(|_| !self.is_utc) else { return Ok(time) };
        let second = time.second - offset;
        Ok(Time { second, zone: zone_at(offset, second, local), ..time })
    }

    fn date(&self) -> Result<Date, Reason> {
        let date = match self.year_day {
            Some(day) => {
                let date = Date { year: self.year, month: 1, day };
                let found = Date::of_days(date.days());
                if day < 1 || found.year != self.year {
                    return Err(Reason::Range("day-of-year"));
                }
                found
            }
            None => Date { year: self.year, month: self.month.unwrap_or(1), day: self.day.unwrap_or(1) },
        };
        if !(1..=12).contains(&date.month) {
            return Err(Reason::Range("month"));
        }
        if date.is_valid() { Ok(date) } else { Err(Reason::Range("day")) }
    }
}

/// Reads a number of `shortest` to `longest` digits.
fn digits(text: &mut &str, shortest: usize, longest: usize) -> Option<i64> {
    let count = text.bytes().take(longest).take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at_checked(count).filter(|_| count >= shortest)?;
    *text = rest;
    number.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{super::format::time_text, *};

    #[test]
    fn times_of_a_payload_keep_their_offset() {
        let shanghai = TimeZone::get("Asia/Shanghai").unwrap();
        let text = |text: &str| time_text(&parse_rfc3339(text, &shanghai));
        assert_eq!(text("2026-01-02T03:04:05.123+08:00"), "2026-01-02 03:04:05.123 +0800 CST");
        assert_eq!(text("2026-01-02T03:04:05Z"), "2026-01-02 03:04:05 +0000 UTC");
        assert_eq!(text("2026-01-02T03:04:05-11:30"), "2026-01-02 03:04:05 -1130 -1130");
        assert_eq!(text("2026-01-02T03:04:05"), "2026-01-02 03:04:05 +0000 UTC");
        assert_eq!(text("soon"), "0001-01-01 00:00:00 +0000 UTC");
        assert_eq!(text(""), "0001-01-01 00:00:00 +0000 UTC");
    }

    #[test]
    fn times_are_read_in_any_layout() {
        let text = |layout: &str, text: &str| parse(layout, text).map(|time| time_text(&time));
        assert_eq!(text("2006-01-02", "2026-11-30"), Ok("2026-11-30 00:00:00 +0000 UTC".to_owned()));
        assert_eq!(
            text("Jan _2 06 3:04PM", "Nov  3 26 7:05PM"),
            Ok("2026-11-03 19:05:00 +0000 UTC".to_owned())
        );
        assert_eq!(
            text("2006-002 15:04:05 -0700", "2026-334 08:00:00.5 +0800"),
            Ok("2026-11-30 08:00:00.5 +0800 +0800".to_owned())
        );
        assert_eq!(
            text("2006-01-02", "2026-02-30"),
            Err("parsing time \"2026-02-30\": day out of range".to_owned())
        );
        assert_eq!(
            text("2006-01-02", "30.11.2026"),
            Err("parsing time \"30.11.2026\" as \"2006-01-02\": cannot parse \"30.11.2026\" as \"2006\""
                .to_owned())
        );
        assert_eq!(text("2006", "2026x"), Err("parsing time \"2026x\": extra text: \"x\"".to_owned()));
    }
}
