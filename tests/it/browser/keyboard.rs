//! The console with a keyboard alone.

use wecom_relay::{
    outbox::State,
    sandbox::{Api, Fault},
};

use super::{Browser, Look, desk::Desk};
use crate::support::{Options, eventually};

const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";
const ESCAPE: &str = "\u{e00c}";

/// Presses Tab until the focus is on an element that `selector` matches. Every focus on the way must be visible.
async fn tab_to(browser: &Browser, selector: &str) {
    let state = "const focused = document.activeElement, style = getComputedStyle(focused);
        return [focused.matches(arguments[0]), style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
            focused.outerHTML.slice(0, 200)]";
    for _ in 0..60 {
        browser.press(TAB).await;
        let focus = browser.script(state, &[selector.into()]).await;
        assert_eq!(focus[1], true, "the focus is not visible on {}", focus[2]);
        if focus[0] == true {
            return;
        }
    }
    panic!("{selector} cannot be reached with the keyboard");
}

#[tokio::test]
async fn a_dead_letter_is_requeued_with_the_keyboard() {
    let Some(desk) = Desk::open(Options::default(), &Look::default()).await else { return };
    let browser = &desk.browser;
    desk.wecom.sandbox.inject(Fault::errcode(81013).on(Api::MessageSend).times(1));
    desk.alert("PodCrash", State::Dead).await;
    desk.goto("messages?state=dead").await;
    tab_to(browser, ".skip").await;
    browser.press(ENTER).await;
    let focused = "return document.activeElement.id";
    eventually(async || browser.script(focused, &[]).await, |id| id == "main").await;
    tab_to(browser, "#list li a").await;
    browser.press(ENTER).await;
    browser.see("#state", "81013").await;
    tab_to(browser, "[value=requeue]").await;
    browser.press(ENTER).await;
    // Both pages name the message, and only the next one asks.
    browser.see("form[action$=requeue] button", "").await;
    tab_to(browser, "form[action$=requeue] button").await;
    browser.press(ENTER).await;
    desk.phone(1).await;
    desk.finish().await;
}

#[tokio::test]
async fn escape_and_tab_leave_the_editor() {
    let Some(desk) = Desk::open(Options::default(), &Look::default()).await else { return };
    let browser = &desk.browser;
    desk.goto("templates").await;
    browser.script("document.getElementById('template').focus()", &[]).await;
    let focused = "return document.activeElement.id === 'template'";
    browser.press(TAB).await;
    assert_eq!(browser.script(focused, &[]).await, true);
    browser.press(ESCAPE).await;
    browser.press(TAB).await;
    assert_eq!(browser.script(focused, &[]).await, false);
    desk.finish().await;
}

#[tokio::test]
async fn an_unchanged_verdict_is_announced_once() {
    let Some(desk) = Desk::open(Options::default(), &Look::default()).await else { return };
    let browser = &desk.browser;
    desk.goto("").await;
    let observe = "window.announced = 0;
        new MutationObserver(() => { window.announced += 1; })
            .observe(document.getElementById('verdict'), { childList: true, characterData: true, subtree: true })";
    browser.script(observe, &[]).await;
    let polls = "return performance.getEntriesByType('resource').filter(entry => entry.initiatorType === 'fetch').length";
    eventually(async || browser.script(polls, &[]).await.as_u64().unwrap(), |polls| *polls >= 3).await;
    assert_eq!(browser.script("return window.announced", &[]).await, 0);
    desk.finish().await;
}
