//! Short outages with the default delays: few calls while they last, and delivery soon after their end.

use std::time::Duration;

use futures_util::future::join_all;
use wecom_relay::{
    clock::{Clock, SystemClock},
    sandbox::{Api, CallResponse, Effect, Fault},
};

use super::{all_delivered, seen_by};
use crate::support::{
    Options, Relay, Wecom,
    members::{BY_MEMBER, member, payload_for},
    soon,
};

const OUTAGE: Duration = Duration::from_secs(5);
/// The time from the end of the outage to the last delivery. The probes come 3 s after the end, so a slow machine has time.
const LATEST: Duration = Duration::from_secs(8);
/// Calls beyond one for each message, and one for the token.
const MAX_EXTRA_CALLS: usize = 10;

fn effects() -> Vec<Effect> {
    let errcode = |errcode| Effect::Errcode { errcode, errmsg: None, taken: false };
    let mut effects: Vec<Effect> = [45009, 40014, 42001, 60020, -1].map(errcode).into();
    effects.push(Effect::HttpStatus { status: 500, body: String::new(), taken: false });
    effects
}

/// An outage with `alerts` alerts for `members` members.
async fn outage(effect: Effect, alerts: usize, members: usize) {
    let wecom = Wecom::with_members(members).await;
    let relay =
        Relay::with(&wecom.url, Options { receivers: BY_MEMBER.to_owned(), ..Options::default() }).await;
    relay.post(&payload_for(&member(0), "First", &[("a", true)])).await;
    all_delivered(&relay, 1).await;

    let fault = Fault::new(effect.clone()).on(Api::MessageSend);
    let ends = SystemClock.now() + OUTAGE;
    wecom.sandbox.inject(fault.lasting(OUTAGE));
    let payload =
        |number: usize| payload_for(&member(number % members), &format!("Group{number}"), &[("a", true)]);
    let payloads: Vec<_> = (0..alerts).map(payload).collect();
    join_all(payloads.iter().map(|payload| relay.post(payload))).await;
    soon(wecom.sandbox.wait_until(|sandbox| {
        let seen: usize = (0..members).map(|number| sandbox.delivered_to(&member(number)).len()).sum();
        seen == alerts + 1
    }))
    .await;

    let calls = wecom.sandbox.calls();
    let mut delivered =
        calls.iter().filter(|call| call.api == Api::MessageSend && call.response == CallResponse::Errcode(0));
    let late = delivered.next_back().unwrap().at.duration_since(ends);
    let extra = calls.len() - (alerts + 1) - 1;
    let scene = format!("{effect:?}, {alerts} alerts for {members} members");
    assert!(late.unsigned_abs() <= LATEST, "{scene}: delivered {late:#} after the end");
    assert!(extra <= MAX_EXTRA_CALLS, "{scene}: {extra} extra calls");
    all_delivered(&relay, alerts + 1).await;
    relay.stop().await;
    let seen: usize = (0..members).map(|number| seen_by(&wecom, &member(number)).len()).sum();
    assert_eq!(seen, alerts + 1, "{scene}");
}

#[tokio::test]
async fn five_seconds_of_a_fault_delay_messages_by_a_few_seconds() {
    let scenes = [(1, 1), (5, 1), (5, 5)];
    let outages = scenes.map(|(alerts, members)| {
        join_all(effects().into_iter().map(move |effect| outage(effect, alerts, members)))
    });
    join_all(outages).await;
}
