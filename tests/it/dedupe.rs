//! A duplicate notification is ignored. A changed one is accepted.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{ManualClock, Options, Relay, Wecom, payload, payload_at};

/// The same notification from the other Alertmanager of a pair.
fn from_the_other_alertmanager(mut payload: Value) -> Value {
    payload["externalURL"] = json!("http://alertmanager-2.example.com");
    payload
}

/// The first words of each message that zhangsan sees when all accepted deliveries are settled.
async fn seen(wecom: &Wecom, relay: &Relay, accepted: usize) -> Vec<String> {
    relay.settled(accepted).await;
    let texts = wecom.sandbox.delivered_to("zhangsan").into_iter().map(|seen| seen.text);
    texts.map(|text| text.split(']').next().unwrap_or_default().to_owned() + "]").collect()
}

#[tokio::test]
async fn a_retried_post_is_delivered_once() {
    let wecom = Wecom::start().await;
    let relay = Relay::start(&wecom.url).await;
    let firing = payload("Down", &[("a", true), ("b", true)]);
    assert!(relay.post(&firing).await.starts_with("accepted"));
    assert!(relay.post(&firing).await.starts_with("duplicate"));
    assert_eq!(seen(&wecom, &relay, 1).await, ["[FIRING:2]"]);
    relay.stop().await;
}

#[tokio::test]
async fn other_annotations_do_not_make_a_new_notification() {
    let wecom = Wecom::start().await;
    let relay = Relay::start(&wecom.url).await;
    let mut firing = payload("Down", &[("a", true)]);
    relay.post(&firing).await;
    firing["alerts"][0]["annotations"]["summary"] = json!("it is 93 % now");
    firing["commonAnnotations"]["summary"] = json!("it is 93 % now");
    assert!(relay.post(&firing).await.starts_with("duplicate"));
    relay.stop().await;
}

#[tokio::test]
async fn a_pair_of_alertmanagers_is_delivered_once() {
    let wecom = Wecom::start().await;
    let relay = Relay::start(&wecom.url).await;
    for payload in [payload("Down", &[("a", true)]), payload("Down", &[("a", false)])] {
        assert!(relay.post(&payload).await.starts_with("accepted"));
        assert!(relay.post(&from_the_other_alertmanager(payload)).await.starts_with("duplicate"));
    }
    assert_eq!(seen(&wecom, &relay, 2).await, ["[FIRING:1]", "[RESOLVED]"]);
    relay.stop().await;
}

#[tokio::test]
async fn an_alertmanager_that_outlives_its_twin_is_believed() {
    for has_reported in [false, true] {
        let wecom = Wecom::start().await;
        let relay = Relay::start(&wecom.url).await;
        let (firing, resolved) = (payload("Down", &[("a", true)]), payload("Down", &[("a", false)]));
        let again = from_the_other_alertmanager(firing.clone());
        relay.post(&firing).await;
        if has_reported {
            assert!(relay.post(&again).await.starts_with("duplicate"));
        }
        relay.post(&resolved).await;
        // The first Alertmanager is gone, and the alert fires again with the same start.
        assert!(relay.post(&again).await.starts_with("accepted"));
        assert!(relay.post(&again).await.starts_with("duplicate"));
        assert_eq!(seen(&wecom, &relay, 3).await, ["[FIRING:1]", "[RESOLVED]", "[FIRING:1]"]);
        relay.stop().await;
    }
}

#[tokio::test]
async fn firing_resolved_and_firing_again_are_three_notifications() {
    for again in ["2026-11-21T08:00:00Z", "2026-11-21T08:31:00Z"] {
        let wecom = Wecom::start().await;
        let relay = Relay::start(&wecom.url).await;
        relay.post(&payload("Down", &[("a", true)])).await;
        relay.post(&payload("Down", &[("a", false)])).await;
        relay.post(&payload_at("Down", &[("a", true)], again)).await;
        assert_eq!(seen(&wecom, &relay, 3).await, ["[FIRING:1]", "[RESOLVED]", "[FIRING:1]"]);
        relay.stop().await;
    }
}

#[tokio::test]
async fn a_repeat_after_the_window_is_accepted() {
    let wecom = Wecom::start().await;
    let clock = ManualClock::new();
    let relay = Relay::with(&wecom.url, Options { clock: clock.clone(), ..Options::default() }).await;
    let firing = payload("Down", &[("a", true)]);
    relay.post(&firing).await;
    clock.advance(Duration::from_secs(119));
    wecom.clock.advance(Duration::from_secs(119));
    assert!(relay.post(&firing).await.starts_with("duplicate"));
    clock.advance(Duration::from_secs(1));
    assert!(relay.post(&firing).await.starts_with("accepted"));
    assert_eq!(seen(&wecom, &relay, 2).await.len(), 2);
    relay.stop().await;
}

#[tokio::test]
async fn another_alert_in_a_group_is_a_new_notification() {
    let wecom = Wecom::start().await;
    let relay = Relay::start(&wecom.url).await;
    relay.post(&payload("Down", &[("a", true)])).await;
    relay.post(&payload("Down", &[("a", true), ("b", true)])).await;
    assert_eq!(seen(&wecom, &relay, 2).await, ["[FIRING:1]", "[FIRING:2]"]);
    relay.stop().await;
}
