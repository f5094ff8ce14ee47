//! A wall clock that is set, while the relay runs or is stopped, changes no decision.

use std::{sync::Arc, time::Duration};

use reqwest::Method;
use wecom_relay::{
    clock::Clock as _,
    outbox::{Filter, ListOrder, State},
    sandbox::{Api, Fault, Settings},
};

use super::{all_delivered, held, quick, seen_by, shown};
use crate::{
    outbox_conformance::fixture::list_all,
    support::{Gated, Gates, Options, Relay, ShiftedClock, Wecom, eventually, payload, soon},
};

const A_DAY: Duration = Duration::from_secs(24 * 3600);

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

/// A relay that may send three messages a minute to a member.
fn limited(clock: &Arc<ShiftedClock>, per_minute: u32) -> Options {
    Options {
        receivers: "  - { name: wechat, to_user: zhangsan }\n  - { name: other, to_user: lisi }\n".to_owned(),
        app: format!("    limits: {{ per_minute: {per_minute}, per_hour: 1000 }}\n"),
        clock: clock.clone(),
        ..quick()
    }
}

/// Posts an alert that must wait for a slot of the rate limiter.
async fn waits(wecom: &Wecom, relay: &Relay, group: &str) {
    relay.post(&payload(group, &[("a", true)])).await;
    let sent = wecom.sandbox.delivered_to("lisi").len();
    let other = payload(&format!("Other{group}"), &[("a", true)]);
    relay.request(Method::POST, "/webhook/other", other.to_string()).await;
    // The look that found this delivery has also seen the other one.
    shown(wecom, "lisi", sent + 1).await;
    assert_eq!(seen_by(wecom, "zhangsan").len(), 3);
}

#[tokio::test]
async fn a_clock_that_is_set_does_not_free_slots_at_a_restart() {
    for forward in [true, false] {
        let wecom = Wecom::live(Settings::default()).await;
        let clock = Arc::new(ShiftedClock::default());
        let relay = Relay::with(&wecom.url, limited(&clock, 3)).await;
        for group in ["1", "2", "3"] {
            relay.post(&payload(group, &[("a", true)])).await;
        }
        shown(&wecom, "zhangsan", 3).await;
        relay.settled(3).await;
        if forward {
            clock.set_forward(A_DAY);
        } else {
            clock.set_back(A_DAY);
        }
        relay.reload(&wecom.url, &limited(&clock, 2)).await;
        waits(&wecom, &relay, "reload").await;
        let folder = relay.stop().await;
        let relay = Relay::with(&wecom.url, Options { folder: Some(folder), ..limited(&clock, 3) }).await;
        waits(&wecom, &relay, "restart").await;
        let folder = relay.stop().await;
        // The time that passes frees them, at the first restart and at each later one.
        clock.advance(Duration::from_secs(61));
        let relay = Relay::with(&wecom.url, Options { folder: Some(folder), ..limited(&clock, 3) }).await;
        shown(&wecom, "zhangsan", 4).await;
        relay.stop().await;
    }
}

#[tokio::test]
async fn nothing_expires_while_the_clock_is_wrong() {
    let wecom = Wecom::live(Settings::default()).await;
    let clock = Arc::new(ShiftedClock::default());
    let options = || Options { clock: clock.clone(), ..quick() };
    let mut relay = Relay::with(&wecom.url, options()).await;
    wecom.sandbox.inject(Fault::errcode(-1).on(Api::MessageSend));
    relay.post(&payload("First", &[("a", true)])).await;
    relay.post(&payload("Second", &[("a", true)])).await;
    let tried = async |relay: &Relay| {
        let before = wecom.sandbox.send_calls();
        soon(wecom.sandbox.wait_until(|sandbox| sandbox.send_calls() > before + 2)).await;
        assert_eq!(relay.listed(&[State::Dead]).await, []);
    };
    tried(&relay).await;
    clock.set_forward(A_DAY);
    tried(&relay).await;
    let folder = relay.stop().await;
    relay = Relay::with(&wecom.url, Options { folder: Some(folder), ..options() }).await;
    tried(&relay).await;
    // The clock of a machine may be wrong by years after its boot.
    let folder = relay.stop().await;
    clock.reboot();
    clock.set_forward(10 * 365 * A_DAY);
    relay = Relay::with(&wecom.url, Options { folder: Some(folder), ..options() }).await;
    tried(&relay).await;
    clock.set_back(11 * 365 * A_DAY);
    wecom.sandbox.clear_faults();
    shown(&wecom, "zhangsan", 2).await;
    all_delivered(&relay, 2).await;
    relay.stop().await;
}

