//! A person with a phone: the whole story in a real Chromium.

use super::site::Site;
use crate::browser::{Browser, Look, PHONE};

#[tokio::test]
async fn a_person_silences_an_alert_from_the_phone() {
    let Some(site) = Site::open("{}").await else { return };
    let Some(browser) = Browser::open(&Look::default()).await else { return };
    let relay = site.start_here().await;
    let phone_of = |member: &str| format!("{}/?member={member}", site.wecom.url);
    browser.goto(&phone_of("zhangsan")).await;
    site.alert(true).await;
    browser.see("#screen", "DiskFull").await;
    assert_eq!(site.silences().await.len(), 0);
    browser.click("button[name=key][value='silence:3600']").await;
    browser.see("#presses", "zhangsan silence:3600: 200").await;
    // The card is updated where it is.
    browser.see("#screen", "zhangsan silenced until").await;
    site.only_silence().await;
    assert_eq!(browser.count("button[name=key]").await, 0);
    assert_eq!(browser.count(".phone-message").await, 1);
    browser.goto(&phone_of("lisi")).await;
    browser.see("#screen", "zhangsan silenced until").await;
    // Alertmanager does not notify of the end, because the alert is silenced.
    site.alert(false).await;
    browser.see("#screen", "[RESOLVED]").await;
    browser.see("#screen", "Before the update (2)").await;
    browser.goto(&phone_of("zhangsan")).await;
    browser.see("#screen", "[RESOLVED]").await;
    assert_eq!(site.texts("zhangsan"), [""; 0]);
    browser.assert_clean().await;
    drop(browser);
    relay.stop().await;
}

#[tokio::test]
async fn a_person_acknowledges_an_alert_without_scripts() {
    let Some(site) = Site::open("{}").await else { return };
    let look = Look { size: PHONE, has_scripts: false, language: "zh-CN,zh", ..Look::default() };
    let Some(browser) = Browser::open(&look).await else { return };
    let relay = site.start_here().await;
    site.alert(true).await;
    site.fresh_card().await;
    browser.goto(&format!("{}/?member=lisi", site.wecom.url)).await;
    browser.click("button[name=key][value=ack]").await;
    browser.see("h1", "lisi").await;
    site.card("zhangsan", |card| card.text.contains("lisi acknowledged")).await;
    browser.reload().await;
    browser.see("#screen", "lisi acknowledged").await;
    browser.see("#presses", "lisi ack").await;
    assert_eq!(site.silences().await.len(), 0);
    browser.assert_clean().await;
    drop(browser);
    relay.stop().await;
}
