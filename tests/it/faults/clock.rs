//! A wall clock that is set back does not delay deliveries.

use std::{sync::Arc, time::Duration};

use wecom_relay::sandbox::{Api, Effect, Fault, Settings};

use super::{held, quick, shown};
use crate::support::{Options, Relay, ShiftedClock, Wecom, payload};

/// The distances by which the clock is set back.
const STEPS: [Duration; 2] = [Duration::from_secs(300), Duration::from_secs(3600)];

/// A relay with a held app, and its clock. One alert was attempted and one was not.
async fn held_relay(wecom: &Wecom) -> (Relay, Arc<ShiftedClock>) {
    let clock = Arc::new(ShiftedClock::default());
    let relay = Relay::with(&wecom.url, Options { clock: clock.clone(), ..quick() }).await;
    wecom.sandbox.inject(Fault::errcode(60020).on(Api::MessageSend));
    relay.post(&payload("First", &[("a", true)])).await;
    held(&relay, true).await;
    relay.post(&payload("Second", &[("a", true)])).await;
    (relay, clock)
}

#[tokio::test]
async fn a_clock_set_back_while_the_relay_runs_delays_nothing() {
    for step in STEPS {
        let wecom = Wecom::live(Settings::default()).await;
        let (relay, clock) = held_relay(&wecom).await;
        clock.set_back(step);
        wecom.sandbox.clear_faults();
        shown(&wecom, "zhangsan", 2).await;
        relay.post(&payload("Third", &[("a", true)])).await;
        shown(&wecom, "zhangsan", 3).await;
        relay.stop().await;
    }
}

#[tokio::test]
async fn a_clock_set_back_while_the_relay_is_stopped_delays_nothing() {
    for step in STEPS {
        let wecom = Wecom::live(Settings::default()).await;
        let (relay, clock) = held_relay(&wecom).await;
        let folder = relay.stop().await;
        clock.set_back(step);
        wecom.sandbox.clear_faults();
        let relay = Relay::with(&wecom.url, Options { clock, folder: Some(folder), ..quick() }).await;
        shown(&wecom, "zhangsan", 2).await;
        relay.stop().await;
    }
}

#[tokio::test]
async fn a_clock_set_back_does_not_delay_a_queued_delivery() {
    let wecom = Wecom::live(Settings::default()).await;
    let clock = Arc::new(ShiftedClock::default());
    let relay = Relay::with(&wecom.url, Options { clock: clock.clone(), ..quick() }).await;
    let slow = Fault::new(Effect::Latency(Duration::from_millis(300))).on(Api::MessageSend);
    wecom.sandbox.inject(slow.times(1));
    relay.post(&payload("OrderingKey", &[("a", true)])).await;
    wecom.sandbox.wait_until(|sandbox| sandbox.send_calls() == 1).await;
    relay.post(&payload("OrderingKey", &[("a", false)])).await;
    // The relay does not notice a step this small.
    clock.set_back(Duration::from_secs(50));
    shown(&wecom, "zhangsan", 2).await;
    // By the relay's clock the second message was sent before the first one, so it did not wait until the clock had
    // passed that time again.
    let settled = relay.settled(2).await;
    let (first, second) = (relay.shown(settled[0].id.0).await, relay.shown(settled[1].id.0).await);
    assert!(second.attempts[0].started_at < first.attempts[0].started_at, "{first:?} {second:?}");
    relay.stop().await;
}
