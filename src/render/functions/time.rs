//! Filters for times and durations.
//!
//! A text that is not a time is returned unchanged, because a message with an odd time is better than none. Go's zero
//! time, the `endsAt` of a firing alert, becomes empty. A time without a zone is in the configured one.

use jiff::{
    SignedDuration, Timestamp, Zoned,
    civil::DateTime,
    fmt::{strtime, temporal::Pieces},
    tz::{Offset, TimeZone},
};
use tera::{Error, Kwargs, State, TeraResult, Value};

use crate::render::render_context;

/// The default format of `date`, which Chinese operators are used to.
const FORMAT: &str = "%Y-%m-%d %H:%M:%S";

/// The argument of a filter for times.
enum Time {
    At {
        moment: Timestamp,
        offset: Offset,
    },
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
            return Ok(Self::At { moment, offset: Offset::UTC });
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
            let offset = Pieces::parse(text).ok().and_then(|pieces| pieces.to_numeric_offset());
            return Ok(Self::At { moment, offset: offset.unwrap_or(Offset::UTC) });
        }
        let zone = render_context::with(|context| context.time.zone.clone())?.unwrap_or(TimeZone::UTC);
        let local = text.parse::<DateTime>().ok().and_then(|local| zone.to_zoned(local).ok());
        Ok(match local {
            Some(zoned) => Self::At { moment: zoned.timestamp(), offset: zoned.offset() },
            None => Self::Other(text.to_owned()),
        })
    }
}

/// The time in a format of strftime. The zone is the argument, else the configured one, else the offset of the time.
pub(super) fn date(value: &Value, kwargs: Kwargs, _: &State<'_>) -> TeraResult<String> {
    let format = kwargs.get::<&str>("format")?.unwrap_or(FORMAT);
    let zone = kwargs.get::<&str>("zone")?.map(zone).transpose()?;
    let (moment, offset) = match Time::of(value)? {
        Time::At { moment, offset } => (moment, offset),
        Time::None => return Ok(String::new()),
        Time::Other(text) => return Ok(text),
    };
    let zone = match zone {
        Some(zone) => zone,
        None => render_context::with(|context| context.time.zone.clone())?
            .unwrap_or_else(|| TimeZone::fixed(offset)),
    };
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
    let lang = Lang::of(&kwargs)?;
    let now = render_context::with(|context| context.time.now)?;
    Ok(match Time::of(value)? {
        Time::At { moment, .. } => lang.readable(now.duration_since(moment)),
        Time::None => String::new(),
        Time::Other(text) => text,
    })
}

/// A number of seconds, or the duration from one time `until` another, in words.
pub(super) fn duration(value: &Value, kwargs: Kwargs, _: &State<'_>) -> TeraResult<String> {
    let lang = Lang::of(&kwargs)?;
    let Some(until) = kwargs.get::<&Value>("until")? else {
        let seconds = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
        let seconds = seconds.and_then(|seconds| SignedDuration::try_from_secs_f64(seconds).ok());
        return seconds.map(|length| lang.readable(length)).ok_or_else(|| {
            Error::message("a duration must be a number of seconds, or a time with another time as `until`")
        });
    };
    Ok(match (Time::of(value)?, Time::of(until)?) {
        (Time::At { moment: from, .. }, Time::At { moment: until, .. }) => {
            lang.readable(until.duration_since(from))
        }
        _ => String::new(),
    })
}

#[derive(Clone, Copy)]
enum Lang {
    En,
    Zh,
}

impl Lang {
    fn of(kwargs: &Kwargs) -> TeraResult<Self> {
        match kwargs.get::<&str>("lang")? {
            None | Some("en") => Ok(Self::En),
            Some("zh") => Ok(Self::Zh),
            Some(other) => Err(Error::message(format!("`lang` must be \"en\" or \"zh\", not {other:?}"))),
        }
    }

    /// The two largest units. A negative duration, which clocks that differ can cause, counts as zero.
    fn readable(self, length: SignedDuration) -> String {
        let seconds = length.as_secs().max(0);
        let (day, hour, minute, second, space) = match self {
            Self::En => ("d", "h", "m", "s", " "),
            Self::Zh => ("天", "小时", "分钟", "秒", ""),
        };
        let units = [(seconds / 86_400, day), (seconds / 3600 % 24, hour), (seconds / 60 % 60, minute)];
        let units = units.into_iter().chain([(seconds % 60, second)]).skip_while(|(count, _)| *count == 0);
        let shown: Vec<String> = units
            .take(2)
            .filter(|(count, _)| *count > 0)
            .map(|(count, unit)| format!("{count}{unit}"))
            .collect();
        if shown.is_empty() { format!("0{second}") } else { shown.join(space) }
    }
}
