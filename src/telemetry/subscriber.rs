//! The format and the filter of log lines.

use std::{
    io::{self, IsTerminal},
    panic::{self, PanicHookInfo},
    thread,
};

use tracing::{Subscriber, field::display};
use tracing_subscriber::{
    EnvFilter, filter::LevelFilter, fmt, fmt::MakeWriter, layer::SubscriberExt, registry,
    util::SubscriberInitExt,
};

use super::{
    colours::has_colours,
    json_lines::{JsonFields, JsonLines},
    log_time::{LogClock, LogTime},
    log_writer::LogWriter,
    logfmt::Logfmt,
};
use crate::text::prefix;

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people, with colours on a terminal.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// A log filter that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a log level: {0:?}; write error, warn, info, debug, trace or off, or a level for each module, such as \
     wecom_relay=debug,warn (names of modules have _ instead of -)"
)]
pub struct BadFilter(String);

/// Starts logging to standard error. `filter` has the syntax of [`EnvFilter`]: a level, or a level for each module.
///
/// # Errors
/// [`BadFilter`]
pub fn init(format: LogFormat, time: LogTime, filter: &str) -> Result<LogWriter, BadFilter> {
    let writer = LogWriter::stderr();
    let of_event = writer.clone();
    let colours = has_colours(io::stderr().is_terminal(), |name| std::env::var_os(name));
    let lines = subscriber(format, time, filter, colours, move || of_event.clone())?;
    // A second call in one process keeps the first subscriber.
    let _ = lines.try_init();
    let of_panic = writer.clone();
    panic::set_hook(Box::new(move |info| {
        log_panic(info);
        // A panic may end the process.
        of_panic.flush();
    }));
    Ok(writer)
}

/// The hook of the standard library would wait for a reader of standard error that does not read.
fn log_panic(info: &PanicHookInfo<'_>) {
    let (thread, location) = (thread::current(), info.location().map(display));
    let payload = info.payload();
    let text = payload.downcast_ref::<&str>().copied();
    let panic = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    tracing::error!(
        thread = thread.name(),
        location,
        panic,
        "panic: a defect of the relay; please report it"
    );
}

/// A subscriber that writes log lines with UTC times to `writer`.
///
/// # Errors
/// [`BadFilter`]
pub fn lines<W>(
    format: LogFormat,
    filter: &str,
    colours: bool,
    writer: W,
) -> Result<Box<dyn Subscriber + Send + Sync>, BadFilter>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    subscriber(format, LogTime::Utc, filter, colours, writer)
}

fn subscriber<W>(
    format: LogFormat,
    time: LogTime,
    filter: &str,
    colours: bool,
    writer: W,
) -> Result<Box<dyn Subscriber + Send + Sync>, BadFilter>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = env_filter(filter)?;
    let lines = fmt::layer().log_internal_errors(false).with_writer(writer).with_target(false);
    let clock = LogClock::new(time);
    Ok(match format {
        LogFormat::Text => {
            let lines = lines.with_timer(clock).fmt_fields(Logfmt).with_ansi(colours);
            Box::new(registry().with(lines).with(filter))
        }
        LogFormat::Json => {
            let lines = lines.fmt_fields(JsonFields).event_format(JsonLines(clock));
            Box::new(registry().with(lines).with(filter))
        }
    })
}

fn env_filter(filter: &str) -> Result<EnvFilter, BadFilter> {
    // EnvFilter would take a space for a part of the name.
    let filter = &filter.split(',').map(str::trim).collect::<Vec<_>>().join(",");
    // A filter of spans or fields has its own grammar, which EnvFilter checks.
    if !filter.contains('[') {
        check_levels(filter)?;
    }
    EnvFilter::builder()
        .with_default_directive(LevelFilter::ERROR.into())
        .parse(filter)
        .map_err(|_| BadFilter(filter.to_owned()))
}

/// Refuses mistyped levels, because [`EnvFilter`] takes them for names of modules and then logs nothing else.
fn check_levels(filter: &str) -> Result<(), BadFilter> {
    for directive in filter.split(',').filter(|directive| !directive.is_empty()) {
        let (module, level) = directive.split_once('=').unwrap_or(("wecom_relay", directive));
        let is_level = !level.is_empty() && level.parse::<LevelFilter>().is_ok();
        if !is_level || !is_module(module) {
            return Err(BadFilter(directive.to_owned()));
        }
    }
    Ok(())
}

fn is_module(path: &str) -> bool {
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    path.split("::").all(is_name)
}

