//! The Gregorian calendar, also before it was introduced, for any year.

pub(in crate::render::go) const SECONDS_PER_DAY: i64 = 86_400;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// The name of a month, counted from 1.
pub(in crate::render::go) fn month_name(month: i64) -> &'static str {
    name(&MONTHS, month - 1)
}

/// The name of a day of the week, where Sunday is 0.
pub(in crate::render::go) fn weekday_name(weekday: i64) -> &'static str {
    name(&WEEKDAYS, weekday)
}

/// The month, counted from 1, whose name or short name `text` begins with in any case, and the rest.
pub(super) fn read_month(text: &str, is_short: bool) -> Option<(i64, &str)> {
    let (index, rest) = read_name(&MONTHS, text, is_short)?;
    Some((index + 1, rest))
}

/// The rest of `text` after the name of a day of the week.
pub(super) fn read_weekday(text: &str, is_short: bool) -> Option<&str> {
    read_name(&WEEKDAYS, text, is_short).map(|(_, rest)| rest)
}

fn read_name<'t>(names: &[&str], text: &'t str, is_short: bool) -> Option<(i64, &'t str)> {
    (0..).zip(names).find_map(|(index, name)| {
        let name = if is_short { name.get(..3)? } else { name };
        let start = text.get(..name.len())?;
        start.eq_ignore_ascii_case(name).then(|| (index, text.get(name.len()..).unwrap_or_default()))
    })
}

fn name(names: &[&'static str], index: i64) -> &'static str {
    usize::try_from(index).ok().and_then(|index| names.get(index)).copied().unwrap_or_default()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Date {
    pub(super) year: i64,
    /// Counted from 1.
    pub(super) month: i64,
    /// Counted from 1.
    pub(super) day: i64,
}

impl Date {
    /// The days from 1970-01-01 to this date. `day` may lie outside of the month.
    pub(super) fn days(self) -> i64 {
        // Years that begin in March end with the leap day.
        let year = if self.month <= 2 { self.year - 1 } else { self.year };
        let month = (self.month + 9) % 12;
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let day_of_year = (153 * month + 2) / 5 + self.day - 1;
        era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
    }

    /// The date that is `days` days after 1970-01-01.
    pub(super) fn of_days(days: i64) -> Self {
        let days = days + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        Self { year: year_of_era + era * 400 + i64::from(month <= 2), month, day }
    }

    /// The day of the year, counted from 1.
    pub(super) fn year_day(self) -> i64 {
        self.days() - Self { month: 1, day: 1, ..self }.days() + 1
    }

    /// True if the month has this day.
    pub(super) fn is_valid(self) -> bool {
        Self::of_days(self.days()) == self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_are_inverse() {
        for days in (-1_000_000..1_000_000).step_by(97) {
            assert_eq!(Date::of_days(days).days(), days);
        }
        let date = Date { year: 2026, month: 11, day: 30 };
        assert_eq!(Date::of_days(20_787), date);
        assert_eq!(date.year_day(), 334);
        assert!(!Date { year: 2026, month: 2, day: 29 }.is_valid());
        assert!(Date { year: 2024, month: 2, day: 29 }.is_valid());
        assert_eq!(Date::of_days(-719_162), Date { year: 1, month: 1, day: 1 });
    }
}
