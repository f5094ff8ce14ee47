//! Pressed buttons, and the requests to the server of the app.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::net::TcpListener;
use wecom_relay::sandbox::{
    AttemptResult, Callback, CallbackTimes, Press, PressError, PressFault, Settings, VerificationError,
};

use super::cards::card;
use crate::support::{AGENT, Wecom, event_server::EventServer, soon};

/// Callbacks without pauses, and with an answer that may take long on a busy machine.
fn quick() -> Settings {
    let answer = Duration::from_secs(60);
    let times = CallbackTimes {
        verification: answer,
        answer,
        pause: Duration::from_millis(10),
        ..Default::default()
    };
    Settings { callbacks: times, ..Settings::default() }
}

/// A sandbox with a card `t1` on the phones of zhangsan and lisi, and the server of its app.
async fn site() -> (Wecom, EventServer) {
    let (wecom, server) = (Wecom::with(quick()).await, EventServer::start().await);
    soon(wecom.sandbox.save_callback(AGENT, server.callback())).await.unwrap();
    wecom.send(&wecom.token().await, &card("t1")).await;
    (wecom, server)
}

async fn press(wecom: &Wecom, key: &str, fault: Option<PressFault>) -> Press {
    let id = wecom.sandbox.press("lisi", "t1", key, fault).unwrap();
    soon(wecom.sandbox.pressed(id)).await.unwrap()
}

fn statuses(press: &Press) -> Vec<Option<u16>> {
    let status = |result: &AttemptResult| match result {
        AttemptResult::Answered { status, .. } | AttemptResult::Lost { status } => Some(*status),
        AttemptResult::NoAnswer { .. } => None,
    };
    press.attempts.iter().map(|attempt| status(&attempt.result)).collect()
}

#[tokio::test]
async fn a_press_is_told_to_the_server_encrypted_and_signed() {
    let (wecom, server) = site().await;
    let pressed = press(&wecom, "ack", None).await;
    assert_eq!(statuses(&pressed), [Some(200)]);
    let [event] = &server.seen()[..] else { panic!("{:?}", server.seen()) };
    assert!(event.has_right_signature);
    assert_eq!(event.query["timestamp"], "1795248000");
    assert_eq!(event.query["from"], "wecom");
    let elements =
        ["FromUserName", "MsgType", "Event", "CreateTime", "AgentID", "EventKey", "TaskId", "CardType"];
    assert_eq!(
        elements.map(|name| event.element(name)),
        ["lisi", "event", "template_card_event", "1795248000", "1000002", "ack", "t1", "button_interaction"]
    );
    assert_eq!(event.element("ResponseCode"), pressed.response_code);
}

#[tokio::test]
async fn the_code_of_a_press_updates_the_card_once() {
    let (wecom, _server) = site().await;
    let pressed = press(&wecom, "ack", None).await;
    let body = json!({ "atall": 1, "agentid": AGENT, "response_code": pressed.response_code,
                       "button": { "replace_name": "已认领" } });
    let token = wecom.token().await;
    for errcode in [0, 60140] {
        assert_eq!(wecom.call("message/update_template_card", &token, &body).await["errcode"], errcode);
    }
    let known = Vec::new();
    let grey = wecom.sandbox.press("lisi", "t1", "ack", None);
    assert_eq!(grey, Err(PressError::NoButton { key: "ack".to_owned(), known }));
}

#[tokio::test]
async fn an_event_is_sent_again_at_most_three_times() {
    let (wecom, server) = site().await;
    server.answer_with(&[503, 500]);
    assert_eq!(statuses(&press(&wecom, "ack", None).await), [Some(503), Some(500), Some(200)]);
    let codes: Vec<String> =
        server.seen().iter().map(|event| event.element("ResponseCode").to_owned()).collect();
    assert!(codes.len() == 3 && codes.iter().all(|code| *code == codes[0]), "{codes:?}");
    server.answer_with(&[503; 9]);
    assert_eq!(statuses(&press(&wecom, "ack", None).await), [Some(503); 4]);
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_asked_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let answer = Duration::from_millis(50);
    let times = CallbackTimes { answer, pause: Duration::from_millis(1), ..Default::default() };
    let wecom = Wecom::with(Settings { callbacks: times, ..Settings::default() }).await;
    wecom.sandbox.set_callback(AGENT, Callback::sample(&url).unwrap()).unwrap();
    wecom.send(&wecom.token().await, &card("t1")).await;
    let pressed = press(&wecom, "ack", None).await;
    assert_eq!(statuses(&pressed), [None; 4]);
    let reason = "no answer within 50ms".to_owned();
    assert_eq!(pressed.attempts[0].result, AttemptResult::NoAnswer { reason });
}

