//! Log lines: one constant message and fields each, on standard error.
//!
//! ERROR says that an alert may be lost or that a person must act, WARN that something unexpected happened and
//! nothing is lost.

use std::io::{self, IsTerminal};

use tracing_subscriber::{EnvFilter, fmt};

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
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
    let filter = EnvFilter::try_new(filter).map_err(|_| BadFilter(filter.to_owned()))?;
    let lines = fmt().with_env_filter(filter).with_writer(io::stderr).with_target(false);
    // A second start in one process keeps the first.
    let _ = match format {
        LogFormat::Text => lines.with_ansi(io::stderr().is_terminal()).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    Ok(())
}
