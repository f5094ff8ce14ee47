//! An operator at night: what is wrong, and what helps?

use wecom_relay::{
    clock::{Clock as _, SystemClock},
    outbox::{DeliveryId, OutboxQuery, Requeue, State},
    sandbox::{Api, Fault},
};

use super::{Look, desk::Desk};
use crate::support::{Options, eventually, payload, without_probes};

#[tokio::test]
async fn an_untrusted_ip_is_named_and_fixed_without_a_reload() {
    let options = Options { tuning: without_probes(), ..Options::default() };
    let Some(desk) = Desk::open(options, &Look::default()).await else { return };
    let browser = &desk.browser;
    desk.goto("").await;
    assert_eq!(browser.count("#cards .card").await, 0);
    desk.wecom.sandbox.inject(Fault::errcode(60020).on(Api::MessageSend));
    desk.relay.post(&payload("DiskFull", &[("node-7", true)])).await;
    browser.see("#cards", "60020").await;
    browser.see("#cards", "127.0.0.1").await;
    browser.see("#cards", "企业可信IP").await;
    eventually(async || browser.title().await, |title| title.starts_with("(1) ")).await;
    desk.wecom.sandbox.clear_faults();
    browser.click("#cards form button").await;
    browser.see_no("#cards", "60020").await;
    eventually(async || browser.title().await, |title| !title.starts_with('(')).await;
    assert!(desk.phone(1).await[0].contains("DiskFull"));
    desk.finish().await;
}

#[tokio::test]
async fn a_dead_letter_is_explained_and_requeued() {
    let Some(desk) = Desk::open(Options::default(), &Look::default()).await else { return };
    let browser = &desk.browser;
    desk.wecom.sandbox.inject(Fault::errcode(81013).on(Api::MessageSend).times(1));
    let id = desk.alert("PodCrash", State::Dead).await;
    desk.goto("messages?state=dead").await;
    browser.click("#list li a").await;
    browser.see("#state", "81013").await;
    browser.see("#state", "none of the users, departments and tags can get the message").await;
    browser.click("[value=requeue]").await;
    browser.click("form[action$=requeue] button.main").await;
    assert!(desk.phone(1).await[0].contains("PodCrash"));
    browser.see("#state", "taken by WeCom").await;
    assert!(browser.url().await.contains(&format!("/messages/{id}")));
    desk.finish().await;
}

#[tokio::test]
async fn the_slower_of_two_people_is_told() {
    let Some(desk) = Desk::open(Options::default(), &Look::default()).await else { return };
    let browser = &desk.browser;
    desk.wecom.sandbox.inject(Fault::errcode(81013).on(Api::MessageSend).times(1));
    let id = desk.alert("PodCrash", State::Dead).await;
    desk.goto(&format!("messages/{id}/confirm?do=discard")).await;
    desk.relay.outbox.requeue(Requeue::One(DeliveryId(id)), SystemClock.now()).await.unwrap();
    desk.phone(1).await;
    eventually(async || desk.relay.shown(id).await.listed.state, |state| *state == State::Delivered).await;
    browser.click("form[action$=discard] button.main").await;
    browser.see("main", "Nothing was changed").await;
    browser.assert_only_status(409).await;
    desk.finish().await;
}
