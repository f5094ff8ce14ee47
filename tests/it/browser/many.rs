//! A thousand dead letters at once.

use std::collections::BTreeSet;

use futures_util::{StreamExt, stream};
use wecom_relay::{
    outbox::State,
    sandbox::{Api, Fault},
};

use super::{Look, desk::Desk};
use crate::support::{Options, eventually, payload, short_delays};

const LETTERS: usize = 1000;

#[tokio::test]
async fn a_thousand_dead_letters_are_requeued_once_each() {
    let app = "    limits: { per_minute: 0, per_hour: 0 }\n".to_owned();
    let options = Options { app, tuning: short_delays(), ..Options::default() };
    let settings = wecom_relay::sandbox::Settings { member_limits: Vec::new(), ..Default::default() };
    let Some(desk) = Desk::with_settings(options, settings, &Look::default()).await else { return };
    let browser = &desk.browser;
    desk.wecom.sandbox.inject(Fault::errcode(40008).on(Api::MessageSend));
    let names: Vec<String> = (0..=LETTERS).map(|number| format!("Group{number:04}")).collect();
    let post = async |name: &String| desk.relay.post(&payload(name, &[("a", true)])).await;
    stream::iter(&names[..LETTERS]).for_each_concurrent(16, async |name| drop(post(name).await)).await;
    let dead = async || desk.relay.listed(&[State::Dead]).await.len();
    eventually(dead, |dead| *dead == LETTERS).await;
    desk.goto("messages?state=dead").await;
    assert!(browser.count("#list li").await <= 60);
    browser.click("a[href*='do=requeue']").await;
    browser.see("main", "Messages that are sent again: 1000.").await;
    post(&names[LETTERS]).await;
    eventually(dead, |dead| *dead == LETTERS + 1).await;
    desk.wecom.sandbox.clear_faults();
    browser.click("form[action$='messages/requeue'] button.main").await;
    browser.see("main", "the filter selects 1001 messages now").await;
    assert_eq!(dead().await, LETTERS + 1);
    browser.click("form[action$='messages/requeue'] button.main").await;
    browser.see("main", "Requeued: 1001.").await;
    let shown = desk.phone(LETTERS + 1).await;
    let groups: BTreeSet<&str> = shown
        .iter()
        .filter_map(|text| names.iter().find(|name| text.contains(*name)))
        .map(String::as_str)
        .collect();
    assert_eq!((shown.len(), groups.len()), (LETTERS + 1, LETTERS + 1));
    browser.assert_only_status(409).await;
    desk.finish().await;
}
