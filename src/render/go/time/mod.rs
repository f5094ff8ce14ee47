//! Go's `time.Time` and `time.Duration`.

mod calendar;
mod duration;
mod format;
mod layout;
mod moment;
mod parse;
mod zone;

pub(super) use calendar::{month_name, weekday_name};
pub(super) use duration::{duration_text, rounded, seconds, truncated};
pub(super) use format::{JSON, formatted, time_text};
pub(super) use moment::Time;
pub(super) use parse::{parse, parse_rfc3339};
pub(super) use zone::Zone;
