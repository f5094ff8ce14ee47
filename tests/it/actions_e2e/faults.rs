//! Callbacks that come late, twice, or from a stranger.

use std::time::Duration;

use wecom_relay::sandbox::{AttemptResult, PressFault};

use super::site::Site;
use crate::support::soon;

/// Runs a press with a fault to its end, and returns the statuses of the answers.
async fn pressed(site: &Site, task_id: &str, fault: PressFault) -> Vec<u16> {
    site.press(task_id, "silence:3600", Some(fault));
    let press = site.settled_presses().await.pop().unwrap();
    let status = |result: &AttemptResult| match result {
        AttemptResult::Answered { status, .. } | AttemptResult::Lost { status } => *status,
        AttemptResult::NoAnswer { reason } => panic!("{reason}"),
    };
    press.attempts.iter().map(|attempt| status(&attempt.result)).collect()
}

#[tokio::test]
async fn a_press_acts_once_however_often_it_comes() {
    let Some(site) = Site::open("{}").await else { return };
    let _relay = site.start().await;
    site.alert(true).await;
    let task_id = site.fresh_card().await;
    let stranger = pressed(&site, &task_id, PressFault::WrongSignature).await;
    assert_ne!(stranger, [200]);
    assert_eq!(site.silences().await.len(), 0);
    assert_eq!(pressed(&site, &task_id, PressFault::Twice).await, [200, 200]);
    for member in ["zhangsan", "lisi"] {
        site.card(member, |card| card.text.contains("zhangsan silenced until")).await;
    }
    site.only_silence().await;
}

#[tokio::test]
async fn a_press_whose_answer_gets_lost_acts_once() {
    let Some(site) = Site::open("{}").await else { return };
    let _relay = site.start().await;
    site.alert(true).await;
    let task_id = site.fresh_card().await;
    assert_eq!(pressed(&site, &task_id, PressFault::LostAnswer).await, [200, 200]);
    site.card("lisi", |card| card.text.contains("zhangsan silenced until")).await;
    site.only_silence().await;
}

#[tokio::test]
async fn a_press_that_comes_after_the_end_of_the_alert_does_nothing() {
    let Some(site) = Site::open("{}").await else { return };
    let _relay = site.start().await;
    site.alert(true).await;
    let task_id = site.fresh_card().await;
    site.press(&task_id, "silence:3600", Some(PressFault::Late(Duration::from_secs(15))));
    site.alert(false).await;
    site.card("zhangsan", |card| card.text.contains("[RESOLVED:1]")).await;
    site.settled_presses().await;
    soon(site.wecom.sandbox.wait_until(|_| !site.texts("zhangsan").is_empty())).await;
    assert_eq!(site.texts("lisi"), [""; 0]);
    assert_eq!(site.silences().await.len(), 0);
}
