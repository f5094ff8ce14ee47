//! `expire_after`: no delivery expires without a fresh attempt.

use std::{sync::Arc, time::Duration};

use wecom_relay::{
    outbox::State,
    sandbox::{Api, Fault, Settings},
};

use super::{all_delivered, held, quick, seen_by, shown};
use crate::support::{Options, Relay, ShiftedClock, Wecom, payload, soon};

const OVER_A_DAY: Duration = Duration::from_secs(25 * 3600);

/// The options of a relay that was stopped a day ago, while its app was held.
async fn a_day_later(wecom: &Wecom) -> Options {
    let clock = Arc::new(ShiftedClock::default());
    let options = || Options { clock: clock.clone(), ..quick() };
    let relay = Relay::with(&wecom.url, options()).await;
    wecom.sandbox.inject(Fault::errcode(60020).on(Api::MessageSend));
    relay.post(&payload("First", &[("a", true)])).await;
    held(&relay, true).await;
    relay.post(&payload("Second", &[("a", true)])).await;
    let folder = relay.stop().await;
    clock.advance(OVER_A_DAY);
    wecom.sandbox.clear_faults();
    Options { folder: Some(folder), ..options() }
}

#[tokio::test]
async fn an_expired_alert_is_delivered_if_a_fresh_attempt_succeeds() {
    let wecom = Wecom::live(Settings::default()).await;
    let options = a_day_later(&wecom).await;
    let relay = Relay::with(&wecom.url, options).await;
    shown(&wecom, "zhangsan", 2).await;
    all_delivered(&relay, 2).await;
    relay.stop().await;
}

#[tokio::test]
async fn an_expired_alert_is_dead_after_one_failed_fresh_attempt() {
    let wecom = Wecom::live(Settings::default()).await;
    let options = a_day_later(&wecom).await;
    let clock = options.clock.clone();
    let before = wecom.sandbox.send_calls();
    wecom.sandbox.inject(Fault::errcode(-1).on(Api::MessageSend));
    let relay = Relay::with(&wecom.url, options).await;
    let dead = soon(relay.settled(2)).await;
    for (delivery, summary) in dead.iter().zip(["[FIRING:1] First ", "[FIRING:1] Second "]) {
        assert_eq!(delivery.state, State::Dead);
        assert!(delivery.summary.starts_with(summary), "{}", delivery.summary);
        assert!(delivery.reason.contains("expire_after"), "{}", delivery.reason);
        let last = relay.shown(delivery.id.0).await.attempts.pop().unwrap();
        assert!(clock.wall().duration_since(last.started_at).as_mins() < 5);
    }
    assert_eq!(wecom.sandbox.send_calls(), before + 2);
    // A new alert has not expired.
    wecom.sandbox.clear_faults();
    relay.post(&payload("Third", &[("a", true)])).await;
    shown(&wecom, "zhangsan", 1).await;
    relay.stop().await;
    assert_eq!(seen_by(&wecom, "zhangsan").len(), 1);
}
