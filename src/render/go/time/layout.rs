//! Layouts such as `2006-01-02 15:04:05`: a reference time whose parts stand for the parts of any time.

/// A part of a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// `2006`
    LongYear,
    /// `06`
    Year,
    /// `January`
    LongMonth,
    /// `Jan`
    Month,
    /// `1`
    NumberMonth,
    /// `01`
    ZeroMonth,
    /// `Monday`
    LongWeekday,
    /// `Mon`
    Weekday,
    /// `2`
    Day,
    /// `_2`
    UnderDay,
    /// `02`
    ZeroDay,
    /// `__2`
    UnderYearDay,
    /// `002`
    ZeroYearDay,
    /// `15`
    Hour,
    /// `3`
    Hour12,
    /// `03`
    ZeroHour12,
    /// `4`
    Minute,
    /// `04`
    ZeroMinute,
    /// `5`
    Second,
    /// `05`
    ZeroSecond,
    /// `PM` or `pm`
    HalfDay { is_upper: bool },
    /// `MST`
    ZoneName,
    /// `-0700` and its relatives
    Offset(OffsetStyle),
    /// `.000` or `.999`
    Fraction { separator: char, digits: usize, is_trimmed: bool },
}

/// The way to write an offset from UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OffsetStyle {
    /// `Z` stands for UTC.
    pub(super) has_z: bool,
    pub(super) has_colons: bool,
    pub(super) has_minutes: bool,
    pub(super) has_seconds: bool,
}

/// A part with the text around it.
pub(super) struct Split<'l> {
    pub(super) before: &'l str,
    pub(super) part: Part,
    pub(super) after: &'l str,
}

/// The parts that begin with their own letters, each before those that it begins with.
const WORDS: [(&str, Part); 30] = [
    ("January", Part::LongMonth),
    ("Jan", Part::Month),
    ("Monday", Part::LongWeekday),
    ("Mon", Part::Weekday),
    ("MST", Part::ZoneName),
    ("002", Part::ZeroYearDay),
    ("01", Part::ZeroMonth),
    ("02", Part::ZeroDay),
    ("03", Part::ZeroHour12),
    ("04", Part::ZeroMinute),
    ("05", Part::ZeroSecond),
    ("06", Part::Year),
    ("15", Part::Hour),
    ("1", Part::NumberMonth),
    ("2006", Part::LongYear),
    ("2", Part::Day),
    ("__2", Part::UnderYearDay),
    ("_2", Part::UnderDay),
    ("3", Part::Hour12),
    ("4", Part::Minute),
    ("5", Part::Second),
    ("PM", Part::HalfDay { is_upper: true }),
    ("pm", Part::HalfDay { is_upper: false }),
    ("-070000", offset(false, false, true, true)),
    ("-07:00:00", offset(false, true, true, true)),
    ("-0700", offset(false, false, true, false)),
    ("-07:00", offset(false, true, true, false)),
    ("-07", offset(false, false, false, false)),
    ("Z0700", offset(true, false, true, false)),
    ("Z07:00", offset(true, true, true, false)),
];
/// More of them: those of `Z` that are longer or shorter.
const LONG_Z: [(&str, Part); 2] =
    [("Z070000", offset(true, false, true, true)), ("Z07:00:00", offset(true, true, true, true))];
const SHORT_Z: (&str, Part) = ("Z07", offset(true, false, false, false));

const fn offset(has_z: bool, has_colons: bool, has_minutes: bool, has_seconds: bool) -> Part {
    Part::Offset(OffsetStyle { has_z, has_colons, has_minutes, has_seconds })
}

/// The first part of `layout`.
pub(super) fn split_first(layout: &str) -> Option<Split<'_>> {
    layout.char_indices().find_map(|(at, c)| {
        if !"JM01234_5PpZ-.,".contains(c) {
            return None;
        }
        let (before, rest) = layout.split_at(at);
        // `_2006` is an underscore and a year.
        if rest.starts_with("_2006") {
            let (before, rest) = layout.split_at(at + 1);
            let after = rest.strip_prefix("2006")?;
            return Some(Split { before, part: Part::LongYear, after });
        }
        let (part, after) = part_at(rest)?;
        Some(Split { before, part, after })
    })
}

fn part_at(rest: &str) -> Option<(Part, &str)> {
    if let Some(fraction) = fraction(rest) {
        return Some(fraction);
    }
    let words = LONG_Z.iter().chain(&WORDS).chain([&SHORT_Z]);
    words.into_iter().find_map(|(word, part)| {
        let after = rest.strip_prefix(word)?;
        // `Month` and `Jane` are other words.
        let is_other_word = matches!(part, Part::Month | Part::Weekday)
            && after.starts_with(|c: char| c.is_ascii_lowercase());
        (!is_other_word).then_some((*part, after))
    })
}

fn fraction(rest: &str) -> Option<(Part, &str)> {
    let separator = rest.chars().next().filter(|c| matches!(c, '.' | ','))?;
    let digits = rest.strip_prefix(separator)?;
    let digit = digits.chars().next().filter(|c| matches!(c, '0' | '9'))?;
    let after = digits.trim_start_matches(digit);
    if after.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let part = Part::Fraction { separator, digits: digits.len() - after.len(), is_trimmed: digit == '9' };
    Some((part, after))
}
