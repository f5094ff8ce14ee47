//! Messages that the relay writes itself: digests and notices.

use crate::{
    outbox::{Kind, NewDelivery, NewNotification, Part, ReceiverName, SenderName, Status},
    wecom::{Content, GroupMentions, GroupText, Recipients, message::without_mention_of_everybody},
};

/// A message that the relay writes itself.
pub(super) struct OwnMessage {
    pub(super) kind: Kind,
    pub(super) receiver: ReceiverName,
    pub(super) status: Status,
    pub(super) summary: String,
    pub(super) text: String,
    /// The text that replaces a rejected one.
    pub(super) text_form: Option<String>,
    /// The members whom a message to a group mentions.
    pub(super) mentions: GroupMentions,
}

impl OwnMessage {
    /// Addresses the message, with as many deliveries as the recipients need.
    pub(super) fn address(self, sender: SenderName, recipients: Recipients) -> NewNotification {
        let content = self.content();
        let delivery = |recipients| NewDelivery { recipients, content: content.clone(), part: Part::WHOLE };
        NewNotification {
            kind: self.kind,
            receiver: self.receiver,
            group_key: String::new(),
            status: self.status,
            severity: String::new(),
            dedupe: None,
            summary: self.summary,
            deliveries: recipients.batches().into_iter().map(delivery).collect(),
            text_form: self.text_form,
            sender,
            recipients,
            dead: None,
            card: None,
        }
    }

    fn content(&self) -> Content {
        let GroupMentions { users: mentioned_list, mobiles: mentioned_mobile_list } = self.mentions.clone();
        if mentioned_list.is_empty() && mentioned_mobile_list.is_empty() {
            return Content::Text(self.text.clone());
        }
        let content = without_mention_of_everybody(&self.text).into_owned();
        GroupText { content, mentioned_list, mentioned_mobile_list }.into()
    }
}
