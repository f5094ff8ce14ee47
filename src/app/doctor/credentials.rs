//! Checks of the app's secret, this machine's IP address and the agent id, from WeCom's answers.

use serde_json::{Map, Value};

use crate::{
    doctor::Finding,
    language::{Bilingual, Language},
    wecom::{
        TransportErrorKind, WecomError,
        errcode::{self, NOT_TRUSTED},
        message::AgentId,
    },
};

pub(super) const GETTOKEN: &str = "gettoken";
pub(super) const TRUSTED_IP: &str = "trusted ip";
pub(super) const AGENT_ID: &str = "agent id";

const VISIBLE_RANGE: Bilingual<&str> = Bilingual::new(
    "add people in admin console → App management → the app → Visible range (可见范围), because nobody else gets messages",
    "请在管理后台 → 应用管理 → 该应用 → 可见范围中添加成员，否则没有人能收到消息",
);

pub(super) const SEND_A_MESSAGE: Bilingual<&str> =
    Bilingual::new("test it with a real message: `wecom-relay send`", "请用真实消息测试：`wecom-relay send`");

/// A failed call, in words.
pub(super) struct Description {
    pub(super) message: Bilingual<String>,
    pub(super) help: Bilingual<String>,
}

pub(super) fn describe(failure: &WecomError) -> Description {
    match failure {
        WecomError::Rejected(refusal) => {
            let (api, errcode) = (refusal.api.name(), refusal.errcode);
            let message = Bilingual::new(
                format!("{api} answered errcode {errcode}"),
                format!("{api} 返回 errcode {errcode}"),
            );
            Description { message, help: in_both(|language| errcode::advice(refusal, language)) }
        }
        WecomError::Transport(fault) => {
            let message = Bilingual::same(format!("{}: {}", fault.api.name(), fault.detail));
            Description { message, help: in_both(|language| errcode::transport_advice(fault, language)) }
        }
    }
}

/// A text that is made for each language.
pub(super) fn in_both(text: impl Fn(Language) -> String) -> Bilingual<String> {
    Bilingual::new(text(Language::En), text(Language::Zh))
}

/// The finding for `gettoken`.
pub(super) fn token(refused: Option<&WecomError>) -> Finding {
    match refused {
        None => {
            let message =
                Bilingual::new("corp_id and api_secret are accepted", "企业微信接受 corp_id 和 api_secret");
            Finding::ok(GETTOKEN, message)
        }
        Some(failure) => {
            let Description { message, help } = describe(failure);
            Finding::failed(GETTOKEN, message, help)
        }
    }
}

/// The findings for `agent/get`: the IP address first, because this is the first call that WeCom restricts to trusted
/// IPs, and then the agent id.
pub(super) fn agent(agent_id: AgentId, answer: &Result<Map<String, Value>, WecomError>) -> [Finding; 2] {
    let trusted = Finding::ok(
        TRUSTED_IP,
        Bilingual::new("WeCom accepts calls from this machine", "企业微信接受本机的调用"),
    );
    match answer {
        Ok(fields) => [trusted, app(agent_id, fields)],
        Err(failure @ WecomError::Rejected(refusal)) => {
            let Description { message, help } = describe(failure);
            if refusal.errcode == NOT_TRUSTED {
                let because = Bilingual::new("the IP is not trusted", "IP 不可信").into();
                let skipped = Finding::skipped(AGENT_ID, &because);
                return [Finding::failed(TRUSTED_IP, message, help), skipped];
            }
            // A refused token says nothing about the IP address.
            if errcode::lookup(refusal.errcode).is_some_and(|entry| entry.class == errcode::Class::Token) {
                let because = Bilingual::new("the token is refused", "token 被拒绝").into();
                return [Finding::skipped(TRUSTED_IP, &because), Finding::failed(AGENT_ID, message, help)];
            }
            [trusted, Finding::failed(AGENT_ID, message, help)]
        }
        Err(WecomError::Transport(fault)) if fault.kind == TransportErrorKind::Status(404) => {
            let unknown = |check| {
                Finding::warning(
                    check,
                    Bilingual::new(
                        "cannot be checked, because this API has no agent/get",
                        "无法检查，因为该接口没有 agent/get",
                    ),
                    SEND_A_MESSAGE,
                )
            };
            [unknown(TRUSTED_IP), unknown(AGENT_ID)]
        }
        Err(failure @ WecomError::Transport(_)) => {
            let Description { message, help } = describe(failure);
            let because = Bilingual::new("agent/get was not answered", "agent/get 没有响应").into();
            [Finding::failed(TRUSTED_IP, message, help), Finding::skipped(AGENT_ID, &because)]
        }
    }
}

