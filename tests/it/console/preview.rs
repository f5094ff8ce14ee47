//! The preview of the page Templates shows what WeCom gets.

use serde_json::{Value, json};
use wecom_relay::{
    sandbox::Settings,
    wecom::look::{Appearance, Audience, Viewer},
};

use super::options;
use crate::support::{Options, Relay, Wecom, eventually, payload};

const TYPES: [&str; 4] = ["text", "markdown", "textcard", "template_card"];
/// Texts that are markup, or nearly.
const TEXTS: [&str; 15] = [
    "node-7",
    "磁盘 /data 已满 😀😀",
    "**bold** `code` > quote",
    "[link](https://ops.example.com/a?b=1&c=2)",
    "https://ops.example.com/a?b=1&c=2 之后",
    "<font color=\"warning\">x</font> <b>y</b> &amp; &lt;",
    "# heading\n- list\n| a | b |",
    "a\tb  c\u{202e}d",
    "<div class=\"gray\">z</div>",
    "{{ 7 * 7 }} {% raw %}",
    "\\* \\_ ~~x~~",
    "javascript:alert(1)",
    "<a href=\"https://ops.example.com\">y</a>",
    "'\"`\\",
    "…—「」【】",
];

/// One of 60 payloads: few or many alerts with odd texts.
fn generated(number: usize, receiver: &str) -> Value {
    let text = TEXTS[number % TEXTS.len()];
    let names: Vec<String> = (0..=number % 9 * number).map(|alert| format!("{text} {alert}")).collect();
    let alerts: Vec<(&str, bool)> = names.iter().map(|name| (name.as_str(), number % 3 != 2)).collect();
    let mut payload = payload(&format!("{receiver} {number} {text}"), &alerts);
    payload["receiver"] = json!(receiver);
    for alert in payload["alerts"].as_array_mut().unwrap() {
        alert["annotations"] =
            json!({ "summary": text, "runbook_url": "https://ops.example.com/run?a=1&b=2" });
    }
    payload
}

#[tokio::test]
async fn a_preview_is_what_wecom_gets() {
    let wecom = Wecom::live(Settings { member_limits: Vec::new(), ..Settings::default() }).await;
    let receiver = |kind| format!("  - {{ name: {kind}, to_user: zhangsan, message_type: {kind} }}\n");
    let app = "    limits: { per_minute: 0, per_hour: 0 }\n".to_owned();
    let receivers = TYPES.map(receiver).concat();
    let relay = Relay::with(&wecom.url, Options { receivers, app, ..options("") }).await;
    for (number, kind) in TYPES.into_iter().cycle().take(60).enumerate() {
        let payload = generated(number, kind);
        let body = json!({ "receiver": kind, "payload": payload });
        let request = relay.client.post(format!("{}/api/v1/render", relay.url)).json(&body);
        let rendered: Value = request.send().await.unwrap().json().await.unwrap();
        let previews = rendered["messages"].as_array().unwrap_or_else(|| panic!("{number}: {rendered}"));
        wecom.sandbox.clear_messages();
        relay.post(&payload).await;
        let received = async || wecom.sandbox.messages();
        let received = eventually(received, |received| received.len() >= previews.len()).await;
        assert_eq!(received.len(), previews.len(), "{number}");
        for (preview, message) in previews.iter().zip(&received) {
            let seen =
                |viewer| Appearance::of_object(&message.msgtype, &message.content, Audience::Members, viewer);
            assert_eq!(preview["msgtype"], message.msgtype, "{number}");
            // Texts, colours and targets of links.
            assert_eq!(preview["wecom"], json!(seen(Viewer::Wecom)), "{number}: {payload}");
            assert_eq!(preview["wechat"], json!(seen(Viewer::Wechat)), "{number}: {payload}");
        }
    }
    relay.stop().await;
}
