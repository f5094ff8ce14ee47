//! What a check found, and how it is written: a line for a person, or an object for a machine.

use serde_json::json;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// As it should be.
    Ok,
    /// Works, and is probably not as meant; or cannot be looked at.
    Warning,
    /// Messages do not get through.
    Failed,
    /// Not looked at, because of what failed before.
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

/// What one check found about its subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) status: Status,
    /// What was looked at.
    pub(super) check: &'static str,
    /// What was seen, on one line.
    pub(super) seen: String,
    /// What is wrong and where it is mended; empty when nothing is.
    pub(super) mend: String,
}

impl Finding {
    pub(super) fn ok(check: &'static str, seen: impl Into<String>) -> Self {
        Self { status: Status::Ok, check, seen: seen.into(), mend: String::new() }
    }

    pub(super) fn warning(check: &'static str, seen: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { status: Status::Warning, check, seen: seen.into(), mend: mend.into() }
    }

    pub(super) fn failed(check: &'static str, seen: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { status: Status::Failed, check, seen: seen.into(), mend: mend.into() }
    }

    pub(super) fn skipped(check: &'static str, because: &str) -> Self {
        let seen = format!("not checked: {because}");
        Self { status: Status::Skipped, check, seen, mend: String::new() }
    }

    pub(super) fn has_failed(&self) -> bool {
        self.status == Status::Failed
    }

    /// For a person; a second line, if there is something to mend.
    pub(super) fn text(&self, subject: &str) -> String {
        let Self { status, check, seen, mend } = self;
        let mut text = format!("{:<8} {subject}: {check}: {seen}", status.word());
        if !mend.is_empty() {
            text.push_str(&format!("\n         {mend}"));
        }
        text
    }

    /// For a machine; `mend` is there only if there is something to mend.
    pub(super) fn json(&self, subject: &str) -> String {
        let Self { status, check, seen, mend } = self;
        let mut object = json!({ "status": status.word(), "subject": subject, "check": check, "seen": seen });
        if let (false, Some(object)) = (mend.is_empty(), object.as_object_mut()) {
            object.insert("mend".to_owned(), json!(mend));
        }
        object.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_mended_stands_on_a_line_of_its_own() {
        let finding = Finding::failed("dns", "no such host", "check api_url");
        assert_eq!(finding.text("app ops"), "failed   app ops: dns: no such host\n         check api_url");
        assert_eq!(Finding::ok("dns", "1 address").text("app ops"), "ok       app ops: dns: 1 address");
    }

    #[test]
    fn a_machine_gets_one_object() {
        let line = Finding::failed("tls", "no", "do").json("app ops");
        let expected =
            json!({ "status": "failed", "subject": "app ops", "check": "tls", "seen": "no", "mend": "do" });
        assert_eq!(line, expected.to_string());
        assert!(!Finding::skipped("tls", "dns failed").json("app ops").contains("mend"));
    }
}
