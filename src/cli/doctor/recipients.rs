//! Whether the app sees whom a receiver writes to.
//!
//! WeCom has no dry `message/send`. Its reads of a member, a department and a tag obey the same visible range; what an
//! interface licence (接口许可) is missing for, only a message shows.

use serde_json::{Map, Value};

use super::{credentials::told, finding::Finding};
use crate::wecom::{Addressee, Api, Errcode, WecomError, errcode};

pub(super) const RECIPIENTS: &str = "recipients";

/// The app may not look at it: nothing is known of whether it may write to it.
const NO_PRIVILEGE: Errcode = Errcode(60011);
const FORBIDDEN: [Errcode; 2] = [Errcode(48001), Errcode(48002)];

/// The read that shows an addressee, and its parameter. There is none of everybody.
pub(super) fn question(addressee: &Addressee) -> Option<(Api, &'static str, &str)> {
    match addressee {
        Addressee::All => None,
        Addressee::User(id) => Some((Api::UserGet, "userid", id)),
        Addressee::Party(id) => Some((Api::DepartmentGet, "id", id)),
        Addressee::Tag(id) => Some((Api::TagGet, "tagid", id)),
    }
}

/// Of one addressee; `None` when there is nothing to say.
pub(super) fn finding(
    addressee: &Addressee,
    answer: &Result<Map<String, Value>, WecomError>,
) -> Option<Finding> {
    let who = named(addressee);
    let failure = match answer {
        Ok(fields) => return empty(addressee, fields),
        Err(failure) => failure,
    };
    let (seen, mend) = told(failure);
    let WecomError::Rejected(refusal) = failure else {
        return Some(Finding::warning(RECIPIENTS, format!("{who} cannot be checked: {seen}"), mend));
    };
    if refusal.errcode == NO_PRIVILEGE {
        return Some(Finding::warning(RECIPIENTS, format!("{who} is not visible to the app"), mend));
    }
    if FORBIDDEN.contains(&refusal.errcode) {
        let mend = "`wecom-relay send` shows with a real message whom WeCom passes over";
        return Some(Finding::warning(RECIPIENTS, format!("{who} cannot be checked: {seen}"), mend));
    }
    let recipient =
        errcode::lookup(refusal.errcode).is_some_and(|entry| entry.class == errcode::Class::Recipient);
    let seen = format!("{who} {}: {seen}", if recipient { "gets nothing" } else { "cannot be checked" });
    Some(if recipient {
        Finding::failed(RECIPIENTS, seen, mend)
    } else {
        Finding::warning(RECIPIENTS, seen, mend)
    })
}

/// A member that does not use WeCom (`status` other than 1), or a tag without a visible member.
fn empty(addressee: &Addressee, fields: &Map<String, Value>) -> Option<Finding> {
    let who = named(addressee);
    match addressee {
        Addressee::User(_) => {
            let what = match fields.get("status").and_then(Value::as_i64)? {
                2 => "is disabled",
                4 => "has not joined yet",
                5 => "has left",
                _ => return None,
            };
            let mend = "see the member in admin console → Contacts (通讯录)";
            Some(Finding::warning(RECIPIENTS, format!("{who} {what}"), mend))
        }
        Addressee::Tag(_) => {
            let none = |list: &str| fields.get(list).and_then(Value::as_array).is_none_or(Vec::is_empty);
            let mend = "add members in admin console → Contacts → Tags (标签), and add them to the app's Visible range \
                        (可见范围)";
            (none("userlist") && none("partylist"))
                .then(|| Finding::warning(RECIPIENTS, format!("{who} has nobody whom the app sees"), mend))
        }
        Addressee::Party(_) | Addressee::All => None,
    }
}

fn named(addressee: &Addressee) -> String {
    match addressee {
        Addressee::All => "@all".to_owned(),
        Addressee::User(id) => format!("user {id}"),
        Addressee::Party(id) => format!("party {id}"),
        Addressee::Tag(id) => format!("tag {id}"),
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
    fn who_does_not_exist_fails_and_who_cannot_be_looked_at_is_a_warning() {
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
    fn a_member_who_has_not_joined_and_an_empty_tag_are_told() {
        let of = |addressee, fields: Value| {
            finding(&addressee, &Ok(fields.as_object().unwrap().clone())).map(|finding| finding.seen)
        };
        let user = || Addressee::User("lisi".to_owned());
        assert_eq!(of(user(), json!({ "status": 4 })).unwrap(), "user lisi has not joined yet");
        assert_eq!(of(user(), json!({ "status": 1 })), None);
        assert_eq!(of(user(), json!({})), None);
        let tag = || Addressee::Tag("7".to_owned());
        assert_eq!(of(tag(), json!({ "userlist": [] })).unwrap(), "tag 7 has nobody whom the app sees");
        assert_eq!(of(tag(), json!({ "userlist": [], "partylist": [2] })), None);
    }
}
