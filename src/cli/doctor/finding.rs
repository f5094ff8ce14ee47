//! The result of a check, as text for people and as JSON for programs.

use serde_json::json;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Ok,
    /// Probably a mistake, or impossible to check.
    Warning,
    /// Messages are not delivered.
    Failed,
    /// Not checked, because an earlier check failed.
    Skipped,
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// The result of one check of a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) status: Status,
    /// The name of the check.
    pub(super) check: &'static str,
    /// One line.
    pub(super) message: String,
    /// The way to fix the problem. Empty if there is none.
    pub(super) help: String,
}

impl Finding {
    pub(super) fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self { status: Status::Ok, check, message: message.into(), help: String::new() }
    }

    pub(super) fn warning(check: &'static str, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { status: Status::Warning, check, message: message.into(), help: help.into() }
    }

    pub(super) fn failed(check: &'static str, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { status: Status::Failed, check, message: message.into(), help: help.into() }
    }

    pub(super) fn skipped(check: &'static str, because: &str) -> Self {
        let message = format!("not checked: {because}");
        Self { status: Status::Skipped, check, message, help: String::new() }
    }

    pub(super) fn has_failed(&self) -> bool {
        self.status == Status::Failed
    }

    /// One line, or two if there is help.
    pub(super) fn text(&self, subject: &str) -> String {
        let Self { status, check, message, help } = self;
        let mut text = format!("{:<8} {subject}: {check}: {message}", status.word());
        if !help.is_empty() {
            text.push_str(&format!("\n         {help}"));
        }
        text
    }

    /// One JSON object. `help` is present only if it is not empty.
    pub(super) fn json(&self, subject: &str) -> String {
        let Self { status, check, message, help } = self;
        let mut finding =
            json!({ "status": status.word(), "subject": subject, "check": check, "message": message });
        if !help.is_empty()
            && let Some(fields) = finding.as_object_mut()
        {
            fields.insert("help".to_owned(), json!(help));
        }
        finding.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_has_its_own_line() {
        let finding = Finding::failed("dns", "no such host", "check api_url");
        assert_eq!(finding.text("app ops"), "failed   app ops: dns: no such host\n         check api_url");
        assert_eq!(Finding::ok("dns", "1 address").text("app ops"), "ok       app ops: dns: 1 address");
    }

    #[test]
    fn json_is_one_object() {
        let line = Finding::failed("tls", "no", "do").json("app ops");
        let expected = json!({ "status": "failed", "subject": "app ops", "check": "tls", "message": "no", "help": "do" });
        assert_eq!(line, expected.to_string());
        assert!(!Finding::skipped("tls", "dns failed").json("app ops").contains("help"));
    }
}
