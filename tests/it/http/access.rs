//! `server.auth`: the credentials of requests.

use std::sync::Arc;

use reqwest::{Method, StatusCode, header};
use tokio::io::AsyncWriteExt;
use wecom_relay::{
    http::{AccessControl, ServerSecurity},
    secret::Secret,
};

use super::{direct::Direct, for_receiver, raw};
use crate::support::{Options, Relay, Wecom};

const TOKEN: &str = "not-a-real-token";
const BOTH: &str =
    ", auth: { bearer_token: not-a-real-token, basic_auth: { username: am, password: not-a-real-password } }";

fn with(server: &str) -> Options {
    Options { server: server.to_owned(), ..Options::default() }
}

/// The status of a webhook with this `Authorization`.
async fn post(relay: &Relay, authorization: Option<&str>) -> u16 {
    let mut request = relay.client.post(format!("{}/webhook", relay.url));
    request = request.body(for_receiver("wechat").to_string());
    if let Some(value) = authorization {
        request = request.header(header::AUTHORIZATION, value);
    }
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn only_the_configured_credentials_are_allowed() {
    let wecom = Wecom::start().await;
    let relay = Relay::with(&wecom.url, with(BOTH)).await;
    for (status, authorization) in [
        (401, None),
        (401, Some("Bearer wrong")),
        (401, Some("Basic d3Jvbmc6d3Jvbmc=")),
        (401, Some("not-a-real-token")),
        (200, Some("Bearer not-a-real-token")),
        (200, Some("Basic YW06bm90LWEtcmVhbC1wYXNzd29yZA==")),
    ] {
        assert_eq!(post(&relay, authorization).await, status, "{authorization:?}");
    }
    wecom.sandbox.wait_for_delivered("zhangsan", 1).await;
    assert_eq!(relay.listed(&[]).await.len(), 1);
    let metrics = relay.client.get(format!("{}/metrics", relay.url)).bearer_auth(TOKEN).send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    assert!(metrics.contains("\nwecom_relay_unauthorized_requests_total 4\n"), "{metrics}");
    relay.stop().await;
}

#[tokio::test]
async fn all_paths_but_health_checks_need_credentials() {
    let relay = Relay::with("http://127.0.0.1:9", with(BOTH)).await;
    for path in ["/-/healthy", "/-/ready"] {
        assert_eq!(relay.request(Method::GET, path, "").await.0, 200, "{path}");
    }
    let paths = [
        "/webhook",
        "/webhook/wechat",
        "/metrics",
        "/-/reload",
        "/metrics/",
        "/-/ready/",
        "/-/../metrics",
        "/%2D/ready",
    ];
    for path in paths {
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
            assert_eq!(relay.request(method.clone(), path, "").await.0, 401, "{method} {path}");
        }
    }
    relay.stop().await;
}

