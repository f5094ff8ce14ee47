//! The control API.

use reqwest::Method;
use serde_json::json;

use super::text;
use crate::support::Wecom;

#[tokio::test]
async fn it_shows_received_and_dropped_messages() {
    let wecom = Wecom::start().await;
    let token = wecom.token().await;
    for n in 0..31 {
        wecom.send(&token, &text(&n.to_string())).await;
    }
    let (status, screen) = wecom.control(Method::GET, "/members/ZhangSan/messages", "").await;
    assert_eq!(status, 200);
    let screen = screen.as_array().unwrap();
    assert_eq!(screen.len(), 30);
    assert_eq!(screen.first().unwrap()["text"], "0");
    assert_eq!(screen.first().unwrap()["at"], "2026-11-21T08:00:00Z");
    let (_, all) = wecom.control(Method::GET, "/messages", "").await;
    let last = all.as_array().unwrap().last().unwrap();
    assert_eq!(last["members"], json!([{ "userid": "zhangsan", "outcome": "dropped" }]));
    assert_eq!(last["request"], text("30").to_string());

    assert_eq!(wecom.control(Method::DELETE, "/messages", "").await.0, 204);
    assert_eq!(wecom.control(Method::GET, "/messages", "").await.1, json!([]));
    assert_eq!(wecom.control(Method::GET, "/members/zhangsan/messages", "").await.1, json!([]));
    let (status, error) = wecom.control(Method::GET, "/members/nobody/messages", "").await;
    assert_eq!(status, 404);
    assert!(error["error"].as_str().unwrap().contains("there are zhangsan, lisi"), "{error}");
}

#[tokio::test]
async fn it_counts_calls_by_api_and_errcode() {
    let wecom = Wecom::start().await;
    assert_eq!(
        wecom.control(Method::GET, "/calls", "").await.1,
        json!({ "gettoken": {}, "message/send": {} })
    );
    let token = wecom.token().await;
    wecom.send("", &text("x")).await;
    wecom.send(&token, &text("x")).await;
    let fault = r#"{"fault":{"http_status":500},"count":1}"#;
    assert_eq!(wecom.control(Method::POST, "/faults", fault).await.0, 204);
    assert_eq!(wecom.try_send(&token, "").await.unwrap().status(), 500);
    let expected = json!({ "gettoken": { "0": 1 }, "message/send": { "0": 1, "41001": 1, "http_500": 1 } });
    assert_eq!(wecom.control(Method::GET, "/calls", "").await.1, expected);
}

#[tokio::test]
async fn faults_are_added_listed_and_cleared() {
    let wecom = Wecom::start().await;
    let token = wecom.token().await;
    for fault in [
        json!({ "api": "message/send", "fault": { "errcode": 45009, "errmsg": "too much" }, "count": 2 }),
        json!({ "api": "gettoken", "fault": { "http_status": 500, "body": "no", "taken": true }, "for_ms": 5000 }),
        json!({ "fault": { "hang": true }, "member": "wangwu" }),
        json!({ "fault": { "drop": "after" }, "app": 1000030 }),
        json!({ "fault": { "errcode": 93004 }, "robot": "sandbox-robot-key-ops" }),
        json!({ "fault": { "truncate": true }, "app": 1000030 }),
        json!({ "fault": { "errcode": 40058 }, "text": "poison" }),
        json!({ "fault": { "latency_ms": 1 } }),
        json!({ "fault": { "clock_skew_s": -60 } }),
    ] {
        let (status, error) = wecom.control(Method::POST, "/faults", fault.to_string()).await;
        assert_eq!(status, 204, "{error}");
    }
    assert_eq!(wecom.send(&token, &text("x")).await["errmsg"], "too much");
    let (_, faults) = wecom.control(Method::GET, "/faults", "").await;
    let expected = json!([
        { "api": "message/send", "fault": { "errcode": 45009, "errmsg": "too much", "taken": false }, "count": 1 },
        { "api": "gettoken", "fault": { "http_status": 500, "body": "no", "taken": true }, "for_ms": 5000 },
        { "api": "*", "fault": { "hang": true, "taken": false }, "member": "wangwu" },
        { "api": "*", "fault": { "drop": "after" }, "app": 1000030 },
        { "api": "*", "fault": { "errcode": 93004, "taken": false }, "robot": "sandbox-robot-key-ops" },
        { "api": "*", "fault": { "truncate": true }, "app": 1000030 },
        { "api": "*", "fault": { "errcode": 40058, "taken": false }, "text": "poison" },
        { "api": "*", "fault": { "latency_ms": 1 } },
        { "api": "*", "fault": { "clock_skew_s": -60 } },
    ]);
    assert_eq!(faults, expected);
    assert_eq!(wecom.control(Method::DELETE, "/faults", "").await.0, 204);
    assert_eq!(wecom.send(&token, &text("x")).await["errcode"], 0);
}

