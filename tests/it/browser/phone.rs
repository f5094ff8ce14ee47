//! The phone pages of the sandbox.

use wecom_relay::{
    outbox::State,
    sandbox::{Directory, Settings},
};

use super::{Browser, Look, PHONE, desk::Desk};
use crate::support::{Options, Wecom, eventually, payload};

const DROPPED: &str = "article.phone-dropped";
const SHOWN: &str = "article.phone-shown";

async fn send(wecom: &Wecom, token: &str, number: u32) {
    let message = serde_json::json!({
        "touser": "zhangsan", "msgtype": "text", "agentid": crate::support::AGENT,
        "text": { "content": format!("alert {number}") },
    });
    assert_eq!(wecom.send(token, &message).await["errcode"], 0);
}

#[tokio::test]
async fn a_member_sees_what_wecom_drops() {
    let Some(browser) = Browser::open(&Look { size: PHONE, ..Look::default() }).await else { return };
    let wecom = Wecom::start().await;
    browser.goto(&format!("{}/?member=zhangsan", wecom.url)).await;
    let token = wecom.token().await;
    for number in 0..40 {
        send(&wecom, &token, number).await;
    }
    // The open page shows them without a reload.
    eventually(async || browser.count(SHOWN).await, |shown| *shown == 30).await;
    eventually(async || browser.count(DROPPED).await, |dropped| *dropped == 10).await;
    browser.see("main", "Dropped by WeCom").await;
    browser.assert_clean().await;
}

#[tokio::test]
async fn a_relay_lets_wecom_drop_nothing() {
    let Some(desk) = Desk::open(Options::default(), &Look::default()).await else { return };
    for number in 0..40 {
        desk.relay.post(&payload(&format!("Alert{number}"), &[("a", true)])).await;
    }
    let waiting = async || desk.relay.listed(&[State::Delivered]).await.len();
    eventually(waiting, |delivered| *delivered >= 20).await;
    let browser = &desk.browser;
    browser.goto(&format!("{}/?member=zhangsan", desk.wecom.url)).await;
    eventually(async || browser.count(SHOWN).await, |shown| *shown >= 20).await;
    assert_eq!(browser.count(DROPPED).await, 0);
    desk.finish().await;
}

#[tokio::test]
async fn faults_are_buttons() {
    let Some(browser) = Browser::open(&Look::default()).await else { return };
    let wecom = Wecom::start().await;
    browser.goto(&wecom.url).await;
    browser.click("button[value=untrusted-ip]").await;
    browser.see("main", "errcode 60020 · message/send · until it is ended").await;
    browser.click("button[value=end-faults]").await;
    browser.see_no("main", "errcode 60020").await;
    send(&wecom, &wecom.token().await, 1).await;
    browser.assert_clean().await;
}

#[tokio::test]
async fn ten_thousand_messages_stay_usable() {
    let Some(browser) = Browser::open(&Look { size: PHONE, ..Look::default() }).await else { return };
    let settings = Settings { member_limits: Vec::new(), ..Settings::default() };
    let wecom = Wecom::with_directory(Directory::builtin(), settings).await;
    let token = wecom.token().await;
    for batch in 0..100 {
        let sends = (0..100).map(|number| send(&wecom, &token, batch * 100 + number));
        futures_util::future::join_all(sends).await;
    }
    browser.goto(&format!("{}/?member=zhangsan", wecom.url)).await;
    browser.see("main", "Older messages are not shown: 9900").await;
    assert_eq!(browser.count(SHOWN).await, 100);
    send(&wecom, &token, 10_000).await;
    browser.see("main", "alert 10000").await;
    browser.assert_clean().await;
}
