//! The checks by msgtype, and the texts that members see.

use serde_json::{Value, json};
use wecom_relay::sandbox::{LongMarkdown, Settings};

use super::texts;
use crate::support::{AGENT, OTHER_AGENT, OTHER_SECRET, Wecom};

fn message(msgtype: &str, object: Value) -> Value {
    json!({ "touser": "zhangsan", "msgtype": msgtype, "agentid": AGENT, (msgtype): object })
}

#[tokio::test]
async fn a_long_text_is_cut_at_a_character_boundary() {
    let wecom = Wecom::start().await;
    let token = wecom.token().await;
    for (sent, shown_bytes) in [("a".repeat(2048), 2048), ("a".repeat(2049), 2048), ("告".repeat(700), 2046)]
    {
        assert_eq!(wecom.send(&token, &message("text", json!({ "content": sent }))).await["errcode"], 0);
        let delivered = wecom.sandbox.delivered_to("zhangsan");
        let last = delivered.last().unwrap();
        assert_eq!(last.text.len(), shown_bytes);
        assert!(sent.starts_with(last.text.as_ref()));
        assert_eq!(last.content["content"], last.text.as_ref());
    }
}

#[tokio::test]
async fn empty_contents_are_refused() {
    let wecom = Wecom::start().await;
    let token = wecom.token().await;
    for msgtype in ["text", "markdown"] {
        for object in [json!({ "content": "" }), json!({}), Value::Null] {
            assert_eq!(wecom.send(&token, &message(msgtype, object)).await["errcode"], 44004);
        }
    }
}

#[tokio::test]
async fn long_markdown_is_refused_or_cut_by_the_settings() {
    let long = message("markdown", json!({ "content": "#".repeat(2049) }));
    let wecom = Wecom::start().await;
    let token = wecom.token().await;
    let reply = wecom.send(&token, &long).await;
    assert_eq!(reply["errcode"], 40058);
    assert!(reply["errmsg"].as_str().unwrap().starts_with("markdown.content exceed max length 2048."));
    let fits = message("markdown", json!({ "content": "#".repeat(2048) }));
    assert_eq!(wecom.send(&token, &fits).await["errcode"], 0);

    let wecom = Wecom::with(Settings { long_markdown: LongMarkdown::Cut, ..Settings::default() }).await;
    let token = wecom.token().await;
    assert_eq!(wecom.send(&token, &long).await["errcode"], 0);
    assert_eq!(wecom.sandbox.delivered_to("zhangsan").last().unwrap().text.len(), 2048);
}

#[tokio::test]
async fn a_textcard_needs_three_fields_and_is_shown_cut() {
    let wecom = Wecom::start().await;
    let token = wecom.token().await;
    for (object, errcode) in [
        (json!({ "description": "d" }), 41016),
        (json!({ "title": "t" }), 41033),
        (json!({ "title": "t", "description": "d" }), 41010),
        (json!({ "title": "t", "description": "d", "url": "grafana.example.com" }), 45034),
        (json!({ "title": "t", "description": "d", "url": format!("http://{}", "a".repeat(2048)) }), 40039),
    ] {
        assert_eq!(wecom.send(&token, &message("textcard", object)).await["errcode"], errcode);
    }
    let object = json!({
        "title": "标".repeat(129), "description": "述".repeat(513), "url": "https://grafana.example.com/", "btntxt": "更多内容吧",
    });
    assert_eq!(wecom.send(&token, &message("textcard", object)).await["errcode"], 0);
    let delivered = wecom.sandbox.delivered_to("zhangsan");
    let shown = format!("{}\n{}\n更多内容", "标".repeat(128), "述".repeat(512));
    assert_eq!(texts(&delivered), [shown.as_str()]);
}

