//! A console behind a proxy, below a prefix that the proxy keeps or removes.

use std::collections::BTreeSet;

use reqwest::{Method, Url, header};

use super::{Browser, PASSWORD, with_dead_letters};
use crate::support::{Relay, Wecom};

/// Keys of the server for a proxy at `https://ops.example.com/a/wecom`.
const BEHIND_PROXY: &str =
    ", console: { password: a-long-unreal-password, external_url: 'https://ops.example.com/a/wecom' }";
const FROM_PROXY: [(&str, &str); 2] = [("host", "ops.example.com"), ("origin", "https://ops.example.com")];

async fn session(relay: &Relay) -> Browser {
    let mut browser = Browser::new(relay);
    let fields = [("password".to_owned(), PASSWORD.to_owned())];
    let page = browser.send(Method::POST, "/login", &fields, &FROM_PROXY).await;
    assert!(page.headers[header::SET_COOKIE].to_str().unwrap().contains("; Secure"));
    browser
}

/// Follows all links from `start`, and returns their addresses.
async fn crawl(browser: &mut Browser, start: &str) -> BTreeSet<String> {
    let (mut seen, mut left) = (BTreeSet::new(), vec![start.to_owned()]);
    while let Some(address) = left.pop() {
        if !seen.insert(address.clone()) {
            continue;
        }
        let mut page = browser.get_patiently(&address).await;
        // A message may have links of its own, which open in another tab.
        page.text = page.text.replace("rel=\"noopener noreferrer\" href=", "data-href=");
        assert!(matches!(page.status, 200 | 303), "{address}: {}", page.status);
        for link in page.attributes("href").into_iter().chain(page.attributes("src")) {
            assert!(!link.contains("://") && !link.starts_with('/'), "{link} in {address} is not relative");
            let mut target: Url = page.url.join(&link).unwrap();
            target.set_fragment(None);
            left.push(target.to_string());
        }
        for action in page.attributes("action") {
            assert!(!action.contains("://") && !action.starts_with('/'), "{action} in {address}");
        }
    }
    seen
}

#[tokio::test]
async fn all_links_work_with_a_prefix_and_without() {
    let wecom = Wecom::start().await;
    let relay = with_dead_letters(&wecom, BEHIND_PROXY, &["A"]).await;
    let mut browser = session(&relay).await;
    let kept = crawl(&mut browser, &format!("{}/a/wecom/", relay.url)).await;
    assert!(kept.iter().all(|address| address.contains("/a/wecom/")), "{kept:?}");
    let removed = crawl(&mut browser, &format!("{}/", relay.url)).await;
    let strip = |address: &String| address.replace("/a/wecom/", "/");
    assert_eq!(kept.iter().map(strip).collect::<BTreeSet<_>>(), removed);
    assert_eq!(browser.get("/a/wecom").await.location(), "./wecom/");
    relay.stop().await;
}

#[tokio::test]
async fn a_webhook_works_below_the_prefix() {
    let wecom = Wecom::start().await;
    let relay = with_dead_letters(&wecom, BEHIND_PROXY, &["A"]).await;
    for path in ["/a/wecom/-/healthy", "/-/healthy"] {
        assert_eq!(relay.request(Method::GET, path, "").await.0, 200, "{path}");
    }
    relay.stop().await;
}

#[tokio::test]
async fn forms_have_the_origin_of_the_external_url() {
    let wecom = Wecom::start().await;
    let relay = with_dead_letters(&wecom, BEHIND_PROXY, &["A"]).await;
    let mut browser = session(&relay).await;
    let form = browser.get("/messages/1/confirm?do=discard").await.form("discard").unwrap();
    let direct = browser.send(Method::POST, &form.path, &form.fields, &[]).await;
    assert_eq!(direct.status, 403);
    assert!(direct.text.contains("https://ops.example.com") && direct.text.contains("external_url"));
    let by_proxy = browser.send(Method::POST, &form.path, &form.fields, &FROM_PROXY).await;
    assert_eq!(by_proxy.location(), "../../messages/1?done=discard");
    relay.stop().await;
}
