//! What is wrong with a configuration: where it is written, what is wrong, and what would be right.
//!
//! Problems are collected, never thrown: a person who mends one line wants to hear of the other nine as well.
//! One error type with a variant a mistake was rejected: nobody reacts to a mistake but by reading its text.

use std::{fmt, path::Path, sync::Arc};

pub use crate::yaml::Position;

use crate::text::one_line;

/// Where something is written: as exact as it is known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place {
    /// The file.
    pub file: Option<Arc<Path>>,
    /// The position in it.
    pub at: Option<Position>,
    /// The path of keys that leads there, as `receivers[0].message`; empty for the whole file.
    pub key: String,
}

impl Place {
    /// A file as a whole.
    pub fn file(path: &Path) -> Self {
        Self { file: Some(Arc::from(path)), at: None, key: String::new() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        match (&self.file, self.at) {
            (Some(file), Some(at)) => parts.push(format!("{}:{}:{}", file.display(), at.line, at.column)),
            (Some(file), None) => parts.push(file.display().to_string()),
            (None, _) => {}
        }
        if !self.key.is_empty() {
            parts.push(self.key.clone());
        }
        f.write_str(&parts.join(": "))
    }
}

/// One mistake, or one thing that is allowed and still worth a warning. Never holds the text of a secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    place: Place,
    wrong: String,
    right: String,
}

impl Problem {
    /// `wrong` says what is wrong, `right` what would be right; `right` may be empty. Line breaks become spaces.
    pub fn new(place: Place, wrong: impl AsRef<str>, right: impl AsRef<str>) -> Self {
        Self { place, wrong: one_line(wrong.as_ref()), right: one_line(right.as_ref()) }
    }

    /// Where it is.
    pub fn place(&self) -> &Place {
        &self.place
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.place.to_string();
        if !place.is_empty() {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.wrong)?;
        if !self.right.is_empty() {
            write!(f, "; {}", self.right)?;
        }
        Ok(())
    }
}

/// All problems of a configuration, at least one, in the order in which they are written. Shown one a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// The problems, or nothing when there are none.
    pub fn new(mut problems: Vec<Problem>) -> Option<Self> {
        problems.sort();
        problems.dedup();
        (!problems.is_empty()).then_some(Self(problems))
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.0.iter().map(Problem::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Problems {}

/// Proof that a problem was put down for a value that could not be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reported(());

/// What is collected while a configuration is read.
#[derive(Default)]
pub(super) struct Report {
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
}

impl Report {
    pub(super) fn problem(
        &mut self,
        place: &Place,
        wrong: impl AsRef<str>,
        right: impl AsRef<str>,
    ) -> Reported {
        self.problems.push(Problem::new(place.clone(), wrong, right));
        Reported(())
    }

    pub(super) fn warn(&mut self, place: &Place, wrong: impl AsRef<str>, right: impl AsRef<str>) {
        self.warnings.push(Problem::new(place.clone(), wrong, right));
    }
}

/// `value` in quotes, without line breaks and not too long to be read.
pub(super) fn quoted(value: &str) -> String {
    const LONGEST: usize = 60;
    if value.chars().count() <= LONGEST {
        return format!("{value:?}");
    }
    let start: String = value.chars().take(LONGEST).collect();
    format!("{start:?}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(line: u64, wrong: &str) -> Problem {
        let at = Some(Position { line, column: 3 });
        let place = Place { at, key: "a.b".to_owned(), ..Place::file(Path::new("config.yml")) };
        Problem::new(place, wrong, "right")
    }

    #[test]
    fn problems_are_shown_one_a_line_in_the_order_of_the_file() {
        let problems = Problems::new(vec![problem(12, "second"), problem(9, "first\n  line")]).unwrap();
        let shown = "config.yml:9:3: a.b: first line; right\nconfig.yml:12:3: a.b: second; right";
        assert_eq!(problems.to_string(), shown);
    }

    #[test]
    fn no_problem_is_no_problems() {
        assert_eq!(Problems::new(Vec::new()), None);
    }
}
