//! The words of notes on cards and of texts to members.

use jiff::{Timestamp, tz::TimeZone};

use super::{failure::PressFailure, moment::short_time, rules::Refusal};
use crate::{
    delivery::press_results::{ACKNOWLEDGED, SILENCED, refusals},
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
        let note = match &handled.action {
            HandledAction::Acknowledged => ACKNOWLEDGED.fill(&[by, &self.time(handled.at)]),
            HandledAction::Silenced { until, .. } => SILENCED.fill(&[by, &self.time(*until)]),
        };
        note.get(self.language).clone()
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
            Refusal::UnknownCard => refusals::UNKNOWN_CARD,
            Refusal::Closed => refusals::CLOSED,
            Refusal::UnknownButton => refusals::UNKNOWN_BUTTON,
            Refusal::NotConfigured => refusals::NOT_CONFIGURED,
            Refusal::TooOld => refusals::TOO_OLD,
            Refusal::NotAllowed => refusals::NOT_ALLOWED,
            Refusal::AlreadyAcknowledged => refusals::ALREADY_ACKNOWLEDGED,
            Refusal::AlreadySilenced { by, until, .. } => {
                let text = refusals::ALREADY_SILENCED.fill(&[by, &self.time(*until)]);
                return text.get(self.language).clone();
            }
            Refusal::NoLabels => refusals::NO_LABELS,
            Refusal::NoAlertmanager => refusals::NO_ALERTMANAGER,
        };
        (*text.get(self.language)).to_owned()
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
