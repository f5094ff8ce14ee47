//! A moment in a zone, and the arithmetic of Go's `time.Time`.

use jiff::Timestamp;

use super::{
    calendar::{Date, SECONDS_PER_DAY},
    zone::{Zone, ZoneOffset},
};

const NANOS_PER_SECOND: i64 = 1_000_000_000;
/// The beginning of year 1, Go's zero time.
const ZERO_SECOND: i64 = -62_135_596_800;
/// Times stay within about 280 million years, so that no computation overflows.
const MAX_SECOND: i64 = 9_000_000_000_000_000;
const MAX_YEARS: i64 = 100_000_000;

/// A moment in a zone.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::render::go) struct Time {
    /// Seconds since 1970 began in UTC.
    pub(in crate::render::go) second: i64,
    pub(in crate::render::go) nanosecond: i64,
    pub(in crate::render::go) zone: Zone,
}

/// What a clock and a calendar in the zone of a time show.
#[derive(Debug, Clone)]
pub(in crate::render::go) struct Clock {
    pub(super) date: Date,
    pub(in crate::render::go) year: i64,
    pub(in crate::render::go) month: i64,
    pub(in crate::render::go) day: i64,
    pub(in crate::render::go) hour: i64,
    pub(in crate::render::go) minute: i64,
    pub(in crate::render::go) second: i64,
    /// Sunday is 0.
    pub(in crate::render::go) weekday: i64,
}

impl Clock {
    /// The day of the year, counted from 1.
    pub(in crate::render::go) fn year_day(&self) -> i64 {
        self.date.year_day()
    }

    /// What it shows `second` seconds after 1970 began there.
    fn at(second: i64) -> Self {
        let days = second.div_euclid(SECONDS_PER_DAY);
        let second_of_day = second.rem_euclid(SECONDS_PER_DAY);
        let date = Date::of_days(days);
        Self {
            date,
            year: date.year,
            month: date.month,
            day: date.day,
            hour: second_of_day / 3600,
            minute: second_of_day / 60 % 60,
            second: second_of_day % 60,
            weekday: (days + 4).rem_euclid(7),
        }
    }
}

impl Time {
    pub(in crate::render::go) fn at(moment: Timestamp, zone: Zone) -> Self {
        // jiff counts the fraction of times before 1970 backwards.
        let nanoseconds = moment.as_nanosecond();
        Self {
            second: saturated(nanoseconds.div_euclid(NANOS_PER_SECOND.into())),
            nanosecond: saturated(nanoseconds.rem_euclid(NANOS_PER_SECOND.into())),
            zone,
        }
    }

    /// Go's zero time, which Alertmanager sends as the end of a firing alert.
    pub(in crate::render::go) fn zero() -> Self {
        Self { second: ZERO_SECOND, nanosecond: 0, zone: Zone::Utc }
    }

    pub(in crate::render::go) fn is_zero(&self) -> bool {
        self.moment() == (ZERO_SECOND, 0)
    }

    /// The moment without the zone, for comparisons.
    pub(in crate::render::go) fn moment(&self) -> (i64, i64) {
        (self.second, self.nanosecond)
    }

    pub(in crate::render::go) fn in_zone(&self, zone: Zone) -> Self {
        Self { zone, ..self.clone() }
    }

    pub(in crate::render::go) fn clock(&self) -> Clock {
        Clock::at(self.second + self.zone.offset_seconds(self.second))
    }

    pub(super) fn offset(&self) -> ZoneOffset {
        self.zone.offset(self.second)
    }

    pub(in crate::render::go) fn is_daylight_saving(&self) -> bool {
        self.offset().is_daylight_saving
    }

