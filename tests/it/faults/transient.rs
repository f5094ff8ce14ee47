//! Faults that pass by themselves: the message is retried within seconds and seen once.

use std::time::Duration;

use wecom_relay::{
    app::Tuning,
    outbox::{Listed, State},
    sandbox::{Api, Effect, Fault, Moment, Settings},
};

use super::{all_delivered, quick, seen_by, shown};
use crate::support::{
    Options, Relay, Wecom, eventually,
    members::{self, BY_MEMBER, member, payload_for},
    payload, short_delays, soon,
};

/// Three calls fail, and then the alert arrives once.
async fn is_survived(api: Api, effect: Effect) {
    let wecom = Wecom::live(Settings::default()).await;
    let tuning = Tuning { call_timeout: Duration::from_millis(300), ..short_delays() };
    let relay = Relay::with(&wecom.url, Options { tuning, ..Options::default() }).await;
    wecom.sandbox.inject(Fault::new(effect).on(api).times(3));
    relay.post(&payload("Down", &[("a", true)])).await;
    let seen = shown(&wecom, "zhangsan", 1).await;
    assert!(seen[0].starts_with("[FIRING:1] Down "), "{}", seen[0]);
    all_delivered(&relay, 1).await;
    let (gettoken, send) = (wecom.sandbox.gettoken_calls(), wecom.sandbox.send_calls());
    assert_eq!((gettoken, send), if api == Api::Gettoken { (4, 1) } else { (1, 4) });
    relay.stop().await;
    assert_eq!(seen_by(&wecom, "zhangsan").len(), 1);
}

fn status(status: u16, body: &str) -> Effect {
    Effect::HttpStatus { status, body: body.to_owned(), taken: false }
}

fn errcode(errcode: i64) -> Effect {
    Effect::Errcode { errcode, errmsg: None, taken: false }
}

#[tokio::test]
async fn wecom_is_busy() {
    is_survived(Api::MessageSend, errcode(-1)).await;
    is_survived(Api::MessageSend, errcode(45033)).await;
}

#[tokio::test]
async fn wecom_or_a_proxy_answers_an_http_error() {
    is_survived(Api::MessageSend, status(500, "")).await;
    is_survived(Api::MessageSend, status(502, "<html><h1>502 Bad Gateway</h1></html>")).await;
}

#[tokio::test]
async fn something_that_is_not_wecom_answers_200() {
    is_survived(Api::MessageSend, status(200, "<html>please log in</html>")).await;
    is_survived(Api::MessageSend, status(200, "")).await;
    is_survived(Api::MessageSend, status(200, &"x".repeat(1 << 20))).await;
}

#[tokio::test]
async fn the_connection_is_closed_before_the_message_was_taken() {
    is_survived(Api::MessageSend, Effect::Drop(Moment::Before)).await;
}

#[tokio::test]
async fn the_connection_is_a_black_hole() {
    is_survived(Api::MessageSend, Effect::Hang { taken: false }).await;
}

#[tokio::test]
async fn there_is_no_token_for_a_while() {
    is_survived(Api::Gettoken, errcode(-1)).await;
    is_survived(Api::Gettoken, errcode(45009)).await;
    is_survived(Api::Gettoken, status(500, "<html>")).await;
    is_survived(Api::Gettoken, Effect::Hang { taken: false }).await;
}

#[tokio::test]
async fn nobody_listens_at_first() {
    let wecom = Wecom::live(Settings::default()).await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let relay = Relay::with(&format!("http://{nobody}"), quick()).await;
    relay.post(&payload("Down", &[("a", true)])).await;
    let is_retried = |ready: &Vec<Listed>| ready.iter().any(|delivery| delivery.attempts >= 2);
    eventually(async || relay.listed(&[State::Ready]).await, is_retried).await;
    let folder = relay.stop().await;
    let relay = Relay::with(&wecom.url, Options { folder: Some(folder), ..quick() }).await;
    assert_eq!(shown(&wecom, "zhangsan", 1).await.len(), 1);
    relay.stop().await;
}

#[tokio::test]
async fn an_alert_resolved_during_an_outage_is_shown_in_both_states() {
    let wecom = Wecom::live(Settings::default()).await;
    let relay = Relay::with(&wecom.url, quick()).await;
    wecom.sandbox.inject(Fault::new(status(500, "")).on(Api::MessageSend));
    relay.post(&payload("Down", &[("a", true)])).await;
    soon(wecom.sandbox.wait_until(|sandbox| sandbox.send_calls() > 1)).await;
    relay.post(&payload("Down", &[("a", false)])).await;
    soon(wecom.sandbox.wait_until(|sandbox| sandbox.send_calls() > 3)).await;
    assert!(seen_by(&wecom, "zhangsan").is_empty());
    wecom.sandbox.clear_faults();
    let seen = shown(&wecom, "zhangsan", 2).await;
    assert!(seen[0].starts_with("[FIRING:1] Down "), "{}", seen[0]);
    assert!(seen[1].starts_with("[RESOLVED] Down "), "{}", seen[1]);
    all_delivered(&relay, 2).await;
    relay.stop().await;
    assert_eq!(seen_by(&wecom, "zhangsan").len(), 2);
}

#[tokio::test]
async fn an_outage_costs_wecom_one_call_at_a_time() {
    let wecom = Wecom::with_members(41).await;
    let receivers = BY_MEMBER.to_owned();
    let relay = Relay::with(&wecom.url, Options { receivers, ..quick() }).await;
    wecom.sandbox.inject(Fault::new(status(500, "")).on(Api::MessageSend).times(10));
    relay.post(&payload_for(&member(40), "First", &[("a", true)])).await;
    soon(wecom.sandbox.wait_until(|sandbox| sandbox.send_calls() == 3)).await;
    for group in 0..40 {
        relay.post(&payload_for(&member(group), &format!("Group{group}"), &[("a", true)])).await;
    }
    // 10 calls fail, then 41 messages are delivered.
    all_delivered(&relay, 41).await;
    assert_eq!(members::shown(&wecom.sandbox).len(), 41);
    assert_eq!(wecom.sandbox.send_calls(), 51);
    relay.stop().await;
}
