//! The read calls, and the header `Date`.

use jiff::SignedDuration;
use serde_json::{Value, json};
use wecom_relay::sandbox::{BUILTIN_YAML, Directory, Effect, Fault, Settings};

use crate::support::{OTHER_SECRET, Wecom};

async fn read(wecom: &Wecom, token: &str, call: &str) -> Value {
    let url = format!("{}/cgi-bin/{call}&access_token={token}", wecom.url);
    wecom.client.get(url).send().await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn an_app_can_only_read_itself() {
    let wecom = Wecom::start().await;
    let token = wecom.token_of(OTHER_SECRET).await;
    let app = read(&wecom, &token, "agent/get?agentid=1000030").await;
    assert_eq!((&app["errcode"], &app["name"], &app["close"]), (&json!(0), &json!("运维"), &json!(0)));
    assert_eq!(app["allow_partys"], json!({ "partyid": [2] }));
    for (agentid, errcode) in [("1000002", 301002), ("1", 40056), ("", 41011)] {
        assert_eq!(read(&wecom, &token, &format!("agent/get?agentid={agentid}")).await["errcode"], errcode);
    }
}

#[tokio::test]
async fn an_app_reads_within_its_visible_range() {
    let wecom = Wecom::start().await;
    let (all, some) = (wecom.token().await, wecom.token_of(OTHER_SECRET).await);
    for (call, by_all, by_some) in [
        ("user/get?userid=WangWu", 0, 0),
        ("user/get?userid=zhaoliu", 0, 60011),
        ("user/get?userid=nobody", 60111, 60111),
        ("department/get?id=3", 0, 0),
        ("department/get?id=1", 0, 60011),
        ("department/get?id=99", 60123, 60123),
        ("tag/get?tagid=1", 0, 0),
        ("tag/get?tagid=99", 40068, 40068),
    ] {
        assert_eq!(read(&wecom, &all, call).await["errcode"], by_all, "{call}");
        assert_eq!(read(&wecom, &some, call).await["errcode"], by_some, "{call}");
    }
    let tag = read(&wecom, &some, "tag/get?tagid=1").await;
    assert_eq!(tag["userlist"][1], json!({ "userid": "lisi", "name": "李四" }));
    assert_eq!(read(&wecom, &some, "tag/get?tagid=2").await["partylist"], json!([3]));
}

#[tokio::test]
async fn a_tag_contains_only_visible_members() {
    let yaml = BUILTIN_YAML.replace("members: [zhangsan, lisi]", "members: [zhaoliu]");
    let wecom = Wecom::with_directory(Directory::from_yaml(&yaml).unwrap(), Settings::default()).await;
    let token = wecom.token_of(OTHER_SECRET).await;
    let tag = read(&wecom, &token, "tag/get?tagid=1").await;
    assert_eq!((&tag["errcode"], &tag["userlist"]), (&json!(0), &json!([])));
}

#[tokio::test]
async fn a_read_needs_a_valid_token_and_a_trusted_ip() {
    let yaml = BUILTIN_YAML
        .replace("sandbox-secret-1000002 }", "sandbox-secret-1000002, trusted_ips: [192.0.2.1] }");
    let wecom = Wecom::with_directory(Directory::from_yaml(&yaml).unwrap(), Settings::default()).await;
    let token = wecom.token().await;
    let untrusted = read(&wecom, &token, "agent/get?agentid=1000002").await;
    assert_eq!(untrusted["errcode"], 60020);
    assert!(untrusted["errmsg"].as_str().unwrap().contains("from ip: 127.0.0.1"), "{untrusted}");
    assert_eq!(read(&wecom, "", "user/get?userid=lisi").await["errcode"], 41001);
    assert_eq!(read(&wecom, "nonsense", "user/get?userid=lisi").await["errcode"], 40014);
}

#[tokio::test]
async fn the_date_is_the_sandboxs_and_a_fault_changes_it() {
    let wecom = Wecom::start().await;
    let date = async || {
        let response = wecom.client.get(format!("{}/cgi-bin/gettoken", wecom.url)).send().await.unwrap();
        response.headers()["date"].to_str().unwrap().to_owned()
    };
    assert_eq!(date().await, "Sat, 21 Nov 2026 08:00:00 GMT");
    wecom.sandbox.inject(Fault::new(Effect::ClockSkew(SignedDuration::from_secs(-90))).times(1));
    assert_eq!(date().await, "Sat, 21 Nov 2026 07:58:30 GMT");
    assert_eq!(date().await, "Sat, 21 Nov 2026 08:00:00 GMT");
}