#[tokio::test]
async fn a_text_notice_is_checked_and_shown() {
    let wecom = Wecom::start().await;
    let token = wecom.token().await;
    let action = json!({ "type": 1, "url": "https://am.example.com" });
    for (card, errcode) in [
        (json!({}), 42031),
        (json!({ "card_type": "poem" }), 42031),
        (json!({ "card_type": "text_notice", "card_action": action }), 42033),
        (json!({ "card_type": "text_notice", "sub_title_text": "s" }), 42045),
        (json!({ "card_type": "text_notice", "sub_title_text": "s", "card_action": {} }), 42045),
        (json!({ "card_type": "text_notice", "sub_title_text": "s", "card_action": { "type": 1 } }), 42028),
        (json!({ "card_type": "text_notice", "sub_title_text": "s", "card_action": { "type": 2 } }), 42030),
        (json!({ "card_type": "text_notice", "sub_title_text": "s", "task_id": "a b" }), 42014),
        (
            json!({ "card_type": "text_notice", "sub_title_text": "s", "horizontal_content_list": [{}] }),
            42027,
        ),
        (
            json!({ "card_type": "text_notice", "sub_title_text": "s",
                 "horizontal_content_list": [{ "keyname": "k", "type": 1 }] }),
            42028,
        ),
        (
            json!({ "card_type": "text_notice", "sub_title_text": "s",
                 "horizontal_content_list": vec![json!({ "keyname": "k" }); 7] }),
            42035,
        ),
        (json!({ "card_type": "text_notice", "sub_title_text": "s", "jump_list": [{ "type": 0 }] }), 42033),
        (json!({ "card_type": "text_notice", "sub_title_text": "s", "action_menu": {} }), 43012),
        (json!({ "card_type": "news_notice", "main_title": { "title": "t" } }), 42044),
        (json!({ "card_type": "button_interaction" }), 43012),
    ] {
        assert_eq!(
            wecom.send(&token, &message("template_card", card.clone())).await["errcode"],
            errcode,
            "{card}"
        );
    }
    let card = json!({
        "card_type": "text_notice",
        "main_title": { "title": "磁盘", "desc": "node1" },
        "horizontal_content_list": [{ "keyname": "级别", "value": "critical" }],
        "card_action": action,
    });
    let reply = wecom.send(&token, &message("template_card", card)).await;
    assert_eq!(reply["errcode"], 0);
    assert_eq!(reply.get("response_code"), None);
    assert_eq!(texts(&wecom.sandbox.delivered_to("zhangsan")), ["磁盘\nnode1\n级别: critical"]);
}

#[tokio::test]
async fn an_interactive_card_has_a_task_id_and_a_response_code() {
    let wecom = Wecom::start().await;
    let token = wecom.token_of(OTHER_SECRET).await;
    let mut body = message("template_card", json!({ "card_type": "button_interaction" }));
    body["agentid"] = OTHER_AGENT.into();
    assert_eq!(wecom.send(&token, &body).await["errcode"], 42014);
    body["template_card"]["task_id"] = "task0001".into();
    assert_eq!(wecom.send(&token, &body).await["errcode"], 42035);
    body["template_card"]["button_list"] = json!([{ "text": "确认", "key": "ack" }]);
    let reply = wecom.send(&token, &body).await;
    assert_eq!(reply["errcode"], 0);
    assert_eq!(reply["response_code"].as_str().unwrap().len(), 43);
}

#[tokio::test]
async fn required_fields_of_the_other_types_are_checked() {
    let wecom = Wecom::start().await;
    let token = wecom.token().await;
    let articles = |count| json!({ "articles": vec![json!({ "title": "t", "url": "http://x" }); count] });
    for (msgtype, object, errcode) in [
        ("image", json!({}), 41006),
        ("file", json!({ "media_id": "m1" }), 0),
        ("news", articles(0), 44004),
        ("news", articles(9), 45008),
        ("news", articles(8), 0),
        ("mpnews", json!({ "articles": [{}] }), 41016),
        ("miniprogram_notice", json!({ "appid": "wx1" }), 41016),
        ("markdown_v2", json!({ "content": "x" }), 40008),
    ] {
        assert_eq!(wecom.send(&token, &message(msgtype, object)).await["errcode"], errcode, "{msgtype}");
    }
}
