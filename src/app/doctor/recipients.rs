//! Checks that an app can see the recipients of its receivers.
//!
//! WeCom cannot test `message/send` without sending. Reading a member, a department or a tag obeys the same visible
//! range. A missing interface licence (接口许可) shows only in a real message.

use serde_json::{Map, Value};

use super::credentials::{Description, describe};
use crate::{
    doctor::Finding,
    language::Bilingual,
    wecom::{Addressee, Api, Errcode, Outcome, WecomError, errcode},
};

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
    let Description { message: Bilingual { en, zh }, help } = describe(failure);
    let unchecked =
        Bilingual::new(format!("{} cannot be checked: {en}", name.en), format!("无法检查{}：{zh}", name.zh));
    let WecomError::Rejected(refusal) = failure else {
        return Some(Finding::warning(RECIPIENTS, unchecked, help));
    };
    if refusal.errcode == NO_PRIVILEGE {
        let message = Bilingual::new(
            format!("{} is not visible to the app", name.en),
            format!("应用看不到{}", name.zh),
        );
        return Some(Finding::warning(RECIPIENTS, message, help));
    }
    if FORBIDDEN.contains(&refusal.errcode) && refusal.api != Api::AppchatGet {
        let help = Bilingual::new(
            "test it with a real message: `wecom-relay send` shows the invalid recipients",
            "请用真实消息测试：`wecom-relay send` 会列出无效的接收人",
        );
        return Some(Finding::warning(RECIPIENTS, unchecked, help));
    }
    let is_recipient_error = errcode::class_of(&Outcome::Rejected(refusal.clone()))
        .is_some_and(|class| class == errcode::Class::Recipient);
    Some(if is_recipient_error {
        let message =
            Bilingual::new(format!("{} gets nothing: {en}", name.en), format!("{}收不到消息：{zh}", name.zh));
        Finding::failed(RECIPIENTS, message, help)
    } else {
        Finding::warning(RECIPIENTS, unchecked, help)
    })
}

/// The finding for a member who does not use WeCom (`status` other than 1), or for a tag without visible members.
fn unusable(addressee: &Addressee, fields: &Map<String, Value>) -> Option<Finding> {
    let name = name_of(addressee);
    match addressee {
        Addressee::User(_) => {
            let state = match fields.get("status").and_then(Value::as_i64)? {
                2 => Bilingual::new("is disabled", "已被禁用"),
                4 => Bilingual::new("has not joined yet", "尚未加入"),
                5 => Bilingual::new("has left", "已退出"),
                _ => return None,
            };
            let message =
                Bilingual::new(format!("{} {}", name.en, state.en), format!("{}{}", name.zh, state.zh));
            let help = Bilingual::new(
                "look at the member in admin console → Contacts (通讯录)",
                "请在管理后台 → 通讯录中查看该成员",
            );
            Some(Finding::warning(RECIPIENTS, message, help))
        }
        Addressee::Tag(_) => {
            let is_empty = |list: &str| fields.get(list).and_then(Value::as_array).is_none_or(Vec::is_empty);
            let message = Bilingual::new(
                format!("{} has no members that the app can see", name.en),
                format!("{}没有应用能看到的成员", name.zh),
            );
            let help = Bilingual::new(
                "add members in admin console → Contacts → Tags (标签), and add them to the app's Visible range \
                 (可见范围)",
                "请在管理后台 → 通讯录 → 标签中添加成员，并把他们加入应用的可见范围",
            );
            let has_nobody = is_empty("userlist") && is_empty("partylist");
            has_nobody.then(|| Finding::warning(RECIPIENTS, message, help))
        }
        Addressee::Party(_) | Addressee::All | Addressee::Group | Addressee::Chat(_) | Addressee::Chats => {
            None
        }
    }
}

fn name_of(addressee: &Addressee) -> Bilingual<String> {
    let named = |en: &str, zh: &str, id: &str| Bilingual::new(format!("{en} {id}"), format!("{zh} {id} "));
    match addressee {
        Addressee::All => Bilingual::same("@all"),
        Addressee::User(id) => named("user", "成员", id),
        Addressee::Party(id) => named("party", "部门", id),
        Addressee::Tag(id) => named("tag", "标签", id),
        Addressee::Group => Bilingual::new("the robot's group", "机器人所在的群").into(),
        Addressee::Chat(id) => named("chat", "群聊", id),
        Addressee::Chats => Bilingual::new("all chats", "全部群聊").into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{doctor::FindingStatus as Status, wecom::ApiError};

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
            finding(&addressee, &Ok(fields.as_object().unwrap().clone())).map(|finding| finding.message.en)
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
