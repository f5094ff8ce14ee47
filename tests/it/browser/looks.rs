//! Every page on every screen, in both languages, light and dark.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::json;
use wecom_relay::{
    outbox::State,
    sandbox::{Api, Fault},
};

use super::{
    Browser, LAPTOP, Look, NARROW, PHONE,
    axe::axe,
    desk::{Desk, with_password},
    look::Size,
};
use crate::support::{Options, eventually};

/// What is wrong with the layout of a page.
const LAYOUT: &str = "
    const [isPhone] = arguments, problems = [];
    const name = element => `${element.tagName} ${element.className} ${(element.innerText || element.value || '').slice(0, 30)}`;
    if (document.documentElement.scrollWidth > innerWidth)
        problems.push(`wider than the window: ${document.documentElement.scrollWidth}`);
    if (document.querySelectorAll('h1').length !== 1) problems.push('not one h1');
    const targets = 'button, .button, .tabs a, .chips a, .rows a, input:not([type=hidden]), select, summary';
    for (const element of isPhone ? document.querySelectorAll(targets) : []) {
        const { width, height } = element.getBoundingClientRect();
        if (width > 0 && (height < 43.5 || width < 43.5)) problems.push(`small target ${width}x${height}: ${name(element)}`);
        const isField = element.matches('input, select, textarea');
        if (isField && parseFloat(getComputedStyle(element).fontSize) < 16) problems.push(`small letters: ${name(element)}`);
    }
    return problems;";

async fn inspect(browser: &Browser, page: &str, look: &str, is_phone: bool, problems: &mut Vec<String>) {
    let layout = browser.script(LAYOUT, &[json!(is_phone)]).await;
    let found = layout.as_array().unwrap().iter().map(|problem| problem.as_str().unwrap().to_owned());
    problems.extend(found.map(|problem| format!("{page} ({look}): {problem}")));
}

/// Pages with every kind of content.
async fn pages(desk: &Desk) -> Vec<String> {
    let delivered = desk.alert("InstanceDown", State::Delivered).await;
    desk.wecom.sandbox.inject(Fault::errcode(81013).on(Api::MessageSend).times(1));
    let dead = desk.alert("PodCrash", State::Dead).await;
    vec![
        String::new(),
        "messages".to_owned(),
        "messages?state=dead&q=nothing+like+this".to_owned(),
        format!("messages/{delivered}"),
        format!("messages/{dead}"),
        format!("messages/{dead}/confirm?do=requeue"),
        "messages/confirm?state=dead&do=discard".to_owned(),
        "templates".to_owned(),
        "setup".to_owned(),
        "setup/test?receiver=wechat".to_owned(),
    ]
}

#[tokio::test]
async fn every_page_fits_every_reader() {
    let Some(desk) = Desk::open(Options::default(), &Look::default()).await else { return };
    let Some(axe) = axe() else { return };
    let browser = &desk.browser;
    let pages = pages(&desk).await;
    let mut problems = Vec::new();
    for (language, lang) in [("en-US,en", "en"), ("zh-CN,zh", "zh-CN")] {
        browser.set_language(language).await;
        for page in &pages {
            browser.resize(LAPTOP).await;
            desk.goto(page).await;
            let shown = browser.script("return document.documentElement.lang", &[]).await;
            if shown != lang {
                problems.push(format!("{page}: lang is {shown} instead of {lang}"));
            }
            for (size, is_dark) in
                [(LAPTOP, false), (LAPTOP, true), (PHONE, true), (PHONE, false), (NARROW, false)]
            {
                browser.resize(size).await;
                browser.set_dark(is_dark).await;
                let look = format!("{lang}, {}, {}", size.width, if is_dark { "dark" } else { "light" });
                inspect(browser, page, &look, size.is_phone, &mut problems).await;
                if size != NARROW {
                    let barriers = browser.barriers(&axe).await;
                    problems
                        .extend(barriers.into_iter().map(|barrier| format!("{page} ({look}): {barrier}")));
                }
            }
        }
    }
    let traffic = browser.traffic().await;
    problems.extend(traffic.problems);
    let is_foreign = |url: &&String| !url.starts_with(&desk.relay.url) && url.starts_with("http");
    problems.extend(traffic.requests.iter().filter(is_foreign).map(|url| format!("foreign request: {url}")));
    problems.dedup();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    desk.finish().await;
}

