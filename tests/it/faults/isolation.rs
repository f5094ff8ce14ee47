//! A delivery that cannot be sent blocks no other member, group or app.

use std::time::Duration;

use wecom_relay::{
    app::Tuning,
    sandbox::{Api, Effect, Fault, Settings},
};

use super::{all_delivered, held, quick, second_app, seen_by, shown};
use crate::support::{AGENT, Options, Relay, Wecom, payload, short_delays, soon};

const BOTH: &str = "  - { name: wechat, to_user: zhangsan }\n  - { name: other, to_user: lisi }\n";

async fn post_to_other(relay: &Relay, group: &str) {
    let body = payload(group, &[("a", true)]).to_string();
    assert_eq!(relay.request(reqwest::Method::POST, "/webhook/other", body).await.0, 200);
}

/// Messages to lisi fail, and messages to zhangsan arrive. Those to lisi arrive after the fault.
async fn blocks_nobody_else(effect: Effect) {
    let wecom = Wecom::live(Settings::default()).await;
    let tuning = Tuning { call_timeout: Duration::from_millis(200), ..short_delays() };
    let relay = Relay::with(&wecom.url, Options { receivers: BOTH.to_owned(), tuning, ..quick() }).await;
    wecom.sandbox.inject(Fault::new(effect).on(Api::MessageSend).for_member("lisi"));
    for group in 0..8 {
        post_to_other(&relay, &format!("Stuck{group}")).await;
    }
    // This holds even after the circuit breaker has noticed the failures.
    soon(wecom.sandbox.wait_until(|sandbox| sandbox.send_calls() > 8)).await;
    for group in 0..15 {
        relay.post(&payload(&format!("Group{group}"), &[("a", true)])).await;
        shown(&wecom, "zhangsan", group + 1).await;
        // Messages to zhangsan succeed, so lisi's failures are no problem of the sender.
        held(&relay, false).await;
    }
    assert!(seen_by(&wecom, "lisi").is_empty());
    wecom.sandbox.clear_faults();
    shown(&wecom, "lisi", 8).await;
    all_delivered(&relay, 23).await;
    relay.stop().await;
    assert_eq!((seen_by(&wecom, "zhangsan").len(), seen_by(&wecom, "lisi").len()), (15, 8));
}

#[tokio::test]
async fn an_http_error_for_one_member_does_not_block_another() {
    blocks_nobody_else(Effect::HttpStatus { status: 500, body: String::new(), taken: false }).await;
}

/// The response is like that of a proxy that inspects the content.
#[tokio::test]
async fn a_refusal_on_the_way_for_one_member_does_not_block_another() {
    blocks_nobody_else(Effect::HttpStatus { status: 403, body: String::new(), taken: false }).await;
}

#[tokio::test]
async fn calls_that_time_out_for_one_member_do_not_block_another() {
    blocks_nobody_else(Effect::Hang { taken: false }).await;
}

/// The delay before the retry is the default of one second.
#[tokio::test]
async fn a_message_in_retry_blocks_its_own_group_only() {
    let wecom = Wecom::live(Settings::default()).await;
    let relay = Relay::start(&wecom.url).await;
    wecom.sandbox.inject(Fault::errcode(-1).on(Api::MessageSend).times(1));
    relay.post(&payload("Stuck", &[("a", true)])).await;
    soon(wecom.sandbox.wait_until(|sandbox| sandbox.send_calls() == 1)).await;
    relay.post(&payload("Stuck", &[("a", false)])).await;
    relay.post(&payload("Other", &[("a", true)])).await;
    let seen = shown(&wecom, "zhangsan", 3).await;
    for (text, title) in seen.iter().zip(["[FIRING:1] Other ", "[FIRING:1] Stuck ", "[RESOLVED] Stuck "]) {
        assert!(text.starts_with(title), "{text}");
    }
    relay.stop().await;
}

#[tokio::test]
async fn an_unknown_errcode_for_one_member_does_not_block_another() {
    let wecom = Wecom::live(Settings::default()).await;
    let relay = Relay::with(&wecom.url, Options { receivers: BOTH.to_owned(), ..quick() }).await;
    wecom.sandbox.inject(Fault::errcode(67203).on(Api::MessageSend).for_member("lisi").times(2));
    post_to_other(&relay, "Stuck").await;
    relay.post(&payload("Group", &[("a", true)])).await;
    shown(&wecom, "zhangsan", 1).await;
    shown(&wecom, "lisi", 1).await;
    all_delivered(&relay, 2).await;
    relay.stop().await;
}

/// The timeout of a call is the default, and nobody waits for it.
#[tokio::test]
async fn a_call_that_hangs_does_not_block_another_member() {
    let wecom = Wecom::live(Settings::default()).await;
    let relay = Relay::with(&wecom.url, Options { receivers: BOTH.to_owned(), ..quick() }).await;
    wecom.sandbox.inject(Fault::new(Effect::Hang { taken: false }).on(Api::MessageSend).for_member("lisi"));
    for group in 0..3 {
        post_to_other(&relay, &format!("Stuck{group}")).await;
    }
    soon(wecom.sandbox.wait_until(|sandbox| sandbox.send_calls() == 3)).await;
    let flowing = async {
        for group in 0..15 {
            relay.post(&payload(&format!("Group{group}"), &[("a", true)])).await;
            shown(&wecom, "zhangsan", group + 1).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(9), flowing).await.unwrap();
    assert_eq!(wecom.sandbox.send_calls(), 18);
}

#[tokio::test]
async fn a_held_app_does_not_block_another_app() {
    let wecom = Wecom::live(Settings::default()).await;
    let receivers =
        "  - { name: wechat, app: ops, to_user: zhangsan }\n  - { name: other, app: second, to_user: \
                     lisi }\n"
            .to_owned();
    let relay = Relay::with(&wecom.url, Options { receivers, app: second_app(&wecom), ..quick() }).await;
    wecom.sandbox.inject(Fault::errcode(60020).on(Api::MessageSend).for_app(AGENT));
    relay.post(&payload("Held", &[("a", true)])).await;
    held(&relay, true).await;
    for group in 0..10 {
        post_to_other(&relay, &format!("Group{group}")).await;
    }
    shown(&wecom, "lisi", 10).await;
    assert!(seen_by(&wecom, "zhangsan").is_empty());
    wecom.sandbox.clear_faults();
    shown(&wecom, "zhangsan", 1).await;
    all_delivered(&relay, 11).await;
    relay.stop().await;
}
