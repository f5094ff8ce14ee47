//! A relay with its WeCom, and a browser before the console.

use wecom_relay::{outbox::State, sandbox::Settings};

use super::{Browser, Look};
use crate::support::{Options, Relay, Wecom, eventually, payload, soon};

pub(super) const PASSWORD: &str = "a-password-for-operators";

/// [`Desk::finish`] stops it.
pub(super) struct Desk {
    pub(super) wecom: Wecom,
    pub(super) relay: Relay,
    pub(super) browser: Browser,
}

/// Options with a password for operators.
pub(super) fn with_password() -> Options {
    Options { server: format!(", console: {{ password: {PASSWORD} }}"), ..Options::default() }
}

/// Logs in with the form of the console at `url`.
pub(super) async fn log_in(browser: &Browser, url: &str, password: &str) {
    browser.goto(&format!("{url}/login")).await;
    browser.type_into("[name=password]", password).await;
    browser.click("form[action$=login] button.main").await;
    let title = async || browser.title().await;
    eventually(title, |title| title.contains("Overview") || title.contains("总览")).await;
}

impl Desk {
    /// `None` if Chromium is missing, and the test is skipped.
    pub(super) async fn open(options: Options, look: &Look) -> Option<Self> {
        Self::with_settings(options, Settings::default(), look).await
    }

    pub(super) async fn with_settings(options: Options, settings: Settings, look: &Look) -> Option<Self> {
        let browser = Browser::open(look).await?;
        let wecom = Wecom::live(settings).await;
        let relay = Relay::with(&wecom.url, options).await;
        Some(Self { wecom, relay, browser })
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.relay.url)
    }

    pub(super) async fn goto(&self, path: &str) {
        self.browser.goto(&self.url(path)).await;
    }

    /// Logs in with the form.
    pub(super) async fn log_in(&self) {
        log_in(&self.browser, &self.relay.url, PASSWORD).await;
    }

    /// Posts an alert and waits until its delivery is in this state. Returns the number of the delivery.
    pub(super) async fn alert(&self, name: &str, state: State) -> i64 {
        self.relay.post(&payload(name, &[("node-7", true)])).await;
        let listed = async || self.relay.listed(&[state]).await;
        let found = eventually(listed, |listed| listed.iter().any(|one| one.summary.contains(name))).await;
        found.iter().find(|one| one.summary.contains(name)).unwrap().id.0
    }

    /// Waits until a member was shown `count` messages, and returns their texts.
    pub(super) async fn phone(&self, count: usize) -> Vec<String> {
        let shown = soon(self.wecom.sandbox.wait_for_delivered("zhangsan", count)).await;
        shown.into_iter().map(|shown| shown.text.to_string()).collect()
    }

    /// Ends the test: the browser complained about nothing, and the relay stops.
    pub(super) async fn finish(self) {
        self.browser.assert_clean().await;
        drop(self.browser);
        self.relay.stop().await;
    }
}
