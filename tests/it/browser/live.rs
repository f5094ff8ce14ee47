//! Pages that stay open while messages arrive.

use futures_util::{StreamExt, stream};
use serde_json::json;
use wecom_relay::{outbox::State, sandbox::Settings};

use super::{Look, desk::Desk};
use crate::support::{Options, eventually, payload};

const TABS: usize = 8;
const BEFORE: usize = 120;
const MEANWHILE: usize = 200;

/// Records the durations of all interactions, from the input to the next picture.
const RECORD: &str = "window.durations = [];
    new PerformanceObserver(list => list.getEntries().filter(entry => entry.interactionId)
        .forEach(entry => durations.push(entry.duration)))
        .observe({ type: 'event', durationThreshold: 16 });";

/// A relay and a sandbox without limits.
async fn desk() -> Option<Desk> {
    let app = "    limits: { per_minute: 0, per_hour: 0 }\n".to_owned();
    let settings = Settings { member_limits: Vec::new(), ..Settings::default() };
    Desk::with_settings(Options { app, ..Options::default() }, settings, &Look::default()).await
}

async fn post(desk: &Desk, name: &str, count: usize) {
    let post = async |number: usize| {
        desk.relay.post(&payload(&format!("{name}{number}"), &[("a", true)])).await;
    };
    stream::iter(0..count).for_each_concurrent(4, post).await;
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "a figure, because no test asserts on wall-clock time")]
async fn a_list_stays_short_and_usable_while_messages_arrive() {
    let Some(desk) = desk().await else { return };
    let browser = &desk.browser;
    post(&desk, "Before", BEFORE).await;
    desk.goto("messages").await;
    browser.script(RECORD, &[]).await;
    let rows = "#list li";
    assert_eq!(browser.count(rows).await, 50);
    let first = "return document.querySelector('#list li').id";
    let first_row = browser.script(first, &[]).await;
    let use_page = async {
        for number in 0..8 {
            browser.click("#filters summary").await;
            browser.type_into("[name=q]", "x").await;
            assert_eq!(browser.count(rows).await, 50, "{number}");
        }
    };
    tokio::join!(use_page, post(&desk, "Meanwhile", MEANWHILE));
    browser.see("[data-new]", "50+").await;
    // New messages are counted, and the rows have not moved.
    assert_eq!(browser.script(first, &[]).await, first_row);
    assert_eq!(browser.count(rows).await, 50);
    assert_eq!(browser.script("return document.querySelector('[name=q]').value", &[]).await, "xxxxxxxx");
    let durations = browser.script("return durations", &[]).await;
    let longest =
        durations.as_array().unwrap().iter().filter_map(serde_json::Value::as_f64).fold(0.0, f64::max);
    println!("the longest interaction while messages arrive: {longest} ms");
    browser.click("[data-new] a").await;
    browser.see("#list", "Meanwhile").await;
    let elements = "return document.querySelectorAll('*').length";
    let elements = browser.script(elements, &[]).await.as_u64().unwrap();
    assert!(elements < 1500, "{elements}");
    // All messages are on the older pages, fifty on each.
    let mut pages = 1;
    while browser.count(".pager a[href*='after=']").await > 0 {
        browser.click(".pager a[href*='after=']").await;
        pages += 1;
        let page = async || browser.count(".pager a[href$='messages']").await;
        eventually(page, |links| *links > 0).await;
        assert!(browser.count(rows).await <= 50);
        if pages * 50 >= BEFORE + MEANWHILE {
            break;
        }
    }
    assert_eq!(pages, (BEFORE + MEANWHILE).div_ceil(50));
    desk.finish().await;
}

#[tokio::test]
async fn eight_tabs_load_and_stay_live() {
    let Some(desk) = desk().await else { return };
    let browser = &desk.browser;
    let pages = ["", "messages", "setup", "templates"];
    let mut tabs = vec![browser.session.get("window").await.unwrap()];
    while tabs.len() < TABS {
        let tab = browser.session.post("window/new", json!({ "type": "tab" })).await.unwrap();
        tabs.push(tab["handle"].clone());
    }
    for (number, tab) in tabs.iter().enumerate() {
        browser.session.post("window", json!({ "handle": tab })).await.unwrap();
        desk.goto(pages[number % pages.len()]).await;
        assert_eq!(browser.script("return document.readyState", &[]).await, "complete");
        assert_eq!(browser.count("h1").await, 1, "{number}");
        browser.script("window.isSamePage = true", &[]).await;
    }
    desk.alert("DiskFull", State::Delivered).await;
    for (number, tab) in tabs.iter().enumerate() {
        browser.session.post("window", json!({ "handle": tab })).await.unwrap();
        match pages[number % pages.len()] {
            "" => browser.see("#receivers", "1").await,
            "messages" => browser.see("main", "DiskFull").await,
            _ => {}
        }
        assert_eq!(browser.script("return window.isSamePage", &[]).await, true, "{number}");
    }
    desk.finish().await;
}