    /// The time of a date and `second_of_day` in `zone`. Month and day may be out of range. As in Go, a time that the
    /// change to daylight saving skips or repeats has one of both offsets.
    pub(super) fn of_date(date: Date, second_of_day: i64, nanosecond: i64, zone: Zone) -> Self {
        let months = date.month - 1;
        let year = (date.year + months.div_euclid(12)).clamp(-MAX_YEARS, MAX_YEARS);
        let day = date.day.clamp(-MAX_SECOND / SECONDS_PER_DAY, MAX_SECOND / SECONDS_PER_DAY);
        let date = Date { year, month: months.rem_euclid(12) + 1, day };
        let local = date.days() * SECONDS_PER_DAY + second_of_day;
        let guess = local - zone.offset_seconds(local);
        let second = local - zone.offset_seconds(guess);
        Self { second: second.clamp(-MAX_SECOND, MAX_SECOND), nanosecond, zone }
    }

    /// The time after `nanoseconds`.
    pub(in crate::render::go) fn add(&self, nanoseconds: i64) -> Self {
        let nanosecond = self.nanosecond + nanoseconds.rem_euclid(NANOS_PER_SECOND);
        let second =
            self.second + nanoseconds.div_euclid(NANOS_PER_SECOND) + nanosecond.div_euclid(NANOS_PER_SECOND);
        Self {
            second: second.clamp(-MAX_SECOND, MAX_SECOND),
            nanosecond: nanosecond.rem_euclid(NANOS_PER_SECOND),
            zone: self.zone.clone(),
        }
    }

    pub(in crate::render::go) fn add_date(&self, years: i64, months: i64, days: i64) -> Self {
        let clock = self.clock();
        let limited = |number: i64| number.clamp(-MAX_SECOND, MAX_SECOND);
        let date = Date {
            year: clock.year + limited(years),
            month: clock.month + limited(months),
            day: clock.day + limited(days),
        };
        let second_of_day = clock.hour * 3600 + clock.minute * 60 + clock.second;
        Self::of_date(date, second_of_day, self.nanosecond, self.zone.clone())
    }

    /// The nanoseconds from `earlier` to this time, or the largest or smallest number.
    pub(in crate::render::go) fn since(&self, earlier: &Self) -> i64 {
        let seconds = i128::from(self.second) - i128::from(earlier.second);
        let nanoseconds = i128::from(self.nanosecond) - i128::from(earlier.nanosecond);
        saturated(seconds * i128::from(NANOS_PER_SECOND) + nanoseconds)
    }

    /// The time rounded down to a multiple of `unit` nanoseconds since year 1.
    pub(in crate::render::go) fn truncated(&self, unit: i64) -> Self {
        if unit <= 0 { self.clone() } else { self.add(-self.rest(unit)) }
    }

    /// The time rounded to the nearest multiple of `unit` nanoseconds since year 1.
    pub(in crate::render::go) fn rounded(&self, unit: i64) -> Self {
        if unit <= 0 {
            return self.clone();
        }
        let rest = self.rest(unit);
        let is_below_half = i128::from(rest) * 2 < i128::from(unit);
        self.add(if is_below_half { -rest } else { unit - rest })
    }

    fn rest(&self, unit: i64) -> i64 {
        let seconds = i128::from(self.second) - i128::from(ZERO_SECOND);
        let nanoseconds = seconds * i128::from(NANOS_PER_SECOND) + i128::from(self.nanosecond);
        saturated(nanoseconds.rem_euclid(i128::from(unit)))
    }

    /// The nanoseconds since 1970. The number wraps as in Go.
    pub(in crate::render::go) fn unix_nanoseconds(&self) -> i64 {
        self.second.wrapping_mul(NANOS_PER_SECOND).wrapping_add(self.nanosecond)
    }

    /// A number of units since 1970, of which a second has `per_second`.
    pub(in crate::render::go) fn unix(&self, per_second: i64) -> i64 {
        self.second.wrapping_mul(per_second).wrapping_add(self.nanosecond / (NANOS_PER_SECOND / per_second))
    }
}

fn saturated(number: i128) -> i64 {
    i64::try_from(number).unwrap_or(if number < 0 { i64::MIN } else { i64::MAX })
}
