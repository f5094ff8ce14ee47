//! Checks of the app's secret, this machine's IP address and the agent id, from WeCom's answers.

use serde_json::{Map, Value};

use super::finding::Finding;
use crate::wecom::{
    TransportErrorKind, WecomError,
    errcode::{self, NOT_TRUSTED},
    message::AgentId,
};

pub(super) const GETTOKEN: &str = "gettoken";
pub(super) const TRUSTED_IP: &str = "trusted ip";
pub(super) const AGENT_ID: &str = "agent id";

const VISIBLE_RANGE: &str = "add people in admin console → App management → the app → Visible range (可见范围), because nobody else gets messages";

/// The message and the help for a failed call.
pub(super) fn describe(failure: &WecomError) -> (String, String) {
    match failure {
        WecomError::Rejected(refusal) => {
            (format!("{} answered errcode {}", refusal.api.name(), refusal.errcode), errcode::advice(refusal))
        }
        WecomError::Transport(fault) => {
            (format!("{}: {}", fault.api.name(), fault.detail), errcode::transport_advice(fault))
        }
    }
}

/// The finding for `gettoken`.
pub(super) fn token(refused: Option<&WecomError>) -> Finding {
    match refused {
        None => Finding::ok(GETTOKEN, "corp_id and api_secret are accepted"),
        Some(failure) => {
            let (message, help) = describe(failure);
            Finding::failed(GETTOKEN, message, help)
        }
    }
}

/// The findings for `agent/get`: the IP address first, because this is the first call that WeCom restricts to trusted
/// IPs, and then the agent id.
pub(super) fn agent(agent_id: AgentId, answer: &Result<Map<String, Value>, WecomError>) -> [Finding; 2] {
    let trusted = Finding::ok(TRUSTED_IP, "WeCom accepts calls from this machine");
    match answer {
        Ok(fields) => [trusted, app(agent_id, fields)],
        Err(failure @ WecomError::Rejected(refusal)) => {
            let (message, help) = describe(failure);
            if refusal.errcode == NOT_TRUSTED {
                let skipped = Finding::skipped(AGENT_ID, "the IP is not trusted");
                return [Finding::failed(TRUSTED_IP, message, help), skipped];
            }
            // A refused token says nothing about the IP address.
            if errcode::lookup(refusal.errcode).is_some_and(|entry| entry.class == errcode::Class::Token) {
                return [
                    Finding::skipped(TRUSTED_IP, "the token is refused"),
                    Finding::failed(AGENT_ID, message, help),
                ];
            }
            [trusted, Finding::failed(AGENT_ID, message, help)]
        }
        Err(WecomError::Transport(fault)) if fault.kind == TransportErrorKind::Status(404) => {
            let unknown = |check| {
                Finding::warning(
                    check,
                    "cannot be checked, because this API has no agent/get",
                    "test it with a real message: `wecom-relay send`",
                )
            };
            [unknown(TRUSTED_IP), unknown(AGENT_ID)]
        }
        Err(failure @ WecomError::Transport(_)) => {
            let (message, help) = describe(failure);
            [
                Finding::failed(TRUSTED_IP, message, help),
                Finding::skipped(AGENT_ID, "agent/get was not answered"),
            ]
        }
    }
}

fn app(agent_id: AgentId, fields: &Map<String, Value>) -> Finding {
    let name = fields.get("name").and_then(Value::as_str).unwrap_or_default();
    let message = format!("{agent_id} is {name}");
    if fields.get("close").and_then(Value::as_i64) == Some(1) {
        let help = "enable it in admin console → App management → the app";
        return Finding::failed(AGENT_ID, format!("{message}, which is disabled"), help);
    }
    let empty = |object: &str, list: &str| {
        let list = fields.get(object).and_then(|object| object.get(list)).and_then(Value::as_array);
        list.is_some_and(Vec::is_empty)
    };
    if empty("allow_userinfos", "user") && empty("allow_partys", "partyid") && empty("allow_tags", "tagid") {
        return Finding::warning(
            AGENT_ID,
            format!("{message}, and its visible range is empty"),
            VISIBLE_RANGE,
        );
    }
    Finding::ok(AGENT_ID, message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::finding::Status, *};
    use crate::wecom::{Api, ApiError, Errcode, TransportError};

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
        assert!(ip.help.contains("203.0.113.4") && ip.help.contains("企业可信IP"), "{ip:?}");
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
        assert_eq!(checked(json!({ "name": "告警", "close": 1 })).message, "7 is 告警, which is disabled");
        assert_eq!(checked(json!({ "name": "告警" })), Finding::ok(AGENT_ID, "7 is 告警"));
    }
}
