//! The overview: what is wrong, and what a person must do.

use reqwest::Method;
use wecom_relay::sandbox::{BUILTIN_YAML, Directory, Settings};

use super::{Browser, options, submit, with_dead_letters};
use crate::support::{Relay, SECRET, Wecom, payload, soon};

#[tokio::test]
async fn a_healthy_relay_says_that_all_flows() {
    let wecom = Wecom::start().await;
    let relay = Relay::start(&wecom.url).await;
    let mut browser = Browser::new(&relay);
    let page = browser.get("/").await;
    assert!(page.text.contains("Nothing is wrong, and nothing was delivered lately."), "{}", page.text);
    assert!(page.text.contains("<title>Overview · wecom-relay</title>"), "{}", page.text);
    relay.post(&payload("Down", &[("a", true)])).await;
    soon(relay.settled(1)).await;
    let page = browser.wait_for("/", |page| page.text.contains("All messages flow.")).await;
    assert!(page.text.contains("ok.svg"), "{}", page.text);
    relay.stop().await;
}

#[tokio::test]
async fn an_untrusted_ip_is_shown_until_it_is_entered() {
    let wecom = Wecom::live(Settings::default()).await;
    let relay = Relay::with(&wecom.url, options("")).await;
    let secret = format!("secret: {SECRET}");
    let strict = BUILTIN_YAML.replace(&secret, &format!("{secret}, trusted_ips: [203.0.113.1]"));
    wecom.sandbox.replace_directory(Directory::from_yaml(&strict).unwrap());
    relay.post(&payload("Down", &[("a", true)])).await;
    let mut browser = Browser::new(&relay);
    let page = browser.wait_for("/", |page| page.text.contains("ops is held")).await;
    assert!(page.text.contains("(60020)") && page.text.contains("data-copy=\"127.0.0.1\""), "{}", page.text);
    assert!(page.text.contains("<title>(1) Overview · wecom-relay</title>"), "{}", page.text);
    browser.language = "zh";
    let chinese = browser.get("/").await;
    assert!(
        chinese.text.contains("企业可信IP") && chinese.text.contains("有 1 件事要处理"),
        "{}",
        chinese.text
    );
    wecom.sandbox.replace_directory(Directory::builtin());
    assert_eq!(submit(&mut browser, &page, "senders/ops/probe").await.location(), "../../");
    soon(wecom.sandbox.wait_for_delivered("zhangsan", 1)).await;
    browser.language = "en";
    browser.wait_for("/", |page| page.text.contains("All messages flow.")).await;
    relay.stop().await;
}

#[tokio::test]
async fn dead_letters_are_shown_with_their_reason() {
    let wecom = Wecom::start().await;
    let relay = with_dead_letters(&wecom, "", &["A", "B"]).await;
    let mut browser = Browser::new(&relay);
    let page = browser.wait_for("/", |page| page.text.contains("24 h: 2")).await;
    assert!(page.text.contains("2 × WeCom refused message/send (81013)"), "{}", page.text);
    let links = page.attributes("href");
    let requeue = "./messages/confirm?do=requeue&state=dead&since=";
    assert!(links.iter().any(|link| link.starts_with(requeue)), "{links:?}");
    relay.stop().await;
}

#[tokio::test]
async fn refused_webhooks_are_shown_with_their_answer() {
    let relay = Relay::start("http://127.0.0.1:9").await;
    relay.request(Method::POST, "/webhook/wechta", payload("A", &[("a", true)]).to_string()).await;
    relay.request(Method::POST, "/webhook", "{").await;
    let page = Browser::new(&relay).get("/").await;
    assert!(page.text.contains("Webhooks were refused since the start: 2"), "{}", page.text);
    assert!(page.text.contains("404 ") && page.text.contains("/webhook/wechta"), "{}", page.text);
    relay.stop().await;
}

#[tokio::test]
async fn an_unchanged_page_is_answered_with_304() {
    let relay = Relay::start("http://127.0.0.1:9").await;
    let mut browser = Browser::new(&relay);
    browser.get("/").await;
    for path in ["/", "/messages"] {
        let first = browser.get(path).await;
        let etag = first.headers["etag"].to_str().unwrap();
        let again = browser.send(Method::GET, path, &[], &[("if-none-match", etag)]).await;
        assert_eq!((again.status, again.text.as_str()), (304, ""), "{path}");
    }
    relay.stop().await;
}
