//! A wall clock that is set back delays nothing.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use wecom_relay::sandbox::{Api, Effect, Fault, Settings};

use super::{held, quick, shown};
use crate::support::{Options, Relay, ShiftedClock, Wecom, payload};

/// How far it is set back.
const STEPS: [Duration; 2] = [Duration::from_secs(300), Duration::from_secs(3600)];

/// A relay that is held, with one alert that was tried and one that was not, and its clock.
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
async fn while_it_runs() {
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
async fn while_it_is_stopped() {
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
async fn for_what_stands_behind_another() {
    let wecom = Wecom::live(Settings::default()).await;
    let clock = Arc::new(ShiftedClock::default());
    let relay = Relay::with(&wecom.url, Options { clock: clock.clone(), ..quick() }).await;
    let slow = Fault::new(Effect::Latency(Duration::from_millis(300))).on(Api::MessageSend);
    wecom.sandbox.inject(slow.times(1));
    relay.post(&payload("OrderingKey", &[("a", true)])).await;
    wecom.sandbox.wait_until(|sandbox| sandbox.send_calls() == 1).await;
    relay.post(&payload("OrderingKey", &[("a", false)])).await;
    // Less than what counts as a clock that was set back.
    clock.set_back(Duration::from_secs(50));
    let (set_back, _) = (Instant::now(), shown(&wecom, "zhangsan", 2).await);
    assert!(set_back.elapsed() < Duration::from_secs(40));
    relay.stop().await;
}
