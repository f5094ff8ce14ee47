//! The words of notes on cards and of texts to members.

use jiff::{Timestamp, tz::TimeZone};

use super::{failure::PressFailure, moment::short_time, rules::Refusal};
use crate::{
    language::Language,
    outbox::{Handled, HandledAction},
};

/// The language, the time and the zone of a reader.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'r> {
    pub(super) language: Language,
    /// A wall-clock time.
    pub(super) now: Timestamp,
    pub(super) zone: &'r TimeZone,
}

impl Reader<'_> {
    fn time(&self, moment: Timestamp) -> String {
        short_time(moment, self.now, self.zone)
    }

    /// The note on a card, for everybody who has it.
    pub(super) fn note(&self, handled: &Handled) -> String {
        let by = &handled.by;
        match (&handled.action, self.language) {
            (HandledAction::Acknowledged, Language::En) => {
                format!("{by} acknowledged {}", self.time(handled.at))
            }
            (HandledAction::Acknowledged, Language::Zh) => format!("{by} 已认领 {}", self.time(handled.at)),
            (HandledAction::Silenced { until, .. }, Language::En) => {
                format!("{by} silenced until {}", self.time(*until))
            }
            (HandledAction::Silenced { until, .. }, Language::Zh) => {
                format!("{by} 已静默至 {}", self.time(*until))
            }
        }
    }

    /// The note on a card whose alerts resolved while they were silenced.
    pub(super) fn resolved_note(&self) -> String {
        match self.language {
            Language::En => format!("resolved by {}", self.time(self.now)),
            Language::Zh => format!("{} 前已恢复", self.time(self.now)),
        }
    }

    /// The text that replaces a card update which WeCom refuses. It starts with a mark, as alerts do.
    pub(super) fn handled_text(&self, handled: &Handled, summary: &str) -> String {
        let mark = match (&handled.action, self.language) {
            (HandledAction::Acknowledged, Language::En) => "[ACKNOWLEDGED]",
            (HandledAction::Acknowledged, Language::Zh) => "【已认领】",
            (HandledAction::Silenced { .. }, Language::En) => "[SILENCED]",
            (HandledAction::Silenced { .. }, Language::Zh) => "【已静默】",
        };
        format!("{mark} {}\n{summary}", self.note(handled))
    }

    /// The text to a member whose press is not obeyed.
    pub(super) fn refusal(&self, refusal: &Refusal) -> String {
        let text = match refusal {
            Refusal::UnknownCard => [
                "the relay does not know this card any more. Look into Alertmanager",
                "relay 已没有这张卡片的记录，请到 Alertmanager 中处理",
            ],
            Refusal::Closed => ["this alert is resolved already", "该告警已恢复"],
            Refusal::UnknownButton => ["the relay wrote no such button on this card", "这张卡片上没有该按钮"],
            Refusal::NotConfigured => [
                "the buttons of this card are no longer offered. Look into Alertmanager",
                "这张卡片上的按钮已停用，请到 Alertmanager 中处理",
            ],
            Refusal::TooOld => [
                "the relay could not handle this press within 30 minutes. Press again if it is still needed",
                "relay 未能在 30 分钟内处理这次操作；如仍需要，请再按一次",
            ],
            Refusal::NotAllowed => [
                "you are not among those who may press this button. Ask the administrator of the relay",
                "您没有操作权限，请联系 relay 管理员",
            ],
            Refusal::AlreadyAcknowledged => ["you have acknowledged this alert already", "您已认领过该告警"],
            Refusal::AlreadySilenced { by, until, .. } => {
                let until = self.time(*until);
                return self.language.choose(
                    format!("{by} has silenced this alert until {until} already"),
                    format!("{by} 已将该告警静默至 {until}"),
                );
            }
            Refusal::NoLabels => [
                "this group has no labels in common, and a silence without labels would silence everything",
                "该告警组没有公共标签，无标签的静默会静默所有告警",
            ],
            Refusal::NoAlertmanager => {
                ["the configuration of the relay names no Alertmanager", "relay 的配置中没有 alertmanager"]
            }
        };
        let [en, zh] = text;
        self.language.choose(en, zh).to_owned()
    }

    /// The text to a member whose press failed.
    pub(super) fn failure(&self, failure: &PressFailure) -> String {
        let reason = failure.reason.get(self.language);
        let [en, zh] = if failure.may_be_done {
            [
                "A silence may exist nevertheless: look into Alertmanager",
                "静默可能已经创建，请到 Alertmanager 中确认",
            ]
        } else if failure.is_final {
            ["Ask the administrator of the relay", "请联系 relay 管理员"]
        } else {
            ["Press again later", "请稍后再按一次"]
        };
        self.language.choose(format!("{reason}. {en}"), format!("{reason}，{zh}"))
    }

    /// The whole text to a member: nothing was done, for this reason.
    pub(super) fn not_done(&self, reason: &str, summary: &str) -> String {
        let mark = self.language.choose("[NOT DONE]", "【未执行】");
        let stop = self.language.choose(".", "。");
        let line = format!("{mark} {}{stop}", reason.trim_end_matches(['.', '。']));
        if summary.is_empty() { line } else { format!("{line}\n{summary}") }
    }
}
