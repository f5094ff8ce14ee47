//! The status of each response, which decides whether Alertmanager retries.

mod access;
mod browsers;
mod connections;
mod direct;
mod memory;
mod odd;
mod ops;
mod rejected;
mod tls;
mod unavailable;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Options, Relay, Wecom, payload, payload_at};

fn receivers(receivers: &str) -> Options {
    Options { receivers: receivers.to_owned(), ..Options::default() }
}

fn for_receiver(name: &str) -> Value {
    let mut payload = payload("Down", &[("a", true)]);
    payload["receiver"] = json!(name);
    payload
}

#[tokio::test]
async fn a_notification_and_its_duplicate_are_answered_with_200() {
    let wecom = Wecom::start().await;
    let relay = Relay::start(&wecom.url).await;
    let body = payload("Down", &[("a", true)]);
    assert_eq!(relay.post(&body).await, "accepted as notification 1\n");
    assert_eq!(relay.post(&body).await, "duplicate of notification 1, which was accepted before\n");
    wecom.sandbox.wait_for_delivered("zhangsan", 1).await;
    relay.stop().await;
    assert_eq!(wecom.sandbox.delivered_to("zhangsan").len(), 1);
}

#[tokio::test]
async fn a_filtered_notification_is_answered_with_200() {
    let wecom = Wecom::start().await;
    let options = receivers("  - { name: wechat, to_user: zhangsan, send_resolved: false }\n");
    let relay = Relay::with(&wecom.url, options).await;
    let text = relay.post(&payload("Down", &[("a", false), ("b", false)])).await;
    assert_eq!(
        text,
        "nothing to send: all alerts are resolved and receiver wechat has send_resolved: false\n"
    );
    assert!(relay.listed(&[]).await.is_empty());
    relay.stop().await;
}

#[tokio::test]
async fn answers_have_no_date() {
    // The date of a clock before 1970 cannot be written, so hyper would panic.
    let wecom = Wecom::start().await;
    let relay = Relay::start(&wecom.url).await;
    let answer = relay.client.get(format!("{}/-/healthy", relay.url)).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers().get("date")), (200, None));
    relay.stop().await;
}

#[tokio::test]
async fn put_is_accepted_like_post() {
    let wecom = Wecom::start().await;
    let relay = Relay::start(&wecom.url).await;
    let body = payload("Down", &[("a", true)]).to_string();
    let (status, text) = relay.request(Method::PUT, "/webhook", body.clone()).await;
    assert_eq!((status, text.as_str()), (200, "accepted as notification 1\n"));
    assert_eq!(relay.request(Method::PUT, "/webhook/wechat", body).await.0, 200);
    relay.stop().await;
}

