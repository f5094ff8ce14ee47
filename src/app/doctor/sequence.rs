//! Checks of one subject, in order. Each check depends on the earlier ones.

use crate::{
    doctor::{Finding, Findings},
    language::Bilingual,
};

pub(super) struct CheckSequence<'f> {
    findings: &'f Findings,
    subject: String,
    pending: Vec<&'static str>,
}

impl<'f> CheckSequence<'f> {
    pub(super) fn new(findings: &'f Findings, subject: String, checks: &[&'static str]) -> Self {
        Self { findings, subject, pending: checks.to_vec() }
    }

    /// Reports a finding. Returns `false` if the check failed.
    pub(super) fn add(&mut self, finding: Finding) -> bool {
        self.pending.retain(|check| *check != finding.check);
        let passed = !finding.has_failed();
        self.findings.add(&self.subject, finding);
        passed
    }

    /// Reports the remaining checks as skipped.
    pub(super) fn skip_rest(self, because: Bilingual<&str>) {
        let because = because.into();
        for check in self.pending {
            self.findings.add(&self.subject, Finding::skipped(check, &because));
        }
    }
}
