//! `message/send`: the envelope, the recipients and the reply.

use serde_json::{Value, json};
use wecom_relay::sandbox::{BUILTIN_YAML, Directory, MemberOutcome, Settings};

use super::{text, text_to, texts, with};
use crate::support::{OTHER_AGENT, OTHER_SECRET, Wecom};

#[tokio::test]
async fn a_message_reaches_its_member_and_gets_wecoms_reply() {
    let wecom = Wecom::start().await;
    let token = wecom.token().await;
    let body = text("磁盘满了").to_string();
    let response = wecom.try_send(&token, body.as_str()).await.unwrap();
    assert_eq!(response.status(), 200);
    let headers = response.headers().clone();
    for (name, value) in [
        ("server", "nginx"),
        ("content-type", "application/json; charset=UTF-8"),
        ("error-code", "0"),
        ("error-msg", "ok"),
    ] {
        assert_eq!(headers.get(name).unwrap(), value);
    }
    let json = response.text().await.unwrap();
    let reply: Value = serde_json::from_str(&json).unwrap();
    let msgid = reply["msgid"].as_str().unwrap();
    assert_eq!(msgid.len(), 86);
    assert_eq!(json, format!(r#"{{"errcode":0,"errmsg":"ok","msgid":"{msgid}"}}"#));

    let delivered = wecom.sandbox.wait_for_delivered("ZhangSan", 1).await;
    assert_eq!(texts(&delivered), ["磁盘满了"]);
    let messages = wecom.sandbox.messages();
    let message = messages.first().unwrap();
    assert_eq!(message.request.as_ref(), body);
    assert_eq!(message.members, [("zhangsan".to_owned(), MemberOutcome::Shown)]);
}

#[tokio::test]
async fn an_error_has_hint_address_and_link_also_in_the_headers() {
    let wecom = Wecom::start().await;
    let url = format!("{}/cgi-bin/message/send", wecom.url);
    let response = wecom.client.post(url).body("{").send().await.unwrap();
    assert_eq!(response.headers().get("error-code").unwrap(), "41001");
    let header = response.headers().get("error-msg").unwrap().to_str().unwrap().to_owned();
    let reply: Value = response.json().await.unwrap();
    let errmsg = reply["errmsg"].as_str().unwrap();
    assert_eq!(header, errmsg);
    let rest = errmsg.strip_prefix("access_token missing, hint: [").unwrap();
    let (hint, rest) = rest.split_once(']').unwrap();
    assert_eq!(hint.len(), 25);
    assert!(hint.starts_with("1795248000") && hint.chars().all(|c| c.is_ascii_digit()), "{hint}");
    let more = "more info at https://open.work.weixin.qq.com/devtool/query?e=41001";
    assert_eq!(rest, format!(", from ip: 127.0.0.1, {more}"));
}

#[tokio::test]
async fn token_address_method_and_body_are_checked_in_order() {
    let yaml =
        BUILTIN_YAML.replace("{ agent_id: 1000002,", "{ trusted_ips: [203.0.113.4], agent_id: 1000002,");
    let wecom = Wecom::with_directory(Directory::from_yaml(&yaml).unwrap(), Settings::default()).await;
    let token = wecom.token().await;
    assert_eq!(wecom.send("", &Value::Null).await["errcode"], 41001);
    assert_eq!(wecom.send("garbage", &Value::Null).await["errcode"], 40014);
    let reply = wecom.send(&token, &Value::Null).await;
    assert_eq!(reply["errcode"], 60020);
    assert!(reply["errmsg"].as_str().unwrap().contains("from ip: 127.0.0.1,"));
    wecom.sandbox.replace_directory(Directory::builtin());
    let url = format!("{}/cgi-bin/message/send?access_token={token}", wecom.url);
    let reply: Value = wecom.client.get(url).send().await.unwrap().json().await.unwrap();
    assert_eq!(reply["errcode"], 40058);
    assert_eq!(wecom.send(&token, &Value::Null).await["errcode"], 40058);
    assert_eq!(wecom.send(&token, &json!({})).await["errcode"], 82001);
}

#[tokio::test]
async fn the_fields_are_checked_in_the_documented_order() {
    let wecom = Wecom::start().await;
    let token = wecom.token().await;
    let many = |count: usize| (0..count).map(|n| n.to_string()).collect::<Vec<_>>().join("|");
    let mut body = json!({ "touser": " | ", "toparty": "", "msgtype": "nonsense" });
    for (errcode, fields) in [
        (82001, json!({ "touser": many(1001), "toparty": many(101), "totag": many(101) })),
        (40032, json!({ "touser": many(1000) })),
        (82002, json!({ "toparty": many(100) })),
        (82003, json!({ "totag": many(100) })),
        (41011, json!({ "agentid": "not a number" })),
        (40058, json!({ "agentid": 99 })),
        (40056, json!({ "agentid": OTHER_AGENT })),
        (301002, json!({ "agentid": "1000002" })),
        (40008, json!({ "msgtype": "text" })),
        (44004, json!({ "text": { "content": "x" }, "safe": 3 })),
        (40058, json!({ "safe": "0", "enable_duplicate_check": 1, "duplicate_check_interval": 14401 })),
        (40058, json!({ "duplicate_check_interval": 14400, "touser": "u1", "toparty": "77", "totag": "78" })),
        (81013, json!({ "touser": "zhangsan" })),
    ] {
        assert_eq!(wecom.send(&token, &body).await["errcode"], errcode, "{body}");
        body = with(body, fields);
    }
    assert_eq!(wecom.send(&token, &body).await["errcode"], 0, "{body}");
}

#[tokio::test]
async fn a_strict_sandbox_refuses_numbers_in_strings() {
    let wecom = Wecom::with(Settings { strict: true, ..Settings::default() }).await;
    let token = wecom.token().await;
    let reply = wecom.send(&token, &with(text("x"), json!({ "agentid": "1000002" }))).await;
    assert_eq!(reply["errcode"], 40058);
    let reply = wecom.send(&token, &with(text("x"), json!({ "safe": "0" }))).await;
    assert_eq!(reply["errcode"], 40058);
    assert_eq!(wecom.send(&token, &text("x")).await["errcode"], 0);
}

#[tokio::test]
async fn invalid_recipients_are_listed_and_the_others_get_it() {
    let wecom = Wecom::start().await;
    let token = wecom.token().await;
    let body = json!({ "touser": "NoBody|ZhangSan| sunqi |nobody|x", "toparty": "03|PartyID1|+2|9", "totag": "2 | 8" });
    let reply = wecom.send(&token, &with(text("x"), body)).await;
    assert_eq!(reply["errcode"], 0);
    assert_eq!(reply["invaliduser"], "nobody|x");
    assert_eq!(reply["invalidparty"], "PartyID1|+2|9");
    assert_eq!(reply["invalidtag"], "8");
    assert_eq!(reply["unlicenseduser"], "sunqi");
    let messages = wecom.sandbox.messages();
    let members: Vec<&str> =
        messages.iter().flat_map(|one| &one.members).map(|(userid, _)| userid.as_str()).collect();
    assert_eq!(members, ["zhangsan", "wangwu"]);
    assert!(wecom.sandbox.delivered_to("sunqi").is_empty());
}

#[tokio::test]
async fn without_a_valid_recipient_the_reply_is_81013() {
    let wecom = Wecom::start().await;
    let token = wecom.token().await;
    let reply = wecom.send(&token, &with(text_to("Nobody|sunqi", "x"), json!({ "totag": "9" }))).await;
    assert_eq!(reply["errcode"], 81013);
    assert_eq!(reply["invaliduser"], "nobody");
    assert_eq!(reply["invalidtag"], "9");
    assert_eq!(reply["unlicenseduser"], "sunqi");
    assert_eq!(reply.get("invalidparty"), None);
    assert!(wecom.sandbox.messages().is_empty());
}

#[tokio::test]
async fn departments_and_tags_include_departments_below() {
    let wecom = Wecom::start().await;
    let token = wecom.token().await;
    wecom.send(&token, &with(text_to("", "to 2"), json!({ "toparty": "2" }))).await;
    wecom.send(&token, &with(text_to("", "to tag 2"), json!({ "totag": "2" }))).await;
    assert_eq!(texts(&wecom.sandbox.delivered_to("lisi")), ["to 2"]);
    assert_eq!(texts(&wecom.sandbox.delivered_to("wangwu")), ["to 2", "to tag 2"]);
    assert!(wecom.sandbox.delivered_to("zhaoliu").is_empty());
}

#[tokio::test]
async fn all_is_the_visible_range_and_ignores_parties_and_tags() {
    let wecom = Wecom::start().await;
    let token = wecom.token_of(OTHER_SECRET).await;
    let body = json!({ "touser": "@all", "toparty": "77", "totag": "78", "agentid": OTHER_AGENT });
    let reply = wecom.send(&token, &with(text("x"), body)).await;
    assert_eq!(reply["errcode"], 0);
    assert_eq!(reply.get("invalidparty"), None);
    for (userid, count) in [("zhangsan", 1), ("lisi", 1), ("wangwu", 1), ("zhaoliu", 0)] {
        assert_eq!(wecom.sandbox.delivered_to(userid).len(), count, "{userid}");
    }
}

#[tokio::test]
async fn recipients_outside_the_visible_range_are_invalid() {
    let wecom = Wecom::start().await;
    let token = wecom.token_of(OTHER_SECRET).await;
    let body = json!({ "touser": "zhaoliu|lisi", "toparty": "1|3", "agentid": OTHER_AGENT });
    let reply = wecom.send(&token, &with(text("x"), body)).await;
    assert_eq!(reply["errcode"], 0);
    assert_eq!(reply["invaliduser"], "zhaoliu");
    assert_eq!(reply["invalidparty"], "1");
}

#[tokio::test]
async fn a_legacy_sandbox_writes_empty_lists() {
    let wecom = Wecom::with(Settings { legacy: true, ..Settings::default() }).await;
    let token = wecom.token().await;
    let reply = wecom.send(&token, &text("x")).await;
    for list in ["invaliduser", "invalidparty", "invalidtag"] {
        assert_eq!(reply[list], "");
    }
}

#[tokio::test]
async fn broken_json_is_repaired_with_a_warning_or_refused() {
    let wecom = Wecom::start().await;
    let token = wecom.token().await;
    let broken = "{\"touser\":\"zhangsan\",\"msgtype\":\"text\",\"agentid\":1000002,\"text\":{\"content\":\"a\nb\",},}";
    let reply: Value = wecom.try_send(&token, broken).await.unwrap().json().await.unwrap();
    assert_eq!(reply["errcode"], 0);
    assert_eq!(reply["errmsg"], "ok. Warning: wrong json format. ");
    assert_eq!(texts(&wecom.sandbox.delivered_to("zhangsan")), ["a\nb"]);

    let refused = r#"{"touser":"zhangsan","msgtype":"poem","agentid":1000002,}"#;
    let reply: Value = wecom.try_send(&token, refused).await.unwrap().json().await.unwrap();
    assert_eq!(reply["errcode"], 40008);
    assert!(
        reply["errmsg"].as_str().unwrap().starts_with("Warning: wrong json format. invalid message type")
    );

    let reply: Value = wecom.try_send(&token, "not json").await.unwrap().json().await.unwrap();
    assert_eq!(reply["errcode"], 40058);
    assert!(reply["errmsg"].as_str().unwrap().starts_with("Warning: wrong json format. "));
}

#[tokio::test]
async fn broken_json_is_refused_if_the_settings_say_so() {
    let wecom = Wecom::with(Settings { recover_json: false, ..Settings::default() }).await;
    let token = wecom.token().await;
    let reply: Value =
        wecom.try_send(&token, r#"{"touser":"zhangsan",}"#).await.unwrap().json().await.unwrap();
    assert_eq!(reply["errcode"], 40058);
}

#[tokio::test]
async fn an_unknown_path_is_a_404_without_a_body() {
    let wecom = Wecom::start().await;
    for path in ["/cgi-bin/", "/cgi-bin/user/list", "/cgi-bin/message/sendx"] {
        let response = wecom.client.get(format!("{}{path}", wecom.url)).send().await.unwrap();
        assert_eq!(response.status(), 404);
        assert_eq!(response.text().await.unwrap(), "");
    }
}
