//! Metrics of deliveries, attempts and holds.

use std::{sync::Arc, time::Duration};

use wecom_relay::{
    app::Tuning,
    clock::Clock,
    delivery::rate_limiter::Windows,
    outbox::{Changed, Listed, OutboxQuery, State},
    sandbox::{Api, Effect, Fault, Settings},
};

use super::{quick, scrape, until, value, values};
use crate::support::{Options, Relay, ShiftedClock, Wecom, eventually, payload, short_delays, soon};

/// An errcode that is not in the table of errcodes.
const UNKNOWN: i64 = 999_001;

#[tokio::test]
async fn a_delivery_is_counted_with_its_attempts_and_latency() {
    let wecom = Wecom::live(Settings::default()).await;
    let tuning = Tuning { call_timeout: Duration::from_millis(300), ..short_delays() };
    let relay = Relay::with(&wecom.url, Options { tuning, ..Options::default() }).await;
    wecom.sandbox.inject(Fault::errcode(-1).on(Api::MessageSend).times(1));
    wecom.sandbox.inject(Fault::new(Effect::Hang { taken: false }).on(Api::MessageSend).times(1));
    wecom.sandbox.inject(Fault::errcode(UNKNOWN).on(Api::MessageSend).times(1));
    relay.post(&payload("Down", &[("a", true)])).await;
    soon(relay.settled(1)).await;
    let seen = values(
        &relay,
        [
            r#"wecom_relay_attempts_total{app="ops",errcode="-1"}"#,
            r#"wecom_relay_attempts_total{app="ops",errcode="none"}"#,
            r#"wecom_relay_attempts_total{app="ops",errcode="other"}"#,
            r#"wecom_relay_attempts_total{app="ops",errcode="0"}"#,
            r#"wecom_relay_request_duration_seconds_count{app="ops"}"#,
            r#"wecom_relay_deliveries_total{receiver="wechat",state="delivered",reason=""}"#,
            r#"wecom_relay_delivery_latency_seconds_count{receiver="wechat"}"#,
        ],
    )
    .await;
    assert_eq!(seen, [1.0, 1.0, 1.0, 1.0, 4.0, 1.0, 1.0]);
    let sums = [
        r#"wecom_relay_delivery_latency_seconds_sum{receiver="wechat"}"#,
        r#"wecom_relay_request_duration_seconds_sum{app="ops"}"#,
    ];
    // Both include the timeout; only the latency includes the pauses.
    let [latency, requests] = values(&relay, sums).await;
    assert!(requests >= 0.3 && latency > requests, "{latency} {requests}");
    relay.stop().await;
}

#[tokio::test]
async fn a_dead_letter_is_counted_with_its_reason() {
    let wecom = Wecom::live(Settings::default()).await;
    let receivers =
        "  - { name: wechat, to_user: zhangsan }\n  - { name: other, to_user: nobody }\n".to_owned();
    let clock = Arc::new(ShiftedClock::default());
    let relay = Relay::with(&wecom.url, Options { receivers, clock: clock.clone(), ..quick() }).await;
    let dead = |receiver: &str, reason: &str| {
        format!("wecom_relay_deliveries_total{{receiver=\"{receiver}\",state=\"dead\",reason=\"{reason}\"}}")
    };
    wecom.sandbox.inject(Fault::errcode(40008).on(Api::MessageSend).times(1));
    relay.post(&payload("Refused", &[("a", true)])).await;
    soon(relay.settled(1)).await;
    wecom.sandbox.inject(Fault::errcode(UNKNOWN).on(Api::MessageSend).for_member("zhangsan"));
    relay.post(&payload("Unknown", &[("a", true)])).await;
    soon(wecom.sandbox.wait_until(|sandbox| sandbox.send_calls() >= 2)).await;
    // This answer shows that the sender works, so the unknown errcode is about the message.
    let alert = payload("Nobody", &[("a", true)]).to_string();
    relay.request(reqwest::Method::POST, "/webhook/other", alert).await;
    soon(relay.settled(3)).await;
    wecom.sandbox.clear_faults();
    wecom.sandbox.inject(Fault::errcode(-1).on(Api::MessageSend));
    relay.post(&payload("Expired", &[("a", true)])).await;
    clock.advance(Duration::from_secs(25 * 3600));
    soon(relay.settled(4)).await;
    relay.post(&payload("Discarded", &[("a", true)])).await;
    let is_tried = |ready: &Vec<Listed>| ready.iter().any(|delivery| delivery.attempts > 0);
    let ready = eventually(async || relay.listed(&[State::Ready]).await, is_tried).await;
    // A delivery in flight is not discarded, and it may be in flight at this moment.
    let discard = async || relay.outbox.discard(ready[0].id, clock.now()).await.unwrap();
    eventually(discard, |changed| *changed == Changed::Deliveries(1)).await;
    let text = scrape(&relay).await;
    for (receiver, reason) in [
        ("wechat", "rejected"),
        ("wechat", "unknown_code"),
        ("other", "nobody"),
        ("wechat", "expired"),
        ("wechat", "discarded"),
    ] {
        assert_eq!(value(&text, &dead(receiver, reason)), Some(1.0), "{reason} in:\n{text}");
    }
    assert_eq!(value(&text, &dead("other", "rejected")), Some(0.0));
    // A second scrape does not count it again.
    assert_eq!(values(&relay, [dead("wechat", "discarded").as_str()]).await, [1.0]);
    relay.stop().await;
}

