//! `message/recall`.

use std::time::Duration;

use serde_json::{Value, json};
use wecom_relay::sandbox::Settings;

use super::{
    cards::{card, interactive},
    text, texts,
};
use crate::support::{OTHER_SECRET, Wecom};

async fn recalled(wecom: &Wecom, token: &str, msgid: &Value) -> Value {
    wecom.call("message/recall", token, &json!({ "msgid": msgid })).await
}

#[tokio::test]
async fn a_recalled_message_is_marked_for_everybody() {
    let wecom = interactive(Settings::default()).await;
    let token = wecom.token().await;
    let first = wecom.send(&token, &card("t1")).await["msgid"].clone();
    wecom.send(&token, &text("stays")).await;
    wecom.clock.advance(Duration::from_secs(60));
    assert_eq!(recalled(&wecom, &token, &first).await, json!({ "errcode": 0, "errmsg": "ok" }));
    for member in ["zhangsan", "lisi"] {
        let shown = wecom.sandbox.delivered_to(member);
        assert_eq!(shown[0].recalled_at, Some(shown[0].at + Duration::from_secs(60)), "{member}");
    }
    let shown = wecom.sandbox.delivered_to("zhangsan");
    assert_eq!((texts(&shown)[1], shown[1].recalled_at), ("stays", None));
    let (_, seen) = wecom.control(reqwest::Method::GET, "/members/lisi/messages", "").await;
    assert_eq!(seen[0]["recalled_at"], "2026-11-21T08:01:00Z");
}

#[tokio::test]
async fn a_message_is_recalled_by_its_app_within_a_day() {
    let wecom = Wecom::start().await;
    let (token, other) = (wecom.token().await, wecom.token_of(OTHER_SECRET).await);
    let msgid = wecom.send(&token, &text("x")).await["msgid"].clone();
    assert_eq!(recalled(&wecom, &other, &msgid).await["errcode"], 40058);
    assert_eq!(recalled(&wecom, &token, &json!("unknown")).await["errcode"], 40058);
    assert_eq!(recalled(&wecom, &token, &Value::Null).await["errcode"], 40058);
    wecom.clock.advance(Duration::from_secs(24 * 3_600));
    let token = wecom.token().await;
    assert_eq!(recalled(&wecom, &token, &msgid).await["errcode"], 42052);
    assert_eq!(wecom.sandbox.delivered_to("zhangsan")[0].recalled_at, None);
}
