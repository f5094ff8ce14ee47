//! Prints findings as they are made, as text for people or as JSON for programs, and counts them.

use std::io;

use crate::{
    cli::output::Output,
    doctor::{Finding, FindingStatus},
    text::counted,
};

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

    pub(super) fn add(&mut self, finding: &Finding) -> io::Result<()> {
        match finding.status {
            FindingStatus::Failed => self.failed += 1,
            FindingStatus::Warning => self.warnings += 1,
            FindingStatus::Ok | FindingStatus::Skipped => {}
        }
        let text = if self.json { finding.json().to_string() } else { text(finding) };
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

/// One line, or two if there is help.
fn text(finding: &Finding) -> String {
    let Finding { status, subject, check, message, help } = finding;
    let mut text = format!("{:<8} {subject}: {check}: {}", status.name(), message.en);
    if !help.en.is_empty() {
        text.push_str(&format!("\n         {}", help.en));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::language::Bilingual;

    #[test]
    fn help_has_its_own_line() {
        let (message, help) = (Bilingual::same("no such host"), Bilingual::same("check api_url"));
        let finding = Finding::failed("dns", message, help).about("app ops");
        assert_eq!(text(&finding), "failed   app ops: dns: no such host\n         check api_url");
        let finding = Finding::ok("dns", Bilingual::same("1 address")).about("app ops");
        assert_eq!(text(&finding), "ok       app ops: dns: 1 address");
    }

    #[test]
    fn json_is_one_object() {
        let finding = Finding::failed("tls", Bilingual::same("no"), Bilingual::same("do")).about("app ops");
        let expected = json!({ "status": "failed", "subject": "app ops", "check": "tls", "message": "no", "help": "do" });
        assert_eq!(finding.json().to_string(), expected.to_string());
        let skipped = Finding::skipped("tls", &Bilingual::same("dns failed")).about("app ops");
        assert!(!skipped.json().to_string().contains("help"));
    }
}