#[tokio::test]
async fn a_hold_is_exported_with_its_reason_until_it_ends() {
    let wecom = Wecom::live(Settings::default()).await;
    let relay = Relay::with(&wecom.url, quick()).await;
    let configuration = r#"wecom_relay_sender_held{app="ops",reason="configuration"}"#;
    let rate_limited = r#"wecom_relay_sender_held{app="ops",reason="rate_limited"}"#;
    for (round, (errcode, held, other)) in
        [(60020, configuration, rate_limited), (45009, rate_limited, configuration)].into_iter().enumerate()
    {
        wecom.sandbox.inject(Fault::errcode(errcode).on(Api::MessageSend));
        relay.post(&payload(&format!("Group{round}"), &[("a", true)])).await;
        until(&relay, held, |value| value == 1.0).await;
        assert_eq!(values(&relay, [other]).await, [0.0]);
        wecom.sandbox.clear_faults();
        until(&relay, held, |value| value == 0.0).await;
    }
    relay.stop().await;
}

#[tokio::test]
async fn a_hold_is_exported_after_a_restart() {
    let wecom = Wecom::live(Settings::default()).await;
    let relay = Relay::start(&wecom.url).await;
    let held = r#"wecom_relay_sender_held{app="ops",reason="rate_limited"}"#;
    wecom.sandbox.inject(Fault::errcode(45009).on(Api::MessageSend));
    relay.post(&payload("Down", &[("a", true)])).await;
    until(&relay, held, |value| value == 1.0).await;
    let folder = relay.stop().await;
    let relay = Relay::with(&wecom.url, Options { folder: Some(folder), ..Options::default() }).await;
    until(&relay, held, |value| value == 1.0).await;
    relay.stop().await;
}

#[tokio::test]
async fn rate_limit_waits_and_folded_notifications_are_counted() {
    let wecom = Wecom::live(Settings { member_limits: Vec::new(), ..Settings::default() }).await;
    let windows = Windows { minute: Duration::from_secs(1), hour: Duration::from_secs(60) };
    let (app, tuning) =
        ("    limits: { per_minute: 2, per_hour: 100 }\n".to_owned(), Tuning { windows, ..short_delays() });
    let relay = Relay::with(&wecom.url, Options { app, tuning, ..Options::default() }).await;
    let count = r#"wecom_relay_rate_limit_wait_seconds_count{app="ops"}"#;
    let sum = r#"wecom_relay_rate_limit_wait_seconds_sum{app="ops"}"#;
    let folded = r#"wecom_relay_folded_total{app="ops"}"#;
    relay.post(&payload("First", &[("a", true)])).await;
    soon(relay.settled(1)).await;
    assert_eq!(values(&relay, [count, sum, folded]).await, [1.0, 0.0, 0.0]);
    relay.post(&payload("Second", &[("a", true)])).await;
    soon(relay.settled(2)).await;
    let [_, before] = values(&relay, [count, sum]).await;
    for group in 0..4 {
        relay.post(&payload(&format!("Group{group}"), &[("a", true)])).await;
    }
    let open = [State::Ready, State::Queued, State::InFlight, State::Folded];
    eventually(async || relay.listed(&open).await, Vec::is_empty).await;
    let [waits, waited, folded] = values(&relay, [count, sum, folded]).await;
    assert!(waits > 2.0 && waited - before > 0.3, "{waits} {waited} {before}");
    assert_eq!(folded, relay.listed(&[]).await.iter().filter(|row| row.digest.is_some()).count() as f64);
    assert!(folded >= 2.0, "{folded}");
    relay.stop().await;
}

#[tokio::test]
async fn skipped_recipients_are_counted_by_kind() {
    let wecom = Wecom::live(Settings::default()).await;
    let receivers =
        "  - { name: wechat, to_user: zhangsan|nobody|sunqi, to_party: '99', to_tag: '77' }\n".to_owned();
    let relay = Relay::with(&wecom.url, Options { receivers, ..quick() }).await;
    relay.post(&payload("Down", &[("a", true)])).await;
    soon(relay.settled(1)).await;
    let text = scrape(&relay).await;
    let invalid = |kind: &str| {
        let series = format!("wecom_relay_invalid_recipients_total{{app=\"ops\",kind=\"{kind}\"}}");
        value(&text, &series).unwrap()
    };
    assert_eq!((invalid("invalidparty"), invalid("invalidtag")), (1.0, 1.0), "{text}");
    assert_eq!(invalid("invaliduser") + invalid("unlicenseduser"), 2.0, "{text}");
    relay.stop().await;
}
