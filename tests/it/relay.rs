//! An alert passes through the whole relay.

use std::time::Duration;

use wecom_relay::{
    outbox::{Listed, State},
    sandbox::{Api, Fault},
};

use crate::support::{ManualClock, Options, Relay, Wecom, eventually, payload};

#[tokio::test]
async fn a_member_sees_an_alert_fire_and_then_resolve() {
    let wecom = Wecom::start().await;
    let relay = Relay::start(&wecom.url).await;
    relay.post(&payload("Down", &[("a", true)])).await;
    relay.post(&payload("Down", &[("a", false)])).await;
    let seen = wecom.sandbox.wait_for_delivered("zhangsan", 2).await;
    assert!(seen[0].text.starts_with("[FIRING:1] Down "), "{}", seen[0].text);
    assert!(seen[1].text.starts_with("[RESOLVED] Down "), "{}", seen[1].text);
    relay.stop().await;
    assert_eq!(wecom.sandbox.delivered_to("zhangsan").len(), 2);
}

#[tokio::test]
async fn a_clock_that_is_set_back_delays_nothing() {
    let wecom = Wecom::start().await;
    let clock = ManualClock::new();
    let relay = Relay::with(&wecom.url, Options { clock: clock.clone(), ..Options::default() }).await;
    wecom.sandbox.inject(Fault::errcode(-1).on(Api::MessageSend).times(1));
    clock.advance(Duration::from_secs(24 * 3600));
    relay.post(&payload("Down", &[("a", true)])).await;
    let is_tried = |ready: &Vec<Listed>| ready.iter().any(|delivery| delivery.attempts > 0);
    eventually(async || relay.listed(&[State::Ready]).await, is_tried).await;
    clock.set_back(Duration::from_secs(24 * 3600));
    relay.post(&payload("Down", &[("a", false)])).await;
    let seen = wecom.sandbox.wait_for_delivered("zhangsan", 2).await;
    assert!(seen[0].text.starts_with("[FIRING:1]"), "{}", seen[0].text);
    relay.stop().await;
}
