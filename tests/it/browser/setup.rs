//! The Setup page.

use wecom_relay::{
    outbox::State,
    sandbox::{Api, Fault},
};

use super::{
    Look,
    desk::{Desk, PASSWORD, with_password},
};
use crate::support::{Options, SECRET, eventually};

#[tokio::test]
async fn a_test_message_takes_the_way_of_an_alert() {
    let Some(desk) = Desk::open(Options::default(), &Look::default()).await else { return };
    let browser = &desk.browser;
    desk.goto("setup").await;
    browser.click("a[href*='setup/test']").await;
    browser.see("main", "user zhangsan").await;
    browser.click("#send").await;
    let [text] = &desk.phone(1).await[..] else { panic!() };
    assert!(text.contains("Test message for receiver wechat"), "{text}");
    browser.see("#test-1", "taken by WeCom").await;
    desk.finish().await;
}

#[tokio::test]
async fn a_refused_test_message_says_why() {
    let Some(desk) = Desk::open(Options::default(), &Look { language: "zh-CN", ..Look::default() }).await
    else {
        return;
    };
    let browser = &desk.browser;
    desk.wecom.sandbox.inject(Fault::errcode(81013).on(Api::MessageSend).times(1));
    desk.goto("setup/test?receiver=wechat").await;
    browser.click("#send").await;
    browser.see("#test-1", "81013").await;
    browser.see("#test-1", "收件成员、部门、标签都收不到消息").await;
    let dead = desk.relay.listed(&[State::Dead]).await;
    assert_eq!(dead.len(), 1);
    desk.finish().await;
}

#[tokio::test]
async fn doctor_runs_on_the_page_and_sends_nothing() {
    let Some(desk) = Desk::open(Options::default(), &Look::default()).await else { return };
    let browser = &desk.browser;
    desk.goto("setup").await;
    browser.click("#run-doctor").await;
    browser.see("#doctor", "the app sees user zhangsan").await;
    let text = async || browser.text("#doctor [role=status]").await;
    eventually(text, |text| !text.contains("running")).await;
    // The first call has no parameters. It checks the way to WeCom.
    assert_eq!(desk.wecom.sandbox.gettoken_calls(), 2);
    assert_eq!(desk.wecom.sandbox.send_calls(), 0);
    desk.finish().await;
}

#[tokio::test]
async fn the_page_shows_no_secret() {
    let Some(desk) = Desk::open(with_password(), &Look::default()).await else { return };
    desk.log_in().await;
    desk.goto("setup").await;
    desk.browser.see("main", "webhook_configs").await;
    let source = desk.browser.script("return document.documentElement.outerHTML", &[]).await;
    let source = source.as_str().unwrap();
    let secrets = [SECRET.split_at(14).0, PASSWORD.split_at(8).0];
    assert!(secrets.iter().all(|secret| !source.contains(secret)));
    desk.finish().await;
}
