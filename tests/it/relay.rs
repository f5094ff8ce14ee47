//! An alert passes through the whole relay.

use crate::support::{Relay, Wecom, payload};

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
