//! The XML of an event.

use jiff::Timestamp;

/// A press of a button, as the server of the app hears of it.
#[derive(Debug, Clone)]
pub(super) struct CardEvent {
    pub(super) corp_id: String,
    pub(super) agent_id: u64,
    pub(super) member: String,
    pub(super) at: Timestamp,
    pub(super) key: String,
    pub(super) task_id: String,
    pub(super) card_type: String,
    pub(super) response_code: String,
}

impl CardEvent {
    /// In the order of elements that was seen in 2022.
    pub(super) fn xml(&self) -> String {
        [
            "<xml>".to_owned(),
            text("ToUserName", &self.corp_id),
            text("FromUserName", &self.member),
            text("MsgType", "event"),
            text("Event", "template_card_event"),
            format!("<CreateTime>{}</CreateTime>", self.at.as_second()),
            format!("<AgentID>{}</AgentID>", self.agent_id),
            text("EventKey", &self.key),
            text("TaskId", &self.task_id),
            text("CardType", &self.card_type),
            text("ResponseCode", &self.response_code),
            "</xml>".to_owned(),
        ]
        .concat()
    }
}

/// An element with a text.
pub(super) fn text(name: &str, text: &str) -> String {
    // The end of a section cannot be in one.
    let text = text.replace("]]>", "]]]]><![CDATA[>");
    format!("<{name}><![CDATA[{text}]]></{name}>")
}
