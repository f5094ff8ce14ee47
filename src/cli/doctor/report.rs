//! Prints findings as they are made, and counts them.

use std::io;

use super::finding::{Finding, Status};
use crate::{cli::output::Output, text::counted};

pub(super) struct Report<'o> {
    output: &'o mut Output,
    json: bool,
    failed: usize,
    warnings: usize,
}

impl<'o> Report<'o> {
    pub(super) fn new(output: &'o mut Output, json: bool) -> Self {
        Self { output, json, failed: 0, warnings: 0 }
    }

    pub(super) fn add(&mut self, subject: &str, finding: &Finding) -> io::Result<()> {
        match finding.status {
            Status::Failed => self.failed += 1,
            Status::Warning => self.warnings += 1,
            Status::Ok | Status::Skipped => {}
        }
        let text = if self.json { finding.json(subject) } else { finding.text(subject) };
        self.output.line(&text)
    }

    /// Prints the verdict for people. Returns `true` if nothing failed.
    pub(super) fn finish(self) -> io::Result<bool> {
        if !self.json {
            self.output.line(&format!("{} failed, {}", self.failed, counted(self.warnings, "warning")))?;
        }
        Ok(self.failed == 0)
    }
}

/// Checks of one subject, in order. Each check depends on the earlier ones.
pub(super) struct CheckSequence<'r, 'o> {
    report: &'r mut Report<'o>,
    subject: String,
    pending: Vec<&'static str>,
}

impl<'r, 'o> CheckSequence<'r, 'o> {
    pub(super) fn new(report: &'r mut Report<'o>, subject: String, checks: &[&'static str]) -> Self {
        Self { report, subject, pending: checks.to_vec() }
    }

    /// Prints a finding. Returns `false` if the check failed.
    pub(super) fn add(&mut self, finding: &Finding) -> io::Result<bool> {
        self.pending.retain(|check| *check != finding.check);
        self.report.add(&self.subject, finding)?;
        Ok(!finding.has_failed())
    }

    /// Prints the remaining checks as skipped.
    pub(super) fn skip_rest(self, because: &str) -> io::Result<()> {
        for check in self.pending {
            self.report.add(&self.subject, &Finding::skipped(check, because))?;
        }
        Ok(())
    }
}
