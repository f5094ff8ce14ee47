//! The life of a card: silenced, resolved, reloaded.

use wecom_relay::outbox::State;

use super::{Alertmanager, Stage};
use crate::support::eventually;

#[tokio::test]
async fn a_card_says_that_its_alert_resolved_while_it_was_silenced() {
    let Some(alertmanager) = Alertmanager::start().await else { return };
    let stage = Stage::start(alertmanager.url(), "{}").await;
    alertmanager.alert("DiskFull", true).await;
    let task_id = stage.card("DiskFull").await;
    stage.press_on_phone(&task_id, "zhangsan", "silence:3600").await;
    stage.result().await;
    alertmanager.alert("DiskFull", false).await;
    let updates = async || {
        let mut updates = Vec::new();
        for listed in stage.relay.listed(&[State::Delivered]).await {
            let content = stage.relay.shown(listed.id.0).await.content;
            updates.extend(content.as_card_update().map(|update| update.template_card.json().to_owned()));
        }
        updates
    };
    let updates = eventually(updates, |updates| updates.len() >= 2).await;
    assert!(updates[0].contains("zhangsan silenced until "), "{updates:?}");
    assert!(updates[1].contains("\"title\":\"[RESOLVED] DiskFull"), "{updates:?}");
    assert!(updates[1].contains("\"replace_text\":\"Resolved\""), "{updates:?}");
    stage.stop().await;
}

#[tokio::test]
async fn a_reload_changes_who_may_press() {
    let stage = Stage::start("http://127.0.0.1:9", "{}").await;
    let task_id = stage.card("DiskFull").await;
    let path = stage.relay.folder.path().join("config.yml");
    let config = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, config.replace("actions: {}", "actions: { allow_user: lisi }")).unwrap();
    stage.relay.reloads.reload().await;
    stage.press(&task_id, "zhangsan", "ack").await;
    stage.told("zhangsan", |text| text.contains("you are not among those who may press")).await;
    stage.press(&task_id, "lisi", "ack").await;
    let results = stage.results(2).await;
    assert!(results.iter().any(|result| result.starts_with("lisi acknowledged")), "{results:?}");
    stage.stop().await;
}
