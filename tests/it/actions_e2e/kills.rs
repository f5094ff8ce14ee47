//! `kill -9` at each step between the alert and the card that says what happened.
//!
//! A gate or a fault stops the call at which the relay is killed, so each test knows the moment.

use reqwest::Method;
use wecom_relay::sandbox::{Api, Effect, Fault};

use super::{gate::Stop, site::Site};
use crate::support::{Process, soon};

const SILENCES: &str = "/api/v2/silences";

/// Waits until the sandbox has handled, or swallowed, this many calls.
async fn called(site: &Site, api: Api, count: usize) {
    let calls = || site.wecom.sandbox.calls().iter().filter(|call| call.api == api).count();
    soon(site.wecom.sandbox.wait_until(|_| calls() >= count)).await;
}

/// The end of each story: one silence, and the card of everybody says who made it.
async fn ends_with_one_silence(site: &Site, relay: Process) {
    for member in ["zhangsan", "lisi"] {
        site.card(member, |card| card.text.contains("zhangsan silenced until")).await;
    }
    site.settled_presses().await;
    site.stop(relay).await;
    for member in ["zhangsan", "lisi"] {
        assert_eq!(site.texts(member), [""; 0]);
        let cards = site.wecom.sandbox.delivered_to(member);
        assert_eq!(cards.len(), 1, "{cards:#?}");
    }
    site.only_silence().await;
}

#[tokio::test]
async fn a_kill_after_the_card_was_accepted_sends_no_second_one() {
    let Some(site) = Site::open("{}").await else { return };
    site.wecom.sandbox.inject(Fault::new(Effect::Hang { taken: true }).on(Api::MessageSend).times(1));
    let relay = site.start().await;
    site.alert(true).await;
    let task_id = site.fresh_card().await;
    site.kill(relay).await;
    let relay = site.start().await;
    called(&site, Api::MessageSend, 2).await;
    site.press(&task_id, "silence:3600", None);
    ends_with_one_silence(&site, relay).await;
}

#[tokio::test]
async fn a_press_whose_answer_was_lost_in_a_kill_acts_once() {
    let Some(site) = Site::open("{}").await else { return };
    let relay = site.start().await;
    site.alert(true).await;
    let task_id = site.fresh_card().await;
    site.relay.stop_at(Stop { method: Method::POST, path: "/callback/", is_handled: true });
    site.press(&task_id, "silence:3600", None);
    site.relay.stopped(1).await;
    site.kill(relay).await;
    let relay = site.start().await;
    ends_with_one_silence(&site, relay).await;
}

#[tokio::test]
async fn a_kill_before_the_silence_was_made_makes_it_later() {
    let Some(site) = Site::open("{}").await else { return };
    let relay = site.start().await;
    site.alert(true).await;
    let task_id = site.fresh_card().await;
    site.alertmanager.stop_at(Stop { method: Method::POST, path: SILENCES, is_handled: false });
    site.press(&task_id, "silence:3600", None);
    site.alertmanager.stopped(1).await;
    site.kill(relay).await;
    let relay = site.start().await;
    ends_with_one_silence(&site, relay).await;
}

#[tokio::test]
async fn a_kill_after_the_silence_was_made_makes_no_second_one() {
    let Some(site) = Site::open("{}").await else { return };
    let relay = site.start().await;
    site.alert(true).await;
    let task_id = site.fresh_card().await;
    site.alertmanager.stop_at(Stop { method: Method::POST, path: SILENCES, is_handled: true });
    site.press(&task_id, "silence:3600", None);
    site.alertmanager.stopped(1).await;
    assert_eq!(site.silences().await.len(), 1);
    site.kill(relay).await;
    let relay = site.start().await;
    ends_with_one_silence(&site, relay).await;
}

#[tokio::test]
async fn a_kill_before_the_card_was_updated_updates_it_later() {
    let Some(site) = Site::open("{}").await else { return };
    let relay = site.start().await;
    site.alert(true).await;
    let task_id = site.fresh_card().await;
    site.wecom.sandbox.inject(Fault::new(Effect::Hang { taken: false }).on(Api::UpdateTemplateCard).times(1));
    site.press(&task_id, "silence:3600", None);
    called(&site, Api::UpdateTemplateCard, 1).await;
    site.kill(relay).await;
    let relay = site.start().await;
    ends_with_one_silence(&site, relay).await;
}

#[tokio::test]
async fn a_kill_after_the_card_was_updated_tells_nobody_twice() {
    let Some(site) = Site::open("{}").await else { return };
    let relay = site.start().await;
    site.alert(true).await;
    let task_id = site.fresh_card().await;
    site.wecom.sandbox.inject(Fault::new(Effect::Hang { taken: true }).on(Api::UpdateTemplateCard).times(1));
    site.press(&task_id, "silence:3600", None);
    called(&site, Api::UpdateTemplateCard, 1).await;
    site.kill(relay).await;
    let relay = site.start().await;
    called(&site, Api::UpdateTemplateCard, 2).await;
    ends_with_one_silence(&site, relay).await;
}

#[tokio::test]
async fn a_kill_before_the_end_of_the_alert_is_shown_shows_it_later() {
    let Some(site) = Site::open("{}").await else { return };
    let relay = site.start().await;
    site.alert(true).await;
    site.fresh_card().await;
    site.wecom.sandbox.inject(Fault::new(Effect::Hang { taken: true }).on(Api::UpdateTemplateCard).times(1));
    site.alert(false).await;
    called(&site, Api::UpdateTemplateCard, 1).await;
    site.kill(relay).await;
    let relay = site.start().await;
    called(&site, Api::UpdateTemplateCard, 2).await;
    for member in ["zhangsan", "lisi"] {
        let card = site.card(member, |card| card.text.contains("[RESOLVED:1]")).await;
        assert_eq!(card.earlier.len(), 1, "{card:#?}");
    }
    site.stop(relay).await;
    assert_eq!(site.texts("lisi"), [""; 0]);
}
