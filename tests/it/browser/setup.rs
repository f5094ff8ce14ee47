//! The Setup page.

use std::{path::Path, process::Command};

use serde_json::Value;
use wecom_relay::{
    outbox::State,
    sandbox::{Api, Fault},
};

use super::{
    Look, PHONE,
    desk::{Desk, PASSWORD, with_password},
};
use crate::support::{Options, SECRET, eventually};

#[tokio::test]
async fn a_test_message_takes_the_way_of_an_alert() {
    let Some(desk) = Desk::open(Options::default(), &Look::default()).await else { return };
    let browser = &desk.browser;
    desk.goto("setup").await;
    browser.click("a[href*='setup/test']").await;
    browser.see("main", "user zhangsan").await;
    browser.click("form[action$='setup/test'] button").await;
    let [text] = &desk.phone(1).await[..] else { panic!() };
    assert!(text.contains("Test message for receiver wechat"), "{text}");
    browser.see("#test-1", "taken by WeCom").await;
    desk.finish().await;
}

#[tokio::test]
async fn a_refused_test_message_says_why() {
    let Some(desk) = Desk::open(Options::default(), &Look { language: "zh-CN", ..Look::default() }).await
    else {
        return;
    };
    let browser = &desk.browser;
    desk.wecom.sandbox.inject(Fault::errcode(81013).on(Api::MessageSend).times(1));
    desk.goto("setup/test?receiver=wechat").await;
    browser.click("form[action$='setup/test'] button").await;
    browser.see("#test-1", "81013").await;
    browser.see("#test-1", "收件成员、部门、标签都收不到消息").await;
    let dead = desk.relay.listed(&[State::Dead]).await;
    assert_eq!(dead.len(), 1);
    desk.finish().await;
}

#[tokio::test]
async fn no_line_for_alertmanager_is_broken_on_a_phone() {
    let Some(desk) = Desk::open(Options::default(), &Look { size: PHONE, ..Look::default() }).await else {
        return;
    };
    desk.goto("setup").await;
    let heights = "const block = document.querySelector('pre.code'), style = getComputedStyle(block);
        const inner = block.clientHeight - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom);
        return Math.round(inner / parseFloat(style.lineHeight))";
    let lines = desk.browser.text("pre.code").await.trim_end().lines().count();
    // The text ends with a line feed, which makes no line of its own.
    assert_eq!(desk.browser.script(heights, &[]).await, lines);
    desk.finish().await;
}

#[tokio::test]
async fn doctor_runs_on_the_page_and_sends_nothing() {
    let Some(desk) = Desk::open(Options::default(), &Look::default()).await else { return };
    let browser = &desk.browser;
    desk.goto("setup").await;
    browser.click("#run-doctor").await;
    browser.see("#doctor", "the app sees user zhangsan").await;
    let text = async || browser.text("#doctor [role=status]").await;
    eventually(text, |text| !text.contains("running")).await;
    // The first call has no parameters. It checks the way to WeCom.
    assert_eq!(desk.wecom.sandbox.gettoken_calls(), 2);
    assert_eq!(desk.wecom.sandbox.send_calls(), 0);
    desk.finish().await;
}

#[tokio::test]
async fn a_second_run_of_doctor_must_wait() {
    let Some(desk) = Desk::open(Options::default(), &Look::default()).await else { return };
    let browser = &desk.browser;
    desk.goto("setup").await;
    browser.click("#run-doctor").await;
    // Only the next page names the button so.
    browser.see("#run-doctor", "Run again").await;
    browser.click("#run-doctor").await;
    browser.see("main", "This was done a short time ago. Wait ").await;
    browser.assert_only_status(429).await;
    desk.finish().await;
}

/// The checks of `doctor --json` and their results. Those of the server say that another process has the outbox and the
/// address.
async fn findings_of_the_command(config: &Path) -> Vec<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wecom-relay"));
    command.arg("--config").arg(config).args(["doctor", "--json"]);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let findings: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let is_of_server = |finding: &&Value| finding["subject"] == "server";
    let line = |finding: &Value| {
        let part = |name: &str| finding[name].as_str().unwrap_or_default().to_owned();
        format!("{} {}: {}", part("status"), part("subject"), part("check"))
    };
    findings.iter().filter(|finding| !is_of_server(finding)).map(line).collect()
}

#[tokio::test]
async fn the_page_shows_the_findings_of_the_command() {
    let Some(desk) = Desk::open(Options::default(), &Look::default()).await else { return };
    let browser = &desk.browser;
    desk.goto("setup").await;
    browser.click("#run-doctor").await;
    let text = async || browser.text("#doctor [role=status]").await;
    eventually(text, |text| text.contains(" ok") && !text.contains("running")).await;
    let shown = "return [...document.querySelectorAll('#doctor .findings li > p:first-child')].map(line =>
        `${line.querySelector('.sign').innerText.split(' ').pop().replace('warnings', 'warning')} ${line.querySelector('strong').innerText}`)
        .filter(line => !/^\\w+ server:/.test(line))";
    let shown = browser.script(shown, &[]).await;
    let shown: Vec<&str> = shown.as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    let found = findings_of_the_command(&desk.relay.folder.path().join("config.yml")).await;
    assert!(!found.is_empty());
    assert_eq!(shown, found);
    desk.finish().await;
}

#[tokio::test]
async fn the_page_shows_no_secret() {
    let Some(desk) = Desk::open(with_password(), &Look::default()).await else { return };
    desk.log_in().await;
    desk.goto("setup").await;
    desk.browser.see("main", "webhook_configs").await;
    let source = desk.browser.script("return document.documentElement.outerHTML", &[]).await;
    let source = source.as_str().unwrap();
    let secrets = [SECRET.split_at(14).0, PASSWORD.split_at(8).0];
    assert!(secrets.iter().all(|secret| !source.contains(secret)));
    desk.finish().await;
}
