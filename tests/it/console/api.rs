//! `/api/v1` for programs.

use futures_util::future::join_all;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use wecom_relay::outbox::State;

use super::{Browser, PASSWORD, VIEWER, WITH_PASSWORDS, with_dead_letters};
use crate::support::{Relay, Wecom};

struct Answer {
    status: u16,
    body: Value,
}

async fn ask(relay: &Relay, method: Method, path: &str, password: Option<&str>, body: Value) -> Answer {
    let mut request = relay.client.request(method, format!("{}/api/v1/{path}", relay.url));
    if let Some(password) = password {
        request = request.bearer_auth(password);
    }
    if !body.is_null() {
        request = request.json(&body);
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    Answer { status, body: serde_json::from_str(&text).unwrap_or(json!(text)) }
}

#[tokio::test]
async fn programs_read_and_change_with_a_password() {
    let wecom = Wecom::start().await;
    let relay = with_dead_letters(&wecom, WITH_PASSWORDS, &["A", "B"]).await;
    let get = async |path: &str| ask(&relay, Method::GET, path, Some(VIEWER), Value::Null).await;
    let second = relay.listed(&[State::Dead]).await[1].id.0;
    let listed = get("messages?state=dead&limit=1").await.body;
    assert_eq!((&listed["items"][0]["id"], &listed["items"][0]["state"]), (&json!(second), &json!("dead")));
    assert_eq!((&listed["next"], &listed["complete"]), (&json!(second), &json!(false)));
    let older = get(&format!("messages?state=dead&after={second}")).await.body;
    assert_eq!((&older["items"][0]["id"], &older["complete"]), (&json!(1), &json!(true)));
    let shown = get("messages/1").await.body;
    assert_eq!(
        (&shown["history"][0]["errcode"], &shown["group_key"]),
        (&json!(81013), &json!("{}:{alertname=\"A\"}"))
    );
    let overview = get("overview").await.body;
    assert_eq!((&overview["verdict"], &overview["cards"][0]["kind"]), (&json!("bad"), &json!("dead")));

    let change = async |path: &str, body: Value| ask(&relay, Method::POST, path, Some(PASSWORD), body).await;
    let discarded = change("messages/1/discard", Value::Null).await;
    assert_eq!((discarded.status, &discarded.body["state"]), (200, &json!("discarded")));
    let conflict = change("messages/1/discard", Value::Null).await;
    assert_eq!(conflict.status, 409);
    assert!(conflict.body["detail"].as_str().unwrap().contains("discarded"), "{}", conflict.body);
    assert_eq!(change("messages/77/requeue", Value::Null).await.status, 404);
    let bulk = |expect: u32| json!({ "filter": { "state": "dead" }, "expect": expect });
    assert_eq!(change("messages/discard", bulk(2)).await.status, 409);
    assert_eq!(change("messages/discard", bulk(1)).await.body, json!({ "done": 1 }));
    assert_eq!(change("messages/discard", json!({ "filter": {}, "expect": 0 })).await.status, 400);
    assert_eq!(change("messages/discard", json!({})).await.status, 400);
    let mistyped = json!({ "filter": { "state": "dead", "recever": "wechat" }, "expect": 0 });
    assert_eq!(change("messages/discard", mistyped).await.status, 400);
    assert_eq!(change("senders/ops/probe", Value::Null).await.status, 202);
    assert_eq!(change("senders/gone/probe", Value::Null).await.status, 404);
    assert_eq!(relay.listed(&[State::Discarded]).await.len(), 2);
    relay.stop().await;
}

#[tokio::test]
async fn programs_without_a_password_are_unauthorized() {
    let wecom = Wecom::start().await;
    let relay = with_dead_letters(&wecom, WITH_PASSWORDS, &["A"]).await;
    for password in [None, Some("wrong")] {
        assert_eq!(ask(&relay, Method::GET, "overview", password, Value::Null).await.status, 401);
        assert_eq!(ask(&relay, Method::POST, "messages/1/discard", password, Value::Null).await.status, 401);
    }
    assert_eq!(ask(&relay, Method::POST, "messages/1/discard", Some(VIEWER), Value::Null).await.status, 403);
    let basic = relay.client.get(format!("{}/api/v1/overview", relay.url)).basic_auth("any", Some(PASSWORD));
    assert_eq!(basic.send().await.unwrap().status(), 200);
    let (_, metrics) = relay.request(Method::GET, "/metrics", "").await;
    assert!(metrics.contains("\nwecom_relay_unauthorized_requests_total 4\n"), "{metrics}");
    assert_eq!(relay.listed(&[State::Dead]).await.len(), 1);
    relay.stop().await;
}

#[tokio::test]
async fn an_open_api_serves_programs_and_no_pages_of_other_sites() {
    let wecom = Wecom::start().await;
    let relay = with_dead_letters(&wecom, "", &["A"]).await;
    for (name, value) in [("origin", "http://evil.example"), ("sec-fetch-site", "cross-site")] {
        let request = relay.client.post(format!("{}/api/v1/messages/1/discard", relay.url));
        assert_eq!(request.header(name, value).send().await.unwrap().status(), 403, "{name}");
    }
    let request = relay.client.get(format!("{}/api/v1/messages/1", relay.url)).header("host", "evil.example");
    assert_eq!(request.send().await.unwrap().status(), 403);
    assert_eq!(ask(&relay, Method::POST, "messages/1/discard", None, Value::Null).await.status, 200);
    relay.stop().await;
}

#[tokio::test]
async fn other_paths_of_an_api_still_name_the_mistake() {
    let relay = Relay::start("http://127.0.0.1:9").await;
    let (status, text) = relay.request(Method::POST, "/api/v2/alerts", "[]").await;
    assert!(status == 404 && text.contains("this is a path of Alertmanager's API"), "{text}");
    relay.stop().await;
}

/// The answers to equal requests that come at once and are too many.
async fn refused(relay: &Relay, burst: usize, request: impl Fn() -> RequestBuilder) -> Vec<Response> {
    let answers = join_all((0..200).map(|_| request().send())).await;
    let refused = answers.into_iter().map(Result::unwrap).filter(|answer| answer.status() == 429);
    let refused = refused.collect::<Vec<_>>();
    assert!((1..=200 - burst).contains(&refused.len()), "{}", refused.len());
    let (status, _) = relay.request(Method::GET, "/-/healthy", "").await;
    assert_eq!(status, 200, "only the console has limits");
    refused
}

#[tokio::test]
async fn a_program_without_pauses_is_told_to_wait() {
    let wecom = Wecom::start().await;
    let relay = with_dead_letters(&wecom, WITH_PASSWORDS, &["A"]).await;
    let request = |method: Method, path: &str| {
        relay.client.request(method, format!("{}/api/v1/{path}", relay.url)).bearer_auth(PASSWORD)
    };
    let draft = json!({ "receiver": "wechat" });
    let reads = refused(&relay, 40, || request(Method::GET, "messages/1")).await;
    // Two drafts are rendered at once, and four wait.
    let drafts = refused(&relay, 6, || request(Method::POST, "render").json(&draft)).await;
    let changes = refused(&relay, 10, || request(Method::POST, "messages/77/requeue")).await;
    for mut answers in [reads, drafts, changes] {
        let answer = answers.pop().unwrap();
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        assert_eq!(answer.headers()["retry-after"], "1");
        let problem: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        let expected = json!({
            "title": "Too Many Requests",
            "status": 429,
            "detail": "Too many requests came from this browser or program.",
            "fix": "Wait 1 s and try again.",
        });
        assert_eq!(problem, expected);
    }
    // Each session has limits of its own.
    for _ in 0..2 {
        let mut browser = Browser::new(&relay);
        browser.log_in(PASSWORD).await;
        assert_eq!(browser.get("/messages/1").await.status, 200);
    }
    relay.stop().await;
}

#[tokio::test]
async fn a_browser_without_pauses_is_told_to_wait() {
    let relay = Relay::start("http://127.0.0.1:9").await;
    let page = || relay.client.get(format!("{}/messages", relay.url)).header("accept-language", "zh-CN");
    let refused = refused(&relay, 40, page).await.pop().unwrap();
    assert_eq!(refused.headers()["retry-after"], "1");
    let text = refused.text().await.unwrap();
    assert!(text.contains("来自这个浏览器或程序的请求过多。请 1 秒后再试。"), "{text}");
    relay.stop().await;
}

#[tokio::test]
async fn a_second_reload_within_some_seconds_is_refused() {
    let wecom = Wecom::start().await;
    let relay = Relay::with(&wecom.url, super::options("")).await;
    let reload = async || ask(&relay, Method::POST, "reload", None, Value::Null).await;
    assert_eq!(reload().await.status, 200);
    let second = reload().await;
    assert_eq!((second.status, &second.body["detail"]), (429, &json!("This was done a short time ago.")));
    relay.stop().await;
}
