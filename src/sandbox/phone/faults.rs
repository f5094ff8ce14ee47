//! The faults that the page has as buttons, and a description of every active fault.

use std::time::Duration;

use crate::{
    language::Language,
    sandbox::{
        callback::PressFault,
        faults::{Effect, Fault, FaultDuration, Moment},
        instance::Sandbox,
        request::Api,
        settings::Expired,
    },
};

/// A fault that the page has as a button.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FaultButton {
    Busy,
    UntrustedIp,
    RateLimit,
    Hang,
    TokenExpired,
    ReplyLost,
}

impl FaultButton {
    pub(super) const ALL: [Self; 6] =
        [Self::Busy, Self::UntrustedIp, Self::RateLimit, Self::Hang, Self::TokenExpired, Self::ReplyLost];

    /// The value in a form.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::UntrustedIp => "untrusted-ip",
            Self::RateLimit => "rate-limit",
            Self::Hang => "hang",
            Self::TokenExpired => "token-expired",
            Self::ReplyLost => "reply-lost",
        }
    }

    pub(super) fn label(self, language: Language) -> &'static str {
        let pick = |en, zh| language.choose(en, zh);
        match self {
            Self::Busy => pick("Busy (-1), 3 calls", "系统繁忙 (-1)，3 次"),
            Self::UntrustedIp => pick("IP not trusted (60020)", "IP 不可信 (60020)"),
            Self::RateLimit => pick("Rate limit (45009), 1 min", "频率超限 (45009)，1 分钟"),
            Self::Hang => pick("No answer, 20 s", "不响应，20 秒"),
            Self::TokenExpired => pick("Token expired (42001)", "token 过期 (42001)"),
            Self::ReplyLost => pick("Reply lost, 1 call", "回复丢失，1 次"),
        }
    }

    pub(super) fn press(self, sandbox: &Sandbox) {
        const MINUTE: Duration = Duration::from_secs(60);
        const HANG: Duration = Duration::from_secs(20);
        let fault = match self {
            Self::Busy => Fault::errcode(-1).times(3),
            Self::UntrustedIp => Fault::errcode(60020).on(Api::MessageSend),
            Self::RateLimit => Fault::errcode(45009).lasting(MINUTE),
            Self::Hang => Fault::new(Effect::Hang { taken: false }).lasting(HANG),
            Self::ReplyLost => Fault::new(Effect::Drop(Moment::After)).on(Api::MessageSend).times(1),
            Self::TokenExpired => return sandbox.expire_tokens(Expired::With42001),
        };
        sandbox.inject(fault);
    }
}

pub(super) fn press_fault_label(fault: PressFault, language: Language) -> &'static str {
    let pick = |en, zh| language.choose(en, zh);
    match fault {
        PressFault::Late(_) => pick("Late, 10 s", "迟到 10 秒"),
        PressFault::Twice => pick("Sent twice", "重复发送"),
        PressFault::WrongSignature => pick("Wrong signature", "签名错误"),
        PressFault::LostAnswer => pick("Answer lost", "应答丢失"),
        PressFault::AfterNext => pick("After the next one", "晚于下一次点击"),
    }
}

/// A sentence about an active fault.
pub(super) fn described(fault: &Fault, language: Language) -> String {
    let pick = |en: &str, zh: &str| language.choose(en, zh).to_owned();
    let effect = match &fault.effect {
        Effect::Errcode { errcode, .. } => format!("errcode {errcode}"),
        Effect::HttpStatus { status, .. } => format!("HTTP {status}"),
        Effect::Hang { .. } => pick("no answer", "不响应"),
        Effect::Drop(Moment::Before) => pick("connection closed before the call", "调用前断开连接"),
        Effect::Drop(Moment::After) => pick("reply lost", "回复丢失"),
        Effect::Truncate => pick("half of the reply", "回复只有一半"),
        Effect::Latency(time) => format!("{} {} ms", pick("latency", "延迟"), time.as_millis()),
        Effect::ClockSkew(skew) => format!("{} {} s", pick("clock wrong by", "时钟偏差"), skew.as_secs()),
    };
    let api = fault.api.map_or_else(|| pick("all calls", "所有调用"), |api| api.name().to_owned());
    let lasts = match fault.lasts {
        FaultDuration::UntilCleared => pick("until it is ended", "直到手动结束"),
        FaultDuration::Calls(calls) => language.choose(format!("{calls} more"), format!("还有 {calls} 次")),
        FaultDuration::For(time) => {
            let seconds = time.as_secs();
            language.choose(format!("for {seconds} s"), format!("持续 {seconds} 秒"))
        }
    };
    let app = fault.app.map(|app| format!("AgentId {app}"));
    let scope = [app, fault.member.clone(), fault.text.clone().map(|text| format!("“{text}”"))];
    let scope: Vec<String> = scope.into_iter().flatten().collect();
    [vec![effect, api], scope, vec![lasts]].concat().join(" · ")
}