#[tokio::test]
async fn the_error_for_a_wrong_fault_says_what_would_be_right() {
    let wecom = Wecom::start().await;
    for (fault, expected) in [
        ("", "the body is not valid"),
        (r#"{"fault":{"latency":1}}"#, "unknown field `latency`, expected one of `errcode`"),
        (r#"{"fault":{"hang":true},"times":1}"#, "unknown field `times`, expected one of `api`"),
        (r#"{"count":1}"#, "missing field `fault`"),
        (r#"{"fault":{}}"#, "exactly one of errcode"),
        (r#"{"fault":{"hang":true,"latency_ms":1}}"#, "exactly one of errcode"),
        (r#"{"fault":{"clock_skew_s":1,"latency_ms":1}}"#, "exactly one of errcode"),
        (r#"{"fault":{"hang":false}}"#, "exactly one of errcode"),
        (r#"{"fault":{"errcode":0}}"#, "errcode is 0"),
        (r#"{"fault":{"http_status":200}}"#, "must be 400 to 599"),
        (r#"{"fault":{"drop":"now"}}"#, "must be `before` or `after`"),
        (r#"{"fault":{"drop":"after","taken":true}}"#, "taken can only be used with"),
        (r#"{"fault":{"hang":true,"errmsg":"x"}}"#, "errmsg is given without errcode"),
        (r#"{"fault":{"hang":true,"body":"x"}}"#, "body is given without http_status"),
        (r#"{"api":"send","fault":{"hang":true}}"#, "must be `gettoken`, `message/send`, `agent/get`, "),
        (r#"{"fault":{"hang":true},"count":0}"#, "at least 1"),
        (r#"{"fault":{"hang":true},"count":1,"for_ms":1}"#, "give only one of them, or none"),
        (r#"{"api":"gettoken","fault":{"hang":true},"member":"x"}"#, "remove member or api"),
        (r#"{"api":"gettoken","fault":{"hang":true},"text":"x"}"#, "remove text or api"),
        (r#"{"api":"message/send","fault":{"hang":true},"robot":"x"}"#, "remove robot or api"),
    ] {
        let (status, error) = wecom.control(Method::POST, "/faults", fault).await;
        assert_eq!(status, 400, "{fault}");
        assert!(error["error"].as_str().unwrap().contains(expected), "{fault}: {error}");
    }
    assert_eq!(wecom.control(Method::GET, "/faults", "").await.1, json!([]));
}

#[tokio::test]
async fn it_expires_tokens() {
    let wecom = Wecom::start().await;
    for errcode in [42001, 40014] {
        let token = wecom.token().await;
        let body = json!({ "errcode": errcode }).to_string();
        assert_eq!(wecom.control(Method::POST, "/tokens/expire", body).await.0, 204);
        assert_eq!(wecom.send(&token, &text("x")).await["errcode"], errcode);
    }
    let (status, error) = wecom.control(Method::POST, "/tokens/expire", r#"{"errcode":1}"#).await;
    assert_eq!((status, error["error"].as_str().unwrap()), (400, "errcode is 1: it must be 42001 or 40014"));
}

#[tokio::test]
async fn it_shows_and_replaces_the_directory() {
    let wecom = Wecom::start().await;
    let (status, directory) = wecom.control(Method::GET, "/directory", "").await;
    assert_eq!(status, 200);
    assert_eq!(directory["corps"][0]["apps"][0]["agent_id"], 1000002);
    let yaml = "corps: [{ corp_id: ww2, members: [], apps: [] }]";
    assert_eq!(wecom.control(Method::PUT, "/directory", yaml).await.0, 204);
    assert_eq!(wecom.control(Method::GET, "/directory", "").await.1["corps"][0]["corp_id"], "ww2");
    let (status, error) = wecom.control(Method::PUT, "/directory", "corps: []").await;
    assert_eq!(
        (status, error["error"].as_str().unwrap()),
        (400, "1:8: `corps` is empty: list at least one corp")
    );
}

#[tokio::test]
async fn a_wrong_path_or_method_is_answered_with_the_right_ones() {
    let wecom = Wecom::start().await;
    for (method, path, status) in [(Method::GET, "/fault", 404), (Method::PUT, "/messages", 405)] {
        let (answered, error) = wecom.control(method, path, "").await;
        assert_eq!(answered, status);
        assert!(error["error"].as_str().unwrap().contains("GET and DELETE /sandbox/messages"), "{error}");
    }
}
