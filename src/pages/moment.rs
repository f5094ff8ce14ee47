//! Times on pages: how long ago, with the exact time beside it.

use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

use crate::{language::Language, text::local_time};

/// A time as a page shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// RFC 3339, for scripts.
    pub iso: String,
    /// With its zone.
    pub exact: String,
    /// Such as `2 min ago` or `in 20 s`.
    pub relative: String,
}

/// Makes [`Moment`]s for one answer.
#[derive(Debug, Clone)]
pub struct Moments {
    pub now: Timestamp,
    pub zone: TimeZone,
    pub language: Language,
}

impl Moments {
    pub fn at(&self, at: Timestamp) -> Moment {
        let seconds = self.now.duration_since(at).as_secs();
        let span = span(seconds.unsigned_abs(), self.language);
        let relative = match (seconds >= 0, self.language) {
            (true, Language::En) => format!("{span} ago"),
            (true, Language::Zh) => format!("{span}前"),
            (false, Language::En) => format!("in {span}"),
            (false, Language::Zh) => format!("{span}后"),
        };
        Moment { iso: format!("{at:.3}"), exact: local_time(at, &self.zone), relative }
    }
}

/// A number of seconds in its largest unit. `live.js` has the same rules.
pub fn span(seconds: u64, language: Language) -> String {
    let (count, unit) = match seconds {
        ..60 => (seconds, language.choose("s", "秒")),
        60..3600 => (seconds / 60, language.choose("min", "分钟")),
        3600..172_800 => (seconds / 3600, language.choose("h", "小时")),
        _ => (seconds / 86_400, language.choose("d", "天")),
    };
    format!("{count} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_relative_in_both_languages() {
        let now: Timestamp = "2026-11-21T03:02:11Z".parse().unwrap();
        let relative = |seconds: i64, language| {
            let moments = Moments { now, zone: TimeZone::UTC, language };
            moments.at(now - jiff::SignedDuration::from_secs(seconds)).relative
        };
        let seconds = [0, 59, 60, 7199, 172_800, -20];
        let english = seconds.map(|seconds| relative(seconds, Language::En));
        assert_eq!(english, ["0 s ago", "59 s ago", "1 min ago", "1 h ago", "2 d ago", "in 20 s"]);
        let chinese = seconds.map(|seconds| relative(seconds, Language::Zh));
        assert_eq!(chinese, ["0 秒前", "59 秒前", "1 分钟前", "1 小时前", "2 天前", "20 秒后"]);
    }
}
