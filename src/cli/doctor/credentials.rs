//! What WeCom says to the app's secret, this machine's IP and the app's number.

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

const VISIBLE_RANGE: &str = "add people to admin console → App management → the app → Visible range (可见范围): nobody else gets messages";

/// Why there is no answer, and what to do.
pub(super) fn told(failure: &WecomError) -> (String, String) {
    match failure {
        WecomError::Rejected(refusal) => {
            (format!("{} answered errcode {}", refusal.api.name(), refusal.errcode), errcode::advice(refusal))
        }
        WecomError::Transport(fault) => {
            (format!("{}: {}", fault.api.name(), fault.detail), errcode::transport_advice(fault))
        }
    }
}

/// Of `gettoken`.
pub(super) fn token(refused: Option<&WecomError>) -> Finding {
    match refused {
        None => Finding::ok(GETTOKEN, "corp_id and api_secret are accepted"),
        Some(failure) => {
            let (seen, mend) = told(failure);
            Finding::failed(GETTOKEN, seen, mend)
        }
    }
}

/// Of `agent/get`, the first call that WeCom takes from trusted IPs only: that of the IP, then that of the app's number.
pub(super) fn agent(agent_id: AgentId, answer: &Result<Map<String, Value>, WecomError>) -> [Finding; 2] {
    let trusted = Finding::ok(TRUSTED_IP, "WeCom takes calls from here");
    match answer {
        Ok(fields) => [trusted, app(agent_id, fields)],
        Err(failure @ WecomError::Rejected(refusal)) => {
            let (seen, mend) = told(failure);
            if refusal.errcode == NOT_TRUSTED {
                let skipped = Finding::skipped(AGENT_ID, "the IP is not trusted");
                return [Finding::failed(TRUSTED_IP, seen, mend), skipped];
            }
            // Of the token; nothing was said of the IP yet.
            if errcode::lookup(refusal.errcode).is_some_and(|entry| entry.class == errcode::Class::Token) {
                return [
                    Finding::skipped(TRUSTED_IP, "the token is refused"),
                    Finding::failed(AGENT_ID, seen, mend),
                ];
            }
            [trusted, Finding::failed(AGENT_ID, seen, mend)]
        }
        Err(WecomError::Transport(fault)) if fault.kind == TransportErrorKind::Status(404) => {
            let unknown = |check| {
                Finding::warning(
                    check,
                    "cannot be checked: there is no agent/get here",
                    "`wecom-relay send` shows it with a real message",
                )
            };
            [unknown(TRUSTED_IP), unknown(AGENT_ID)]
        }
        Err(failure @ WecomError::Transport(_)) => {
            let (seen, mend) = told(failure);
            [
                Finding::failed(TRUSTED_IP, seen, mend),
                Finding::skipped(AGENT_ID, "agent/get was not answered"),
            ]
        }
    }
}

fn app(agent_id: AgentId, fields: &Map<String, Value>) -> Finding {
    let name = fields.get("name").and_then(Value::as_str).unwrap_or_default();
    let seen = format!("{agent_id} is {name}");
    if fields.get("close").and_then(Value::as_i64) == Some(1) {
        let mend = "enable it in admin console → App management → the app";
        return Finding::failed(AGENT_ID, format!("{seen}, which is disabled"), mend);
    }
    let empty = |object: &str, list: &str| {
        let list = fields.get(object).and_then(|object| object.get(list)).and_then(Value::as_array);
        list.is_some_and(Vec::is_empty)
    };
    if empty("allow_userinfos", "user") && empty("allow_partys", "partyid") && empty("allow_tags", "tagid") {
        return Finding::warning(AGENT_ID, format!("{seen}, which nobody may see"), VISIBLE_RANGE);
    }
    Finding::ok(AGENT_ID, seen)
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
    fn an_untrusted_ip_leaves_the_number_open_and_names_the_ip() {
        assert_eq!(statuses(&refused(60020)), [Status::Failed, Status::Skipped]);
        let [ip, _] = agent(AgentId(1), &refused(60020));
        assert!(ip.mend.contains("203.0.113.4") && ip.mend.contains("企业可信IP"), "{ip:?}");
    }

    #[test]
    fn a_wrong_number_says_that_the_ip_is_trusted() {
        assert_eq!(statuses(&refused(301002)), [Status::Ok, Status::Failed]);
        assert_eq!(statuses(&refused(40014)), [Status::Skipped, Status::Failed]);
    }

    #[test]
    fn a_wecom_without_the_read_is_no_failure() {
        let fault = TransportError {
            api: Api::AgentGet,
            kind: TransportErrorKind::Status(404),
            detail: "HTTP 404".to_owned(),
        };
        assert_eq!(statuses(&Err(WecomError::Transport(fault))), [Status::Warning, Status::Warning]);
    }

    #[test]
    fn an_app_that_is_disabled_or_that_nobody_sees_is_told() {
        let of = |value: Value| app(AgentId(7), value.as_object().unwrap());
        let none = json!({
            "name": "告警", "allow_userinfos": { "user": [] }, "allow_partys": { "partyid": [] },
            "allow_tags": { "tagid": [] },
        });
        assert_eq!(of(none).status, Status::Warning);
        assert_eq!(of(json!({ "name": "告警", "close": 1 })).seen, "7 is 告警, which is disabled");
        assert_eq!(of(json!({ "name": "告警" })), Finding::ok(AGENT_ID, "7 is 告警"));
    }
}
