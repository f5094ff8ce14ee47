//! The web console, through the whole relay.

mod access;
mod api;
mod browser;
mod chinese;
mod doctor;
mod forms;
mod many;
mod messages;
mod overview;
mod policy;
mod postgres;
mod preview;
mod proxy;
mod routes;
mod secrets;
mod templates;

use reqwest::Method;
use wecom_relay::outbox::State;

use self::browser::{Browser, Page};
use crate::support::{Options, Relay, Wecom, eventually, payload, short_delays};

const PASSWORD: &str = "a-long-unreal-password";
const VIEWER: &str = "another-unreal-password";
/// Keys of the server for a console with both passwords.
const WITH_PASSWORDS: &str =
    ", console: { password: a-long-unreal-password, viewer_password: another-unreal-password }";

fn options(server: &str) -> Options {
    Options { server: server.to_owned(), tuning: short_delays(), ..Options::default() }
}

/// A relay whose messages reach nobody, so that each becomes a dead letter.
async fn with_dead_letters(wecom: &Wecom, server: &str, groups: &[&str]) -> Relay {
    let receivers = "  - { name: wechat, to_user: nobody }\n".to_owned();
    let relay = Relay::with(&wecom.url, Options { receivers, ..options(server) }).await;
    for group in groups {
        relay.post(&payload(group, &[("a", true)])).await;
    }
    let dead = async || relay.listed(&[State::Dead]).await.len();
    eventually(dead, |dead| *dead == groups.len()).await;
    relay
}

/// Sends the form of a page. Its fields come from the page.
async fn submit(browser: &mut Browser, page: &Page, action: &str) -> Page {
    let form = page.form(action).unwrap_or_else(|| panic!("no form for {action}: {}", page.text));
    browser.send(Method::POST, &form.path, &form.fields, &[]).await
}
