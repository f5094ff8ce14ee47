//! Log lines: one constant message and fields each, on standard error.
//!
//! - What a line is about is said by fields that have the same names everywhere: `app`, `receiver`, `group`,
//!   `notification`, `delivery`.
//! - ERROR says that an alert may be lost or that a person must act, WARN that something unexpected happened and
//!   nothing is lost, INFO that something was done, DEBUG the steps on the way to that.

use std::io::{self, IsTerminal};

use tracing::Subscriber;
use tracing_subscriber::{EnvFilter, fmt, fmt::MakeWriter, util::SubscriberInitExt};

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
    let filter = EnvFilter::try_new(filter).map_err(|_| BadFilter(filter.to_owned()))?;
    let lines = fmt().with_env_filter(filter).with_writer(writer).with_target(false);
    Ok(match format {
        LogFormat::Text => Box::new(lines.with_ansi(colours).finish()),
        LogFormat::Json => Box::new(lines.json().flatten_event(true).with_span_list(false).finish()),
    })
}

/// `text` up to a length at which a log line is still read: senders decide what group keys and the like say.
pub fn clip(text: &str) -> &str {
    const BYTES: usize = 200;
    let end = (0..=BYTES.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or_default()).unwrap_or_default()
}
