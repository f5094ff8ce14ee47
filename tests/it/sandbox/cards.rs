//! Interactive cards and their updates.

use std::time::Duration;

use serde_json::{Value, json};
use wecom_relay::sandbox::{Api, Callback, Effect, Fault, Moment, RepeatedCard, Settings};

use super::{text, texts, with};
use crate::support::{AGENT, OTHER_AGENT, OTHER_SECRET, Wecom};

const HOUR: Duration = Duration::from_secs(3_600);

/// A card with two buttons, for zhangsan and lisi.
pub(super) fn card(task_id: &str) -> Value {
    json!({
        "touser": "zhangsan|lisi", "msgtype": "template_card", "agentid": AGENT,
        "template_card": {
            "card_type": "button_interaction", "task_id": task_id,
            "main_title": { "title": "磁盘满", "desc": "db-1" },
            "button_list": [{ "text": "静默 1 小时", "key": "silence:3600" }, { "text": "认领", "key": "ack", "style": 2 }],
        },
    })
}

/// A sandbox whose app has a callback.
pub(super) async fn interactive(settings: Settings) -> Wecom {
    let wecom = Wecom::with(settings).await;
    wecom.sandbox.set_callback(AGENT, Callback::sample("http://127.0.0.1:9/").unwrap()).unwrap();
    wecom
}

/// The new form of a card, for all who have it.
fn update(code: &Value) -> Value {
    json!({
        "atall": 1, "agentid": AGENT, "response_code": code,
        "template_card": {
            "card_type": "button_interaction",
            "main_title": { "title": "磁盘满", "desc": "张三已认领" },
            "button_list": [{ "text": "认领", "key": "ack" }],
            "replace_text": "已认领",
        },
    })
}

async fn updated(wecom: &Wecom, token: &str, body: &Value) -> Value {
    wecom.call("message/update_template_card", token, body).await
}

#[tokio::test]
async fn an_app_without_a_callback_sends_no_card() {
    let wecom = Wecom::start().await;
    let token = wecom.token().await;
    let reply = wecom.send(&token, &card("t1")).await;
    assert_eq!(reply["errcode"], 43012);
    assert!(reply["errmsg"].as_str().unwrap().starts_with("callback url is not configured"), "{reply}");
    wecom.sandbox.set_callback(AGENT, Callback::sample("http://127.0.0.1:9/").unwrap()).unwrap();
    assert_eq!(wecom.send(&token, &card("t1")).await["errcode"], 0);
    assert_eq!(texts(&wecom.sandbox.delivered_to("lisi")), ["磁盘满\ndb-1\n[静默 1 小时]\n[认领]"]);
}

#[tokio::test]
async fn buttons_are_checked() {
    let wecom = interactive(Settings::default()).await;
    let token = wecom.token().await;
    let button = |fields: Value| with(json!({ "text": "t", "key": "k" }), fields);
    let options = |count| vec![json!({ "id": "1", "text": "t" }); count];
    for (fields, errcode) in [
        (json!({ "button_list": [] }), 42035),
        (json!({ "button_list": vec![button(json!({})); 7] }), 42035),
        (json!({ "button_list": [button(json!({ "text": "" }))] }), 42038),
        (json!({ "button_list": [button(json!({ "key": "" }))] }), 42039),
        (json!({ "button_list": [button(json!({ "key": "k".repeat(1_025) }))] }), 42039),
        (json!({ "button_list": [button(json!({})), button(json!({}))] }), 42051),
        (json!({ "button_list": [button(json!({ "style": 5 }))] }), 40058),
        (json!({ "button_list": [button(json!({ "type": 1 }))] }), 42028),
        (json!({ "button_selection": {} }), 42043),
        (json!({ "button_selection": { "question_key": "q", "option_list": options(11) } }), 42037),
        (json!({ "button_selection": { "question_key": "q", "option_list": [{ "text": "t" }] } }), 42040),
        (json!({ "button_selection": { "question_key": "q", "option_list": [{ "id": "1" }] } }), 42041),
        (json!({ "task_id": "a b" }), 42014),
        (json!({ "task_id": "t".repeat(129) }), 42014),
        (json!({ "card_action": { "type": 1 } }), 42028),
        (json!({ "button_selection": { "question_key": "q", "option_list": options(10) } }), 0),
    ] {
        let mut body = card("checked");
        body["template_card"] = with(body["template_card"].take(), fields.clone());
        assert_eq!(wecom.send(&token, &body).await["errcode"], errcode, "{fields}");
    }
}

