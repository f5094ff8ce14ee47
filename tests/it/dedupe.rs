//! A notification is taken once, however often it comes; what changed is always taken.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{ManualClock, Options, Relay, Wecom, payload, payload_at};

/// The same notification as another Alertmanager of the pair sends it.
fn from_the_other_one(mut payload: Value) -> Value {
    payload["externalURL"] = json!("http://alertmanager-2.example.com");
    payload
}

/// What zhangsan has seen when everything that was accepted is settled: the first word of each message.
async fn seen(wecom: &Wecom, relay: &Relay, accepted: usize) -> Vec<String> {
    relay.settled(accepted).await;
    let texts = wecom.sandbox.delivered_to("zhangsan").into_iter().map(|seen| seen.text);
    texts.map(|text| text.split(']').next().unwrap_or_default().to_owned() + "]").collect()
}

#[tokio::test]
async fn a_retried_post_is_taken_once() {
    let wecom = Wecom::start().await;
    let relay = Relay::start(&wecom.url).await;
    let firing = payload("Down", &[("a", true), ("b", true)]);
    assert!(relay.post(&firing).await.starts_with("accepted"));
    assert!(relay.post(&firing).await.starts_with("a copy"));
    assert_eq!(seen(&wecom, &relay, 1).await, ["[FIRING:2]"]);
    relay.stop().await;
}

#[tokio::test]
async fn a_repeat_within_the_window_that_differs_in_annotations_alone_is_a_copy() {
    let wecom = Wecom::start().await;
    let relay = Relay::start(&wecom.url).await;
    let mut firing = payload("Down", &[("a", true)]);
    relay.post(&firing).await;
    firing["alerts"][0]["annotations"]["summary"] = json!("it is 93 % now");
    firing["commonAnnotations"]["summary"] = json!("it is 93 % now");
    assert!(relay.post(&firing).await.starts_with("a copy"));
    relay.stop().await;
}

#[tokio::test]
async fn the_copies_of_a_pair_of_alertmanagers_are_taken_once_even_after_the_alert_has_resolved() {
    let wecom = Wecom::start().await;
    let relay = Relay::start(&wecom.url).await;
    let (firing, resolved) = (payload("Down", &[("a", true)]), payload("Down", &[("a", false)]));
    relay.post(&firing).await;
    relay.post(&resolved).await;
    assert!(relay.post(&from_the_other_one(firing)).await.starts_with("a copy"));
    assert!(relay.post(&from_the_other_one(resolved)).await.starts_with("a copy"));
    assert_eq!(seen(&wecom, &relay, 2).await, ["[FIRING:1]", "[RESOLVED]"]);
    relay.stop().await;
}

#[tokio::test]
async fn what_fires_resolves_and_fires_again_within_the_window_is_taken_three_times() {
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
async fn a_repeat_after_the_window_is_taken() {
    let wecom = Wecom::start().await;
    let clock = ManualClock::new();
    let relay = Relay::with(&wecom.url, Options { clock: clock.clone(), ..Options::default() }).await;
    let firing = payload("Down", &[("a", true)]);
    relay.post(&firing).await;
    clock.advance(Duration::from_secs(119));
    wecom.clock.advance(Duration::from_secs(119));
    assert!(relay.post(&firing).await.starts_with("a copy"));
    clock.advance(Duration::from_secs(1));
    assert!(relay.post(&firing).await.starts_with("accepted"));
    assert_eq!(seen(&wecom, &relay, 2).await.len(), 2);
    relay.stop().await;
}

#[tokio::test]
async fn one_more_alert_in_a_group_is_news() {
    let wecom = Wecom::start().await;
    let relay = Relay::start(&wecom.url).await;
    relay.post(&payload("Down", &[("a", true)])).await;
    relay.post(&payload("Down", &[("a", true), ("b", true)])).await;
    assert_eq!(seen(&wecom, &relay, 2).await, ["[FIRING:1]", "[FIRING:2]"]);
    relay.stop().await;
}
