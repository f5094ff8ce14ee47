//! Requests that can never be accepted are answered with 4xx and a text that names the mistake.

use reqwest::Method;
use serde_json::json;
use tokio::io::AsyncWriteExt;

use super::{for_receiver, raw, receivers};
use crate::support::{Relay, Wecom};

#[tokio::test]
async fn the_400_says_what_the_body_looks_like() {
    let wecom = Wecom::start().await;
    let relay = Relay::start(&wecom.url).await;
    let good = for_receiver("wechat").to_string();
    let push = json!([{ "labels": { "alertname": "Down" }, "startsAt": "2026-11-21T08:00:00Z" }]).to_string();
    let mut texts = String::new();
    for body in [
        Vec::new(),
        b" \n".to_vec(),
        good.as_bytes()[..good.len() / 2].to_vec(),
        b"\xff\xd8\xff\xe0".to_vec(),
        "[".repeat(100_000).into_bytes(),
        format!("{{\"alerts\":{}", "[{\"a\":".repeat(5_000)).into_bytes(),
        push.into_bytes(),
        br#"{"msgtype":"text","text":{"content":"x"}}"#.to_vec(),
        br#"{"title":"x","ruleId":1}"#.to_vec(),
        b"{}".to_vec(),
        b"null".to_vec(),
        b"\"Down\"".to_vec(),
        b"alertname=Down".to_vec(),
    ] {
        let shown = String::from_utf8_lossy(&body).chars().take(40).collect::<String>();
        let (status, text) = relay.request(Method::POST, "/webhook", body).await;
        assert_eq!(status, 400, "{shown}: {text}");
        assert_eq!(text.lines().count(), 1, "{shown}: {text}");
        texts += &text;
    }
    insta::assert_snapshot!(texts, @r#"
    the body is empty: send Alertmanager's webhook payload, a JSON object with `alerts`
    the body is empty: send Alertmanager's webhook payload, a JSON object with `alerts`
    the JSON ends before it is complete, at line 1, column 270: was the body cut off?
    the body is not UTF-8: byte 0 is invalid; is the body compressed? send it as plain JSON or with gzip
    the JSON ends before it is complete, at line 1, column 100000: was the body cut off?
    the JSON ends before it is complete, at line 1, column 30010: was the body cut off?
    this looks like the body of Alertmanager's own /api/v2/alerts, to which Prometheus pushes: point Prometheus at Alertmanager, and `webhook_configs` of Alertmanager at this relay
    this looks like a message for a group robot of WeCom, DingTalk or Feishu: this relay takes Alertmanager's webhook payload and writes the message itself
    the JSON object has no `alerts`, so it is not Alertmanager's webhook payload (it has "ruleId", "title"): is a custom payload configured?
    the JSON object has no `alerts`, so it is not Alertmanager's webhook payload (it has no fields): is a custom payload configured?
    the body is `null`, not Alertmanager's webhook payload, a JSON object with `alerts`
    the body is a JSON string, not Alertmanager's webhook payload, a JSON object with `alerts`
    the body is form data, not JSON: send Alertmanager's webhook payload, a JSON object with `alerts`
    "#);
    assert!(relay.listed(&[]).await.is_empty());
    relay.stop().await;
}

#[tokio::test]
async fn the_404_of_an_unknown_receiver_lists_the_known_ones() {
    let wecom = Wecom::start().await;
    let options = receivers("  - { name: wechat, to_user: zhangsan }\n  - { name: oncall, to_user: lisi }\n");
    let relay = Relay::with(&wecom.url, options).await;
    let known = "the configuration has: oncall, wechat";
    let (status, text) = relay.request(Method::POST, "/webhook/wechta", "{}").await;
    assert_eq!(status, 404);
    assert_eq!(text, format!("there is no receiver \"wechta\"; {known}\n"));
    let (status, text) = relay.request(Method::POST, "/webhook", for_receiver(r"db\.x").to_string()).await;
    assert_eq!((status, text), (404, format!("there is no receiver \"db.x\"; {known}\n")));
    let named_by_operator = for_receiver("monitoring/wecom/oncall").to_string();
    let (status, text) = relay.request(Method::POST, "/webhook", named_by_operator).await;
    let advice = "post to /webhook/oncall, or give receiver oncall its full name in the configuration";
    let expected = format!("there is no receiver \"monitoring/wecom/oncall\"; {advice}; {known}\n");
    assert_eq!((status, text), (404, expected));
    let (status, text) = relay.request(Method::POST, "/webhook", for_receiver("").to_string()).await;
    let expected = format!("the payload names no receiver; post it to /webhook/{{receiver}}; {known}\n");
    assert_eq!((status, text), (404, expected));
    let (status, text) = relay.request(Method::POST, "/webhook/%FF", "{}").await;
    assert_eq!(status, 404, "{text}");
    relay.stop().await;
}

#[tokio::test]
async fn a_content_length_over_32_mib_is_answered_with_413() {
    let wecom = Wecom::start().await;
    let relay = Relay::start(&wecom.url).await;
    let mut stream = raw::connect(&relay.url).await;
    let length = (32 << 20) + 1;
    let head = format!(
        "POST /webhook HTTP/1.1\r\nHost: relay\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = raw::rest(stream).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    insta::assert_snapshot!(answer.split_once("\r\n\r\n").unwrap().1, @"the body is larger than 32 MiB; set max_alerts in Alertmanager's webhook_configs");
    relay.stop().await;
}
