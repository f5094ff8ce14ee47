//! Recipients that WeCom does not know.

use wecom_relay::{outbox::State, sandbox::Settings};

use super::{all_delivered, quick, seen_by, shown};
use crate::support::{Options, Relay, Wecom, payload, soon};

#[tokio::test]
async fn invalid_recipients_are_recorded_and_the_others_get_it() {
    let wecom = Wecom::live(Settings::default()).await;
    let receivers =
        "  - { name: wechat, to_user: zhangsan|nobody|sunqi, to_party: '99', to_tag: '77' }\n".to_owned();
    let relay = Relay::with(&wecom.url, Options { receivers, ..quick() }).await;
    relay.post(&payload("Down", &[("a", true)])).await;
    assert_eq!(shown(&wecom, "zhangsan", 1).await.len(), 1);
    all_delivered(&relay, 1).await;
    let missed = relay.shown(1).await.invalid_recipients;
    for name in ["nobody", "sunqi", "99", "77"] {
        assert!(missed.contains(name), "{name} in {missed:?}");
    }
    assert!(!missed.contains("zhangsan"), "{missed}");
    assert_eq!(wecom.sandbox.send_calls(), 1);
    relay.stop().await;
}

#[tokio::test]
async fn an_alert_without_valid_recipients_is_a_dead_letter() {
    let wecom = Wecom::live(Settings::default()).await;
    let receivers = "  - { name: wechat, to_user: nobody }\n  - { name: other, to_user: lisi }\n".to_owned();
    let relay = Relay::with(&wecom.url, Options { receivers, ..quick() }).await;
    relay.post(&payload("Down", &[("a", true)])).await;
    let settled = soon(relay.settled(1)).await;
    assert_eq!(settled[0].state, State::Dead);
    assert!(settled[0].reason.contains("81013"), "{}", settled[0].reason);
    assert_eq!(wecom.sandbox.send_calls(), 1);
    // The app is not held, and the group is not blocked.
    relay.post(&payload("Down", &[("a", false)])).await;
    relay.request(reqwest::Method::POST, "/webhook/other", payload("Down", &[("a", true)]).to_string()).await;
    assert_eq!(shown(&wecom, "lisi", 1).await.len(), 1);
    assert_eq!(soon(relay.settled(3)).await.len(), 3);
    assert_eq!(relay.listed(&[State::Dead]).await.len(), 2);
    assert!(seen_by(&wecom, "zhangsan").is_empty());
    relay.stop().await;
}
