//! `humanizeDuration` of Prometheus.

use crate::render::go::{
    format::{float_text, parse_float, quoted_bytes},
    time::seconds,
    value::{IntType, StrType, Value},
};

/// A number of seconds with units: `1d 2h 3m 4s`, or `1.5ms`.
pub(super) fn humanize_duration(value: &Value) -> Result<String, String> {
    let seconds = match value {
        Value::Float(number) => *number,
        Value::Int(nanoseconds, IntType::Duration) => seconds(*nanoseconds, 1_000_000_000),
        Value::Int(number, IntType::Int | IntType::Int64) => *number as f64,
        Value::Str(text, StrType::Plain) => {
            let number = str::from_utf8(text).ok().and_then(parse_float);
            number.ok_or_else(|| {
                format!("strconv.ParseFloat: parsing {}: invalid syntax", quoted_bytes(text, '"', false))
            })?
        }
        other => return Err(format!("can't convert {} to float", other.type_name())),
    };
    let short = |number: f64| float_text(number, 'g', Some(4));
    if !seconds.is_finite() {
        return Ok(short(seconds));
    }
    if seconds.abs() >= 1.0 {
        let sign = if seconds < 0.0 { "-" } else { "" };
        let whole = seconds.abs() as i64;
        let (days, hours, minutes, rest) = (whole / 86_400, whole / 3600 % 24, whole / 60 % 60, whole % 60);
        return Ok(match (days, hours, minutes) {
            (0, 0, 0) => format!("{sign}{}s", short(seconds.abs())),
            (0, 0, _) => format!("{sign}{minutes}m {rest}s"),
            (0, ..) => format!("{sign}{hours}h {minutes}m {rest}s"),
            _ => format!("{sign}{days}d {hours}h {minutes}m {rest}s"),
        });
    }
    let mut number = seconds;
    let mut prefix = "";
    for smaller in ["m", "u", "n", "p", "f", "a", "z", "y"] {
        if number == 0.0 || number.abs() >= 1.0 {
            break;
        }
        prefix = smaller;
        number *= 1000.0;
    }
    Ok(format!("{}{prefix}s", short(number)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_readable() {
        for (seconds, text) in [
            (0.0, "0s"),
            (59.5, "59.5s"),
            (61.0, "1m 1s"),
            (-3725.0, "-1h 2m 5s"),
            (90_061.9, "1d 1h 1m 1s"),
            (0.0015, "1.5ms"),
            (1e-7, "100ns"),
        ] {
            assert_eq!(humanize_duration(&Value::Float(seconds)).as_deref(), Ok(text));
        }
        assert_eq!(humanize_duration(&Value::text("1.5".to_owned())).as_deref(), Ok("1.5s"));
        assert_eq!(humanize_duration(&Value::duration(90_000_000_000)).as_deref(), Ok("1m 30s"));
        assert!(humanize_duration(&Value::text("x".to_owned())).is_err());
        assert!(humanize_duration(&Value::Nil).is_err());
    }
}
