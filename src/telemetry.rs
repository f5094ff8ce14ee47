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
    filter::Targets, fmt, fmt::MakeWriter, layer::SubscriberExt, registry, util::SubscriberInitExt,
};

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
#[error("not a log level: {0:?}; right would be: error, warn, info, debug, trace, or wecom_relay=debug,warn")]
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
    let levels = levels(filter).ok_or_else(|| BadFilter(filter.to_owned()))?;
    let lines = fmt::layer().log_internal_errors(true).with_writer(writer).with_target(false);
    Ok(match format {
        LogFormat::Text => Box::new(registry().with(lines.with_ansi(colours)).with(levels)),
        LogFormat::Json => {
            let lines = lines.json().flatten_event(true).with_span_list(false);
            Box::new(registry().with(lines).with(levels))
        }
    })
}

/// What `filter` says, without its empty parts: alone, one would mean ERROR. Nothing for spans, which would pass for
/// modules that there are not.
fn levels(filter: &str) -> Option<Targets> {
    let parts: Vec<_> = filter.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    if filter.contains('[') {
        return None;
    }
    parts.join(",").parse().ok()
}

/// `text` up to a length at which a log line is still read: senders decide what group keys and the like say.
pub fn clip(text: &str) -> &str {
    const BYTES: usize = 200;
    let end = (0..=BYTES.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or_default()).unwrap_or_default()
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
        for filter in ["wecom_relay=loud", "info,hyper=debug=info", "wecom_relay[send]=debug"] {
            assert_eq!(init(LogFormat::Text, filter), Err(BadFilter(filter.to_owned())), "{filter}");
        }
    }
}
