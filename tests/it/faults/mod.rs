//! Faults of WeCom and of the network, one at a time. Each test asserts on the messages that members saw.

mod blocked;
mod clock;
mod damaged_rows;
mod digest;
mod expiry;
mod fallback;
mod isolation;
mod outage;
mod parts;
mod recipients;
mod secret;
mod token;
mod transient;
mod unconfirmed;
mod unknown;

use wecom_relay::outbox::{Outbox, State};

use crate::support::{
    CORP, OTHER_AGENT, OTHER_SECRET, Options, Relay, Wecom, eventually, short_delays, soon,
};

/// A relay for zhangsan with delays of tenths of seconds instead of seconds and minutes.
fn quick() -> Options {
    Options { tuning: short_delays(), ..Options::default() }
}

/// A second app, named `second`, as further lines of the configuration.
fn second_app(wecom: &Wecom) -> String {
    format!(
        "  - name: second\n    corp_id: {CORP}\n    agent_id: {OTHER_AGENT}\n    api_secret: {OTHER_SECRET}\n    \
         api_url: {}/cgi-bin/\n",
        wecom.url
    )
}

/// The messages that a member was shown.
fn seen_by(wecom: &Wecom, userid: &str) -> Vec<String> {
    wecom.sandbox.delivered_to(userid).into_iter().map(|shown| shown.text.to_string()).collect()
}

/// Waits until a member was shown `count` messages.
async fn shown(wecom: &Wecom, userid: &str, count: usize) -> Vec<String> {
    soon(wecom.sandbox.wait_for_delivered(userid, count)).await;
    seen_by(wecom, userid)
}

/// Waits until a sender is held, or until none is.
async fn held(relay: &Relay, is_held: bool) -> Vec<wecom_relay::outbox::Hold> {
    eventually(async || relay.outbox.holds().await.unwrap(), |holds| holds.is_empty() != is_held).await
}

/// Asserts that all deliveries were delivered.
async fn all_delivered(relay: &Relay, count: usize) {
    let settled = soon(relay.settled(count)).await;
    assert_eq!(settled.len(), count);
    for delivery in settled {
        assert_eq!(delivery.state, State::Delivered, "{}: {}", delivery.summary, delivery.reason);
    }
}
