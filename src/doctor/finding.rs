//! The result of a check, in both languages.

use serde_json::{Value, json};

use crate::language::{Bilingual, Language};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FindingStatus {
    Ok,
    /// Probably a mistake, or impossible to check.
    Warning,
    /// Messages are not delivered.
    Failed,
    /// Not checked, because an earlier check failed.
    Skipped,
}

impl FindingStatus {
    /// The name in JSON and in English texts.
    pub fn name(self) -> &'static str {
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
pub struct Finding {
    pub status: FindingStatus,
    /// The checked part, such as `server` or `app ops`.
    pub subject: String,
    /// The name of the check.
    pub check: &'static str,
    /// One line.
    pub message: Bilingual<String>,
    /// The way to fix the problem. Empty if there is none.
    pub help: Bilingual<String>,
}

impl Finding {
    /// One JSON object, in English. `help` is present only if it is not empty.
    pub fn json(&self) -> Value {
        let Self { status, subject, check, message, help } = self;
        let mut object =
            json!({ "status": status.name(), "subject": subject, "check": check, "message": message.en });
        if !help.en.is_empty()
            && let Some(fields) = object.as_object_mut()
        {
            fields.insert("help".to_owned(), json!(help.en));
        }
        object
    }

    pub fn ok(check: &'static str, message: impl Into<Bilingual<String>>) -> Self {
        Self::new(FindingStatus::Ok, check, message.into(), Bilingual::default())
    }

    pub fn warning(
        check: &'static str,
        message: impl Into<Bilingual<String>>,
        help: impl Into<Bilingual<String>>,
    ) -> Self {
        Self::new(FindingStatus::Warning, check, message.into(), help.into())
    }

    pub fn failed(
        check: &'static str,
        message: impl Into<Bilingual<String>>,
        help: impl Into<Bilingual<String>>,
    ) -> Self {
        Self::new(FindingStatus::Failed, check, message.into(), help.into())
    }

    pub fn skipped(check: &'static str, because: &Bilingual<String>) -> Self {
        let Bilingual { en, zh } = because;
        let message = Bilingual::new(format!("not checked: {en}"), format!("未检查：{zh}"));
        Self::new(FindingStatus::Skipped, check, message, Bilingual::default())
    }

    fn new(
        status: FindingStatus,
        check: &'static str,
        message: Bilingual<String>,
        help: Bilingual<String>,
    ) -> Self {
        Self { status, subject: String::new(), check, message, help }
    }

    pub fn about(self, subject: &str) -> Self {
        Self { subject: subject.to_owned(), ..self }
    }

    pub fn has_failed(&self) -> bool {
        self.status == FindingStatus::Failed
    }

    /// The subject and the check as a heading for people.
    pub fn heading(&self, language: Language) -> String {
        match language {
            Language::En => format!("{}: {}", self.subject, self.check),
            Language::Zh => {
                format!("{}：{}", subject_in_chinese(&self.subject), check_in_chinese(self.check))
            }
        }
    }
}

fn subject_in_chinese(subject: &str) -> String {
    let (kind, name) = subject.split_once(' ').unwrap_or((subject, ""));
    let kind = match kind {
        "app" => "应用",
        "robot" => "机器人",
        "server" => "服务",
        "configuration" => "配置",
        "apps" => "全部应用",
        "receivers" => "全部 receiver",
        "alertmanager" => "Alertmanager",
        other => other,
    };
    if name.is_empty() { kind.to_owned() } else { format!("{kind} {name}") }
}

/// Names that operators also read in the configuration stay as they are.
fn check_in_chinese(check: &str) -> &str {
    match check {
        "agent id" => "AgentId",
        "all" => "全部",
        "api v2" => "API v2",
        "callback" => "回调",
        "callback address" => "回调地址",
        "callback url" => "回调 URL",
        "clock" => "时钟",
        "cluster" => "集群",
        "configurations" => "各副本的配置",
        "connect" => "连接",
        "dns" => "DNS",
        "durability" => "持久性",
        "encoding" => "字符编码",
        "file" => "文件",
        "hold" => "暂停",
        "listen" => "监听地址",
        "names" => "副本名称",
        "notifications" => "副本间通知",
        "open files" => "打开文件数",
        "proxy" => "代理",
        "public callback" => "公网回调",
        "reachable" => "连通性",
        "recipients" => "接收人",
        "replicas" => "副本",
        "rights" => "权限",
        "schema" => "表结构",
        "sender" => "发送者",
        "tls" => "TLS",
        "trusted ip" => "企业可信IP",
        "version" => "版本",
        "wecom" => "企业微信",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_names_subject_and_check_in_both_languages() {
        let finding = Finding::ok("trusted ip", Bilingual::same("")).about("app ops");
        assert_eq!(finding.heading(Language::En), "app ops: trusted ip");
        assert_eq!(finding.heading(Language::Zh), "应用 ops：企业可信IP");
    }
}
