//! The time of a log line.

use std::fmt;

use jiff::tz::TimeZone;
use tracing_subscriber::fmt::{format::Writer, time::FormatTime};

use crate::clock::{Clock as _, SystemClock};

/// The zone of times in log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogTime {
    #[default]
    Utc,
    /// The zone of `TZ` or of the system.
    Local,
}

/// Writes the present time in RFC 3339 with milliseconds.
pub(super) struct LogClock(TimeZone);

impl LogClock {
    pub(super) fn new(time: LogTime) -> Self {
        Self(match time {
            LogTime::Utc => TimeZone::UTC,
            LogTime::Local => TimeZone::system(),
        })
    }
}

impl FormatTime for LogClock {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let now = SystemClock.now();
        if self.0 == TimeZone::UTC {
            return write!(writer, "{now:.3}");
        }
        write!(writer, "{}", now.to_zoned(self.0.clone()).strftime("%Y-%m-%dT%H:%M:%S.%3f%:z"))
    }
}
