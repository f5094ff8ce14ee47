//! The way into the console: open, closed, and the login.

use reqwest::Method;
use serde_json::json;
use wecom_relay::{
    outbox::State,
    sandbox::{Api, Fault},
};

use super::{
    Look,
    desk::{Desk, PASSWORD, log_in, with_password},
    harness::Site,
};
use crate::support::{Options, payload};

const VIEWER: &str = "a-password-for-viewers";

/// Names on this machine, as a network has them.
fn with_names() -> Look {
    let rules = "--host-resolver-rules=MAP evil.example 127.0.0.1, MAP relay.lan 127.0.0.1";
    Look { arguments: vec![rules.to_owned()], ..Look::default() }
}

#[tokio::test]
async fn a_closed_console_shows_the_lines_that_open_it() {
    let Some(desk) =
        Desk::open(Options { listen: "0.0.0.0:0", ..Options::default() }, &Look::default()).await
    else {
        return;
    };
    for page in ["", "messages", "messages/1", "templates", "setup", "login"] {
        desk.goto(page).await;
        desk.browser.see("main pre", "password_file: /etc/wecom-relay/console-password").await;
    }
    desk.relay.post(&payload("DiskFull", &[("node-7", true)])).await;
    assert!(desk.phone(1).await[0].contains("DiskFull"));
    desk.browser.assert_only_status(403).await;
    desk.finish().await;
}

#[tokio::test]
async fn a_reader_logs_in_and_stays_on_the_page() {
    let Some(desk) = Desk::open(with_password(), &Look::default()).await else { return };
    let browser = &desk.browser;
    desk.goto("messages?state=dead").await;
    browser.see("main", "The password is server.console.password").await;
    let (_, metrics) = desk.relay.request(Method::GET, "/metrics", "").await;
    assert!(metrics.contains("\nwecom_relay_unauthorized_requests_total 0\n"), "{metrics}");
    browser.type_into("[name=password]", "a wrong password").await;
    browser.click("form[action$=login] button.main").await;
    browser.see("[role=alert]", "This password is wrong.").await;
    browser.assert_only_status(401).await;
    browser.type_into("[name=password]", PASSWORD).await;
    browser.click("form[action$=login] button.main").await;
    browser.see("h1", "Messages").await;
    assert!(browser.url().await.ends_with("/messages?state=dead"));
    let cookies = browser.session.get("cookie").await.unwrap();
    let cookie = cookies.as_array().unwrap().iter().find(|cookie| cookie["httpOnly"] == true).unwrap();
    assert!(cookie["name"].as_str().unwrap().starts_with("wecom_relay_"), "{cookie}");
    assert_eq!((&cookie["sameSite"], &cookie["path"]), (&"Lax".into(), &"/".into()), "{cookie}");
    desk.goto("login?next=//evil.example/").await;
    browser.type_into("[name=password]", PASSWORD).await;
    browser.click("form[action$=login] button.main").await;
    browser.see("h1", "Overview").await;
    assert_eq!(browser.url().await, desk.url(""));
    desk.finish().await;
}

#[tokio::test]
async fn a_viewer_sees_everything_and_can_change_nothing() {
    let server = format!(", console: {{ password: {PASSWORD}, viewer_password: {VIEWER} }}");
    let Some(desk) = Desk::open(Options { server, ..Options::default() }, &Look::default()).await else {
        return;
    };
    let browser = &desk.browser;
    desk.wecom.sandbox.inject(Fault::errcode(81013).on(Api::MessageSend).times(1));
    let dead = desk.alert("PodCrash", State::Dead).await;
    log_in(browser, &desk.relay.url, VIEWER).await;
    for page in ["messages?state=dead".to_owned(), format!("messages/{dead}"), "setup".to_owned()] {
        desk.goto(&page).await;
        browser.see("h1", "").await;
    }
    browser.assert_clean().await;
    let paths = [
        format!("messages/{dead}/requeue"),
        format!("messages/{dead}/discard"),
        "messages/requeue".to_owned(),
        "messages/discard".to_owned(),
        "senders/ops/probe".to_owned(),
        "setup/test".to_owned(),
        "setup/doctor".to_owned(),
        "setup/reload".to_owned(),
        "templates".to_owned(),
        "templates/confirm".to_owned(),
        "templates/send".to_owned(),
    ];
    let post = "const [paths, done] = arguments, token = document.querySelector('[name=token]').value;
        Promise.all(paths.map(path => fetch(path, { method: 'POST', body: new URLSearchParams({ token }) })))
            .then(answers => done(answers.map(answer => answer.status)), error => done(String(error)));";
    let statuses = browser.script_with_callback(post, &[json!(paths)]).await;
    assert_eq!(statuses, json!(vec![403; paths.len()]));
    browser.assert_only_status(403).await;
    assert_eq!(desk.relay.shown(dead).await.listed.state, State::Dead);
    desk.finish().await;
}

