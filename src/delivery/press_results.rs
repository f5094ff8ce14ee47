//! The sentences about presses of buttons.
//!
//! The outbox stores the result of a press in English, because logs and commands show it. [`press_result()`] reads it again
//! to show it in Chinese.

use super::stored_reason;
use crate::{
    alertmanager::chinese_failure,
    language::{Bilingual, Language},
    wecom::errcode,
};

pub const ACKNOWLEDGED: Bilingual<&str> = Bilingual::new("{} acknowledged {}", "{} 已认领 {}");
pub const SILENCED: Bilingual<&str> = Bilingual::new("{} silenced until {}", "{} 已静默至 {}");
/// [`SILENCED`], and the id of the silence.
pub const SILENCED_BY: Bilingual<&str> = Bilingual::new("{} (silence {})", "{}（静默 {}）");
pub const NOT_DONE: Bilingual<&str> = Bilingual::new("nothing was done: {}", "未执行：{}");

/// The reasons why a press is not obeyed, for the member.
pub mod refusals {
    use crate::language::Bilingual;

    pub const UNKNOWN_CARD: Bilingual<&str> = Bilingual::new(
        "the relay does not know this card any more. Look into Alertmanager",
        "relay 已没有这张卡片的记录，请到 Alertmanager 中处理",
    );
    pub const CLOSED: Bilingual<&str> = Bilingual::new("this alert is resolved already", "该告警已恢复");
    pub const UNKNOWN_BUTTON: Bilingual<&str> =
        Bilingual::new("the relay wrote no such button on this card", "这张卡片上没有该按钮");
    pub const NOT_CONFIGURED: Bilingual<&str> = Bilingual::new(
        "the buttons of this card are no longer offered. Look into Alertmanager",
        "这张卡片上的按钮已停用，请到 Alertmanager 中处理",
    );
    pub const TOO_OLD: Bilingual<&str> = Bilingual::new(
        "the relay could not handle this press within 30 minutes. Press again if it is still needed",
        "relay 未能在 30 分钟内处理这次操作；如仍需要，请再按一次",
    );
    pub const NOT_ALLOWED: Bilingual<&str> = Bilingual::new(
        "you are not among those who may press this button. Ask the administrator of the relay",
        "您没有操作权限，请联系 relay 管理员",
    );
    pub const ALREADY_ACKNOWLEDGED: Bilingual<&str> =
        Bilingual::new("you have acknowledged this alert already", "您已认领过该告警");
    pub const ALREADY_SILENCED: Bilingual<&str> =
        Bilingual::new("{} has silenced this alert until {} already", "{} 已将该告警静默至 {}");
    pub const NO_LABELS: Bilingual<&str> = Bilingual::new(
        "this group has no labels in common, and a silence without labels would silence everything",
        "该告警组没有公共标签，无标签的静默会静默所有告警",
    );
    pub const NO_ALERTMANAGER: Bilingual<&str> = Bilingual::new(
        "the configuration of the relay names no Alertmanager",
        "relay 的配置中没有 alertmanager",
    );
    /// Alertmanager and WeCom took too long.
    pub const TIMED_OUT: Bilingual<&str> = Bilingual::new(
        "the calls of Alertmanager and WeCom took too long together",
        "调用 Alertmanager 和企业微信合计用时过长",
    );

    pub(super) const ALL: [Bilingual<&str>; 11] = [
        UNKNOWN_CARD,
        CLOSED,
        UNKNOWN_BUTTON,
        NOT_CONFIGURED,
        TOO_OLD,
        NOT_ALLOWED,
        ALREADY_ACKNOWLEDGED,
        ALREADY_SILENCED,
        NO_LABELS,
        NO_ALERTMANAGER,
        TIMED_OUT,
    ];
}

/// A stored result of a press, or the reason of its last failure, in `language`. A text of another origin is unchanged.
pub fn press_result(result: &str, language: Language) -> String {
    let chinese = match language {
        Language::En => None,
        Language::Zh => chinese(result),
    };
    chinese.unwrap_or_else(|| result.to_owned())
}

fn chinese(result: &str) -> Option<String> {
    let in_chinese = |part: &str| press_result(part, Language::Zh);
    let same = str::to_owned;
    NOT_DONE
        .chinese_of(result, in_chinese)
        .or_else(|| SILENCED_BY.chinese_of(result, in_chinese))
        .or_else(|| refusals::ALL.iter().find_map(|refusal| refusal.chinese_of(result, same)))
        .or_else(|| chinese_failure(result))
        .or_else(|| of_wecom(result))
        .or_else(|| ACKNOWLEDGED.chinese_of(result, same))
        .or_else(|| SILENCED.chinese_of(result, same))
        .or_else(|| Some(stored_reason(result, Language::Zh)))
}

/// A failed call of WeCom. Advice about it comes after the answer.
fn of_wecom(failure: &str) -> Option<String> {
    let (answer, advice) = failure.split_once("; ")?;
    let advice = errcode::chinese(advice)?;
    let answer = Bilingual::new("{} answered errcode {}", "{} 返回 errcode {}")
        .chinese_of(answer, str::to_owned)
        .unwrap_or_else(|| answer.to_owned());
    Some(format!("{answer}；{advice}"))
}