#[tokio::test]
async fn the_login_fits_every_reader() {
    let Some(desk) = Desk::open(with_password(), &Look { size: PHONE, ..Look::default() }).await else {
        return;
    };
    let Some(axe) = axe() else { return };
    let mut problems = Vec::new();
    desk.goto("").await;
    assert!(desk.browser.url().await.contains("/login"), "{}", desk.browser.url().await);
    for is_dark in [false, true] {
        desk.browser.set_dark(is_dark).await;
        inspect(&desk.browser, "login", "phone", true, &mut problems).await;
        problems.extend(desk.browser.barriers(&axe).await);
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    desk.log_in().await;
    desk.finish().await;
}

#[tokio::test]
async fn a_chosen_language_and_theme_persist() {
    let Some(desk) = Desk::open(Options::default(), &Look::default()).await else { return };
    let browser = &desk.browser;
    desk.goto("messages").await;
    browser.click("form[action$=lang] button").await;
    browser.see("h1", "消息").await;
    browser.click("form[action$=theme] button").await;
    browser.see("[data-theme=dark] h1", "消息").await;
    assert!(browser.url().await.ends_with("/messages"));
    desk.goto("").await;
    browser.see("h1", "总览").await;
    let background = "return getComputedStyle(document.body).backgroundColor";
    assert_eq!(browser.script(background, &[]).await, "rgb(20, 23, 27)");
    desk.finish().await;
}

#[tokio::test]
async fn letters_of_double_size_fit_a_phone() {
    let Some(desk) = Desk::open(Options::default(), &Look { size: PHONE, ..Look::default() }).await else {
        return;
    };
    let mut problems = Vec::new();
    for page in pages(&desk).await {
        desk.goto(&page).await;
        // The browser of a phone enlarges letters in this way.
        let enlarge = "document.documentElement.style.webkitTextSizeAdjust = '200%';
            for (const element of document.querySelectorAll('body, body *')) {
                const size = parseFloat(getComputedStyle(element).fontSize);
                element.dataset.size = String(size * 2);
            }
            for (const element of document.querySelectorAll('[data-size]')) element.style.fontSize = `${element.dataset.size}px`;";
        desk.browser.script(enlarge, &[]).await;
        inspect(&desk.browser, &page, "double size", false, &mut problems).await;
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    desk.finish().await;
}

#[tokio::test]
async fn a_phone_that_is_turned_keeps_the_draft() {
    let Some(desk) = Desk::open(Options::default(), &Look { size: PHONE, ..Look::default() }).await else {
        return;
    };
    desk.goto("templates").await;
    desk.browser.clear("#template").await;
    desk.browser.type_into("#template", "a draft").await;
    let turned = Size { width: PHONE.height, height: PHONE.width, is_phone: true };
    for size in [turned, PHONE] {
        desk.browser.resize(size).await;
        let value = "return document.getElementById('template').value";
        assert_eq!(desk.browser.script(value, &[]).await, "a draft");
        let width = desk.browser.script("return document.documentElement.scrollWidth", &[]).await;
        assert_eq!(width, size.width);
    }
    desk.finish().await;
}

#[tokio::test]
async fn a_page_never_flashes_in_the_wrong_theme() {
    let Some(desk) = Desk::open(Options::default(), &Look::default()).await else { return };
    desk.goto("").await;
    desk.browser.click("form[action$=theme] button").await;
    desk.browser.see("[data-theme=dark] h1", "Overview").await;
    // Each frame of the next pages records its background, from the first one on.
    let record = "window.seen = [];
        const look = () => { if (document.body) seen.push(getComputedStyle(document.body).backgroundColor);
            requestAnimationFrame(look); };
        requestAnimationFrame(look);";
    let script = json!({ "source": record });
    desk.browser.session.devtools("Page.addScriptToEvaluateOnNewDocument", script).await;
    for page in ["messages", "templates", "setup", ""] {
        desk.goto(page).await;
        let seen = async || desk.browser.script("return [...new Set(window.seen)]", &[]).await;
        let seen = eventually(seen, |seen| seen.as_array().is_some_and(|seen| !seen.is_empty())).await;
        assert_eq!(seen, json!(["rgb(20, 23, 27)"]), "{page}");
    }
    desk.finish().await;
}

/// The addresses of the assets of a page: those that it names, and the modules that its scripts import. All of these are known
/// at the event `load`. Chromium loads the icon some time later, so the icon is not looked for among the loaded files.
const ASSETS: &str = "
    const named = [...document.querySelectorAll('link[href], script[src], img[src]')].map(element => element.href || element.src);
    const loaded = performance.getEntriesByType('resource').map(entry => entry.name);
    return named.concat(loaded).filter(address => address.includes('/assets/'));";

async fn add_assets(browser: &Browser, addresses: &mut BTreeSet<String>) {
    let found = browser.script(ASSETS, &[]).await;
    addresses.extend(found.as_array().unwrap().iter().map(|address| address.as_str().unwrap().to_owned()));
}

#[tokio::test]
async fn all_assets_together_are_small() {
    let Some(desk) = Desk::open(Options::default(), &Look::default()).await else { return };
    let mut addresses = BTreeSet::new();
    // A refused webhook changes the icon of the overview.
    assert_eq!(desk.relay.request(Method::POST, "/webhook", "{").await.0, 400);
    desk.goto("").await;
    add_assets(&desk.browser, &mut addresses).await;
    let pages = pages(&desk).await;
    // So does a dead letter, which the open page shows when it is no longer served from the cache.
    desk.browser.see("#cards", "81013").await;
    for page in pages {
        desk.goto(&page).await;
        add_assets(&desk.browser, &mut addresses).await;
    }
    let mut sizes = BTreeMap::new();
    for address in addresses {
        let answer = desk.relay.client.get(&address).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{address}");
        let name = address.rsplit('/').next().unwrap().to_owned();
        sizes.insert(name, answer.bytes().await.unwrap().len());
    }
    for name in ["pages.css", "look.css", "live.js", "editor.js", "ok.svg", "warn.svg", "bad.svg"] {
        assert!(sizes.contains_key(name), "{name} is not among {sizes:?}");
    }
    let sum: usize = sizes.values().sum();
    assert!(sum <= 90 << 10, "{sum} bytes: {sizes:?}");
    desk.finish().await;
}

#[tokio::test]
async fn the_first_page_is_small() {
    let Some(desk) = Desk::open(Options::default(), &Look::default()).await else { return };
    // The page has content, and the browser has loaded nothing before.
    pages(&desk).await;
    desk.goto("").await;
    // An open page asks for itself again every two seconds. These requests are no part of its first load.
    let loaded = "const icon = document.getElementById('icon').href;
        const resources = performance.getEntriesByType('resource')
            .filter(entry => entry.initiatorType !== 'fetch' || entry.name !== location.href);
        if (!resources.some(entry => entry.name === icon)) return null;
        return performance.getEntriesByType('navigation').concat(resources)
            .map(entry => [entry.name, entry.initiatorType, entry.decodedBodySize]);";
    // Chromium loads the icon some time after the event `load`.
    let loaded =
        eventually(async || desk.browser.script(loaded, &[]).await, |loaded| !loaded.is_null()).await;
    let sizes: Vec<u64> = loaded.as_array().unwrap().iter().map(|entry| entry[2].as_u64().unwrap()).collect();
    let sum: u64 = sizes.iter().sum();
    assert!(sizes.iter().all(|size| *size > 0), "a size is missing: {loaded}");
    assert!(sizes.len() <= 8, "{} requests: {loaded}", sizes.len());
    assert!(sum <= 120 << 10, "{sum} bytes: {loaded}");
    desk.finish().await;
}
