//! The console without JavaScript.

use wecom_relay::{
    outbox::State,
    sandbox::{Api, Fault},
};

use super::{
    Look, PHONE,
    desk::{Desk, with_password},
};

#[tokio::test]
async fn everything_works_without_scripts() {
    let look = Look { size: PHONE, has_scripts: false, ..Look::default() };
    let Some(desk) = Desk::open(with_password(), &look).await else { return };
    let browser = &desk.browser;
    desk.wecom.sandbox.inject(Fault::errcode(81013).on(Api::MessageSend).times(1));
    desk.alert("PodCrash", State::Dead).await;
    desk.alert("InstanceDown", State::Delivered).await;
    desk.log_in().await;
    browser.see("#cards", "81013").await;
    browser.click(".tabs a[href$=messages]").await;
    browser.type_into("[name=q]", "podcrash").await;
    browser.click("main form button.main").await;
    browser.see("#list", "PodCrash").await;
    browser.see_no("#list", "InstanceDown").await;
    browser.click("#list li a").await;
    browser.click("[value=requeue]").await;
    browser.click("form[action$=requeue] button.main").await;
    assert!(desk.phone(2).await.iter().any(|text| text.contains("PodCrash")));
    browser.click(".tabs a[href$=setup]").await;
    browser.see("main", "webhook_configs").await;
    browser.click("form[action$=logout] button").await;
    browser.see("main", "Password").await;
    desk.goto("messages").await;
    assert!(browser.url().await.contains("/login"));
    desk.finish().await;
}
