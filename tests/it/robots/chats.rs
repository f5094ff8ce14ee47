//! Group chats of an app.

use reqwest::Method;
use serde_json::json;
use wecom_relay::{
    outbox::{Outbox, State},
    sandbox::Settings,
};

use crate::support::{OTHER_SECRET, Options, Relay, Wecom, payload, short_delays, soon};

/// Creates a chat of the app with `secret`, and returns the errcode and the id.
async fn create(wecom: &Wecom, secret: &str) -> (i64, String) {
    let token = wecom.token_of(secret).await;
    let url = format!("{}/cgi-bin/appchat/create?access_token={token}", wecom.url);
    let chat = json!({ "name": "值班", "owner": "zhangsan", "userlist": ["zhangsan", "lisi"] });
    let request = wecom.client.request(Method::POST, url).body(chat.to_string());
    let reply: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
    (reply["errcode"].as_i64().unwrap(), reply["chatid"].as_str().unwrap_or_default().to_owned())
}

fn options(chat: &str) -> Options {
    let receivers = format!(
        "  - {{ name: wechat, chat_id: {chat}, mentioned_list: [lisi], fallback: oncall }}\n  \
         - {{ name: oncall, to_user: zhangsan, language: zh }}\n"
    );
    Options { receivers, tuning: short_delays(), ..Options::default() }
}

#[tokio::test]
async fn a_chat_gets_the_alerts_of_its_receiver() {
    let wecom = Wecom::live(Settings::default()).await;
    let (errcode, chat) = create(&wecom, crate::support::SECRET).await;
    assert_eq!(errcode, 0);
    let relay = Relay::with(&wecom.url, options(&chat)).await;
    relay.post(&payload("Down", &[("a", true)])).await;
    let seen = soon(wecom.sandbox.wait_for_group(&chat, 1)).await;
    assert!(seen[0].text.starts_with("[FIRING:1] Down "), "{}", seen[0].text);
    assert_eq!(seen[0].content["mentioned_list"], json!(["lisi"]));
    soon(relay.settled(1)).await;
    relay.stop().await;
    assert!(wecom.sandbox.delivered_to("zhangsan").is_empty());
}

#[tokio::test]
async fn a_wrong_chat_is_a_dead_letter_and_does_not_hold_the_app() {
    let wecom = Wecom::live(Settings::default()).await;
    let relay = Relay::with(&wecom.url, options("nowhere")).await;
    relay.post(&payload("Down", &[("a", true)])).await;
    let notice = soon(wecom.sandbox.wait_for_delivered("zhangsan", 1)).await;
    assert!(notice[0].text.contains("wecom-relay chat create"), "{}", notice[0].text);
    let dead = relay.listed(&[State::Dead]).await;
    assert!(dead[0].reason.contains("appchat/send (40050)"), "{}", dead[0].reason);
    assert!(relay.outbox.holds().await.unwrap().is_empty());
    relay.stop().await;
}

#[tokio::test]
async fn an_app_that_does_not_see_the_company_has_no_chats() {
    let wecom = Wecom::live(Settings::default()).await;
    assert_eq!(create(&wecom, OTHER_SECRET).await.0, 48002);
}
