//! The message by which an operator tries a receiver. It takes the way of an alert: outbox, rate limiter, client.

use jiff::Timestamp;

use super::{
    Address, Intake, Receiver,
    deliveries::{deliveries, text_deliveries},
};
use crate::{
    language::Language,
    outbox::{Kind, NewDelivery, NewNotification, Status},
    text::local_time,
    wecom::{Content, Recipients},
};

/// Test messages wait for each other, but not for alerts or notices.
const GROUP_KEY: &str = "test message";

impl Intake {
    /// A test message for the recipients of `receiver`. `None` if templates choose them, because there is no alert.
    pub fn test_message(&self, receiver: &Receiver, now: Timestamp) -> Option<NewNotification> {
        let Address::Literal(recipients) = &receiver.address else { return None };
        let (name, at) = (&receiver.name, local_time(now, &self.settings.timezone));
        let [summary, text] = match receiver.language {
            Language::En => [
                format!("test message for receiver {name}"),
                format!(
                    "[wecom-relay] Test message for receiver {name}, sent from the console at {at}. Whoever reads this gets the \
                     alerts of this receiver."
                ),
            ],
            Language::Zh => [
                format!("发给 {name} 的测试消息"),
                format!(
                    "【测试】wecom-relay 控制台于 {at} 发给 receiver {name} 的测试消息。能看到这条消息的人，会收到该 receiver 的告警。"
                ),
            ],
        };
        let deliveries = text_deliveries(recipients, text);
        Some(test_notification(receiver, summary, recipients.clone(), deliveries))
    }

    /// The messages of a draft, for members whom an operator names.
    pub fn draft_message(
        &self,
        receiver: &Receiver,
        recipients: Recipients,
        contents: Vec<Content>,
    ) -> NewNotification {
        let name = &receiver.name;
        let summary = receiver.language.choose(
            format!("draft of a template for receiver {name}"),
            format!("receiver {name} 的模板草稿"),
        );
        let deliveries = deliveries(&recipients, contents);
        test_notification(receiver, summary, recipients, deliveries)
    }
}

fn test_notification(
    receiver: &Receiver,
    summary: String,
    recipients: Recipients,
    deliveries: Vec<NewDelivery>,
) -> NewNotification {
    NewNotification {
        kind: Kind::Notice,
        receiver: receiver.name.clone(),
        group_key: GROUP_KEY.to_owned(),
        status: Status::Resolved,
        severity: String::new(),
        dedupe: None,
        summary,
        text_form: None,
        sender: receiver.sender.clone(),
        recipients,
        deliveries,
        dead: None,
        card: None,
    }
}
