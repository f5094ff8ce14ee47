//! A wall clock that is set back delays nothing.

use std::{sync::Arc, time::Duration};

use wecom_relay::sandbox::{Api, Fault, Settings};

use super::{held, quick, shown};
use crate::support::{Options, Relay, ShiftedClock, Wecom, payload};

const HOUR: Duration = Duration::from_secs(3600);

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
    let wecom = Wecom::live(Settings::default()).await;
    let (relay, clock) = held_relay(&wecom).await;
    clock.set_back(HOUR);
    wecom.sandbox.clear_faults();
    shown(&wecom, "zhangsan", 2).await;
    relay.post(&payload("Third", &[("a", true)])).await;
    shown(&wecom, "zhangsan", 3).await;
    relay.stop().await;
}

#[tokio::test]
async fn while_it_is_stopped() {
    let wecom = Wecom::live(Settings::default()).await;
    let (relay, clock) = held_relay(&wecom).await;
    let folder = relay.stop().await;
    clock.set_back(HOUR);
    wecom.sandbox.clear_faults();
    let relay = Relay::with(&wecom.url, Options { clock, folder: Some(folder), ..quick() }).await;
    shown(&wecom, "zhangsan", 2).await;
    relay.stop().await;
}
