//! The harness itself, with small pages.

use axum::{Router, http::header, response::Html, routing::get};
use tokio::{net::TcpListener, task::JoinSet};

use super::{Browser, LAPTOP, Look, NARROW, PHONE, axe::axe};
use crate::support::eventually;

/// A server for pages of a test. It ends when it is dropped.
pub(super) struct Site {
    pub(super) url: String,
    _server: JoinSet<()>,
}

const GOOD: &str = "<!doctype html><html lang=en><title>Good</title><meta name=viewport content=width=device-width><link rel=icon href='data:,'>
    <style>body { background: white } @media (prefers-color-scheme: dark) { body { background: black; color: white } }</style>
    <main><h1>Words</h1><p id=said>nothing</p>
    <form action='/' method=get><label>Name <input name=q></label><button id=go>Go</button></form>
    <button id=say onclick=\"document.getElementById('said').textContent = 'hello'\">Say</button></main>";

const BAD: &str = "<!doctype html><title>Bad</title><img src=/missing.png>
    <p style='color: #ccc; background: white'>faint</p><script>throw new Error('broken on purpose')</script>";

impl Site {
    /// A site with one page.
    pub(super) async fn of(page: &str) -> Self {
        let page = page.to_owned();
        Self::serve(Router::new().route("/", get(|| async move { Html(page) }))).await
    }

    async fn serve(pages: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, pages).await.unwrap() });
        Self { url, _server: server }
    }
}

async fn site() -> Site {
    let strict = [(header::CONTENT_SECURITY_POLICY, "default-src 'none'; img-src 'self'")];
    let language = |headers: axum::http::HeaderMap| async move {
        let language = headers.get(header::ACCEPT_LANGUAGE).map(|value| value.to_str().unwrap().to_owned());
        Html(format!(
            "<html lang=en><meta name=viewport content=width=device-width><title>x</title><link rel=icon href='data:,'><p id=said>{}</p>",
            language.unwrap_or_default()
        ))
    };
    let pages = Router::new()
        .route("/", get(|| async { Html(GOOD) }))
        .route("/bad", get(|| async { Html(BAD) }))
        .route("/strict", get(move || async move { (strict, Html(BAD)) }))
        .route("/language", get(language));
    Site::serve(pages).await
}

#[tokio::test]
async fn a_browser_is_used_like_by_a_person() {
    let site = site().await;
    let Some(browser) = Browser::open(&Look::default()).await else { return };
    browser.goto(&site.url).await;
    assert_eq!(browser.title().await, "Good");
    browser.click("#say").await;
    browser.see("#said", "hello").await;
    browser.reload().await;
    browser.see_no("#said", "hello").await;
    browser.type_into("[name=q]", "wrong").await;
    browser.clear("[name=q]").await;
    assert_eq!(browser.count("button").await, 2);
    browser.type_into("[name=q]", "a 中文").await;
    browser.press("\u{e004}\u{e007}").await;
    eventually(async || browser.url().await, |url| url.ends_with("?q=a+%E4%B8%AD%E6%96%87")).await;
    if let Some(axe) = axe() {
        assert_eq!(browser.barriers(&axe).await, Vec::<String>::new());
    }
    assert!(browser.picture().await.starts_with(b"\x89PNG"));
    browser.assert_clean().await;
}

#[tokio::test]
async fn a_browser_looks_as_the_test_asks() {
    let site = site().await;
    let look =
        Look { size: PHONE, language: "zh-CN,zh", is_dark: true, has_scripts: false, ..Look::default() };
    let Some(browser) = Browser::open(&look).await else { return };
    browser.goto(&site.url).await;
    let background = "return getComputedStyle(document.body).backgroundColor";
    assert_eq!(browser.script(background, &[]).await, "rgb(0, 0, 0)");
    assert_eq!(browser.script("return innerWidth", &[]).await, PHONE.width);
    browser.click("#say").await;
    assert_eq!(browser.text("#said").await, "nothing");
    browser.resize(NARROW).await;
    browser.goto(&format!("{}/language", site.url)).await;
    assert_eq!(browser.script("return innerWidth", &[]).await, NARROW.width);
    browser.see("#said", "zh-CN,zh").await;
    browser.resize(LAPTOP).await;
    assert_eq!(browser.script("return innerWidth", &[]).await, LAPTOP.width);
    browser.assert_clean().await;
}

#[tokio::test]
async fn every_complaint_of_a_browser_is_found() {
    let site = site().await;
    let Some(browser) = Browser::open(&Look::default()).await else { return };
    browser.goto(&format!("{}/bad", site.url)).await;
    let traffic = browser.traffic().await;
    let found = |word: &str| traffic.problems.iter().any(|problem| problem.contains(word));
    assert!(found("broken on purpose") && found("404"), "{traffic:?}");
    assert!(traffic.requests.iter().any(|url| url.ends_with("/missing.png")), "{traffic:?}");
    if let Some(axe) = axe() {
        let barriers = browser.barriers(&axe).await.join("\n");
        assert!(barriers.contains("color-contrast") && barriers.contains("image-alt"), "{barriers}");
    }
    browser.goto(&format!("{}/strict", site.url)).await;
    let traffic = browser.traffic().await;
    let refused = traffic.problems.iter().filter(|problem| problem.contains("Content Security Policy"));
    assert!(refused.count() >= 2, "{traffic:?}");
}
