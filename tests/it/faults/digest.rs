//! A digest with one line that WeCom or a firewall does not let pass.

use std::sync::Arc;

use reqwest::Method;
use tempfile::TempDir;
use wecom_relay::{
    app::Tuning,
    clock::{Clock, SystemClock},
    outbox::{Changed, OutboxQuery, Requeue, State},
    sandbox::{Api, Effect, Fault, Moment},
};

use super::{second_app, seen_by, shown};
use crate::{
    storm,
    support::{Options, Relay, Wecom, eventually, payload, short_delays, soon},
};

const GROUPS: usize = 200;
/// The group whose text does not pass.
const BAD: usize = 77;

fn name(group: usize) -> String {
    format!("{}{group:03}", if group == BAD { "Poison" } else { "Storm" })
}

fn good() -> impl Iterator<Item = usize> {
    (0..GROUPS).filter(|group| *group != BAD)
}

/// The number of times that zhangsan sees `group`, as a message or as a line of a digest.
fn times_seen(wecom: &Wecom, group: usize) -> usize {
    seen_by(wecom, "zhangsan").iter().filter(|text| text.contains(&name(group))).count()
}

async fn relay(wecom: &Wecom, folder: Option<Arc<TempDir>>) -> Relay {
    let receivers = "  - { name: wechat, app: ops, to_user: zhangsan, fallback: oncall }\n  - { name: oncall, app: second, \
                     to_user: lisi }\n  - { name: busy, app: ops, to_user: wangwu }\n"
        .to_owned();
    let (windows, _) = storm::windows();
    let tuning = Tuning { windows, ..short_delays() };
    let options = Options { receivers, app: second_app(wecom), tuning, folder, ..Options::default() };
    Relay::with(&wecom.url, options).await
}

/// A storm of notifications, one of which meets `effect`.
async fn storm_with(effect: Effect) -> (Wecom, Relay) {
    let (_, settings) = storm::windows();
    let wecom = Wecom::live(settings).await;
    wecom.sandbox.inject(Fault::new(effect).on(Api::MessageSend).for_text("Poison"));
    let relay = relay(&wecom, None).await;
    let posts = (0..GROUPS).map(async |group| relay.post(&payload(&name(group), &[("a", true)])).await);
    futures_util::future::join_all(posts).await;
    (wecom, relay)
}

async fn all_good_ones_are_seen_once(wecom: &Wecom) {
    let seen = || seen_by(wecom, "zhangsan").concat();
    let are_all_seen = || {
        let seen = seen();
        good().all(|group| seen.contains(&name(group)))
    };
    soon(wecom.sandbox.wait_until(|_| are_all_seen())).await;
    let repeated: Vec<_> = good().filter(|group| times_seen(wecom, *group) != 1).collect();
    assert!(repeated.is_empty(), "{repeated:?}");
}

const REFUSED: Effect = Effect::Errcode { errcode: 40058, errmsg: None, taken: false };

#[tokio::test]
async fn one_refused_line_kills_its_own_alert_only() {
    let (wecom, relay) = storm_with(REFUSED).await;
    all_good_ones_are_seen_once(&wecom).await;
    let dead = eventually(async || relay.listed(&[State::Dead]).await, |dead| !dead.is_empty()).await;
    assert_eq!(dead.len(), 1, "{dead:#?}");
    assert!(dead[0].summary.contains("Poison"), "{dead:#?}");
    let undone = relay.listed(&[State::Discarded]).await;
    assert!((1..=8).contains(&undone.len()), "{undone:#?}");
    // The first notice has the refused line.
    let notices = shown(&wecom, "lisi", 1).await;
    insta::assert_snapshot!(notices.concat(), @"[UNDELIVERED] 1 message for receiver wechat could not be delivered: wecom-relay outbox list");
    // The requeued one takes no other alert along.
    for group in 0..3 {
        relay.post(&payload(&format!("New{group}"), &[("a", true)])).await;
    }
    assert_eq!(relay.outbox.requeue(Requeue::AllDead, SystemClock.now()).await, Ok(Changed::Deliveries(1)));
    let are_seen =
        || (0..3).all(|group| seen_by(&wecom, "zhangsan").concat().contains(&format!("New{group}")));
    soon(wecom.sandbox.wait_until(|_| are_seen())).await;
    eventually(async || relay.listed(&[State::Dead]).await, |dead| dead.len() == 1).await;
    wecom.sandbox.clear_faults();
    relay.outbox.requeue(Requeue::AllDead, SystemClock.now()).await.unwrap();
    soon(wecom.sandbox.wait_until(|_| times_seen(&wecom, BAD) == 1)).await;
    assert_eq!(storm::dropped(&wecom), 0);
    relay.stop().await;
}

#[tokio::test]
async fn a_restart_goes_on_with_the_halving_of_digests() {
    let (wecom, relay) = storm_with(REFUSED).await;
    eventually(async || relay.listed(&[State::Discarded]).await, |undone| !undone.is_empty()).await;
    let folder = relay.stop().await;
    let relay = self::relay(&wecom, Some(folder)).await;
    all_good_ones_are_seen_once(&wecom).await;
    let dead = eventually(async || relay.listed(&[State::Dead]).await, |dead| !dead.is_empty()).await;
    assert_eq!(dead.len(), 1, "{dead:#?}");
    assert!(relay.listed(&[State::Discarded]).await.len() <= 8);
    relay.stop().await;
}

/// The line is refused on the way to WeCom, so the relay cannot know whether the message was accepted. Messages to another
/// member show that WeCom can be reached.
async fn good_ones_pass_a_firewall(effect: Effect) {
    let (wecom, relay) = storm_with(effect).await;
    let others = async {
        for number in 0.. {
            let body = payload(&format!("Busy{number}"), &[("a", true)]).to_string();
            assert_eq!(relay.request(Method::POST, "/webhook/busy", body).await.0, 200);
            let seen = || seen_by(&wecom, "wangwu").concat().contains(&format!("Busy{number}"));
            soon(wecom.sandbox.wait_until(|_| seen())).await;
        }
    };
    tokio::select! {
        () = others => {}
        () = all_good_ones_are_seen_once(&wecom) => {}
    }
    assert_eq!(times_seen(&wecom, BAD), 0);
    let dead = relay.listed(&[State::Dead]).await;
    assert!(dead.iter().all(|dead| dead.summary.contains("Poison")), "{dead:#?}");
    relay.stop().await;
}

#[tokio::test]
async fn a_line_that_a_firewall_refuses_delays_no_other_for_long() {
    let blocked = Effect::HttpStatus { status: 403, body: "blocked".to_owned(), taken: false };
    good_ones_pass_a_firewall(blocked).await;
}

#[tokio::test]
async fn a_line_that_a_proxy_fails_on_delays_no_other_for_long() {
    good_ones_pass_a_firewall(Effect::HttpStatus { status: 500, body: String::new(), taken: false }).await;
}

#[tokio::test]
async fn a_line_that_closes_the_connection_delays_no_other_for_long() {
    good_ones_pass_a_firewall(Effect::Drop(Moment::Before)).await;
}

#[tokio::test]
async fn a_refused_line_is_found_although_nothing_else_is_sent() {
    for effect in [
        Effect::HttpStatus { status: 403, body: "blocked".to_owned(), taken: false },
        Effect::Errcode { errcode: 999_001, errmsg: None, taken: false },
    ] {
        let (wecom, relay) = storm_with(effect).await;
        all_good_ones_are_seen_once(&wecom).await;
        assert_eq!(times_seen(&wecom, BAD), 0);
        relay.stop().await;
    }
}