#[tokio::test]
async fn faults_of_a_press_change_its_requests() {
    let (wecom, server) = site().await;
    let late = Duration::from_millis(20);
    for (fault, expected) in [
        (PressFault::Late(late), vec![Some(200)]),
        (PressFault::Twice, vec![Some(200); 2]),
        (PressFault::LostAnswer, vec![Some(200); 2]),
        (PressFault::WrongSignature, vec![Some(200)]),
    ] {
        assert_eq!(statuses(&press(&wecom, "ack", Some(fault)).await), expected, "{fault:?}");
    }
    let seen = server.seen();
    assert_eq!(
        seen.iter().map(|event| event.has_right_signature).collect::<Vec<_>>(),
        [true, true, true, true, true, false]
    );
    assert_eq!(seen[1], seen[2], "the same bytes came twice");
    assert_ne!(seen[3].query, seen[4].query, "a new signature came after a lost answer");
    assert_eq!(seen[3].xml, seen[4].xml);
}

#[tokio::test]
async fn an_event_can_come_after_that_of_the_next_press() {
    let (wecom, server) = site().await;
    let first = wecom.sandbox.press("lisi", "t1", "ack", Some(PressFault::AfterNext)).unwrap();
    let second = wecom.sandbox.press("zhangsan", "t1", "silence:3600", None).unwrap();
    for id in [first, second] {
        soon(wecom.sandbox.pressed(id)).await.unwrap();
    }
    let keys: Vec<String> = server.seen().iter().map(|event| event.element("EventKey").to_owned()).collect();
    assert_eq!(keys, ["silence:3600", "ack"]);
}

#[tokio::test]
async fn only_buttons_that_a_member_sees_can_be_pressed() {
    let (wecom, _server) = site().await;
    let press = |member: &str, task_id: &str, key: &str| wecom.sandbox.press(member, task_id, key, None);
    let known = vec!["silence:3600".to_owned(), "ack".to_owned()];
    assert_eq!(press("lisi", "t1", "other"), Err(PressError::NoButton { key: "other".to_owned(), known }));
    for (member, task_id) in [("wangwu", "t1"), ("lisi", "t2")] {
        assert!(
            matches!(press(member, task_id, "ack"), Err(PressError::NoCard { .. })),
            "{member} {task_id}"
        );
    }
    let msgid = wecom.sandbox.messages()[0].msgid.clone();
    wecom.call("message/recall", &wecom.token().await, &json!({ "msgid": msgid })).await;
    assert_eq!(press("lisi", "t1", "ack"), Err(PressError::Recalled));
}

#[tokio::test]
async fn a_url_is_verified_as_by_wecom() {
    let (wecom, server) = (Wecom::with(quick()).await, EventServer::start().await);
    server.answer_with(&[404]);
    let refused = soon(wecom.sandbox.save_callback(AGENT, server.callback())).await;
    assert!(matches!(refused, Err(VerificationError::Status { status: 404, .. })), "{refused:?}");
    let token = wecom.token().await;
    assert_eq!(wecom.send(&token, &card("t1")).await["errcode"], 43012);
    let unknown = soon(wecom.sandbox.save_callback(1, server.callback())).await;
    assert_eq!(unknown, Err(VerificationError::NoApp { agent_id: 1 }));
    soon(wecom.sandbox.save_callback(AGENT, server.callback())).await.unwrap();
    assert_eq!(wecom.send(&token, &card("t1")).await["errcode"], 0);
}

#[tokio::test]
async fn the_control_api_sets_callbacks_and_presses() {
    let (wecom, server) = (Wecom::with(quick()).await, EventServer::start().await);
    let body = json!({ "url": server.url }).to_string();
    server.answer_with(&[500]);
    let (status, error) = wecom.control(Method::PUT, "/callbacks/1000002", body.clone()).await;
    let refusal = error["error"].as_str().unwrap();
    assert!(
        status == 400 && refusal.starts_with("the server answered with status 500 instead of 200"),
        "{error}"
    );
    assert_eq!(wecom.control(Method::PUT, "/callbacks/1000002", body).await.0, 204);
    let (_, callbacks) = wecom.control(Method::GET, "/callbacks", "").await;
    assert_eq!(callbacks, json!([{ "agent_id": 1000002, "url": server.url }]));
    wecom.send(&wecom.token().await, &card("t1")).await;
    let press = json!({ "member": "lisi", "task_id": "t1", "key": "ack", "fault": "late", "late_ms": 1 });
    let (status, pressed) = wecom.control(Method::POST, "/presses", press.to_string()).await;
    assert_eq!((status, &pressed), (200, &json!({ "id": 1 })));
    let is_settled = |press: &Press| press.is_settled;
    soon(wecom.sandbox.wait_until(|sandbox| sandbox.presses().iter().all(is_settled))).await;
    let (_, presses) = wecom.control(Method::GET, "/presses", "").await;
    assert_eq!(presses[0]["fault"], "late");
    assert_eq!(presses[0]["attempts"][0]["result"], "answered");
    for (body, word) in [
        (json!({ "member": "lisi", "task_id": "t2", "key": "ack" }), "no card"),
        (json!({ "member": "lisi", "task_id": "t1", "key": "ack", "fault": "x" }), "wrong_signature"),
        (json!({ "member": "lisi", "task_id": "t1", "key": "ack", "late_ms": 1 }), "late"),
    ] {
        let (status, error) = wecom.control(Method::POST, "/presses", body.to_string()).await;
        assert!(status == 400 && error["error"].as_str().unwrap().contains(word), "{error}");
    }
}
