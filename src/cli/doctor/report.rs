//! Where findings go as they come, and what was counted of them.

use std::io;

use super::{
    super::output::Output,
    finding::{Finding, Status},
};

/// The findings of a run.
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

    /// Prints a finding.
    pub(super) fn tell(&mut self, subject: &str, finding: &Finding) -> io::Result<()> {
        match finding.status {
            Status::Failed => self.failed += 1,
            Status::Warning => self.warnings += 1,
            Status::Ok | Status::Skipped => {}
        }
        let text = if self.json { finding.json(subject) } else { finding.text(subject) };
        self.output.line(&text)
    }

    /// Prints the sum, for people. Whether nothing failed.
    pub(super) fn end(self) -> io::Result<bool> {
        if !self.json {
            self.output.line(&format!("{} failed, {} warning(s)", self.failed, self.warnings))?;
        }
        Ok(self.failed == 0)
    }
}

/// Checks of one subject, each of which needs those before it.
pub(super) struct Course<'r, 'o> {
    report: &'r mut Report<'o>,
    subject: String,
    pending: Vec<&'static str>,
}

impl<'r, 'o> Course<'r, 'o> {
    pub(super) fn new(report: &'r mut Report<'o>, subject: String, checks: &[&'static str]) -> Self {
        Self { report, subject, pending: checks.to_vec() }
    }

    /// Prints a finding. Whether the next check may follow.
    pub(super) fn tell(&mut self, finding: &Finding) -> io::Result<bool> {
        self.pending.retain(|check| *check != finding.check);
        self.report.tell(&self.subject, finding)?;
        Ok(!finding.has_failed())
    }

    /// Prints what is left as not checked.
    pub(super) fn abandon(self, because: &str) -> io::Result<()> {
        for check in self.pending {
            self.report.tell(&self.subject, &Finding::skipped(check, because))?;
        }
        Ok(())
    }
}
