//! Filters for times and durations.
//!
//! A text that is not a time is returned unchanged, because a message with an odd time is better than none. Go's zero
//! time, the `endsAt` of a firing alert, becomes empty. A time without a zone is in the configured one.

use jiff::{SignedDuration, Timestamp, Zoned, civil::DateTime, fmt::strtime, tz::TimeZone};
use tera::{Error, Kwargs, State, TeraResult, Value};

use super::wording::language;
use crate::{language::Language, render::render_context, text::local_time};

/// The argument of a filter for times.
enum Time {
    At(Timestamp),
    /// Go's zero time, or an empty text.
    None,
    Other(String),
}

impl Time {
    fn of(value: &Value) -> TeraResult<Self> {
        if let Some(text) = value.as_str() {
            return Self::read(text);
        }
        if let Some(seconds) = value.as_i64() {
            let moment = Timestamp::from_second(seconds);
            let moment =
                moment.map_err(|_| Error::message(format!("{seconds} seconds since 1970 is not a time")))?;
            return Ok(Self::At(moment));
        }
        Err(Error::message(format!(
            "a time must be a text as in `startsAt` or a number of seconds since 1970, not {}",
            value.name()
        )))
    }

    fn read(text: &str) -> TeraResult<Self> {
        if text.is_empty() || text.starts_with("0001-01-01T00:00:00") {
            return Ok(Self::None);
        }
        if let Ok(moment) = text.parse::<Timestamp>() {
            return Ok(Self::At(moment));
        }
        let zone = render_context::with(|context| context.time.zone.clone())?;
        let local = text.parse::<DateTime>().ok().and_then(|local| zone.to_zoned(local).ok());
        Ok(local.map_or_else(|| Self::Other(text.to_owned()), |zoned| Self::At(zoned.timestamp())))
    }
}

/// The time in a format of strftime. The zone is the argument, else the configured one. The default format says so
/// when the time is in UTC.
pub(super) fn date(value: &Value, kwargs: Kwargs, _: &State<'_>) -> TeraResult<String> {
    let format = kwargs.get::<&str>("format")?;
    let zone = kwargs.get::<&str>("zone")?.map(zone).transpose()?;
    let moment = match Time::of(value)? {
        Time::At(moment) => moment,
        Time::None => return Ok(String::new()),
        Time::Other(text) => return Ok(text),
    };
    let zone = match zone {
        Some(zone) => zone,
        None => render_context::with(|context| context.time.zone.clone())?,
    };
    let Some(format) = format else { return Ok(local_time(moment, &zone)) };
    let zoned: Zoned = moment.to_zoned(zone);
    strtime::format(format, &zoned)
        .map_err(|error| Error::message(format!("`format` is not a format of strftime: {error}")))
}

fn zone(name: &str) -> TeraResult<TimeZone> {
    TimeZone::get(name).map_err(|_| {
        Error::message(format!("unknown time zone {name:?}; `zone` must be a name such as \"Asia/Shanghai\""))
    })
}

/// The duration from the time until now.
pub(super) fn since(value: &Value, kwargs: Kwargs, _: &State<'_>) -> TeraResult<String> {
    let language = language(&kwargs)?;
    let now = render_context::with(|context| context.time.now)?;
    Ok(match Time::of(value)? {
        Time::At(moment) => readable(now.duration_since(moment), language),
        Time::None => String::new(),
        Time::Other(text) => text,
    })
}

/// A number of seconds, or the duration from one time `until` another, in words.
pub(super) fn duration(value: &Value, kwargs: Kwargs, _: &State<'_>) -> TeraResult<String> {
    let language = language(&kwargs)?;
    let Some(until) = kwargs.get::<&Value>("until")? else {
        let seconds = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
        let seconds = seconds.and_then(|seconds| SignedDuration::try_from_secs_f64(seconds).ok());
        return seconds.map(|length| readable(length, language)).ok_or_else(|| {
            Error::message("a duration must be a number of seconds, or a time with another time as `until`")
        });
    };
    Ok(match (Time::of(value)?, Time::of(until)?) {
        (Time::At(from), Time::At(until)) => readable(until.duration_since(from), language),
        _ => String::new(),
    })
}

/// The two largest units. A negative duration, which clocks that differ can cause, counts as zero.
fn readable(length: SignedDuration, language: Language) -> String {
    let seconds = length.as_secs().max(0);
    let [day, hour, minute, second] = language.choose(["d", "h", "m", "s"], ["天", "小时", "分钟", "秒"]);
    let units = [(seconds / 86_400, day), (seconds / 3600 % 24, hour), (seconds / 60 % 60, minute)];
    let units = units.into_iter().chain([(seconds % 60, second)]).skip_while(|(count, _)| *count == 0);
    let shown: Vec<String> =
        units.take(2).filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}")).collect();
    if shown.is_empty() { format!("0{second}") } else { shown.join(language.choose(" ", "")) }
}
