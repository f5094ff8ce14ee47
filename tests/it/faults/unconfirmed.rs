//! WeCom accepts a message, but the answer is lost or wrong: the member sees the message once.

use std::time::Duration;

use wecom_relay::{
    app::Tuning,
    sandbox::{Api, Effect, Fault, MemberOutcome, Moment, Settings},
};

use super::{all_delivered, seen_by};
use crate::support::{Options, Relay, Wecom, payload, short_delays, soon};

/// WeCom accepts the message three times without a usable answer. The member sees it once.
async fn is_seen_once(effect: Effect) {
    let wecom = Wecom::live(Settings::default()).await;
    let tuning = Tuning { call_timeout: Duration::from_millis(300), ..short_delays() };
    let relay = Relay::with(&wecom.url, Options { tuning, ..Options::default() }).await;
    wecom.sandbox.inject(Fault::new(effect.clone()).on(Api::MessageSend).times(3));
    relay.post(&payload("Down", &[("a", true)])).await;
    all_delivered(&relay, 1).await;
    let became: Vec<MemberOutcome> =
        wecom.sandbox.messages().iter().map(|message| message.members[0].1).collect();
    assert_eq!(
        became,
        [MemberOutcome::Shown, MemberOutcome::Duplicate, MemberOutcome::Duplicate, MemberOutcome::Duplicate],
        "{effect:?}"
    );
    let bodies: Vec<_> = wecom.sandbox.messages().into_iter().map(|message| message.request).collect();
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "a resend is byte-identical: {bodies:?}");
    // The next notification of the group follows in order.
    relay.post(&payload("Down", &[("a", false)])).await;
    soon(wecom.sandbox.wait_for_delivered("zhangsan", 2)).await;
    relay.stop().await;
    let seen = seen_by(&wecom, "zhangsan");
    assert_eq!(seen.len(), 2);
    assert!(seen[1].starts_with("[RESOLVED] Down "), "{}", seen[1]);
}

#[tokio::test]
async fn accepted_and_then_the_connection_drops() {
    is_seen_once(Effect::Drop(Moment::After)).await;
}

/// WeCom repeats errcode and errmsg in the headers, so the message is sent once.
#[tokio::test]
async fn accepted_and_then_the_body_of_the_answer_breaks_off() {
    let wecom = Wecom::live(Settings::default()).await;
    let relay = Relay::start(&wecom.url).await;
    wecom.sandbox.inject(Fault::new(Effect::Truncate).on(Api::MessageSend));
    relay.post(&payload("Down", &[("a", true)])).await;
    all_delivered(&relay, 1).await;
    relay.stop().await;
    assert_eq!(wecom.sandbox.send_calls(), 1);
    assert_eq!(seen_by(&wecom, "zhangsan").len(), 1);
}

#[tokio::test]
async fn accepted_and_then_a_proxy_answers_500() {
    is_seen_once(Effect::HttpStatus { status: 500, body: "<html>".to_owned(), taken: true }).await;
}

#[tokio::test]
async fn accepted_and_then_no_answer_comes() {
    is_seen_once(Effect::Hang { taken: true }).await;
}

#[tokio::test]
async fn accepted_and_then_wecom_says_that_it_is_busy() {
    is_seen_once(Effect::Errcode { errcode: -1, errmsg: None, taken: true }).await;
}
