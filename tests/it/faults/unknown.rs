//! Unknown errcodes: three attempts for one message among others that succeed. If none succeeds, the sender is held.

use std::{sync::Arc, time::Duration};

use wecom_relay::{
    outbox::State,
    sandbox::{Api, Effect, Fault, Settings},
};

use super::{all_delivered, held, quick, second_app, seen_by, shown};
use crate::support::{AGENT, Options, Relay, ShiftedClock, Wecom, eventually, payload, redacted, soon};

const UNKNOWN: i64 = 999_001;
const BOTH: &str = "  - { name: wechat, to_user: zhangsan }\n  - { name: other, to_user: lisi }\n";

/// Posts alerts for lisi until `is_over`. They arrive.
async fn post_others_until(relay: &Relay, is_over: impl AsyncFn() -> bool) {
    let mut group = 0;
    let round = async || {
        group += 1;
        let alert = payload(&format!("Other{group}"), &[("a", true)]).to_string();
        relay.request(reqwest::Method::POST, "/webhook/other", alert).await;
        is_over().await
    };
    eventually(round, |over| *over).await;
}

async fn has_dead_letter(relay: &Relay) -> bool {
    !relay.listed(&[State::Dead]).await.is_empty()
}

#[tokio::test]
async fn an_unknown_errcode_among_successes_has_three_attempts() {
    let wecom = Wecom::live(Settings::default()).await;
    let relay = Relay::with(&wecom.url, Options { receivers: BOTH.to_owned(), ..quick() }).await;
    let on_zhangsan = |errcode| Fault::errcode(errcode).on(Api::MessageSend).for_member("zhangsan");
    wecom.sandbox.inject(on_zhangsan(-1).times(2));
    wecom.sandbox.inject(on_zhangsan(UNKNOWN));
    relay.post(&payload("Down", &[("a", true)])).await;
    post_others_until(&relay, async || has_dead_letter(&relay).await).await;
    let dead = relay.listed(&[State::Dead]).await.remove(0);
    assert!(dead.reason.ends_with("; tried 3 times"), "{}", dead.reason);
    relay.stop().await;
    assert!(seen_by(&wecom, "zhangsan").is_empty());
}

/// The codes take turns, so no code comes often. One group fails, or several do.
#[tokio::test]
async fn unknown_errcodes_for_all_hold_the_sender_and_nothing_dies() {
    for groups in [1, 6] {
        let wecom = Wecom::live(Settings::default()).await;
        let receivers =
            "  - { name: wechat, app: ops, to_user: zhangsan, fallback: oncall, fallback_after: 5m }\n  \
                         - { name: oncall, app: second, to_user: lisi }\n"
                .to_owned();
        let clock = Arc::new(ShiftedClock::default());
        let options = Options { receivers, app: second_app(&wecom), clock: clock.clone(), ..quick() };
        let relay = Relay::with(&wecom.url, options).await;
        for errcode in (0..20).map(|number| UNKNOWN + number % 3) {
            wecom.sandbox.inject(Fault::errcode(errcode).on(Api::MessageSend).for_app(AGENT).times(1));
        }
        for group in 0..groups {
            relay.post(&payload(&format!("Group{group}"), &[("a", true)])).await;
        }
        held(&relay, true).await;
        clock.advance(Duration::from_secs(301));
        let notice = shown(&wecom, "lisi", 1).await.remove(0);
        assert!(notice.starts_with(&format!("[HELD] {groups} message")), "{notice}");
        assert!(redacted(&notice).contains("the unknown errcode 99900"), "{notice}");
        shown(&wecom, "zhangsan", groups).await;
        // The notice is a delivery, too.
        all_delivered(&relay, groups + 1).await;
        held(&relay, false).await;
        relay.stop().await;
        assert_eq!(seen_by(&wecom, "zhangsan").len(), groups);
    }
}

/// The replies have codes that concern a message or a recipient elsewhere, an unknown code, and HTTP statuses.
#[tokio::test]
async fn no_answer_of_gettoken_kills_a_message() {
    let errcode = |errcode| Effect::Errcode { errcode, errmsg: None, taken: false };
    let status = |status| Effect::HttpStatus { status, body: String::new(), taken: false };
    for effect in [errcode(50005), errcode(40058), errcode(81013), errcode(40003), status(403), status(418)] {
        let wecom = Wecom::live(Settings::default()).await;
        let relay = Relay::with(&wecom.url, quick()).await;
        wecom.sandbox.inject(Fault::new(effect.clone()).on(Api::Gettoken).times(5));
        relay.post(&payload("Down", &[("a", true)])).await;
        held(&relay, true).await;
        shown(&wecom, "zhangsan", 1).await;
        all_delivered(&relay, 1).await;
        assert_eq!((wecom.sandbox.gettoken_calls(), wecom.sandbox.send_calls()), (6, 1), "{effect:?}");
        relay.stop().await;
    }
}

#[tokio::test]
async fn an_alert_survives_a_passing_unknown_errcode() {
    let wecom = Wecom::live(Settings::default()).await;
    let relay = Relay::with(&wecom.url, quick()).await;
    wecom.sandbox.inject(Fault::errcode(UNKNOWN).on(Api::MessageSend).times(2));
    relay.post(&payload("Down", &[("a", true)])).await;
    assert_eq!(shown(&wecom, "zhangsan", 1).await.len(), 1);
    all_delivered(&relay, 1).await;
    assert_eq!(wecom.sandbox.send_calls(), 3);
    relay.stop().await;
}

#[tokio::test]
async fn attempts_before_a_restart_count() {
    let wecom = Wecom::live(Settings::default()).await;
    let relay = Relay::with(&wecom.url, Options { receivers: BOTH.to_owned(), ..quick() }).await;
    wecom.sandbox.inject(Fault::errcode(UNKNOWN).on(Api::MessageSend).for_member("zhangsan"));
    relay.post(&payload("Down", &[("a", true)])).await;
    soon(wecom.sandbox.wait_until(|sandbox| sandbox.send_calls() >= 2)).await;
    let folder = relay.stop().await;
    let before = wecom.sandbox.send_calls();
    let options = Options { receivers: BOTH.to_owned(), folder: Some(folder), ..quick() };
    let relay = Relay::with(&wecom.url, options).await;
    soon(wecom.sandbox.wait_until(|sandbox| sandbox.send_calls() > before)).await;
    post_others_until(&relay, async || has_dead_letter(&relay).await).await;
    relay.stop().await;
}
