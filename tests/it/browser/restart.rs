//! A restart and a reload while pages are open.

use std::{fs, time::Duration};

use tokio::{task::JoinSet, time::sleep};
use wecom_relay::sandbox::Settings;

use super::{Browser, Look, desk::PASSWORD};
use crate::support::{Options, Relay, Wecom, eventually, http_client, payload};

const TABS: usize = 20;

/// Pages that ask for news as those of the console do, until this is dropped.
fn open_pages(url: &str) -> JoinSet<()> {
    let mut pages = JoinSet::new();
    for tab in 0..TABS {
        let address = format!("{url}/{}", ["", "messages", "setup", "templates"][tab % 4]);
        let client = http_client();
        pages.spawn(async move {
            let mut session = String::new();
            loop {
                // The relay may be away.
                if let Ok(answer) = client.get(&address).header("cookie", &session).send().await {
                    // A browser keeps its session, and the console limits the requests of each.
                    if let Some(cookie) = answer.headers().get("set-cookie") {
                        session = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
                    }
                    drop(answer.bytes().await);
                }
                sleep(Duration::from_millis(100)).await;
            }
        });
    }
    pages
}

#[tokio::test]
async fn open_pages_outlive_a_restart() {
    let Some(browser) = Browser::open(&Look::default()).await else { return };
    let wecom = Wecom::live(Settings::default()).await;
    let relay = Relay::with(&wecom.url, Options::default()).await;
    let url = relay.url.clone();
    let pages = open_pages(&url);
    browser.goto(&format!("{url}/templates")).await;
    browser.clear("#template").await;
    browser.type_into("#template", "a draft").await;
    browser.goto(&format!("{url}/")).await;
    let mark = "window.isSamePage = true";
    browser.script(mark, &[]).await;
    // The relay stops in time, although pages are open.
    let folder = relay.stop().await;
    browser.see("#lost", "not reachable for").await;
    let address = url.trim_start_matches("http://").to_owned();
    let options = Options { folder: Some(folder), listen: address.leak(), ..Options::default() };
    let relay = Relay::with(&wecom.url, options).await;
    relay.post(&payload("DiskFull", &[("a", true)])).await;
    // The page recovers by itself: it shows what happened since, and was not loaded again.
    browser.see("#verdict", "All messages flow.").await;
    eventually(async || browser.count("#lost:not([hidden])").await, |lost| *lost == 0).await;
    assert_eq!(browser.script("return window.isSamePage", &[]).await, true);
    browser.goto(&format!("{url}/templates")).await;
    let value = async || browser.script("return document.getElementById('template').value", &[]).await;
    eventually(value, |value| *value == "a draft").await;
    browser.assert_complaints(|problem| problem.contains("net::ERR_CONNECTION_")).await;
    drop(pages);
    relay.stop().await;
}

#[tokio::test]
async fn a_new_password_leads_open_pages_to_the_login() {
    let Some(browser) = Browser::open(&Look::default()).await else { return };
    let wecom = Wecom::live(Settings::default()).await;
    let console = |password: &str| format!(", console: {{ password: {password} }}");
    let options = Options { server: console(PASSWORD), ..Options::default() };
    let relay = Relay::with(&wecom.url, options).await;
    let pages = open_pages(&relay.url);
    super::desk::log_in(&browser, &relay.url, PASSWORD).await;
    browser.goto(&format!("{}/templates", relay.url)).await;
    browser.clear("#template").await;
    browser.type_into("#template", "a draft").await;
    browser.goto(&format!("{}/messages", relay.url)).await;
    let options = Options { server: console("another-unreal-password"), ..Options::default() };
    fs::write(relay.folder.path().join("config.yml"), options.yaml(&wecom.url, &relay.folder)).unwrap();
    relay.reloads.reload().await.unwrap().unwrap();
    browser.see("main form", "Password").await;
    browser.type_into("[name=password]", "another-unreal-password").await;
    browser.click("form[action$=login] button.main").await;
    // The login leads back to the page.
    browser.see("h1", "Messages").await;
    browser.goto(&format!("{}/templates", relay.url)).await;
    let value = async || browser.script("return document.getElementById('template').value", &[]).await;
    eventually(value, |value| *value == "a draft").await;
    browser.assert_clean().await;
    drop(pages);
    relay.stop().await;
}