#[tokio::test]
async fn a_recalled_card_is_not_updated() {
    let wecom = interactive(Settings::default()).await;
    let token = wecom.token().await;
    let sent = wecom.send(&token, &card("t1")).await;
    wecom.call("message/recall", &token, &json!({ "msgid": sent["msgid"] })).await;
    assert_eq!(updated(&wecom, &token, &update(&sent["response_code"])).await["errcode"], 42016);
    assert_eq!(texts(&wecom.sandbox.delivered_to("lisi")), ["磁盘满\ndb-1\n[静默 1 小时]\n[认领]"]);
}

#[tokio::test]
async fn a_task_id_is_used_once_by_each_app() {
    let wecom = interactive(Settings::default()).await;
    let (token, other) = (wecom.token().await, wecom.token_of(OTHER_SECRET).await);
    assert_eq!(wecom.send(&token, &card("t1")).await["errcode"], 0);
    assert_eq!(wecom.send(&token, &card("t1")).await["errcode"], 42014);
    assert_eq!(wecom.send(&other, &with(card("t1"), json!({ "agentid": OTHER_AGENT }))).await["errcode"], 0);
    assert_eq!(wecom.sandbox.delivered_to("zhangsan").len(), 2);
}

#[tokio::test]
async fn a_card_that_is_sent_again_is_a_duplicate_or_refused() {
    let checked = with(card("t1"), json!({ "enable_duplicate_check": 1 }));
    let wecom = interactive(Settings::default()).await;
    let token = wecom.token().await;
    wecom.sandbox.inject(Fault::new(Effect::Drop(Moment::After)).on(Api::MessageSend).times(1));
    assert!(wecom.try_send(&token, checked.to_string()).await.is_err());
    let reply = wecom.send(&token, &checked).await;
    assert_eq!(reply["errcode"], 0);
    assert_eq!(wecom.sandbox.delivered_to("zhangsan").len(), 1);
    assert_eq!(updated(&wecom, &token, &update(&reply["response_code"])).await["errcode"], 0);
    assert_eq!(texts(&wecom.sandbox.delivered_to("zhangsan")), ["磁盘满\n张三已认领\n(已认领)"]);

    let wecom = interactive(Settings { repeated_card: RepeatedCard::Refuse, ..Settings::default() }).await;
    let token = wecom.token().await;
    assert_eq!(wecom.send(&token, &checked).await["errcode"], 0);
    assert_eq!(wecom.send(&token, &checked).await["errcode"], 42014);
}

#[tokio::test]
async fn an_update_replaces_the_card_of_everybody() {
    let wecom = interactive(Settings::default()).await;
    let token = wecom.token().await;
    let code = wecom.send(&token, &card("t1")).await["response_code"].clone();
    wecom.clock.advance(HOUR);
    let reply = updated(&wecom, &token, &update(&code)).await;
    assert_eq!(reply, json!({ "errcode": 0, "errmsg": "ok", "invaliduser": [] }));
    for member in ["zhangsan", "lisi"] {
        let [shown] = &wecom.sandbox.delivered_to(member)[..] else { panic!("one message") };
        assert_eq!(&*shown.text, "磁盘满\n张三已认领\n(已认领)");
        assert_eq!((shown.task_id.as_deref(), shown.earlier.len()), (Some("t1"), 1));
        assert_eq!(&*shown.earlier[0].text, "磁盘满\ndb-1\n[静默 1 小时]\n[认领]");
        assert_eq!(shown.earlier[0].until, shown.at + HOUR);
    }
    let (_, seen) = wecom.control(reqwest::Method::GET, "/members/lisi/messages", "").await;
    assert_eq!(seen[0]["earlier"][0]["until"], "2026-11-21T09:00:00Z");
    assert_eq!(seen[0]["task_id"], "t1");
}

