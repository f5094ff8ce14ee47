//! The reason why a press could not be handled.

use crate::{
    alertmanager::{SilencesError, SilencesErrorKind},
    language::{Bilingual, Language},
    wecom::{
        Outcome, WecomError,
        errcode::{self, Class},
    },
};

/// Alertmanager or WeCom did not do what a press needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// The same call would fail again.
    pub(super) is_final: bool,
    /// A silence may have been created.
    pub(super) may_be_done: bool,
    /// For the member, without any secret. A clause without a full stop.
    pub(super) reason: Bilingual<String>,
}

impl Failure {
    /// A call that took too long, together with others.
    pub(super) fn timed_out() -> Self {
        let reason = Bilingual::new(
            "Alertmanager and WeCom took too long to answer".to_owned(),
            "Alertmanager 或企业微信响应太慢".to_owned(),
        );
        Self { is_final: false, may_be_done: true, reason }
    }
}

impl From<SilencesError> for Failure {
    fn from(SilencesError { kind, reason }: SilencesError) -> Self {
        Self {
            is_final: kind == SilencesErrorKind::Refused,
            may_be_done: kind == SilencesErrorKind::Unknown,
            reason,
        }
    }
}

impl From<WecomError> for Failure {
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
        let advice = |language| errcode::advice_of(&outcome, language).unwrap_or_default();
        let (en, zh) = (advice(Language::En), advice(Language::Zh));
        let reason = Bilingual::new(
            sentence(format!("WeCom does not say whether you may press this ({detail})"), en, "; "),
            sentence(format!("企业微信没有返回您是否有权操作（{detail}）"), zh, "；"),
        );
        Self { is_final, may_be_done: false, reason }
    }
}

/// Advice is a sentence of its own.
fn sentence(what: String, advice: String, separator: &str) -> String {
    let advice = advice.trim_end_matches(['.', '。']);
    if advice.is_empty() { what } else { format!("{what}{separator}{advice}") }
}
