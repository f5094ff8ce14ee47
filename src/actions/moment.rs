//! Times of silences, and times as members read them.

use std::time::Duration;

use jiff::{
    SignedDuration, Timestamp, ToSpan,
    civil::Time,
    tz::{Offset, TimeZone},
};

use crate::intake::ButtonAction;

/// A silence until a time of day is at least this long.
const SHORTEST: SignedDuration = SignedDuration::from_hours(1);

/// The end of a silence that begins at `now`. `None` for an acknowledgement.
pub(super) fn end_of_silence(action: ButtonAction, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    match action {
        ButtonAction::Acknowledge => None,
        ButtonAction::Silence(length) => Some(later(now, length)),
        ButtonAction::SilenceUntil(time) => Some(next(time, now, zone)),
    }
}

/// The next `time` of day that is at least an hour away.
fn next(time: Time, now: Timestamp, zone: &TimeZone) -> Timestamp {
    let earliest = now.checked_add(SHORTEST).unwrap_or(Timestamp::MAX);
    let today = now.to_zoned(zone.clone()).date();
    for days in 0..3_i64 {
        let Ok(date) = today.checked_add(days.days()) else { break };
        let moment = zone.to_ambiguous_zoned(date.to_datetime(time)).compatible();
        match moment {
            Ok(moment) if moment.timestamp() >= earliest => return moment.timestamp(),
            _ => {}
        }
    }
    later(now, Duration::from_secs(24 * 3600))
}

pub(super) fn later(time: Timestamp, by: Duration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// `18:05`, or `11-22 09:00` on another day than `now`. UTC is named, because nobody may have configured it.
pub(super) fn short_time(moment: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let (moment, now) = (moment.to_zoned(zone.clone()), now.to_zoned(zone.clone()));
    let format = if moment.date() == now.date() { "%H:%M" } else { "%m-%d %H:%M" };
    let mark = if moment.offset() == Offset::UTC { " UTC" } else { "" };
    format!("{}{mark}", moment.strftime(format))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone() -> TimeZone {
        TimeZone::get("Asia/Shanghai").unwrap()
    }

    fn until_nine(now: &str, zone: &TimeZone) -> String {
        let now: Timestamp = now.parse().unwrap();
        let action = ButtonAction::SilenceUntil(Time::constant(9, 0, 0, 0));
        end_of_silence(action, now, zone).unwrap().to_zoned(zone.clone()).to_string()
    }

    #[test]
    fn until_nine_is_at_least_an_hour_away() {
        for (now, until) in [
            ("2026-11-21T18:00:00+08:00", "2026-11-22T09:00:00+08:00[Asia/Shanghai]"),
            ("2026-11-22T07:59:00+08:00", "2026-11-22T09:00:00+08:00[Asia/Shanghai]"),
            ("2026-11-22T08:00:00+08:00", "2026-11-22T09:00:00+08:00[Asia/Shanghai]"),
            ("2026-11-22T08:00:01+08:00", "2026-11-23T09:00:00+08:00[Asia/Shanghai]"),
            ("2026-11-22T09:00:00+08:00", "2026-11-23T09:00:00+08:00[Asia/Shanghai]"),
            ("2026-12-31T23:59:59+08:00", "2027-01-01T09:00:00+08:00[Asia/Shanghai]"),
        ] {
            assert_eq!(until_nine(now, &zone()), until);
        }
    }

    #[test]
    fn the_clock_change_does_not_move_nine_o_clock() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        assert_eq!(until_nine("2026-10-24T20:00:00Z", &zone), "2026-10-25T09:00:00+01:00[Europe/Berlin]");
    }

    #[test]
    fn a_length_counts_from_now() {
        let now: Timestamp = "2026-11-21T18:00:00Z".parse().unwrap();
        let end = end_of_silence(ButtonAction::Silence(Duration::from_secs(3600)), now, &zone());
        assert_eq!(end.unwrap().to_string(), "2026-11-21T19:00:00Z");
        assert_eq!(end_of_silence(ButtonAction::Acknowledge, now, &zone()), None);
    }

    #[test]
    fn another_day_has_a_date_and_utc_has_a_mark() {
        let now: Timestamp = "2026-11-21T18:00:00+08:00".parse().unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(short_time(at("2026-11-21T19:05:00+08:00"), now, &zone()), "19:05");
        assert_eq!(short_time(at("2026-11-22T09:00:00+08:00"), now, &zone()), "11-22 09:00");
        assert_eq!(short_time(at("2026-11-21T11:05:00Z"), now, &TimeZone::UTC), "11:05 UTC");
    }
}
