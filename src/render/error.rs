//! Errors of templates.

use std::fmt;

use crate::text::{one_line, shorten};

/// The longest text that a template may write: the built-in message of some 25,000 alerts.
pub const MAX_OUTPUT_BYTES: usize = 8 << 20;

/// The longest message of a [`RenderError`], because it becomes the first line of the message that is sent.
const MAX_MESSAGE_BYTES: usize = 200;

/// A place in a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
}

/// A template does not compile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct CompileError {
    /// The file, or the key of the configuration, with the template.
    pub origin: String,
    pub at: Option<Position>,
    pub message: String,
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some(at) => write!(f, "{}:{}:{}: {}", self.origin, at.line, at.column, self.message),
            None => write!(f, "{}: {}", self.origin, self.message),
        }
    }
}

/// A template failed for one payload.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct RenderError {
    /// The rendered template, or one that it includes.
    pub template: String,
    pub at: Option<Position>,
    /// One line of at most 200 bytes.
    pub message: String,
}

impl fmt::Display for RenderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some(at) => {
                write!(f, "{}, line {}, column {}: {}", self.template, at.line, at.column, self.message)
            }
            None => write!(f, "{}: {}", self.template, self.message),
        }
    }
}

/// One short line, because the message of an engine may repeat the payload.
pub(super) fn short_line(message: &str) -> String {
    shorten(&one_line(message), MAX_MESSAGE_BYTES).into_owned()
}
