//! Time zones as Go's `time.Location`.

use jiff::{Timestamp, tz::TimeZone};

/// The first and the last second that jiff knows. Times outside of them have the zone's first or last offset.
const FIRST_SECOND: i64 = -377_705_023_201;
const LAST_SECOND: i64 = 253_402_207_200;

/// A time zone.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::render::go) enum Zone {
    Utc,
    /// Seconds east of UTC, without a name.
    Fixed(i64),
    Named {
        /// As Go's `Location.String` shows it: the name that TZ or `tz` got, or `Local`.
        name: String,
        zone: TimeZone,
    },
}

/// The offset of a zone at some moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ZoneOffset {
    /// Seconds east of UTC.
    pub(super) seconds: i64,
    /// Such as `CST`; empty if the zone has no name.
    pub(super) abbreviation: String,
    pub(super) is_daylight_saving: bool,
}

impl Zone {
    /// The zone of the process.
    pub(in crate::render::go) fn local(zone: &TimeZone) -> Self {
        Self::Named { name: zone.iana_name().unwrap_or("Local").to_owned(), zone: zone.clone() }
    }

    /// Go's `time.LoadLocation`.
    pub(in crate::render::go) fn load(name: &str, local: &TimeZone) -> Result<Self, String> {
        match name {
            "" | "UTC" => return Ok(Self::Utc),
            "Local" => return Ok(Self::local(local)),
            _ => {}
        }
        if name.contains("..") || name.starts_with(['/', '\\']) {
            return Err("time: invalid location name".to_owned());
        }
        // jiff ignores the case of names and Go does not.
        match TimeZone::get(name) {
            Ok(zone) if zone.iana_name() == Some(name) => Ok(Self::Named { name: name.to_owned(), zone }),
            _ => Err(format!("unknown time zone {name}; a name is written as Asia/Shanghai")),
        }
    }

    pub(in crate::render::go) fn name(&self) -> &str {
        match self {
            Self::Utc => "UTC",
            Self::Fixed(_) => "",
            Self::Named { name, .. } => name,
        }
    }

    /// The offset at `second` after 1970 began in UTC.
    pub(super) fn offset(&self, second: i64) -> ZoneOffset {
        let (seconds, abbreviation) = match self {
            Self::Utc => (0, "UTC".to_owned()),
            Self::Fixed(seconds) => (*seconds, String::new()),
            Self::Named { zone, .. } => {
                let info = zone.to_offset_info(timestamp(second));
                return ZoneOffset {
                    seconds: info.offset().seconds().into(),
                    abbreviation: info.abbreviation().to_owned(),
                    is_daylight_saving: info.dst().is_dst(),
                };
            }
        };
        ZoneOffset { seconds, abbreviation, is_daylight_saving: false }
    }

    /// The offset in seconds alone.
    pub(super) fn offset_seconds(&self, second: i64) -> i64 {
        match self {
            Self::Utc => 0,
            Self::Fixed(seconds) => *seconds,
            Self::Named { zone, .. } => zone.to_offset(timestamp(second)).seconds().into(),
        }
    }
}

fn timestamp(second: i64) -> Timestamp {
    Timestamp::from_second(second.clamp(FIRST_SECOND, LAST_SECOND)).unwrap_or_default()
}