#[tokio::test]
async fn an_update_makes_the_buttons_grey_for_some_members() {
    let wecom = interactive(Settings::default()).await;
    let token = wecom.token().await;
    let code = wecom.send(&token, &card("t1")).await["response_code"].clone();
    let body = json!({
        "userids": ["ZhangSan", "wangwu", "nobody"], "agentid": AGENT, "response_code": code,
        "button": { "replace_name": "已认领" },
    });
    let reply = updated(&wecom, &token, &body).await;
    assert_eq!((&reply["errcode"], &reply["invaliduser"]), (&json!(0), &json!(["nobody", "wangwu"])));
    assert_eq!(texts(&wecom.sandbox.delivered_to("zhangsan")), ["磁盘满\ndb-1\n(已认领)"]);
    assert_eq!(texts(&wecom.sandbox.delivered_to("lisi")), ["磁盘满\ndb-1\n[静默 1 小时]\n[认领]"]);
}

#[tokio::test]
async fn departments_and_tags_are_updated() {
    let wecom = interactive(Settings::default()).await;
    let token = wecom.token().await;
    for (number, names) in [json!({ "partyids": [2] }), json!({ "tagids": [1] })].into_iter().enumerate() {
        let code = wecom.send(&token, &card(&format!("t{number}"))).await["response_code"].clone();
        let reply = updated(&wecom, &token, &with(with(update(&code), json!({ "atall": 0 })), names)).await;
        assert_eq!(reply["errcode"], 0, "{reply}");
        let last = wecom.sandbox.delivered_to("lisi").pop().unwrap();
        assert_eq!((&*last.text, last.earlier.len()), ("磁盘满\n张三已认领\n(已认领)", 1));
    }
}

#[tokio::test]
async fn a_response_code_is_used_once_within_72_hours() {
    let wecom = interactive(Settings::default()).await;
    let token = wecom.token().await;
    let first = wecom.send(&token, &card("t1")).await["response_code"].clone();
    let second = wecom.send(&token, &card("t2")).await["response_code"].clone();
    assert_eq!(updated(&wecom, &token, &update(&first)).await["errcode"], 0);
    let again = updated(&wecom, &token, &update(&first)).await;
    assert_eq!((&again["errcode"], &again["invaliduser"]), (&json!(60140), &json!([])));
    assert_eq!(updated(&wecom, &token, &update(&json!("unknown"))).await["errcode"], 60140);
    wecom.clock.advance(72 * HOUR);
    let token = wecom.token().await;
    assert_eq!(updated(&wecom, &token, &update(&second)).await["errcode"], 60140);
}

#[tokio::test]
async fn a_refused_update_leaves_the_code() {
    let wecom = interactive(Settings::default()).await;
    let token = wecom.token().await;
    let code = wecom.send(&token, &card("t1")).await["response_code"].clone();
    let many = |count| vec!["zhangsan"; count];
    for (fields, errcode) in [
        (json!({ "agentid": OTHER_AGENT }), 301002),
        (json!({ "agentid": null }), 41011),
        (json!({ "atall": 0 }), 82001),
        (json!({ "userids": "zhangsan" }), 40058),
        (json!({ "partyids": ["2"] }), 40058),
        (json!({ "userids": many(1_001) }), 40032),
        (json!({ "partyids": vec![2; 101] }), 82002),
        (json!({ "tagids": vec![1; 101] }), 82003),
        (json!({ "atall": 0, "userids": ["wangwu"] }), 81013),
        (json!({ "template_card": null }), 42020),
        (json!({ "template_card": null, "button": {} }), 42020),
        (json!({ "template_card": { "card_type": "poem" } }), 42031),
        (json!({ "template_card": { "card_type": "button_interaction" } }), 42035),
    ] {
        let reply = updated(&wecom, &token, &with(update(&code), fields.clone())).await;
        assert_eq!(reply["errcode"], errcode, "{fields}");
    }
    let other = wecom.token_of(OTHER_SECRET).await;
    let foreign = updated(&wecom, &other, &with(update(&code), json!({ "agentid": OTHER_AGENT }))).await;
    assert_eq!(foreign["errcode"], 42015);
    assert_eq!(wecom.sandbox.delivered_to("lisi")[0].earlier.len(), 0);
    assert_eq!(updated(&wecom, &token, &update(&code)).await["errcode"], 0);
}

#[tokio::test]
async fn other_messages_get_no_response_code() {
    let wecom = interactive(Settings::default()).await;
    let token = wecom.token().await;
    assert_eq!(wecom.send(&token, &text("x")).await.get("response_code"), None);
}
