//! The life of a card: silenced, resolved, reloaded.

use std::sync::atomic::Ordering;

use wecom_relay::outbox::State;

use super::{
    Alertmanager, Stage,
    proxy::{Proxy, Spoiling},
};
use crate::support::{eventually, payload};

#[tokio::test]
async fn a_card_says_that_its_alert_resolved_while_it_was_silenced() {
    let Some(alertmanager) = Alertmanager::start().await else { return };
    let stage = Stage::start(alertmanager.url(), "{}").await;
    alertmanager.alert("DiskFull", true).await;
    let task_id = stage.card("DiskFull").await;
    stage.press_on_phone(&task_id, "zhangsan", "silence:3600").await;
    stage.result().await;
    alertmanager.alert("DiskFull", false).await;
    let updates = eventually(async || stage.updates().await, |updates| updates.len() >= 2).await;
    assert!(updates[0].contains("zhangsan silenced until "), "{updates:?}");
    assert!(updates[1].contains("\"title\":\"[RESOLVED] DiskFull"), "{updates:?}");
    assert!(updates[1].contains("\"replace_text\":\"Resolved\""), "{updates:?}");
    stage.stop().await;
}

#[tokio::test]
async fn a_reload_changes_who_may_press() {
    let stage = Stage::start("http://127.0.0.1:9", "{}").await;
    let task_id = stage.card("DiskFull").await;
    stage.reload(|config| config.replace("actions: {}", "actions: { allow_user: lisi }")).await;
    stage.press(&task_id, "zhangsan", "ack").await;
    stage.notified("zhangsan", |text| text.contains("you are not among those who may press")).await;
    stage.press(&task_id, "lisi", "ack").await;
    let results = stage.results(2).await;
    assert!(results.iter().any(|result| result.starts_with("lisi acknowledged")), "{results:?}");
    stage.stop().await;
}

#[tokio::test]
async fn without_buttons_in_the_configuration_a_press_is_answered() {
    let stage = Stage::start("http://127.0.0.1:9", "{}").await;
    let task_id = stage.card("DiskFull").await;
    stage.reload(|config| config.replace(", actions: {}", "")).await;
    stage.press_on_phone(&task_id, "zhangsan", "silence:3600").await;
    let text = stage.notified("zhangsan", |text| text.starts_with("[NOT DONE]")).await;
    let expected = "[NOT DONE] the buttons of this card are no longer offered. Look into Alertmanager.\n";
    assert!(text.starts_with(expected), "{text}");
    stage.stop().await;
}

#[tokio::test]
async fn one_empty_answer_of_alertmanager_resolves_no_card() {
    let Some(alertmanager) = Alertmanager::start().await else { return };
    let proxy = Proxy::start(Spoiling::SecondList { alertmanager: alertmanager.url().to_owned() }).await;
    let stage = Stage::start(&proxy.url, "{}").await;
    alertmanager.alert("DiskFull", true).await;
    let task_id = stage.card("DiskFull").await;
    stage.press_on_phone(&task_id, "zhangsan", "silence:3600").await;
    stage.result().await;
    // The answer to the press, the empty answer, and later ones.
    eventually(async || proxy.counts.alerts.load(Ordering::Relaxed), |looks| *looks >= 5).await;
    let updates = eventually(async || stage.updates().await, |updates| !updates.is_empty()).await;
    assert_eq!(updates.len(), 1, "{updates:?}");
    alertmanager.alert("DiskFull", false).await;
    let updates = eventually(async || stage.updates().await, |updates| updates.len() >= 2).await;
    assert!(updates[1].contains("[RESOLVED]"), "{updates:?}");
    stage.stop().await;
}

#[tokio::test]
async fn a_silence_that_was_expired_can_be_pressed_again() {
    let Some(alertmanager) = Alertmanager::start().await else { return };
    let stage = Stage::start(alertmanager.url(), "{}").await;
    let task_id = stage.card("DiskFull").await;
    stage.press(&task_id, "zhangsan", "silence:3600").await;
    stage.result().await;
    let first = alertmanager.silence().await["id"].as_str().unwrap().to_owned();
    alertmanager.expire(&first).await;
    stage.press(&task_id, "lisi", "silence:14400").await;
    let results = stage.results(2).await;
    assert!(results[1].starts_with("lisi silenced until "), "{results:?}");
    let silences = alertmanager.silences().await;
    assert_eq!(silences.iter().filter(|silence| silence["status"]["state"] == "active").count(), 1);
    stage.stop().await;
}

#[tokio::test]
async fn a_press_after_a_repetition_shows_the_present_alerts() {
    let stage = Stage::start("http://127.0.0.1:9", "{ repeats: update }").await;
    let task_id = stage.card("DiskFull").await;
    stage.relay.post(&payload("DiskFull", &[("db-1", true), ("db-2", true)])).await;
    let delivered = async || stage.relay.listed(&[State::Delivered]).await;
    eventually(delivered, |listed| listed.len() == 2).await;
    stage.press_on_phone(&task_id, "zhangsan", "ack").await;
    let shown = async || stage.wecom.sandbox.delivered_to("zhangsan");
    let is_noted = |text: &str| text.contains("zhangsan acknowledged");
    let shown = eventually(shown, |shown| shown.iter().any(|shown| is_noted(&shown.text))).await;
    assert_eq!(shown.len(), 1);
    assert!(shown[0].text.contains("FIRING:2"), "{}", shown[0].text);
    stage.stop().await;
}
