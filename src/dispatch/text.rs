//! Messages of this program's own: digests and notices.

use crate::{
    outbox::{Kind, NewDelivery, NewNotification, Part, ReceiverName, SenderName, Status},
    wecom::{Content, Recipients},
};

/// A message of this program's own.
pub(super) struct Text {
    pub(super) kind: Kind,
    pub(super) receiver: ReceiverName,
    pub(super) status: Status,
    pub(super) summary: String,
    pub(super) text: String,
}

impl Text {
    /// Addresses it; as many calls as the recipients need.
    pub(super) fn to(self, sender: SenderName, recipients: Recipients) -> NewNotification {
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
            alerts: Vec::new(),
            dedupe: None,
            summary: self.summary,
            deliveries: recipients.batches().into_iter().map(delivery).collect(),
            text_form: None,
            sender,
            recipients,
            dead: None,
        }
    }
}
