//! One message: its content, and the JSON that WeCom is given.
//!
//! One [`Message`] has exactly one [`request_body`], byte for byte, because WeCom's duplicate check compares the JSON.

use std::{borrow::Cow, fmt, time::Duration};

use serde::Serialize;

use super::{Api, Card, CardUpdate, Content, Recipients};

/// The longest interval of WeCom's duplicate check, in seconds.
pub const MAX_DUPLICATE_CHECK_SECS: u64 = 4 * 60 * 60;

/// The number of an app within its corp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AgentId(pub u64);

impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One message. The request depends on this value alone, so that a resend is byte-identical.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Within WeCom's limits for one call.
    pub recipients: Recipients,
    pub content: Content,
    /// WeCom suppresses an identical request within this time (`duplicate_check_interval`).
    pub duplicate_check: Option<Duration>,
}

impl Message {
    /// The call that sends it.
    pub fn api(&self) -> Api {
        match (&self.content, &self.recipients) {
            (Content::CardUpdate(_), _) => Api::UpdateTemplateCard,
            (_, Recipients::Group) => Api::WebhookSend,
            (_, Recipients::Chat(_)) => Api::AppchatSend,
            (_, Recipients::Nobody | Recipients::All | Recipients::Listed(_)) => Api::MessageSend,
        }
    }
}

/// The fields in the order in which they are sent.
#[derive(Serialize)]
struct RequestBody<'m> {
    #[serde(skip_serializing_if = "String::is_empty")]
    touser: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    toparty: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    totag: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    chatid: Option<&'m str>,
    msgtype: &'static str,
    /// A number, because some servers refuse a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    agentid: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<TextBody<'m>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    markdown: Option<TextBody<'m>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    markdown_v2: Option<TextBody<'m>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    textcard: Option<&'m Card>,
    #[serde(skip_serializing_if = "Option::is_none")]
    template_card: Option<&'m Card>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enable_duplicate_check: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duplicate_check_interval: Option<u64>,
}

/// The fields of `message/update_template_card` in the order in which they are sent.
#[derive(Serialize)]
struct UpdateBody<'m> {
    /// 1: everybody who has the card.
    atall: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    agentid: Option<u64>,
    response_code: &'m str,
    template_card: &'m Card,
}

#[derive(Serialize)]
#[serde(untagged)]
enum TextBody<'m> {
    Plain { content: Cow<'m, str> },
    WithMentions(&'m Card),
}

/// The JSON of [`Message::api`]: compact, in UTF-8, with a fixed order of fields. A robot has no `agent_id`.
#[expect(clippy::expect_used, reason = "texts and numbers can always be written as JSON")]
pub fn request_body(agent_id: Option<AgentId>, message: &Message) -> String {
    if let Some(update) = message.content.as_card_update() {
        return update_body(agent_id, &update);
    }
    let chat = match &message.recipients {
        Recipients::Chat(chat) => Some(chat.as_str()),
        _ => None,
    };
    // Chats and robots have one group, which the request or the key names.
    let agent_id = agent_id.filter(|_| chat.is_none());
    let listed = match (agent_id, &message.recipients) {
        (None, _) | (_, Recipients::Group) => &Recipients::Nobody,
        (Some(_), recipients) => recipients,
    };
    let interval = message.duplicate_check.filter(|_| agent_id.is_some()).map(interval_secs);
    let mut body = RequestBody {
        touser: listed.touser(),
        toparty: listed.toparty(),
        totag: listed.totag(),
        chatid: chat,
        msgtype: message.content.wecom_msgtype(),
        agentid: agent_id.map(|id| id.0),
        text: None,
        markdown: None,
        markdown_v2: None,
        textcard: None,
        template_card: None,
        enable_duplicate_check: interval.map(|_| 1),
        duplicate_check_interval: interval,
    };
    let is_group = agent_id.is_none();
    let safe = |text| if is_group { without_mention_of_everybody(text) } else { Cow::Borrowed(text) };
    match &message.content {
        Content::Text(content) => body.text = Some(TextBody::Plain { content: safe(content) }),
        Content::GroupText(text) => body.text = Some(TextBody::WithMentions(text)),
        Content::Markdown(content) => body.markdown = Some(TextBody::Plain { content: safe(content) }),
        Content::MarkdownV2(content) => body.markdown_v2 = Some(TextBody::Plain { content: safe(content) }),
        Content::TextCard(card) => body.textcard = Some(card),
        Content::TemplateCard(card) | Content::CardUpdate(card) => body.template_card = Some(card),
    }
    serde_json::to_string(&body).expect("a request is valid JSON")
}

#[expect(clippy::expect_used, reason = "texts and numbers can always be written as JSON")]
fn update_body(agent_id: Option<AgentId>, update: &CardUpdate) -> String {
    let body = UpdateBody {
        atall: 1,
        agentid: agent_id.map(|id| id.0),
        response_code: update.response_code.as_deref().unwrap_or_default(),
        template_card: &update.template_card,
    };
    serde_json::to_string(&body).expect("a request is valid JSON")
}

/// `text` without WeCom's markup for a mention of everybody, which a label may contain. Only texts and markdown of groups
/// have this markup; `mentioned_list` is the right place for it. The result is as long as `text`, because parts are split
/// before.
pub fn without_mention_of_everybody(text: &str) -> Cow<'_, str> {
    const MENTION: &str = "<@all>";
    // Removing the brackets could create a mention from those around them.
    const HARMLESS: &str = "(@all)";
    let folded = text.to_ascii_lowercase();
    let mut safe = Cow::Borrowed(text);
    for (at, mention) in folded.match_indices(MENTION) {
        safe.to_mut().replace_range(at..at + mention.len(), HARMLESS);
    }
    safe
}

