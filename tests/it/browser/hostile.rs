//! Texts of strangers: alerts and answers that try to become code.

use serde_json::json;
use wecom_relay::{
    outbox::State,
    sandbox::{Api, Effect, Fault},
};

use super::{Look, PHONE, desk::Desk};
use crate::support::{Options, eventually, payload};

const TEXTS: [&str; 7] = [
    "<script>window.hacked = 1</script>",
    "<img src=x onerror=window.hacked=1>",
    "\"><svg onload=window.hacked=1>",
    "</title></textarea><script>window.hacked=1</script>",
    "javascript:window.hacked=1",
    "{{ 7 * 7 }}{% raw %}",
    "\u{202e}desrever <b>bold</b>",
];

#[tokio::test]
async fn hostile_texts_stay_texts() {
    let receivers = "  - { name: wechat, to_user: zhangsan }\n  - { name: '<img src=x onerror=window.hacked=1>', to_user: lisi }\n";
    let options = Options { receivers: receivers.to_owned(), ..Options::default() };
    let Some(desk) = Desk::open(options, &Look::default()).await else { return };
    let browser = &desk.browser;
    let errmsg = Some("<script>window.hacked=1</script> from ip: <b>1</b>".to_owned());
    let effect = Effect::Errcode { errcode: 81013, errmsg, taken: false };
    desk.wecom.sandbox.inject(Fault::new(effect).on(Api::MessageSend).times(1));
    for text in TEXTS {
        let mut hostile = payload(text, &[(text, true)]);
        hostile["alerts"][0]["annotations"] =
            json!({ "summary": text, "runbook_url": "javascript:window.hacked=1" });
        hostile["alerts"][0]["generatorURL"] = json!("javascript:window.hacked=1");
        hostile["externalURL"] = json!("javascript:window.hacked=1");
        desk.relay.post(&hostile).await;
    }
    let settled = async || desk.relay.listed(&[State::Delivered, State::Dead]).await;
    let settled = eventually(settled, |settled| settled.len() == TEXTS.len()).await;
    let mut pages = vec![String::new(), "messages".to_owned(), "setup".to_owned()];
    pages.extend(settled.iter().map(|listed| format!("messages/{}", listed.id.0)));
    pages.extend(TEXTS.map(|text| format!("messages?q={}", wecom_relay::text::percent_encode(text))));
    pages.extend(TEXTS.map(|text| format!("messages?receiver={}", wecom_relay::text::percent_encode(text))));
    let seen = "return [window.hacked ?? 0, document.querySelectorAll('main img, main svg, main script, main b, a[href^=javascript]').length]";
    for page in pages {
        desk.goto(&page).await;
        assert_eq!(browser.script(seen, &[]).await, json!([0, 0]), "{page}");
    }
    desk.goto("messages").await;
    let text = browser.text("#list").await;
    for hostile in TEXTS {
        assert!(text.contains(hostile.trim_start_matches('\u{202e}')), "{hostile}: {text}");
    }
    let traffic = browser.traffic().await;
    let is_foreign = |url: &&String| !url.starts_with(&desk.relay.url) && url.starts_with("http");
    let foreign: Vec<_> = traffic.requests.iter().filter(is_foreign).collect();
    assert!(foreign.is_empty(), "{foreign:?}");
    assert!(traffic.problems.is_empty(), "{:#?}", traffic.problems);
    desk.finish().await;
}

#[tokio::test]
async fn a_label_of_a_megabyte_leaves_pages_usable() {
    let look = Look { size: PHONE, ..Look::default() };
    let Some(desk) = Desk::open(Options::default(), &look).await else { return };
    let browser = &desk.browser;
    let mut long = payload("LongLabel", &[("node-7", true)]);
    let label = json!("x".repeat(1 << 20));
    long["alerts"][0]["labels"]["long"] = label.clone();
    long["groupLabels"]["long"] = label.clone();
    long["commonLabels"]["long"] = label;
    desk.relay.post(&long).await;
    let id = desk.relay.settled(1).await[0].id.0;
    for page in [
        String::new(),
        "messages".to_owned(),
        format!("messages/{id}"),
        "templates?data=received-0".to_owned(),
    ] {
        desk.goto(&page).await;
        let width = browser.script("return document.documentElement.scrollWidth", &[]).await;
        assert_eq!(width, PHONE.width, "{page}");
        let size = browser.script("return document.documentElement.outerHTML.length", &[]).await;
        assert!(size.as_u64().unwrap() < 256 << 10, "{page}: {size}");
    }
    // The pages still answer to a person.
    desk.goto("messages").await;
    browser.click("#list li a").await;
    browser.see("#state", "taken by WeCom").await;
    desk.finish().await;
}
