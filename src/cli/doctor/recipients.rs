//! Checks that an app can see the recipients of its receivers.
//!
//! WeCom cannot test `message/send` without sending. Reading a member, a department or a tag obeys the same visible
//! range. A missing interface licence (接口许可) shows only in a real message.

use serde_json::{Map, Value};

use super::{credentials::describe, finding::Finding};
use crate::wecom::{Addressee, Api, Errcode, Outcome, WecomError, errcode};

pub(super) const RECIPIENTS: &str = "recipients";

/// The app may not read this recipient. It may still be able to send to it.
const NO_PRIVILEGE: Errcode = Errcode(60011);
/// The app may not call the API that reads the recipient.
const FORBIDDEN: [Errcode; 2] = [Errcode(48001), Errcode(48002)];

/// The call that reads an addressee.
pub(super) struct LookupCall<'a> {
    pub(super) api: Api,
    pub(super) parameter: &'static str,
    pub(super) id: &'a str,
}

impl<'a> LookupCall<'a> {
    /// Returns `None` for `@all`, for the group of a robot and for all chats together, which no call reads.
    pub(super) fn new(addressee: &'a Addressee) -> Option<Self> {
        match addressee {
            Addressee::All | Addressee::Group | Addressee::Chats => None,
            Addressee::Chat(id) => Some(Self { api: Api::AppchatGet, parameter: "chatid", id }),
            Addressee::User(id) => Some(Self { api: Api::UserGet, parameter: "userid", id }),
            Addressee::Party(id) => Some(Self { api: Api::DepartmentGet, parameter: "id", id }),
            Addressee::Tag(id) => Some(Self { api: Api::TagGet, parameter: "tagid", id }),
        }
    }
}

/// `None` if there is no problem.
pub(super) fn finding(
    addressee: &Addressee,
    answer: &Result<Map<String, Value>, WecomError>,
) -> Option<Finding> {
    let name = name_of(addressee);
    let failure = match answer {
        Ok(fields) => return unusable(addressee, fields),
        Err(failure) => failure,
    };
    let (message, help) = describe(failure);
    let WecomError::Rejected(refusal) = failure else {
        return Some(Finding::warning(RECIPIENTS, format!("{name} cannot be checked: {message}"), help));
    };
    if refusal.errcode == NO_PRIVILEGE {
        return Some(Finding::warning(RECIPIENTS, format!("{name} is not visible to the app"), help));
    }
    if FORBIDDEN.contains(&refusal.errcode) && refusal.api != Api::AppchatGet {
        let help = "test it with a real message: `wecom-relay send` shows the invalid recipients";
        return Some(Finding::warning(RECIPIENTS, format!("{name} cannot be checked: {message}"), help));
    }
    let is_recipient_error = errcode::class_of(&Outcome::Rejected(refusal.clone()))
        .is_some_and(|class| class == errcode::Class::Recipient);
    Some(if is_recipient_error {
        Finding::failed(RECIPIENTS, format!("{name} gets nothing: {message}"), help)
    } else {
        Finding::warning(RECIPIENTS, format!("{name} cannot be checked: {message}"), help)
    })
}

/// The finding for a member who does not use WeCom (`status` other than 1), or for a tag without visible members.
fn unusable(addressee: &Addressee, fields: &Map<String, Value>) -> Option<Finding> {
    let name = name_of(addressee);
    match addressee {
        Addressee::User(_) => {
            let state = match fields.get("status").and_then(Value::as_i64)? {
                2 => "is disabled",
                4 => "has not joined yet",
                5 => "has left",
                _ => return None,
            };
            let help = "look at the member in admin console → Contacts (通讯录)";
            Some(Finding::warning(RECIPIENTS, format!("{name} {state}"), help))
        }
        Addressee::Tag(_) => {
            let is_empty = |list: &str| fields.get(list).and_then(Value::as_array).is_none_or(Vec::is_empty);
            let help = "add members in admin console → Contacts → Tags (标签), and add them to the app's Visible range \
                        (可见范围)";
            (is_empty("userlist") && is_empty("partylist")).then(|| {
                Finding::warning(RECIPIENTS, format!("{name} has no members that the app can see"), help)
            })
        }
        Addressee::Party(_) | Addressee::All | Addressee::Group | Addressee::Chat(_) | Addressee::Chats => {
            None
        }
    }
}

fn name_of(addressee: &Addressee) -> String {
    match addressee {
        Addressee::All => "@all".to_owned(),
        Addressee::User(id) => format!("user {id}"),
        Addressee::Party(id) => format!("party {id}"),
        Addressee::Tag(id) => format!("tag {id}"),
        Addressee::Group => "the robot's group".to_owned(),
        Addressee::Chat(id) => format!("chat {id}"),
        Addressee::Chats => "all chats".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::finding::Status, *};
    use crate::wecom::ApiError;

    fn refused(errcode: i64) -> Status {
        let refusal = ApiError { api: Api::UserGet, errcode: Errcode(errcode), errmsg: String::new() };
        finding(&Addressee::User("a".to_owned()), &Err(WecomError::Rejected(refusal))).unwrap().status
    }

    #[test]
    fn a_missing_recipient_fails_and_an_unreadable_one_warns() {
        for (errcode, status) in [
            (60111, Status::Failed),
            (46004, Status::Failed),
            (60011, Status::Warning),
            (48002, Status::Warning),
            (45009, Status::Warning),
        ] {
            assert_eq!(refused(errcode), status, "{errcode}");
        }
    }

    #[test]
    fn an_inactive_member_and_an_empty_tag_are_reported() {
        let reported = |addressee, fields: Value| {
            finding(&addressee, &Ok(fields.as_object().unwrap().clone())).map(|finding| finding.message)
        };
        let user = || Addressee::User("lisi".to_owned());
        assert_eq!(reported(user(), json!({ "status": 4 })).unwrap(), "user lisi has not joined yet");
        assert_eq!(reported(user(), json!({ "status": 1 })), None);
        assert_eq!(reported(user(), json!({})), None);
        let tag = || Addressee::Tag("7".to_owned());
        assert_eq!(
            reported(tag(), json!({ "userlist": [] })).unwrap(),
            "tag 7 has no members that the app can see"
        );
        assert_eq!(reported(tag(), json!({ "userlist": [], "partylist": [2] })), None);
    }
}