/// Whole seconds, rounded up, within WeCom's limits.
fn interval_secs(interval: Duration) -> u64 {
    let secs = interval.as_secs().saturating_add(u64::from(interval.subsec_nanos() > 0));
    secs.clamp(1, MAX_DUPLICATE_CHECK_SECS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wecom::Otherwise;

    fn message(content: Content, duplicate_check: Option<Duration>) -> Message {
        let recipients = Recipients::parse("zhangsan|lisi", "", "7").unwrap();
        Message { recipients, content, duplicate_check }
    }

    #[test]
    fn the_fields_of_a_text_have_a_fixed_order() {
        let message = message(Content::Text("告警 \"db1\"\n<b>".to_owned()), None);
        assert_eq!(
            request_body(Some(AgentId(1_000_030)), &message),
            r#"{"touser":"zhangsan|lisi","totag":"7","msgtype":"text","agentid":1000030,"text":{"content":"告警 \"db1\"\n<b>"}}"#
        );
    }

    #[test]
    fn markdown_has_the_duplicate_check() {
        let mut message = message(Content::Markdown("# 恢复".to_owned()), Some(Duration::from_secs(120)));
        message.recipients = Recipients::All;
        assert_eq!(
            request_body(Some(AgentId(1)), &message),
            r##"{"touser":"@all","msgtype":"markdown","agentid":1,"markdown":{"content":"# 恢复"},"enable_duplicate_check":1,"duplicate_check_interval":120}"##
        );
    }

    #[test]
    fn the_duplicate_check_interval_is_within_wecoms_limits() {
        assert_eq!(interval_secs(Duration::ZERO), 1);
        assert_eq!(interval_secs(Duration::from_millis(1500)), 2);
        assert_eq!(interval_secs(Duration::MAX), MAX_DUPLICATE_CHECK_SECS);
    }

    #[test]
    fn no_text_of_a_group_mentions_everybody() {
        for (text, sent) in [
            ("<@all>", "(@all)"),
            ("<@ALL> <@all>", "(@all) (@all)"),
            ("<<@all>>", "<(@all)>"),
            ("<@all<@all>>", "<@all(@all)>"),
            ("告警<@a<@All>ll>é", "告警<@a(@all)ll>é"),
            ("<@zhangsan> @all", "<@zhangsan> @all"),
        ] {
            assert_eq!(without_mention_of_everybody(text), sent);
            assert_eq!(without_mention_of_everybody(sent), sent);
            let message =
                Message { recipients: Recipients::Group, ..message(Content::Text(text.to_owned()), None) };
            assert!(!request_body(None, &message).to_lowercase().contains("<@all>"));
        }
    }

    #[test]
    fn a_card_update_has_its_own_request() {
        let card = Card::from_json(r#"{"card_type":"button_interaction","task_id":"t"}"#).unwrap();
        let update = CardUpdate {
            template_card: card,
            response_code: Some("code".to_owned()),
            otherwise: Otherwise::Text,
        };
        let message = message(Content::card_update(&update), Some(Duration::from_secs(60)));
        assert_eq!(message.api(), Api::UpdateTemplateCard);
        assert_eq!(
            request_body(Some(AgentId(7)), &message),
            r#"{"atall":1,"agentid":7,"response_code":"code","template_card":{"card_type":"button_interaction","task_id":"t"}}"#
        );
    }

    #[test]
    fn a_card_is_sent_as_it_is_stored() {
        let stored = r#"{"b":1,"a":"a/é\u00e9"}"#;
        let content = Content::stored("template_card", stored.to_owned()).unwrap();
        assert_eq!(
            request_body(Some(AgentId(1)), &message(content, None)),
            format!(
                r#"{{"touser":"zhangsan|lisi","totag":"7","msgtype":"template_card","agentid":1,"template_card":{stored}}}"#
            )
        );
    }
}
