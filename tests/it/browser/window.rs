//! A window of a browser, as a test uses it.

use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use serde_json::{Value, json};

use super::{
    chromedriver::Chromedriver,
    look::{Look, Size},
    problems::{Traffic, traffic},
    session::Session,
};
use crate::support::eventually;

/// A browser with one window. It ends when it is dropped.
pub(crate) struct Browser {
    pub(super) session: Session,
    /// True if the test has looked at the complaints about all pages that it opened.
    is_checked: AtomicBool,
}

impl Browser {
    /// `None` if Chromium is missing, and the test is skipped.
    pub(crate) async fn open(look: &Look) -> Option<Self> {
        let driver = Chromedriver::start().await?;
        let session = Session::start(driver, &look.arguments).await;
        let browser = Self { session, is_checked: AtomicBool::new(true) };
        browser.resize(look.size).await;
        browser.set_dark(look.is_dark).await;
        browser.set_language(look.language).await;
        browser.set_scripts(look.has_scripts).await;
        Some(browser)
    }

    pub(crate) async fn resize(&self, size: Size) {
        let Size { width, height, is_phone } = size;
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": is_phone });
        self.session.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// Sets the colours of the system.
    pub(crate) async fn set_dark(&self, is_dark: bool) {
        let value = if is_dark { "dark" } else { "light" };
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": value }] });
        self.session.devtools("Emulation.setEmulatedMedia", features).await;
    }

    /// Sets `Accept-Language`.
    pub(crate) async fn set_language(&self, language: &str) {
        let agent = self.script("return navigator.userAgent", &[]).await;
        let parameters = json!({ "userAgent": agent, "acceptLanguage": language });
        self.session.devtools("Network.setUserAgentOverride", parameters).await;
    }

    pub(crate) async fn set_scripts(&self, has_scripts: bool) {
        let parameters = json!({ "value": !has_scripts });
        self.session.devtools("Emulation.setScriptExecutionDisabled", parameters).await;
    }

    /// Opens a page and waits until it is loaded.
    pub(crate) async fn goto(&self, url: &str) {
        self.is_checked.store(false, Ordering::Relaxed);
        self.session
            .post("url", json!({ "url": url }))
            .await
            .unwrap_or_else(|error| panic!("{url}: {error}"));
    }

    pub(crate) async fn reload(&self) {
        self.session.post("refresh", json!({})).await.unwrap();
    }

    pub(crate) async fn url(&self) -> String {
        self.session.get("url").await.unwrap().as_str().unwrap().to_owned()
    }

    pub(crate) async fn title(&self) -> String {
        self.session.get("title").await.unwrap().as_str().unwrap().to_owned()
    }

    /// Runs the body of a function in the page, whose policy does not apply to it.
    pub(crate) async fn script(&self, body: &str, arguments: &[Value]) -> Value {
        let script = json!({ "script": body, "args": arguments });
        self.session.post("execute/sync", script).await.unwrap_or_else(|error| panic!("{body}: {error}"))
    }

    /// [`Self::script`], whose last argument is the function that takes the result.
    pub(crate) async fn script_with_callback(&self, body: &str, arguments: &[Value]) -> Value {
        let script = json!({ "script": body, "args": arguments });
        self.session.post("execute/async", script).await.unwrap_or_else(|error| panic!("{body}: {error}"))
    }

    /// The text that people see of the first element that `selector` matches. Empty if there is none.
    pub(crate) async fn text(&self, selector: &str) -> String {
        let body = "return document.querySelector(arguments[0])?.innerText ?? ''";
        self.script(body, &[json!(selector)]).await.as_str().unwrap().to_owned()
    }

    pub(crate) async fn count(&self, selector: &str) -> u64 {
        let body = "return document.querySelectorAll(arguments[0]).length";
        self.script(body, &[json!(selector)]).await.as_u64().unwrap()
    }

    /// Waits until there is an element with this text in it.
    pub(crate) async fn see(&self, selector: &str, text: &str) {
        let body = "return document.querySelector(arguments[0])?.innerText ?? null";
        let seen = async || self.script(body, &[json!(selector)]).await;
        eventually(seen, |seen| seen.as_str().is_some_and(|seen| seen.contains(text))).await;
    }

    /// Waits until no element has this text in it.
    pub(crate) async fn see_no(&self, selector: &str, text: &str) {
        let seen = async || self.text(selector).await;
        eventually(seen, |seen| !seen.contains(text)).await;
    }

    /// Clicks like a person: the element must be visible and not covered. It may appear a moment later.
    pub(crate) async fn click(&self, selector: &str) {
        // At the edge of a phone, the tabs of a page would cover it.
        let scroll =
            "document.querySelector(arguments[0])?.scrollIntoView({ block: 'center', behavior: 'instant' })";
        let clicked = async || {
            let element = self.session.find(selector).await?;
            self.script(scroll, &[json!(selector)]).await;
            self.session.post(&format!("element/{element}/click"), json!({})).await
        };
        eventually(clicked, |clicked| clicked.is_ok()).await.unwrap();
    }

    /// Types into an element. It may appear a moment later, because the page of an earlier click may still load.
    pub(crate) async fn type_into(&self, selector: &str, text: &str) {
        let element = self.appeared(selector).await;
        let keys = json!({ "text": text });
        self.session.post(&format!("element/{element}/value"), keys).await.unwrap();
    }

    /// Empties a field, which may appear a moment later.
    pub(crate) async fn clear(&self, selector: &str) {
        let element = self.appeared(selector).await;
        self.session.post(&format!("element/{element}/clear"), json!({})).await.unwrap();
    }

    /// The reference of the first element that `selector` matches, as soon as there is one.
    async fn appeared(&self, selector: &str) -> String {
        eventually(async || self.session.find(selector).await, Result::is_ok).await.unwrap()
    }

    /// Presses keys one after the other. WebDriver's codes stand for keys without a letter.
    pub(crate) async fn press(&self, keys: &str) {
        let strokes: Vec<Value> = keys
            .chars()
            .flat_map(|key| {
                ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key.to_string() }))
            })
            .collect();
        let actions = json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": strokes }] });
        self.session.post("actions", actions).await.unwrap();
    }

    /// What the browser asked for and complained about since the last look.
    pub(crate) async fn traffic(&self) -> Traffic {
        self.is_checked.store(true, Ordering::Relaxed);
        traffic(&self.session).await
    }

    /// Panics if the browser complained about anything since the last look.
    #[track_caller]
    pub(crate) fn assert_clean(&self) -> impl Future<Output = ()> {
        self.assert_complaints(|_| false)
    }

    /// Panics if the browser complained about anything else than a status of the server since the last look.
    #[track_caller]
    pub(crate) fn assert_only_status(&self, status: u16) -> impl Future<Output = ()> {
        let expected = format!("the server responded with a status of {status}");
        self.assert_complaints(move |problem| problem.contains(&expected))
    }

    /// Panics if the browser complained about something that is not expected since the last look.
    #[track_caller]
    pub(crate) fn assert_complaints(&self, is_expected: impl Fn(&str) -> bool) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        async move {
            let mut problems = self.traffic().await.problems;
            problems.retain(|problem| !is_expected(problem));
            assert!(problems.is_empty(), "at {place}: {problems:#?}");
        }
    }

    /// A picture of the window.
    pub(crate) async fn picture(&self) -> Vec<u8> {
        let picture = self.session.get("screenshot").await.unwrap();
        base64::engine::general_purpose::STANDARD.decode(picture.as_str().unwrap()).unwrap()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let is_forgotten = !self.is_checked.load(Ordering::Relaxed) && !std::thread::panicking();
        assert!(
            !is_forgotten,
            "the test does not look at the complaints of its browser; call assert_clean at its end"
        );
    }
}
