//! Group chats of an app.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use wecom_relay::{
    app::Tuning,
    delivery::rate_limiter::Windows,
    outbox::{Outbox, State},
    sandbox::{Limit, MemberOutcome, Settings},
};

use crate::support::{OTHER_SECRET, Options, Relay, Wecom, eventually, members, payload, short_delays, soon};

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

/// The members are in all chats, and WeCom silently drops what they get beyond its limit.
#[tokio::test]
async fn no_member_of_many_chats_misses_an_alert() {
    const CHATS: usize = 10;
    const ALERTS: usize = 30;
    let minute = Duration::from_secs(6);
    let chat_limits = vec![Limit { messages: 200, window: minute }];
    let wecom = Wecom::live(Settings { chat_limits, ..Settings::default() }).await;
    let mut receivers = String::new();
    for number in 0..CHATS {
        let (_, chat) = create(&wecom, crate::support::SECRET).await;
        receivers.push_str(&format!("  - {{ name: chat{number}, chat_id: {chat} }}\n"));
    }
    let windows = Windows { minute, ..Windows::default() };
    let options = Options { receivers, tuning: Tuning { windows, ..short_delays() }, ..Options::default() };
    let relay = Relay::with(&wecom.url, options).await;
    let posts = (0..CHATS * ALERTS).map(async |number| {
        let alert = payload(&format!("Flood{number:03}"), &[("a", true)]).to_string();
        let path = format!("/webhook/chat{}", number % CHATS);
        assert_eq!(relay.request(Method::POST, &path, alert).await.0, 200);
    });
    futures_util::future::join_all(posts).await;
    let open = [State::Ready, State::Queued, State::InFlight, State::Folded];
    eventually(async || relay.listed(&open).await.len(), |open| *open == 0).await;
    relay.stop().await;
    assert_eq!(members::count(&wecom.sandbox, MemberOutcome::Dropped), 0);
    let text = members::shown(&wecom.sandbox).join("\n");
    for number in 0..CHATS * ALERTS {
        assert!(text.contains(&format!("] Flood{number:03} ")), "{number}");
    }
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