#[tokio::test]
async fn a_foreign_name_opens_neither_console_nor_sandbox() {
    let Some(desk) = Desk::open(Options::default(), &with_names()).await else { return };
    for url in [&desk.relay.url, &desk.wecom.url] {
        desk.browser.goto(&url.replace("127.0.0.1", "evil.example")).await;
        desk.browser.see("body", "evil.example").await;
        assert_eq!(desk.browser.count("#cards, .phone-message").await, 0);
    }
    desk.browser.assert_only_status(403).await;
    desk.finish().await;
}

#[tokio::test]
async fn a_console_with_a_password_works_under_a_name_of_the_network() {
    let Some(desk) = Desk::open(with_password(), &with_names()).await else { return };
    let browser = &desk.browser;
    desk.wecom.sandbox.inject(Fault::errcode(81013).on(Api::MessageSend).times(1));
    let dead = desk.alert("PodCrash", State::Dead).await;
    let url = desk.relay.url.replace("127.0.0.1", "relay.lan");
    log_in(browser, &url, PASSWORD).await;
    browser.goto(&format!("{url}/messages/{dead}/confirm?do=requeue")).await;
    browser.click("form[action$=requeue] button.main").await;
    desk.phone(1).await;
    desk.finish().await;
}

/// A page with a form that leads to another site.
fn form_to(address: &str) -> String {
    format!(
        "<!doctype html><title>x</title><link rel=icon href='data:,'>
         <form method=post action='{address}'><button>x</button></form>"
    )
}

#[tokio::test]
async fn a_form_of_a_foreign_page_changes_nothing() {
    let Some(desk) = Desk::open(Options::default(), &with_names()).await else { return };
    let browser = &desk.browser;
    desk.wecom.sandbox.inject(Fault::errcode(81013).on(Api::MessageSend).times(1));
    let dead = desk.alert("PodCrash", State::Dead).await;
    desk.goto("").await;
    let form = form_to(&desk.url(&format!("messages/{dead}/discard")));
    let site = Site::of(&form).await;
    browser.goto(&site.url.replace("127.0.0.1", "evil.example")).await;
    browser.click("button").await;
    // Chromium names the site of a form to an address of this machine.
    browser.see("main", "Sec-Fetch-Site: cross-site").await;
    assert_eq!(desk.relay.shown(dead).await.listed.state, State::Dead);
    browser.assert_only_status(403).await;
    desk.finish().await;
}

#[tokio::test]
async fn a_login_form_of_a_foreign_page_is_refused_with_both_origins() {
    let Some(desk) = Desk::open(with_password(), &with_names()).await else { return };
    let own = desk.relay.url.replace("127.0.0.1", "relay.lan");
    let site = Site::of(&form_to(&format!("{own}/login"))).await;
    let foreign = site.url.replace("127.0.0.1", "evil.example");
    desk.browser.goto(&foreign).await;
    desk.browser.click("button").await;
    // A form over http to another machine names its origin only.
    desk.browser.see("main", &foreign).await;
    desk.browser.see("main", own.trim_start_matches("http://")).await;
    desk.browser.assert_only_status(403).await;
    desk.finish().await;
}
