//! Every answer that a browser may show has the policy of the pages.

use std::{collections::BTreeSet, process::Command};

use reqwest::{Method, Response, header};
use serde_json::json;
use wecom_relay::{http::MAX_BODY_BYTES, outbox::State, pages::CONTENT_SECURITY_POLICY};

use super::{
    Browser, PASSWORD, VIEWER, WITH_PASSWORDS, options,
    routes::{self, METHODS},
};
use crate::support::{Options, Printing, Relay, Wecom, payload};

/// The answers so far. Each must have the policy and no other one.
#[derive(Default)]
struct Answers {
    statuses: BTreeSet<u16>,
    without_policy: Vec<String>,
}

impl Answers {
    fn add(&mut self, what: &str, status: u16, headers: &header::HeaderMap) {
        self.statuses.insert(status);
        let policies: Vec<_> = headers.get_all(header::CONTENT_SECURITY_POLICY).iter().collect();
        let is_exact = policies.len() == 1 && policies[0] == CONTENT_SECURITY_POLICY;
        if !is_exact || headers[header::X_CONTENT_TYPE_OPTIONS] != "nosniff" {
            self.without_policy.push(format!("{what}: {status} {policies:?}"));
        }
    }

    fn add_response(&mut self, what: &str, response: &Response) {
        self.add(what, response.status().as_u16(), response.headers());
    }

    async fn visit_all_routes(&mut self, who: &str, browser: &mut Browser, password: Option<&str>) {
        routes::visit_all(browser, password, |method, path, page| {
            self.add(&format!("{who}: {method} {path}"), page.status, &page.headers);
        })
        .await;
    }

    #[track_caller]
    fn check(&self, statuses: &[u16]) {
        assert!(self.without_policy.is_empty(), "{:#?}", self.without_policy);
        let missing: Vec<_> = statuses.iter().filter(|status| !self.statuses.contains(status)).collect();
        assert!(missing.is_empty(), "no answer had the status {missing:?}: {:?}", self.statuses);
    }
}

#[tokio::test]
async fn every_answer_of_the_relay_has_the_policy() {
    let wecom = Wecom::start().await;
    let relay = Relay::with(&wecom.url, options(WITH_PASSWORDS)).await;
    relay.post(&payload("DiskFull", &[("a", true)])).await;
    relay.settled(1).await;
    assert_eq!(relay.listed(&[State::Delivered]).await.len(), 1);
    let mut answers = Answers::default();
    for (who, password) in [("nobody", None), ("viewer", Some(VIEWER)), ("operator", Some(PASSWORD))] {
        answers.visit_all_routes(who, &mut Browser::new(&relay), password).await;
    }
    assert!(!answers.statuses.contains(&429), "a route was not tried");
    let mut browser = Browser::new(&relay);
    browser.log_in(VIEWER).await;
    let etag = browser.get("/templates").await.headers["etag"].to_str().unwrap().to_owned();
    let again = browser.send(Method::GET, "/templates", &[], &[("if-none-match", &etag)]).await;
    answers.add("unchanged", again.status, &again.headers);
    let send = |method: Method, path: &str| relay.client.request(method, format!("{}{path}", relay.url));
    let large = vec![b' '; MAX_BODY_BYTES + 1];
    answers.add_response("large", &send(Method::POST, "/webhook").body(large).send().await.unwrap());
    for _ in 0..2 {
        let run = send(Method::POST, "/api/v1/doctor").bearer_auth(PASSWORD).send().await.unwrap();
        answers.add_response("doctor", &run);
        let discard = send(Method::POST, "/api/v1/messages/1/discard").bearer_auth(PASSWORD);
        answers.add_response("discard", &discard.send().await.unwrap());
    }
    let mistyped = send(Method::POST, "/api/v1/render").bearer_auth(PASSWORD).json(&json!({ "x": 1 }));
    answers.add_response("render", &mistyped.send().await.unwrap());
    answers.check(&[200, 303, 304, 400, 401, 403, 404, 405, 409, 413, 429]);
    relay.stop().await;
}

#[tokio::test]
async fn a_closed_console_answers_with_the_policy() {
    let mut answers = Answers::default();
    let external =
        ", console: { external_url: 'https://ops.example.com/wecom', password: a-long-unreal-password }";
    for (server, listen) in
        [("", "0.0.0.0:0"), (external, "127.0.0.1:0"), (", console: { enabled: false }", "127.0.0.1:0")]
    {
        let relay = Relay::with("http://127.0.0.1:9", Options { listen, ..options(server) }).await;
        let mut browser = Browser::new(&relay);
        answers.visit_all_routes(server, &mut browser, None).await;
        let page = browser.get("/wecom").await;
        answers.add("the prefix", page.status, &page.headers);
        relay.stop().await;
    }
    answers.check(&[303, 308, 403, 404, 405]);
}

#[tokio::test]
async fn every_answer_of_a_phone_has_the_policy() {
    let wecom = Wecom::start().await;
    let mut answers = Answers::default();
    visit_phone(&wecom.url, &mut answers).await;
    let mut demo = Command::new(env!("CARGO_BIN_EXE_wecom-relay"));
    demo.args(["demo", "--language", "en"]);
    let mut demo = Printing::start(demo);
    let line = demo.line_with("the phones of the members").await;
    visit_phone(line.split_whitespace().next().unwrap().trim_end_matches('/'), &mut answers).await;
    answers.check(&[200, 303, 400, 403, 404, 405, 409, 415, 422]);
}

/// Tries all routes of the page of a sandbox at `url`.
#[expect(clippy::disallowed_methods, reason = "the test looks at redirects")]
async fn visit_phone(url: &str, answers: &mut Answers) {
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    let client = client.build().unwrap();
    for path in routes::of_phone() {
        for method in METHODS {
            let request =
                client.request(method.clone(), format!("{url}{path}")).header("accept", "text/html");
            let answer = request.send().await.unwrap();
            answers.add_response(&format!("{method} {path}"), &answer);
        }
    }
    let page = client.get(url).header("accept", "text/html").send().await.unwrap().text().await.unwrap();
    let (_, rest) = page.split_once("name=\"token\" value=\"").unwrap();
    let (token, _) = rest.split_once('"').unwrap();
    for (path, origin, form) in [
        ("press", url, "press=busy"),
        ("press", url, "press=gone"),
        ("press", "http://evil.example", "press=busy"),
        ("card", url, "member=lisi&task_id=gone&key=ack"),
        ("card", url, ""),
        ("lang", url, "lang=zh"),
    ] {
        let request = client.post(format!("{url}/{path}")).body(format!("token={token}&{form}"));
        let request =
            request.header("origin", origin).header("content-type", "application/x-www-form-urlencoded");
        answers.add_response(&format!("{path} {form}"), &request.send().await.unwrap());
    }
}
