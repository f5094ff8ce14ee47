//! A handler that parses, sends one message with a pooled client, and answers when WeCom has answered. It stores
//! nothing.

use axum::{Router, body::Bytes, extract::State, routing::post};
use reqwest::{Client, header::CONTENT_TYPE};
use serde_json::{Value, json};

use super::parsed::Parsed;

#[derive(Clone)]
struct Forward {
    client: Client,
    url: String,
}

#[expect(clippy::disallowed_methods, reason = "a plain client; the relay has its own")]
pub(super) fn router(sink: &str) -> Router {
    rustls::crypto::ring::default_provider().install_default().unwrap();
    let client = Client::builder().no_proxy().build().unwrap();
    let url = format!("http://{sink}/cgi-bin/message/send?access_token=not-a-real-token");
    Router::new().route("/webhook/{receiver}", post(forward)).with_state(Forward { client, url })
}

async fn forward(State(target): State<Forward>, body: Bytes) -> String {
    let parsed = Parsed::of(&body);
    let message = json!({
        "touser": parsed.common_labels["member"],
        "msgtype": "text",
        "agentid": 1_000_002,
        "text": { "content": parsed.text() },
    });
    let request = target.client.post(&target.url).header(CONTENT_TYPE, "application/json");
    let answer = request.body(message.to_string()).send().await.unwrap().bytes().await.unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer["errcode"], 0);
    format!("{}\n", answer["msgid"])
}