#[tokio::test]
async fn the_401_says_what_to_set_in_alertmanager() {
    let mut texts = String::new();
    for (server, schemes) in [
        (", auth: { bearer_token: t }", &["Bearer"][..]),
        (", auth: { basic_auth: { username: u, password: p } }", &["Basic"]),
        (BOTH, &["Bearer", "Basic"]),
    ] {
        let relay = Relay::with("http://127.0.0.1:9", with(server)).await;
        let answer = relay.client.get(format!("{}/metrics", relay.url)).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        let named: Vec<_> = answer
            .headers()
            .get_all(header::WWW_AUTHENTICATE)
            .iter()
            .map(|value| value.to_str().unwrap().split(' ').next().unwrap().to_owned())
            .collect();
        assert_eq!(named, schemes);
        texts += &answer.text().await.unwrap();
        relay.stop().await;
    }
    insta::assert_snapshot!(texts, @"
    no valid credentials; in Alertmanager, give the http_config of this webhook_configs `authorization: { credentials_file: … }` with the relay's server.auth.bearer_token
    no valid credentials; in Alertmanager, give the http_config of this webhook_configs `basic_auth: { username: …, password_file: … }` as in the relay's server.auth.basic_auth
    no valid credentials; in Alertmanager, give the http_config of this webhook_configs `authorization: { credentials_file: … }` with the relay's server.auth.bearer_token, or `basic_auth: { username: …, password_file: … }` as in the relay's server.auth.basic_auth
    ");
}

#[tokio::test]
async fn a_connection_ends_with_its_first_401() {
    let relay = Relay::with("http://127.0.0.1:9", with(BOTH)).await;
    for request in
        ["GET /metrics HTTP/1.1\r\nHost: relay\r\n\r\n", "POST /webhook HTTP/1.1\r\nHost: relay\r\n\r\n"]
    {
        let mut stream = raw::connect(&relay.url).await;
        stream.write_all(request.repeat(2).as_bytes()).await.unwrap();
        let answer = raw::rest(stream).await;
        assert_eq!(answer.matches("HTTP/1.1 401 ").count(), 1, "{answer}");
        assert!(answer.contains("connection: close\r\n"), "{answer}");
    }
    relay.stop().await;
}

#[tokio::test]
async fn the_401_arrives_before_the_body_is_sent() {
    let relay = Relay::with("http://127.0.0.1:9", with(BOTH)).await;
    // The body is not sent, so the answer cannot wait for it.
    let mut stream = raw::connect(&relay.url).await;
    stream
        .write_all(b"POST /webhook HTTP/1.1\r\nHost: relay\r\nContent-Length: 33554432\r\n\r\n")
        .await
        .unwrap();
    let answer = raw::rest(stream).await;
    assert!(answer.starts_with("HTTP/1.1 401 ") && answer.ends_with("server.auth.basic_auth\n"), "{answer}");
    // Half of the body is sent when the answer arrives. The connection must not be reset before the answer is read.
    for _ in 0..20 {
        let (mut read, mut write) = raw::connect(&relay.url).await.into_split();
        let head = b"POST /webhook HTTP/1.1\r\nHost: relay\r\nContent-Length: 4000000\r\n\r\n";
        write.write_all(head).await.unwrap();
        for _ in 0..20 {
            write.write_all(&[b' '; 100_000]).await.unwrap();
        }
        let mut answer = String::new();
        tokio::io::AsyncReadExt::read_to_string(&mut read, &mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    }
    // A client that waits for `100 Continue` gets the 401 instead.
    let mut stream = raw::connect(&relay.url).await;
    let head = b"POST /webhook HTTP/1.1\r\nHost: relay\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n";
    stream.write_all(head).await.unwrap();
    assert!(raw::rest(stream).await.starts_with("HTTP/1.1 401 "));
    relay.stop().await;
}

#[tokio::test]
async fn new_credentials_are_in_force_with_the_next_request() {
    let direct = Direct::roomy();
    let status_of = async |token: &str| {
        let request =
            axum::http::Request::get("/metrics").header(header::AUTHORIZATION, format!("Bearer {token}"));
        direct.ask(request.body(axum::body::Body::empty()).unwrap()).await.0
    };
    assert_eq!(status_of("any").await, 200);
    for token in ["first", "second"] {
        let access = AccessControl::new(Some(&Secret::new(token)), None);
        direct.security.replace(ServerSecurity { access, tls: None });
        assert_eq!(
            (status_of("first").await, status_of("second").await),
            if token == "first" { (200, 401) } else { (401, 200) }
        );
    }
}

#[tokio::test]
async fn many_401s_are_one_log_line_without_credentials() {
    let wecom = Wecom::live(Default::default()).await;
    let (_folder, config) = crate::support::config_file(&wecom.url, &with(BOTH));
    let mut process = crate::support::Process::start(&config).await;
    let client = Arc::new(process.client.clone());
    for number in 0..50 {
        let request =
            client.post(format!("{}/webhook", process.url)).bearer_auth(format!("wrong-guess-{number}"));
        assert_eq!(request.body("{}").send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    }
    process.signal("TERM");
    assert!(process.ended().await.success());
    let rejections: Vec<_> = process.log.iter().filter(|line| line.contains("request rejected")).collect();
    assert_eq!(rejections.len(), 1, "{rejections:?}");
    let rejection: serde_json::Value = serde_json::from_str(rejections[0]).unwrap();
    assert_eq!((&rejection["peer"], &rejection["offered"]), (&"127.0.0.1".into(), &"Bearer".into()));
    assert!(!process.log.join("\n").contains("wrong-guess"));
}
