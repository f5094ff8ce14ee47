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
    outbox::{DeliveryId, Enqueued, Outbox, ReceiverName},
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
    let now = state.wall_time();
    let message = state.setup.parts.relay.test_message(receiver, now);
    let message = message.map_err(|refused| refusal(refused, receiver, reader.language()))?;
    let name = message.receiver.clone();
    if let Err(wait) = state.setup.take_test(&name, now) {
        return Err(too_early(wait));
    }
    let enqueued = state.outbox.enqueue(message, state.clock.now()).await;
    let (Enqueued::Accepted(notification) | Enqueued::Duplicate(notification)) =
        enqueued.map_err(|error| Refusal::Outbox(error.to_string()))?;
    // The first delivery of a notification has its number.
    let delivery = DeliveryId(notification.0);
    state.setup.tested(name, delivery);
    audit(state, reader, "test", receiver);
    Ok(delivery)
}

pub(super) fn too_early(wait: Duration) -> Refusal {
    Refusal::TooEarly(wait)
}

pub(super) fn refusal(refused: TestRefusal, receiver: &str, language: Language) -> Refusal {
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
    }
}
