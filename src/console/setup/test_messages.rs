//! Test messages: they are stored like alerts, and the page follows them to WeCom's answer.

use std::time::Duration;

use serde::Serialize;

use super::TestRefusal;
use crate::{
    console::{
        change::audit,
        reader::Reader,
        refusal::Refusal,
        state::ConsoleState,
        words::{state_class, state_name, state_sign},
    },
    delivery::stored_reason,
    language::Language,
    outbox::{DeliveryId, Enqueued, NewNotification, Outbox, ReceiverName},
    pages::{Moment, Moments},
};

/// The last test message of a receiver.
#[derive(Debug, Serialize)]
pub(super) struct TestView {
    pub(super) id: i64,
    pub(super) at: Moment,
    pub(super) state: &'static str,
    pub(super) sign: &'static str,
    pub(super) class: &'static str,
    pub(super) reason: String,
}

/// `None` if there was none since the start, or if the outbox does not answer.
pub(super) async fn last_test<O: Outbox>(
    state: &ConsoleState<O>,
    receiver: &ReceiverName,
    moments: &Moments,
) -> Option<TestView> {
    let id = state.setup.last_test(receiver)?;
    let listed = state.outbox.show(id).await.ok()??.listed;
    Some(TestView {
        id: listed.id.0,
        at: moments.at(listed.accepted_at),
        state: state_name(moments.language, listed.state),
        sign: state_sign(listed.state),
        class: state_class(listed.state),
        reason: stored_reason(&listed.reason, moments.language),
    })
}

/// Stores a test message for `receiver`. Returns its first delivery.
///
/// # Errors
/// There is no such receiver, or it cannot get a test now.
pub(super) async fn send<O: Outbox>(
    state: &ConsoleState<O>,
    reader: &Reader,
    receiver: &str,
) -> Result<DeliveryId, Refusal> {
    let message = state.setup.parts.relay.test_message(receiver, state.wall_time());
    let message = message.map_err(|refused| refusal(refused, receiver, reader.language()))?;
    let name = message.receiver.clone();
    let delivery = store(state, message).await?;
    state.setup.tested(name, delivery);
    audit(state, reader, "test", receiver);
    Ok(delivery)
}

/// Stores a message that an operator asked for. Returns its first delivery.
///
/// # Errors
/// The receiver had a message of an operator a short time ago, or the outbox does not answer.
pub(in crate::console) async fn store<O: Outbox>(
    state: &ConsoleState<O>,
    message: NewNotification,
) -> Result<DeliveryId, Refusal> {
    if let Err(wait) = state.setup.take_test(&message.receiver, state.wall_time()) {
        return Err(too_early(wait));
    }
    let enqueued = state.outbox.enqueue(message, state.clock.now()).await;
    let (Enqueued::Accepted(notification) | Enqueued::Duplicate(notification)) =
        enqueued.map_err(|error| Refusal::Outbox(error.to_string()))?;
    // The first delivery of a notification has its number.
    Ok(DeliveryId(notification.0))
}

pub(super) fn too_early(wait: Duration) -> Refusal {
    Refusal::TooEarly(wait)
}

pub(in crate::console) fn refusal(refused: TestRefusal, receiver: &str, language: Language) -> Refusal {
    match refused {
        TestRefusal::UnknownReceiver => Refusal::NotFound(language.choose(
            format!("There is no receiver {receiver} in the configuration of this relay."),
            format!("这个 relay 的配置里没有 receiver {receiver}。"),
        )),
        TestRefusal::RecipientsFromTemplates => Refusal::BadRequest(
            language
                .choose(
                    "Templates choose the recipients of this receiver for each payload, so nobody can get a test. Send a \
                     sample alert to the webhook instead.",
                    "这个 receiver 的接收人由模板按每个 payload 决定，因此无法发送测试消息。请改为向 webhook 发送一条示例告警。",
                )
                .to_owned(),
        ),
        TestRefusal::Group => Refusal::BadRequest(language.choose(
            format!("The messages of receiver {receiver} go to a group, so no member can get a draft."),
            format!("receiver {receiver} 的消息发往群聊，不能把草稿发给成员。"),
        )),
        TestRefusal::Members(reason) => Refusal::BadRequest(language.choose(
            format!("Name the user ids of the members who get the draft, such as zhangsan: {reason}."),
            format!("请填写接收草稿的成员 userid，例如 zhangsan：{reason}。"),
        )),
    }
}