#[tokio::test]
async fn a_clock_that_is_set_changes_no_duplicate() {
    let wecom = Wecom::live(Settings::default()).await;
    let clock = Arc::new(ShiftedClock::default());
    let relay = Relay::with(&wecom.url, Options { clock: clock.clone(), ..quick() }).await;
    let firing = payload("Down", &[("a", true)]);
    relay.post(&firing).await;
    clock.set_forward(A_DAY);
    assert!(relay.post(&firing).await.starts_with("duplicate"));
    clock.set_back(2 * A_DAY);
    assert!(relay.post(&firing).await.starts_with("duplicate"));
    clock.advance(Duration::from_secs(120));
    assert!(relay.post(&firing).await.starts_with("accepted"));
    relay.stop().await;
}

#[tokio::test]
async fn times_are_shown_by_the_wall_clock_of_their_boot() {
    let wecom = Wecom::live(Settings::default()).await;
    let clock = Arc::new(ShiftedClock::default());
    // The clock is a year behind until it is corrected.
    let year = 365 * A_DAY;
    clock.set_back(year);
    let options = |folder| Options { clock: clock.clone(), folder, ..quick() };
    let relay = Relay::with(&wecom.url, options(None)).await;
    relay.post(&payload("Before", &[("a", true)])).await;
    relay.settled(1).await;
    clock.set_forward(year);
    let folder = relay.stop().await;
    let relay = Relay::with(&wecom.url, options(Some(folder))).await;
    let age = async |relay: &Relay, at: usize| {
        let listed = relay.settled(at + 1).await;
        let shown = relay.shown(listed[at].id.0).await;
        let started_at = shown.attempts[0].started_at;
        let oldest = [listed[at].accepted_at, listed[at].settled_at.unwrap(), started_at].into_iter().min();
        clock.now().duration_since(oldest.unwrap()).as_hours()
    };
    eventually(async || age(&relay, 0).await, |age| *age == 0).await;
    let folder = relay.stop().await;
    // The machine is off for ten days, of which relay time counts some hours only.
    clock.reboot();
    clock.set_forward(10 * A_DAY);
    let relay = Relay::with(&wecom.url, options(Some(folder))).await;
    relay.post(&payload("After", &[("a", true)])).await;
    eventually(async || [age(&relay, 0).await, age(&relay, 1).await], |ages| *ages == [240, 0]).await;
    let newer = Filter { accepted_since: Some(clock.now() - A_DAY), ..Filter::default() };
    assert_eq!(list_all(&relay.outbox, newer, ListOrder::OldestFirst, 9).await.len(), 1);
    relay.stop().await;
}

#[tokio::test]
async fn alerts_are_refused_until_the_time_is_known() {
    let wecom = Wecom::live(Settings::default()).await;
    let (clock, gates) = (Arc::new(ShiftedClock::default()), Arc::<Gates>::default());
    let folder = Relay::with(&wecom.url, Options { clock: clock.clone(), ..quick() }).await.stop().await;
    clock.reboot();
    clock.set_forward(A_DAY);
    gates.relay_time.fail();
    let options = Options { clock, folder: Some(folder), ..quick() };
    let relay = Relay::with_outbox(&wecom.url, options, |outbox| Gated::new(outbox, &gates)).await;
    let alert = payload("Down", &[("a", true)]);
    assert_eq!(relay.try_post(&alert).await, 503);
    gates.relay_time.open();
    eventually(async || relay.try_post(&alert).await, |status| *status == 200).await;
    shown(&wecom, "zhangsan", 1).await;
    relay.stop().await;
}