/// The beginning of a value that a client chose, such as a group key, because nobody reads a longer log line.
pub fn clip(text: &str) -> &str {
    const MAX_BYTES: usize = 200;
    prefix(text, MAX_BYTES)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::{debug, error, warn};

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The messages that pass `filter`, of two modules at three levels.
    fn logged(filter: &str) -> Vec<String> {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let subscriber = lines(LogFormat::Text, filter, false, move || writer.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            error!(target: "wecom_relay::http", "relay-error");
            debug!(target: "wecom_relay::http", "relay-debug");
            error!(target: "hyper", "hyper-error");
            warn!(target: "hyper", "hyper-warn");
            debug!(target: "hyper", "hyper-debug");
        });
        let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| line.rsplit(' ').next().unwrap().to_owned()).collect()
    }

    #[test]
    fn levels_are_set_for_all_modules_or_by_module() {
        let all = ["relay-error", "relay-debug", "hyper-error", "hyper-warn", "hyper-debug"];
        assert_eq!(logged("debug"), all);
        assert_eq!(logged("DEBUG,"), all);
        assert_eq!(logged("info"), ["relay-error", "hyper-error", "hyper-warn"]);
        assert_eq!(
            logged("wecom_relay=debug, warn"),
            ["relay-error", "relay-debug", "hyper-error", "hyper-warn"]
        );
        assert_eq!(logged("hyper=warn"), ["hyper-error", "hyper-warn"]);
        assert_eq!(logged("off"), [""; 0]);
        assert_eq!(logged(""), ["relay-error", "hyper-error"]);
    }

    /// The keys and values of logfmt after the time, the level and a message of one word.
    fn parsed(line: &str) -> Vec<(String, String)> {
        let (_, fields) = line.trim_end().split_once(" message ").unwrap();
        let mut rest = fields.chars().peekable();
        let mut parsed = Vec::new();
        while rest.peek().is_some() {
            let key: String = rest.by_ref().take_while(|c| *c != '=').collect();
            let mut value = String::new();
            if rest.next_if_eq(&'"').is_some() {
                while let Some(c) = rest.next().filter(|c| *c != '"') {
                    let escaped = if c == '\\' { rest.next().unwrap() } else { c };
                    value.push(if c == '\\' && escaped == 'n' { '\n' } else { escaped });
                }
                assert_ne!(rest.next().unwrap_or(' '), '"', "{line}");
            } else {
                value.extend(rest.by_ref().take_while(|c| *c != ' '));
            }
            parsed.push((key, value));
        }
        parsed
    }

    #[test]
    fn no_value_turns_the_direction_of_a_line() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let buffer = Buffer::default();
            let writer = buffer.clone();
            let subscriber = lines(format, "info", false, move || writer.clone()).unwrap();
            tracing::subscriber::with_default(subscriber, || warn!(group = "\u{202E}nwod", "message"));
            let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
            assert!(!text.contains('\u{202E}') && text.contains("202e") && text.contains("nwod"), "{text}");
        }
    }

    #[test]
    fn every_text_line_is_logfmt() {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let subscriber = lines(LogFormat::Text, "info", false, move || writer.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            let (receiver, group) = ("ops 值班", "");
            warn!(%receiver, quoted = r#"say "a=b""#, group, lines = %"a\nb", number = 3, none = None::<&str>, "message");
        });
        let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        let fields = parsed(&text);
        let fields: Vec<_> = fields.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let expected =
            [("receiver", "ops 值班"), ("quoted", "say \"a=b\""), ("lines", "a\nb"), ("number", "3")];
        assert_eq!(fields, expected, "{text}");
        let time = text.split(' ').next().unwrap();
        assert_eq!(time.len(), "2026-11-21T08:00:00.000Z".len(), "{time}");
    }

    #[test]
    fn a_json_line_has_the_fields_of_its_span_and_no_empty_ones() {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let subscriber = lines(LogFormat::Json, "info", false, move || writer.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            let (receiver, group) = ("ops 值班", "");
            let _span = tracing::info_span!("send", %receiver, group, delivery = 7_i64).entered();
            warn!(
                group,
                outcome = "\u{1b}[31m\"no\"",
                took = 1.5,
                fine = false,
                none = None::<&str>,
                "message"
            );
        });
        let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        let (start, fields) = text.trim_end().split_once(r#","level""#).unwrap();
        assert_eq!(start.len(), r#"{"timestamp":"2026-11-21T08:00:00.000Z""#.len(), "{text}");
        let expected = r#":"WARN","delivery":7,"receiver":"ops 值班","message":"message","outcome":"\u001b[31m\"no\"","took":1.5,"fine":false}"#;
        assert_eq!(fields, expected);
    }

    #[test]
    fn a_bad_filter_is_refused() {
        for (filter, bad) in [
            ("wecom_relay=loud", "wecom_relay=loud"),
            ("info,hyper=debug=info", "hyper=debug=info"),
            ("wecom_relay[send=debug", "wecom_relay[send=debug"),
            ("warning", "warning"),
            ("info, loud", "loud"),
            ("wecom_relay", "wecom_relay"),
            ("wecom_relay=", "wecom_relay="),
            ("wecom-relay=debug,warn", "wecom-relay=debug"),
            ("wecom_relay:http=debug", "wecom_relay:http=debug"),
            ("=debug", "=debug"),
        ] {
            assert_eq!(
                init(LogFormat::Text, LogTime::Utc, filter).err(),
                Some(BadFilter(bad.to_owned())),
                "{filter}"
            );
        }
        let shown = BadFilter("warning".to_owned()).to_string();
        assert!(shown.contains("\"warning\"") && shown.contains("error, warn, info"), "{shown}");
    }
}
