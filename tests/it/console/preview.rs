//! The preview of the page Templates shows what WeCom gets.

use reqwest::Method;
use serde_json::{Value, json};
use wecom_relay::{
    language::Language,
    sandbox::{Message, Settings},
    wecom::look::{Appearance, Audience, Viewer, figure},
};

use super::{Browser, PASSWORD, WITH_PASSWORDS, options};
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
    let names: Vec<String> = (0..=number % 9 * 6).map(|alert| format!("{text} {alert}")).collect();
    let alerts: Vec<(&str, bool)> = names.iter().map(|name| (name.as_str(), number % 3 != 2)).collect();
    let mut payload = payload(&format!("{receiver} {number} {text}"), &alerts);
    payload["receiver"] = json!(receiver);
    for alert in payload["alerts"].as_array_mut().unwrap() {
        alert["annotations"] =
            json!({ "summary": text, "runbook_url": "https://ops.example.com/run?a=1&b=2" });
    }
    payload
}

/// The looks of a message in WeCom and in personal WeChat, as the page writes them.
fn figures(message: &Message) -> [String; 2] {
    [Viewer::Wecom, Viewer::Wechat].map(|viewer| {
        let seen = Appearance::of_object(&message.msgtype, &message.content, Audience::Members, viewer);
        figure(&seen.unwrap(), Language::En)
    })
}

#[tokio::test]
async fn a_preview_is_what_wecom_gets() {
    let wecom = Wecom::live(Settings { member_limits: Vec::new(), ..Settings::default() }).await;
    let receiver = |kind| format!("  - {{ name: {kind}, to_user: zhangsan, message_type: {kind} }}\n");
    let app = "    limits: { per_minute: 0, per_hour: 0 }\n".to_owned();
    let receivers = TYPES.map(receiver).concat();
    let relay = Relay::with(&wecom.url, Options { receivers, app, ..options(WITH_PASSWORDS) }).await;
    let mut browser = Browser::new(&relay);
    let mut token = Vec::new();
    for number in 0..60 * TYPES.len() {
        let kind = TYPES[number % TYPES.len()];
        // The console limits the drafts of a session.
        if number.is_multiple_of(8) {
            browser.log_in(PASSWORD).await;
            token = browser.get("/setup").await.form("setup/doctor").unwrap().fields;
        }
        let payload = generated(number / TYPES.len(), kind);
        let fields = [("receiver", kind), ("data", "paste"), ("payload", &payload.to_string())];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let page =
            browser.send(Method::POST, "/templates", &[token.clone(), fields.to_vec()].concat(), &[]).await;
        let parts: Vec<&str> = page.text.split("<section class=\"part\">").skip(1).collect();
        assert!(page.status == 200 && !parts.is_empty(), "{number}: {}", page.text);
        wecom.sandbox.clear_messages();
        relay.post(&payload).await;
        let received =
            eventually(async || wecom.sandbox.messages(), |received| received.len() >= parts.len()).await;
        assert_eq!(received.len(), parts.len(), "{number}");
        for (part, message) in parts.iter().zip(&received) {
            // Texts, colours and targets of links.
            for figure in figures(message) {
                assert!(part.contains(&figure), "{number}: {figure} is not in {part}");
            }
        }
    }
    relay.stop().await;
}
