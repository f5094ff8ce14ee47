//! The reason why a press could not be handled.

use crate::{
    alertmanager::{SilencesError, SilencesErrorKind},
    delivery::press_results::refusals,
    language::{Bilingual, Language},
    wecom::{
        Outcome, WecomError,
        errcode::{self, Class},
    },
};

/// Alertmanager or WeCom did not do what a press needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PressFailure {
    /// The same call would fail again.
    pub(super) is_final: bool,
    /// A silence may have been created.
    pub(super) may_be_done: bool,
    /// For the member: a short clause without a full stop.
    pub(super) reason: Bilingual<&'static str>,
    /// For operators, without any secret.
    pub(super) detail: String,
}

impl PressFailure {
    /// A call that took too long, together with others.
    pub(super) fn timed_out() -> Self {
        let reason =
            Bilingual::new("Alertmanager or WeCom does not respond", "Alertmanager 或企业微信没有响应");
        let detail = refusals::TIMED_OUT.en.to_owned();
        Self { is_final: false, may_be_done: true, reason, detail }
    }
}

impl From<SilencesError> for PressFailure {
    fn from(error: SilencesError) -> Self {
        Self {
            is_final: error.kind == SilencesErrorKind::Refused,
            may_be_done: error.kind == SilencesErrorKind::Unknown,
            reason: error.reason,
            detail: error.to_string(),
        }
    }
}

impl From<WecomError> for PressFailure {
    fn from(error: WecomError) -> Self {
        let (outcome, detail) = match error {
            WecomError::Rejected(error) => {
                let detail = format!("{} answered errcode {}", error.api.name(), error.errcode);
                (Outcome::Rejected(error), detail)
            }
            WecomError::Transport(error) => {
                let detail = format!("{}: {}", error.api.name(), error.detail);
                (Outcome::NotSent(error), detail)
            }
        };
        let is_final = !matches!(errcode::class_of(&outcome), Some(Class::Transient | Class::RateLimited));
        let reason = Bilingual::new(
            "WeCom does not say whether you may press this button",
            "企业微信没有返回您是否有权操作",
        );
        // Advice is a sentence of its own.
        let advice = errcode::advice_of(&outcome, Language::En).map(|advice| format!("; {advice}"));
        let detail = format!("{detail}{}", advice.unwrap_or_default());
        Self { is_final, may_be_done: false, reason, detail }
    }
}
