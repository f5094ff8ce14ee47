//! Messages that the relay writes itself: digests and notices.

use crate::{
    outbox::{Kind, NewDelivery, NewNotification, Part, ReceiverName, SenderName, Status},
    wecom::{Content, Recipients},
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
}

impl OwnMessage {
    /// Addresses the message, with as many deliveries as the recipients need.
    pub(super) fn address(self, sender: SenderName, recipients: Recipients) -> NewNotification {
        let delivery = |recipients| NewDelivery {
            recipients,
            content: Content::Text(self.text.clone()),
            part: Part::WHOLE,
        };
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
        }
    }
}
