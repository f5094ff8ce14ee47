//! Unknown errcodes: three attempts, even if the delivery has failed for other reasons before.

use wecom_relay::{
    outbox::State,
    sandbox::{Api, Fault, Settings},
};

use super::{all_delivered, quick, seen_by, shown};
use crate::support::{Relay, Wecom, payload, soon};

const UNKNOWN: i64 = 999_001;

#[tokio::test]
async fn an_unknown_errcode_has_three_attempts_of_its_own() {
    let wecom = Wecom::live(Settings::default()).await;
    let relay = Relay::with(&wecom.url, quick()).await;
    wecom.sandbox.inject(Fault::errcode(-1).on(Api::MessageSend).times(2));
    wecom.sandbox.inject(Fault::errcode(UNKNOWN).on(Api::MessageSend).times(3));
    relay.post(&payload("Down", &[("a", true)])).await;
    let settled = soon(relay.settled(1)).await;
    assert_eq!(settled[0].state, State::Dead);
    assert!(settled[0].reason.ends_with("; tried 3 times"), "{}", settled[0].reason);
    let errcodes: Vec<_> =
        relay.shown(1).await.attempts.iter().map(|attempt| attempt.errcode.unwrap()).collect();
    assert_eq!(errcodes, [-1, -1, UNKNOWN, UNKNOWN, UNKNOWN]);
    relay.stop().await;
    assert!(seen_by(&wecom, "zhangsan").is_empty());
}

#[tokio::test]
async fn an_alert_survives_a_passing_unknown_errcode() {
    let wecom = Wecom::live(Settings::default()).await;
    let relay = Relay::with(&wecom.url, quick()).await;
    wecom.sandbox.inject(Fault::errcode(UNKNOWN).on(Api::MessageSend).times(2));
    relay.post(&payload("Down", &[("a", true)])).await;
    assert_eq!(shown(&wecom, "zhangsan", 1).await.len(), 1);
    all_delivered(&relay, 1).await;
    assert_eq!(wecom.sandbox.send_calls(), 3);
    relay.stop().await;
}

#[tokio::test]
async fn a_restart_gives_no_further_attempts() {
    let wecom = Wecom::live(Settings::default()).await;
    let relay = Relay::with(&wecom.url, quick()).await;
    wecom.sandbox.inject(Fault::errcode(UNKNOWN).on(Api::MessageSend).times(2));
    wecom.sandbox.inject(Fault::errcode(60020).on(Api::MessageSend).times(1));
    wecom.sandbox.inject(Fault::errcode(UNKNOWN).on(Api::MessageSend));
    relay.post(&payload("Down", &[("a", true)])).await;
    super::held(&relay, true).await;
    let folder = relay.stop().await;
    let options = crate::support::Options { folder: Some(folder), ..quick() };
    let relay = Relay::with(&wecom.url, options).await;
    assert_eq!(soon(relay.settled(1)).await[0].state, State::Dead);
    assert_eq!(wecom.sandbox.send_calls(), 4);
    relay.stop().await;
}
