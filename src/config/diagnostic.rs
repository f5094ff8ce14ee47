//! Diagnostics: what is wrong with a configuration, where, and how to fix it.
//!
//! Diagnostics are collected, because a person wants to see all mistakes at once.

use std::{fmt, path::Path, sync::Arc};

pub use crate::yaml::Position;

use crate::text::{ELLIPSIS, one_line, prefix_chars};

/// A location in a configuration, as precise as possible.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Location {
    pub file: Option<Arc<Path>>,
    pub position: Option<Position>,
    /// The path of keys, such as `receivers[0].message`. Empty for the whole file.
    pub key: String,
}

impl Location {
    /// The whole file.
    pub fn file(path: &Path) -> Self {
        Self { file: Some(Arc::from(path)), position: None, key: String::new() }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if let Some(file) = &self.file {
            let position = self.position.map(|at| format!(":{}:{}", at.line, at.column));
            parts.push(format!("{}{}", file.display(), position.unwrap_or_default()));
        }
        if !self.key.is_empty() {
            parts.push(self.key.clone());
        }
        f.write_str(&parts.join(": "))
    }
}

/// One error or warning. It never contains a secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Diagnostic {
    location: Location,
    message: String,
    help: String,
}

impl Diagnostic {
    /// `message` says what is wrong. `help` says what would be right, and may be empty.
    pub fn new(location: Location, message: impl AsRef<str>, help: impl AsRef<str>) -> Self {
        Self { location, message: one_line(message.as_ref()), help: one_line(help.as_ref()) }
    }

    pub fn location(&self) -> &Location {
        &self.location
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let location = self.location.to_string();
        if !location.is_empty() {
            write!(f, "{location}: ")?;
        }
        f.write_str(&self.message)?;
        if !self.help.is_empty() {
            write!(f, "; {}", self.help)?;
        }
        Ok(())
    }
}

/// All errors of a configuration, at least one, in the order of the file. `Display` writes one per line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError(Vec<Diagnostic>);

impl ConfigError {
    /// `None` if there are no errors.
    pub fn new(mut errors: Vec<Diagnostic>) -> Option<Self> {
        errors.sort();
        errors.dedup();
        (!errors.is_empty()).then_some(Self(errors))
    }

    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.0.iter()
    }
}

impl From<Diagnostic> for ConfigError {
    fn from(error: Diagnostic) -> Self {
        Self(vec![error])
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.0.iter().map(Diagnostic::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for ConfigError {}

/// Proof that an error was reported for a value that is not available.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ErrorGuaranteed(());

/// The diagnostics that are collected while a configuration is read.
#[derive(Default)]
pub(super) struct Diagnostics {
    pub(super) errors: Vec<Diagnostic>,
    pub(super) warnings: Vec<Diagnostic>,
}

impl Diagnostics {
    pub(super) fn error(
        &mut self,
        location: &Location,
        message: impl AsRef<str>,
        help: impl AsRef<str>,
    ) -> ErrorGuaranteed {
        self.errors.push(Diagnostic::new(location.clone(), message, help));
        ErrorGuaranteed(())
    }

    pub(super) fn warn(&mut self, location: &Location, message: impl AsRef<str>, help: impl AsRef<str>) {
        self.warnings.push(Diagnostic::new(location.clone(), message, help));
    }
}

/// `value` in quotes, on one line and shortened.
pub(super) fn quoted(value: &str) -> String {
    const LONGEST: usize = 60;
    if value.chars().count() <= LONGEST {
        return format!("{value:?}");
    }
    format!("{:?}{ELLIPSIS}", prefix_chars(value, LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(line: u64, message: &str) -> Diagnostic {
        let position = Some(Position { line, column: 3 });
        let location =
            Location { position, key: "a.b".to_owned(), ..Location::file(Path::new("config.yml")) };
        Diagnostic::new(location, message, "help")
    }

    #[test]
    fn errors_are_shown_one_per_line_in_file_order() {
        let error = ConfigError::new(vec![error(12, "second"), error(9, "first\n  line")]).unwrap();
        let shown = "config.yml:9:3: a.b: first line; help\nconfig.yml:12:3: a.b: second; help";
        assert_eq!(error.to_string(), shown);
    }

    #[test]
    fn no_errors_make_no_config_error() {
        assert_eq!(ConfigError::new(Vec::new()), None);
    }
}
