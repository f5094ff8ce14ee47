//! The console behind nginx, which keeps or removes a prefix.

use std::{fs, net::TcpListener};

use rcgen::{CertificateParams, KeyPair};
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpStream;

use super::{
    Browser, Look,
    desk::{PASSWORD, log_in, with_password},
};
use crate::support::{Nginx, Options, Relay, Wecom, eventually, nginx, payload};

fn config(port: u16, relay: &str, keeps_prefix: bool) -> String {
    let target = if keeps_prefix { relay.to_owned() } else { format!("{relay}/") };
    format!(
        "  server {{\n    listen 127.0.0.1:{port};\n    location /wecom/ {{\n      proxy_pass {target};\n      \
         proxy_set_header X-Forwarded-For $remote_addr;\n    }}\n  }}\n"
    )
}

/// Links and addresses of the page that leave the prefix, without the links of messages, which open in another tab.
const ABSOLUTE: &str = "return [...document.querySelectorAll('[href]:not([target]), [src], [action]')]
    .map(element => element.getAttribute('href') ?? element.getAttribute('src') ?? element.getAttribute('action'))
    .filter(address => address.startsWith('/') || /^[a-z]+:/.test(address))";

/// The addresses of all links of the console.
const LINKS: &str =
    "return [...document.querySelectorAll('a[href]:not([target])')].map(link => link.href.split('#')[0])";

/// Follows the links of the console, and returns the number of pages.
async fn crawl(browser: &Browser, start: &str) -> usize {
    let mut pages = vec![start.to_owned()];
    let mut next = 0;
    while next < pages.len() && next < 25 {
        browser.goto(&pages[next]).await;
        assert_eq!(browser.script(ABSOLUTE, &[]).await, json!([]), "{}", pages[next]);
        for link in browser.script(LINKS, &[]).await.as_array().unwrap() {
            let link = link.as_str().unwrap().to_owned();
            assert!(link.starts_with(start), "{} leads to {link}", pages[next]);
            if !pages.contains(&link) {
                pages.push(link);
            }
        }
        next += 1;
    }
    next
}

#[tokio::test]
async fn the_console_works_behind_a_proxy_with_a_prefix() {
    let Some(program) = nginx() else { return };
    let Some(browser) = Browser::open(&Look::default()).await else { return };
    let wecom = Wecom::live(wecom_relay::sandbox::Settings::default()).await;
    for keeps_prefix in [true, false] {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let start = format!("http://127.0.0.1:{port}/wecom/");
        let server =
            format!(", console: {{ password: {PASSWORD}, external_url: '{}' }}", start.trim_end_matches('/'));
        let relay = Relay::with(&wecom.url, Options { server, ..with_password() }).await;
        let folder = TempDir::new().unwrap();
        let _nginx = Nginx::start(&program, folder.path(), &config(port, &relay.url, keeps_prefix));
        let post = async || {
            let webhook = relay.client.post(format!("{start}webhook/wechat"));
            let sent = webhook.body(payload("DiskFull", &[("a", true)]).to_string()).send().await;
            sent.map(|answer| answer.status().as_u16()).unwrap_or_default()
        };
        assert_eq!(eventually(post, |status| *status != 0).await, 200);
        browser.goto(start.trim_end_matches('/')).await;
        assert!(browser.url().await.starts_with(&format!("{start}login")), "{}", browser.url().await);
        browser.type_into("[name=password]", PASSWORD).await;
        browser.click("form[action$=login] button.main").await;
        browser.see("h1", "Overview").await;
        assert!(crawl(&browser, &start).await >= 4);
        browser.goto(&format!("{start}setup")).await;
        browser.see("main", &format!("{start}webhook/wechat")).await;
        browser.click("form[action$=lang] button").await;
        browser.see("h1", "接入").await;
        browser.click("form[action$=lang] button").await;
        browser.see("h1", "Setup").await;
        browser.click("form[action$=logout] button").await;
        browser.see("h1", "Log in").await;
        browser.assert_clean().await;
        relay.stop().await;
    }
}

/// nginx with TLS, and its certificate in `folder`.
fn config_with_tls(port: u16, relay: &str, folder: &TempDir) -> String {
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    let (pem_file, key_file) = (folder.path().join("certificate.pem"), folder.path().join("key.pem"));
    fs::write(&pem_file, certificate.pem()).unwrap();
    fs::write(&key_file, key.serialize_pem()).unwrap();
    format!(
        "  server {{\n    listen 127.0.0.1:{port} ssl;\n    ssl_certificate {};\n    ssl_certificate_key {};\n    \
         location / {{\n      proxy_pass {relay};\n      proxy_set_header X-Forwarded-For $remote_addr;\n    }}\n  }}\n",
        pem_file.display(),
        key_file.display()
    )
}

#[tokio::test]
async fn the_console_works_behind_a_proxy_with_tls() {
    let Some(program) = nginx() else { return };
    let look = Look { arguments: vec!["--ignore-certificate-errors".to_owned()], ..Look::default() };
    let Some(browser) = Browser::open(&look).await else { return };
    let wecom = Wecom::live(wecom_relay::sandbox::Settings::default()).await;
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("https://127.0.0.1:{port}");
    let server = format!(", console: {{ password: {PASSWORD}, external_url: '{url}' }}");
    let relay = Relay::with(&wecom.url, Options { server, ..with_password() }).await;
    let folder = TempDir::new().unwrap();
    let _nginx = Nginx::start(&program, folder.path(), &config_with_tls(port, &relay.url, &folder));
    let connects = async || TcpStream::connect(("127.0.0.1", port)).await.is_ok();
    eventually(connects, |connects| *connects).await;
    log_in(&browser, &url, PASSWORD).await;
    assert!(crawl(&browser, &format!("{url}/")).await >= 4);
    browser.goto(&format!("{url}/setup")).await;
    browser.see("main", &format!("{url}/webhook/wechat")).await;
    browser.click("form[action$=logout] button").await;
    browser.see("h1", "Log in").await;
    browser.assert_clean().await;
    relay.stop().await;
}