#[tokio::test]
async fn a_receiver_is_found_by_path_and_by_payload_quoted_or_not() {
    let wecom = Wecom::start().await;
    let options = receivers(
        "  - { name: 'db.oncall (prod)', to_user: zhangsan }\n  - { name: 值班, to_user: lisi }\n  - { name: 'a%b+c', \
         to_user: wangwu }\n  - { name: monitoring/wecom/default, to_user: zhaoliu }\n",
    );
    let relay = Relay::with(&wecom.url, options).await;
    for (number, (path, named)) in [
        ("/webhook", r"db\.oncall \(prod\)"),
        ("/webhook", "db.oncall (prod)"),
        ("/webhook/db.oncall%20(prod)", "another"),
        ("/webhook/db%2Eoncall%20%28prod%29", "another"),
        ("/webhook", "值班"),
        ("/webhook/%E5%80%BC%E7%8F%AD", "another"),
        ("/webhook/值班", "another"),
        ("/webhook/a%25b+c", "another"),
        ("/webhook", r"a%b\+c"),
        ("/webhook", "monitoring/wecom/default"),
        ("/webhook/monitoring/wecom/default", "another"),
        ("/webhook/monitoring%2Fwecom%2fdefault", "another"),
        ("/webhook/monitoring/wecom%2Fdefault/", "another"),
        ("//webhook//monitoring/wecom//default", "another"),
        ("/webhook/", "值班"),
        ("//webhook?a=b", "值班"),
        ("/webhook/值班/", "another"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut body = payload_at(&format!("Group{number}"), &[("a", true)], "2026-11-21T08:00:00Z");
        body["receiver"] = json!(named);
        let (status, text) = relay.request(Method::POST, path, body.to_string()).await;
        assert_eq!(status, 200, "{path} {named}: {text}");
    }
    wecom.sandbox.wait_for_delivered("zhangsan", 4).await;
    relay.settled(17).await;
    assert_eq!(wecom.sandbox.delivered_to("lisi").len(), 6);
    assert_eq!(wecom.sandbox.delivered_to("zhaoliu").len(), 5);
    relay.stop().await;
}

#[tokio::test]
async fn the_payload_of_grafana_is_accepted() {
    let wecom = Wecom::start().await;
    let relay = Relay::start(&wecom.url).await;
    let mut body = for_receiver("wechat");
    body["version"] = json!("1");
    body["orgId"] = json!(1);
    body["title"] = json!("[FIRING:1] Down");
    body["state"] = json!("alerting");
    body["message"] = json!("**Firing**");
    body["alerts"][0]["values"] = json!({ "B": 22.5 });
    body["alerts"][0]["valueString"] = json!("[ var='B' value=22.5 ]");
    body["alerts"][0]["silenceURL"] = json!("http://grafana.example.com/alerting/silence/new");
    relay.post(&body).await;
    let seen = wecom.sandbox.wait_for_delivered("zhangsan", 1).await;
    assert!(seen[0].text.starts_with("[FIRING:1] Down"), "{}", seen[0].text);
    relay.stop().await;
}

#[tokio::test]
async fn u_0000_is_stored_as_u_fffd() {
    let wecom = Wecom::start().await;
    let message = r#""{{ commonLabels.a }}\0""#;
    let options = receivers(&format!("  - {{ name: wechat, to_user: zhangsan, message: {message} }}\n"));
    let relay = Relay::with(&wecom.url, options).await;
    let mut body = for_receiver("wechat");
    body["groupKey"] = json!("a\0b");
    body["commonLabels"]["a"] = json!("x\0");
    assert_eq!(relay.post(&body).await, "accepted as notification 1\n");
    body["groupKey"] = json!("a\u{fffd}b");
    assert!(relay.post(&body).await.starts_with("duplicate"));
    let seen = wecom.sandbox.wait_for_delivered("zhangsan", 1).await;
    assert_eq!(&*seen[0].text, "x\u{fffd}\u{fffd}");
    relay.stop().await;
}

#[tokio::test]
async fn a_body_in_chunks_is_accepted() {
    let wecom = Wecom::start().await;
    let relay = Relay::start(&wecom.url).await;
    let body = payload("Down", &[("a", true)]).to_string();
    let text = raw::chunked(&relay.url, body.as_bytes().chunks(7)).await;
    assert!(text.starts_with("HTTP/1.1 200 OK"), "{text}");
    wecom.sandbox.wait_for_delivered("zhangsan", 1).await;
    relay.stop().await;
}

#[tokio::test]
async fn a_body_of_20_mb_is_delivered() {
    let wecom = Wecom::start().await;
    // The message is short, because this test is about the body.
    let options = receivers(
        "  - { name: wechat, to_user: zhangsan, message: '{{ alerts | length }} alerts of {{ receiver }}' }\n",
    );
    let relay = Relay::with(&wecom.url, options).await;
    let mut body = payload("Flood", &[("a", true)]);
    let one = body["alerts"][0].clone();
    let alerts = (0..20_000).map(|number| {
        let mut alert = one.clone();
        alert["annotations"] = json!({ "description": format!("{number:01000}") });
        alert["fingerprint"] = json!(format!("{number:016x}"));
        alert
    });
    body["alerts"] = alerts.collect();
    let body = body.to_string();
    assert!(body.len() > 20 << 20, "{}", body.len());
    let (status, text) = relay.request(Method::POST, "/webhook", body).await;
    assert_eq!(status, 200, "{text}");
    let seen = wecom.sandbox.wait_for_delivered("zhangsan", 1).await;
    assert_eq!(&*seen[0].text, "20000 alerts of wechat");
    relay.stop().await;
}

#[tokio::test]
async fn a_message_with_too_many_parts_becomes_a_digest() {
    let wecom = Wecom::start().await;
    let relay = Relay::start(&wecom.url).await;
    let many: Vec<String> = (0..1000).map(|number| format!("host-{number}")).collect();
    let many: Vec<(&str, bool)> = many.iter().map(|name| (name.as_str(), true)).collect();
    relay.post(&payload("Flood", &many)).await;
    let seen = wecom.sandbox.wait_for_delivered("zhangsan", 1).await;
    assert!(seen[0].text.contains("[FIRING:1000] Flood"), "{}", seen[0].text);
    relay.stop().await;
}

/// Requests that a client library cannot send.
mod raw {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };

    /// A connection to the relay at `url`.
    pub(super) async fn connect(url: &str) -> TcpStream {
        TcpStream::connect(url.trim_start_matches("http://")).await.unwrap()
    }

    /// Reads until the relay closes the connection.
    pub(super) async fn rest(mut stream: TcpStream) -> String {
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8(answer).unwrap()
    }

    /// Posts `chunks` without a length.
    pub(super) async fn chunked(url: &str, chunks: impl Iterator<Item = &[u8]>) -> String {
        let mut stream = connect(url).await;
        let head = "POST /webhook HTTP/1.1\r\nHost: relay\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        for chunk in chunks {
            stream.write_all(format!("{:x}\r\n", chunk.len()).as_bytes()).await.unwrap();
            stream.write_all(chunk).await.unwrap();
            stream.write_all(b"\r\n").await.unwrap();
        }
        stream.write_all(b"0\r\n\r\n").await.unwrap();
        rest(stream).await
    }
}
