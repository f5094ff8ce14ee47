//! Requests that a browser sends for a page of another site.

use axum::{body::Body, http::Request};
use reqwest::{Method, header::HOST};

use super::{direct::Direct, for_receiver};
use crate::support::{Options, Relay, Wecom};

/// The status and the text of a request with these headers.
async fn ask(relay: &Relay, method: Method, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let mut request = relay.client.request(method, format!("{}{path}", relay.url));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.body(for_receiver("wechat").to_string()).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

const FOREIGN: [&[(&str, &str)]; 4] = [
    &[("Origin", "http://evil.example"), ("Content-Type", "text/plain")],
    &[("Sec-Fetch-Site", "cross-site")],
    &[("Sec-Fetch-Site", "same-site"), ("Origin", "http://localhost:3000")],
    &[("Origin", "null")],
];

#[tokio::test]
async fn a_page_of_another_site_sends_no_alert_and_no_reload() {
    let wecom = Wecom::start().await;
    let server = ", auth: { basic_auth: { username: am, password: not-a-real-password } }";
    for server in ["", server] {
        let relay =
            Relay::with(&wecom.url, Options { server: server.to_owned(), ..Options::default() }).await;
        for headers in FOREIGN {
            // A browser adds the credentials that it knows.
            let headers = [headers, &[("Authorization", "Basic YW06bm90LWEtcmVhbC1wYXNzd29yZA==")]].concat();
            for (method, path) in
                [(Method::POST, "/webhook"), (Method::PUT, "/webhook/wechat"), (Method::POST, "/-/reload")]
            {
                let (status, _) = ask(&relay, method, path, &headers).await;
                assert_eq!(status, 403, "{path} {headers:?}");
            }
        }
        assert!(relay.listed(&[]).await.is_empty());
        let own =
            [("Sec-Fetch-Site", "same-origin"), ("Authorization", "Basic YW06bm90LWEtcmVhbC1wYXNzd29yZA==")];
        assert_eq!(ask(&relay, Method::POST, "/webhook", &own).await.0, 200);
        let metrics = ask(&relay, Method::GET, "/metrics", &own).await.1;
        assert!(metrics.contains("\nwecom_relay_forbidden_requests_total 12\n"), "{metrics}");
        relay.stop().await;
    }
}

#[tokio::test]
async fn the_403_says_why_and_what_to_do() {
    let relay = Relay::start("http://127.0.0.1:9").await;
    let mut texts = String::new();
    for headers in [FOREIGN[0], &[("Host", "evil.example:8061")]] {
        texts += &ask(&relay, Method::POST, "/webhook", headers).await.1;
    }
    relay.stop().await;
    insta::assert_snapshot!(texts, @r"
    refused, because a browser sent this request for a page of another site (Sec-Fetch-Site, Origin); send it without a browser, or from a page of the relay
    refused, because everybody on this machine may use the relay, and the Host header may be that of a foreign site; use http://127.0.0.1 or http://localhost in the URL, or set server.auth
    ");
}

#[tokio::test]
async fn an_open_relay_on_loopback_refuses_foreign_hosts() {
    let relay = Relay::start("http://127.0.0.1:9").await;
    for (method, path) in [(Method::GET, "/metrics"), (Method::POST, "/webhook"), (Method::POST, "/-/reload")]
    {
        for host in ["evil.example", "127.0.0.1.evil.example:8061"] {
            assert_eq!(ask(&relay, method.clone(), path, &[("Host", host)]).await.0, 403, "{path} {host}");
        }
        for host in ["localhost:8061", "[::1]:8061", "relay"] {
            assert_eq!(ask(&relay, method.clone(), path, &[("Host", host)]).await.0, 200, "{path} {host}");
        }
    }
    relay.stop().await;
    // A relay with credentials can stand behind a reverse proxy.
    let server = ", auth: { bearer_token: not-a-real-token }".to_owned();
    let relay = Relay::with("http://127.0.0.1:9", Options { server, ..Options::default() }).await;
    let headers = [("Host", "relay.example.com"), ("Authorization", "Bearer not-a-real-token")];
    assert_eq!(ask(&relay, Method::GET, "/metrics", &headers).await.0, 200);
    relay.stop().await;
}

#[tokio::test]
async fn a_relay_in_a_network_is_reached_by_any_name() {
    let direct = Direct::in_network();
    for host in ["wecom-relay:8061", "wecom-relay.wecom-relay.svc:8061", "relay.example.com"] {
        let request = Request::post("/webhook").header(HOST, host);
        let body = Body::from(for_receiver("wechat").to_string());
        assert_eq!(direct.ask(request.body(body).unwrap()).await.0, 200, "{host}");
    }
}
