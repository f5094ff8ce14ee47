//! A rendered text and the ranges of its alerts.

use std::ops::Range;

/// The text of a message, with the place of each alert in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rendered {
    text: String,
    alerts: Vec<AlertRange>,
}

/// The place of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AlertRange {
    pub(super) range: Range<usize>,
    pub(super) kind: AlertKind,
}

/// The importance of an alert when some must be left out. The most important kind is the smallest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum AlertKind {
    Firing {
        /// The rank of the severity; see [`severity_rank`](crate::alertmanager::severity_rank).
        rank: usize,
    },
    Resolved,
}

impl Rendered {
    /// `alerts` are in the order of the text, and do not overlap.
    pub(super) fn new(text: String, alerts: Vec<AlertRange>) -> Self {
        Self { text, alerts }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn into_text(self) -> String {
        self.text
    }

    /// The number of alerts that the template has marked.
    pub fn alerts(&self) -> usize {
        self.alerts.len()
    }

    /// The same text after a first line `line`.
    #[must_use]
    pub fn headed(mut self, line: &str) -> Self {
        let inserted = line.len() + 1;
        self.text = format!("{line}\n{}", self.text);
        for alert in &mut self.alerts {
            alert.range = alert.range.start + inserted..alert.range.end + inserted;
        }
        self
    }

    pub(super) fn alert_ranges(&self) -> &[AlertRange] {
        &self.alerts
    }
}

/// A text without marked alerts.
impl From<String> for Rendered {
    fn from(text: String) -> Self {
        Self::new(text, Vec::new())
    }
}