fn app(agent_id: AgentId, fields: &Map<String, Value>) -> Finding {
    let name = fields.get("name").and_then(Value::as_str).unwrap_or_default();
    let (en, zh) = (format!("{agent_id} is {name}"), format!("{agent_id} 是 {name}"));
    if fields.get("close").and_then(Value::as_i64) == Some(1) {
        let message = Bilingual::new(format!("{en}, which is disabled"), format!("{zh}，已停用"));
        let help = Bilingual::new(
            "enable it in admin console → App management → the app",
            "请在管理后台 → 应用管理 → 该应用中启用",
        );
        return Finding::failed(AGENT_ID, message, help);
    }
    let empty = |object: &str, list: &str| {
        let list = fields.get(object).and_then(|object| object.get(list)).and_then(Value::as_array);
        list.is_some_and(Vec::is_empty)
    };
    if empty("allow_userinfos", "user") && empty("allow_partys", "partyid") && empty("allow_tags", "tagid") {
        let message =
            Bilingual::new(format!("{en}, and its visible range is empty"), format!("{zh}，可见范围为空"));
        return Finding::warning(AGENT_ID, message, VISIBLE_RANGE);
    }
    Finding::ok(AGENT_ID, Bilingual::new(en, zh))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        doctor::FindingStatus as Status,
        wecom::{Api, ApiError, Errcode, TransportError},
    };

    fn refused(errcode: i64) -> Result<Map<String, Value>, WecomError> {
        Err(WecomError::Rejected(ApiError {
            api: Api::AgentGet,
            errcode: Errcode(errcode),
            errmsg: "x, from ip: 203.0.113.4, more".to_owned(),
        }))
    }

    fn statuses(answer: &Result<Map<String, Value>, WecomError>) -> [Status; 2] {
        agent(AgentId(1_000_002), answer).map(|finding| finding.status)
    }

    #[test]
    fn an_untrusted_ip_skips_the_agent_id() {
        assert_eq!(statuses(&refused(60020)), [Status::Failed, Status::Skipped]);
        let [ip, _] = agent(AgentId(1), &refused(60020));
        assert!(ip.help.en.contains("203.0.113.4") && ip.help.zh.contains("企业可信IP"), "{ip:?}");
    }

    #[test]
    fn a_wrong_agent_id_proves_a_trusted_ip() {
        assert_eq!(statuses(&refused(301002)), [Status::Ok, Status::Failed]);
        assert_eq!(statuses(&refused(40014)), [Status::Skipped, Status::Failed]);
    }

    #[test]
    fn an_api_without_agent_get_is_a_warning() {
        let fault = TransportError {
            api: Api::AgentGet,
            kind: TransportErrorKind::Status(404),
            detail: "HTTP 404".to_owned(),
        };
        assert_eq!(statuses(&Err(WecomError::Transport(fault))), [Status::Warning, Status::Warning]);
    }

    #[test]
    fn a_disabled_or_invisible_app_is_reported() {
        let checked = |value: Value| app(AgentId(7), value.as_object().unwrap());
        let none = json!({
            "name": "告警", "allow_userinfos": { "user": [] }, "allow_partys": { "partyid": [] },
            "allow_tags": { "tagid": [] },
        });
        assert_eq!(checked(none).status, Status::Warning);
        assert_eq!(checked(json!({ "name": "告警", "close": 1 })).message.en, "7 is 告警, which is disabled");
        let good = Finding::ok(AGENT_ID, Bilingual::new("7 is 告警", "7 是 告警"));
        assert_eq!(checked(json!({ "name": "告警" })), good);
    }
}
