//! Decides whether a message can be taken back.

use jiff::{SignedDuration, Timestamp};

use crate::{
    language::Language,
    outbox::{DeliveryId, Detail, State},
    wecom::{Content, Recipients},
};

/// WeCom takes back messages of this time.
const RECALL_WITHIN: SignedDuration = SignedDuration::from_hours(24);

/// The reason why a message cannot be taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotRecallable {
    /// WeCom did not accept it, as far as is known.
    InState(State),
    /// The members got this digest instead.
    InDigest(DeliveryId),
    AlreadyRecalled,
    SentByRobot,
    SentToChat,
    /// It changed cards and sent nothing.
    CardUpdate,
    WithoutMsgid,
    TooOld,
}

impl NotRecallable {
    /// A clause about the message.
    pub fn reason(&self, language: Language) -> String {
        let (en, zh) = match self {
            Self::InState(state) => {
                let state = state.name();
                return language.choose(
                    format!("it is {state}, and only a delivered message can be recalled"),
                    format!("它的状态是 {state}，只有已送达的消息才能撤回"),
                );
            }
            Self::InDigest(digest) => {
                return language.choose(
                    format!("it was delivered in digest {digest}; recall that one"),
                    format!("它已合并到汇总消息 {digest} 中送达，请撤回那一条"),
                );
            }
            Self::AlreadyRecalled => ("it was recalled already", "它已经撤回"),
            Self::SentByRobot => (
                "a robot sent it, and WeCom takes back messages of apps only",
                "它由机器人发送，企业微信只能撤回应用消息",
            ),
            Self::SentToChat => (
                "it was sent to a group chat, and WeCom takes back messages to members only",
                "它发送到群聊，企业微信只能撤回发给成员的消息",
            ),
            Self::CardUpdate => ("it changed cards and sent no message", "它只更新了卡片，没有发送消息"),
            Self::WithoutMsgid => ("WeCom returned no msgid for it", "企业微信没有返回它的 msgid"),
            Self::TooOld => {
                ("WeCom takes back messages of the last 24 hours only", "企业微信只能撤回 24 小时内的消息")
            }
        };
        language.choose(en, zh).to_owned()
    }
}

/// The msgid of a message that can be taken back. `now` is a wall-clock time, as are those of `detail`.
///
/// # Errors
/// [`NotRecallable`] has the reason.
pub fn recallable(detail: &Detail, now: Timestamp) -> Result<&str, NotRecallable> {
    let listed = &detail.listed;
    if listed.recalled_at.is_some() {
        return Err(NotRecallable::AlreadyRecalled);
    }
    if listed.state != State::Delivered {
        return Err(NotRecallable::InState(listed.state));
    }
    if let Some(digest) = listed.digest {
        return Err(NotRecallable::InDigest(digest));
    }
    match &detail.recipients {
        Recipients::Group => return Err(NotRecallable::SentByRobot),
        Recipients::Chat(_) => return Err(NotRecallable::SentToChat),
        Recipients::Nobody | Recipients::All | Recipients::Listed(_) => {}
    }
    if detail.msgid.is_empty() {
        return Err(match detail.content {
            Content::CardUpdate(_) => NotRecallable::CardUpdate,
            _ => NotRecallable::WithoutMsgid,
        });
    }
    let is_recent = |at: Timestamp| now.duration_since(at) < RECALL_WITHIN;
    if !listed.settled_at.is_some_and(is_recent) {
        return Err(NotRecallable::TooOld);
    }
    Ok(&detail.msgid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        outbox::{Kind, Listed, NotificationId, Part, ReceiverName, SenderName, Status},
        wecom::ChatId,
    };

    fn delivered() -> Detail {
        let at = Timestamp::UNIX_EPOCH;
        let listed = Listed {
            id: DeliveryId(1),
            notification: NotificationId(1),
            kind: Kind::Alert,
            state: State::Delivered,
            receiver: ReceiverName("wechat".to_owned()),
            sender: SenderName("ops".to_owned()),
            status: Status::Firing,
            accepted_at: at,
            due_at: None,
            settled_at: Some(at),
            recalled_at: None,
            attempts: 1,
            part: Part::WHOLE,
            digest: None,
            summary: String::new(),
            reason: String::new(),
        };
        Detail {
            listed,
            group_key: String::new(),
            recipients: Recipients::All,
            content: Content::Text("t".to_owned()),
            msgid: "m1".to_owned(),
            invalid_recipients: String::new(),
            unconfirmed_since: None,
            attempts: Vec::new(),
        }
    }

    fn after(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
    }

    #[test]
    fn a_message_can_be_taken_back_for_a_day() {
        assert_eq!(recallable(&delivered(), after(23)), Ok("m1"));
        assert_eq!(recallable(&delivered(), after(24)), Err(NotRecallable::TooOld));
    }

    #[test]
    fn other_messages_cannot_be_taken_back() {
        let changed = |change: fn(&mut Detail)| {
            let mut detail = delivered();
            change(&mut detail);
            recallable(&detail, after(1)).unwrap_err()
        };
        for (change, expected) in [
            (
                (|detail| detail.listed.state = State::Dead) as fn(&mut Detail),
                NotRecallable::InState(State::Dead),
            ),
            (|detail| detail.listed.digest = Some(DeliveryId(7)), NotRecallable::InDigest(DeliveryId(7))),
            (|detail| detail.listed.recalled_at = Some(after(0)), NotRecallable::AlreadyRecalled),
            (|detail| detail.recipients = Recipients::Group, NotRecallable::SentByRobot),
            (
                |detail| detail.recipients = Recipients::Chat(ChatId::parse("c1").unwrap()),
                NotRecallable::SentToChat,
            ),
            (|detail| detail.msgid.clear(), NotRecallable::WithoutMsgid),
            (
                |detail| {
                    detail.msgid.clear();
                    detail.content = Content::stored("card_update", "{}".to_owned()).unwrap();
                },
                NotRecallable::CardUpdate,
            ),
        ] {
            assert_eq!(changed(change), expected);
        }
    }
}
