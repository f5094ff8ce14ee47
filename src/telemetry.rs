//! Log lines: one constant message and fields each, on standard error.
//!
//! - What a line is about is said by fields that have the same names everywhere: `app`, `receiver`, `group`,
//!   `notification`, `delivery`.
//! - ERROR says that an alert may be lost or that a person must act, WARN that something unexpected happened and
//!   nothing is lost, INFO that something was done, DEBUG the steps on the way to that.
//! - Levels are chosen by module. `EnvFilter`, which knows spans and the values of fields too, was rejected: it brings
//!   half a megabyte of automata for them.

use std::io::{self, IsTerminal};

use tracing::Subscriber;
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt,
    fmt::MakeWriter,
    layer::SubscriberExt,
    registry,
    util::SubscriberInitExt,
};

use crate::text::prefix;

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people; in colours when a terminal shows them.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// A log filter that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a log level: {0:?}; right would be: error, warn, info, debug, trace, off, or levels by module as in \
     wecom_relay=debug,warn (the name of a module has _ where the program's has -)"
)]
pub struct BadFilter(String);

/// Starts logging. `filter` is a level, or levels by module as in `wecom_relay=debug,warn`.
///
/// # Errors
/// [`BadFilter`]
pub fn init(format: LogFormat, filter: &str) -> Result<(), BadFilter> {
    // A second start in one process keeps the first.
    let _ = lines(format, filter, io::stderr().is_terminal(), io::stderr)?.try_init();
    Ok(())
}

/// What writes log lines to `writer`.
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
    let levels = levels(filter)?;
    let lines = fmt::layer().log_internal_errors(true).with_writer(writer).with_target(false);
    Ok(match format {
        LogFormat::Text => Box::new(registry().with(lines.with_ansi(colours)).with(levels)),
        LogFormat::Json => {
            let lines = lines.json().flatten_event(true).with_span_list(false);
            Box::new(registry().with(lines).with(levels))
        }
    })
}

/// What `filter` says. [`Targets`] by itself takes a mistyped level for a module's name, beside which
/// nothing is logged.
fn levels(filter: &str) -> Result<Targets, BadFilter> {
    let parts: Vec<_> = filter.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    let mut levels = Targets::new();
    if parts.is_empty() {
        levels = levels.with_default(LevelFilter::ERROR);
    }
    for part in parts {
        let (module, level) = match part.split_once('=') {
            Some((module, level)) => (Some(module), level),
            None => (None, part),
        };
        // An empty one would be ERROR.
        let level = Some(level).filter(|level| !level.is_empty()).and_then(|level| level.parse().ok());
        let level: LevelFilter = level.ok_or_else(|| BadFilter(part.to_owned()))?;
        levels = match module {
            None => levels.with_default(level),
            Some(module) if is_path(module) => levels.with_target(module, level),
            Some(_) => return Err(BadFilter(part.to_owned())),
        };
    }
    Ok(levels)
}

/// Whether `module` can be the path of one.
fn is_path(module: &str) -> bool {
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    module.split("::").all(is_name)
}

/// The beginning of a value that a client chose, such as a group key, because nobody reads a longer log line.
pub fn clip(text: &str) -> &str {
    const MAX_BYTES: usize = 200;
    prefix(text, MAX_BYTES)
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn levels_are_set_for_all_modules_or_by_module() {
        let debugs = |filter, module| levels(filter).unwrap().would_enable(module, &Level::DEBUG);
        assert!(debugs("debug", "hyper") && debugs("DEBUG,", "hyper") && !debugs("info", "hyper"));
        let filter = "wecom_relay=debug, warn";
        assert!(debugs(filter, "wecom_relay::http") && !debugs(filter, "hyper"));
        assert!(levels(filter).unwrap().would_enable("hyper", &Level::WARN));
        assert!(!levels("off").unwrap().would_enable("wecom_relay", &Level::ERROR));
        let none = levels("").unwrap();
        assert!(none.would_enable("hyper", &Level::ERROR) && !none.would_enable("hyper", &Level::WARN));
    }

    #[test]
    fn a_filter_that_is_none_is_refused() {
        for (filter, part) in [
            ("wecom_relay=loud", "wecom_relay=loud"),
            ("info,hyper=debug=info", "hyper=debug=info"),
            ("wecom_relay[send]=debug", "wecom_relay[send]=debug"),
            ("warning", "warning"),
            ("info, loud", "loud"),
            ("wecom_relay", "wecom_relay"),
            ("wecom_relay=", "wecom_relay="),
            ("wecom-relay=debug,warn", "wecom-relay=debug"),
            ("wecom_relay:http=debug", "wecom_relay:http=debug"),
            ("=debug", "=debug"),
        ] {
            assert_eq!(init(LogFormat::Text, filter), Err(BadFilter(part.to_owned())), "{filter}");
        }
        let told = BadFilter("warning".to_owned()).to_string();
        assert!(told.contains("\"warning\"") && told.contains("error, warn, info"), "{told}");
    }
}
