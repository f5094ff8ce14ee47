//! `GET`: the verification of a URL.

use reqwest::Method;

use super::{Call, entered, keys, now, with_callback};
use crate::support::{Options, Relay, Wecom};

#[tokio::test]
async fn the_url_is_verified_with_the_plain_text_alone() {
    let wecom = Wecom::start().await;
    let relay = Relay::with(&wecom.url, with_callback()).await;
    let text = "1616140317555161061";
    let call = Call::verification(&keys(), text);
    assert!(call.path.contains("%3D"), "{call:?}");
    // Base64 has `+` and `/`, which some clients leave as they are.
    let raw = call.clone().with_path(|path| {
        let (rest, echostr) = path.split_once("&echostr=").unwrap();
        format!("{rest}&echostr={}", echostr.replace("%2B", "+").replace("%2F", "/").replace("%3D", "="))
    });
    for call in [call, raw] {
        let answer = call.send(&relay).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, text));
        let has_length = answer.headers.iter().any(|header| header == "content-length: \"19\"");
        assert!(has_length, "{:?}", answer.headers);
    }
    assert_eq!(relay.called_back("ops", "verified").await, 2);
    relay.stop().await;
}

#[tokio::test]
async fn events_that_the_relay_does_not_use_are_answered_with_200() {
    let wecom = Wecom::start().await;
    let relay = Relay::with(&wecom.url, with_callback()).await;
    let answer = Call::message(&keys(), &entered()).send(&relay).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    let json = serde_json::json!({ "MsgType": "event", "Event": "subscribe", "AgentID": 1000002 });
    let call = Call::message(&keys(), &json.to_string());
    let encrypted = keys().encrypt(*b"0960688932c47ef1", json.to_string().as_bytes());
    let body = serde_json::json!({ "tousername": "x", "encrypt": encrypted, "agentid": "1000002" });
    let answer = call.with_body(body.to_string()).send(&relay).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    assert_eq!(relay.called_back("ops", "unused").await, 2);
    relay.stop().await;
}

#[tokio::test]
async fn only_get_and_post_are_allowed() {
    let wecom = Wecom::start().await;
    let relay = Relay::with(&wecom.url, with_callback()).await;
    let good = Call::verification(&keys(), "123");
    for path in [good.path.as_str(), "/callback/nobody"] {
        for method in [Method::HEAD, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
            let request = relay.client.request(method.clone(), format!("{}{path}", relay.url));
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), 405, "{method} {path}");
            assert_eq!(response.headers()["allow"], "GET, POST");
        }
    }
    relay.stop().await;
}

#[tokio::test]
async fn credentials_and_origins_are_not_asked_for() {
    let wecom = Wecom::start().await;
    let server = ", auth: { bearer_token: not-a-real-token }".to_owned();
    let relay = Relay::with(&wecom.url, Options { server, ..with_callback() }).await;
    assert_eq!(relay.request(Method::GET, "/metrics", "").await.0, 401);
    assert_eq!(Call::verification(&keys(), "123").send(&relay).await.status, 200);
    let call = Call::message(&keys(), &entered());
    let request = relay.client.post(format!("{}{}", relay.url, call.path)).body(call.body.unwrap());
    let request = request.header("origin", "https://evil.example").header("sec-fetch-site", "cross-site");
    assert_eq!(request.header("host", "callback.example.com").send().await.unwrap().status(), 200);
    relay.stop().await;
}

#[tokio::test]
async fn the_name_of_the_app_may_have_any_letters() {
    let wecom = Wecom::start().await;
    let relay = Relay::with(&wecom.url, Options { name: "运维 1".to_owned(), ..with_callback() }).await;
    let call = Call::verification_at(&keys(), "123", now());
    let call = call.with_path(|path| path.replace("/ops?", "/%E8%BF%90%E7%BB%B4%201?"));
    assert_eq!(call.send(&relay).await.body, "123");
    relay.stop().await;
}
