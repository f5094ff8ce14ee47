//! Fields of text lines as logfmt: `key=value`, with quotes around a value that needs them. Empty values are left out.

use std::fmt::{self, Debug, Write as _};

use tracing::field::{Field, Visit};
use tracing_subscriber::{
    field::RecordFields,
    fmt::{FormatFields, format::Writer},
};

use crate::text::is_bidi_control;

/// Writes fields as logfmt, after the message.
pub(super) struct Logfmt;

impl<'w> FormatFields<'w> for Logfmt {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut line = Line { writer, is_empty: true, result: Ok(()) };
        fields.record(&mut line);
        line.result
    }
}

struct Line<'w> {
    writer: Writer<'w>,
    is_empty: bool,
    result: fmt::Result,
}

impl Line<'_> {
    fn add(&mut self, field: &Field, value: &str) {
        // Fields of the crate `log` repeat the level and the module.
        if self.result.is_err() || value.is_empty() || field.name().starts_with("log.") {
            return;
        }
        let space = if self.is_empty { "" } else { " " };
        self.is_empty = false;
        self.result = match field.name() {
            "message" => write!(self.writer, "{space}{}", Escaped(value)),
            name if needs_quotes(value) => {
                write!(
                    self.writer,
                    "{space}{name}=\"{}\"",
                    Escaped(&value.replace('\\', "\\\\").replace('"', "\\\""))
                )
            }
            name => write!(self.writer, "{space}{name}={value}"),
        };
    }
}

impl Visit for Line<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.add(field, &format!("{value:?}"));
    }
}

fn needs_quotes(value: &str) -> bool {
    value
        .chars()
        .any(|c| c.is_whitespace() || c.is_control() || is_bidi_control(c) || matches!(c, '"' | '=' | '\\'))
}

/// A text whose control characters are escaped, so that no value can start a line, change a terminal, or turn the
/// direction of what follows.
struct Escaped<'t>(&'t str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if c.is_control() || is_bidi_control(c) || matches!(c, '\u{2028}' | '\u{2029}') {
                write!(f, "{}", c.escape_default())?;
            } else {
                f.write_char(c)?;
            }
        }
        Ok(())
    }
}
