//! `outbox`, beside a running relay.

use serde_json::Value;
use wecom_relay::{
    outbox::State,
    sandbox::{Api, Fault},
};

use super::{Place, command, run};
use crate::support::{Options, Relay, Wecom, payload, payload_at};

/// A relay, and a place to run commands that use its outbox.
struct Beside {
    wecom: Wecom,
    relay: Relay,
    place: Place,
}

impl Beside {
    async fn start() -> Self {
        let wecom = Wecom::start().await;
        let relay = Relay::start(&wecom.url).await;
        let place = Place::of(&Options::default().yaml(&wecom.url, &relay.folder));
        Self { wecom, relay, place }
    }

    /// With one dead letter, which WeCom refused with 40008.
    async fn with_dead_letter() -> Self {
        let beside = Self::start().await;
        beside.wecom.sandbox.inject(Fault::errcode(40008).on(Api::MessageSend).times(1));
        beside.relay.post(&payload("Down", &[("a", true)])).await;
        beside.relay.settled(1).await;
        beside
    }
}

async fn list(place: &Place, args: &[&str]) -> Vec<Value> {
    let args: Vec<&str> = ["outbox", "list", "--json"].iter().chain(args).copied().collect();
    let out = place.run(&args).await.success();
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn a_dead_letter_is_listed_shown_and_sent_when_it_is_tried_again() {
    let beside = Beside::with_dead_letter().await;
    let Beside { wecom, relay, place } = &beside;
    let table = place.run(&["outbox", "list", "--state", "dead", "--receiver", "wechat"]).await.success();
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("ID  STATE  RECEIVER  AGE"), "{table}");
    assert!(lines[1].starts_with("1   dead   wechat    "), "{table}");
    assert!(lines[1].contains("Down") && lines[1].contains("errcode 40008"), "{table}");
    assert_eq!(lines.len(), 2, "{table}");

    let shown = place.run(&["outbox", "show", "1"]).await.success();
    for part in [
        "delivery:   1, part 1 of 1 of notification 1 (alert, firing)\n",
        "state:      dead since 20",
        "receiver:   wechat, over app ops\n",
        "to:         user zhangsan\n",
        "attempts:   1 made, ",
        " s  errcode 40008  message/send answered errcode 40008: ",
        "  | [FIRING:1] Down ",
    ] {
        assert!(shown.contains(part), "{part:?} is not in {shown}");
    }
    let json: Value =
        serde_json::from_str(&place.run(&["outbox", "show", "1", "--json"]).await.success()).unwrap();
    assert_eq!((&json["state"], &json["touser"]), (&Value::from("dead"), &Value::from("zhangsan")));
    assert_eq!(json["history"][0]["errcode"], 40008);
    assert_eq!(json["accepted_at"].as_str().unwrap().len(), "2026-11-21T08:00:00Z".len());

    let told = place.run(&["outbox", "retry", "1"]).await.success();
    assert_eq!(
        told,
        "delivery 1 is tried again; the running relay sends it as soon as its app is not held\n"
    );
    let seen = wecom.sandbox.wait_for_delivered("zhangsan", 1).await;
    assert!(seen[0].text.starts_with("[FIRING:1] Down "));
    relay.settled(1).await;
    let shown = place.run(&["outbox", "show", "1"]).await.success();
    assert!(shown.contains("state:      delivered since 20"), "{shown}");
    assert!(shown.contains(&format!("msgid:      {}\n", seen[0].msgid)), "{shown}");
    let told = place.run(&["outbox", "retry", "1"]).await.failure(1);
    assert_eq!(
        told,
        "delivery 1 is not tried again: it is delivered; WeCom has taken it, and nothing is sent twice\n"
    );
    beside.relay.stop().await;
}

#[tokio::test]
async fn all_dead_letters_are_tried_again_at_once() {
    let beside = Beside::start().await;
    let Beside { wecom, relay, place } = &beside;
    assert_eq!(place.run(&["outbox", "retry", "--all-dead"]).await.success(), "there are no dead letters\n");
    wecom.sandbox.inject(Fault::errcode(40008).on(Api::MessageSend).times(2));
    relay.post(&payload("Down", &[("a", true)])).await;
    relay.post(&payload("Slow", &[("a", true)])).await;
    relay.settled(2).await;
    let told = place.run(&["outbox", "retry", "--all-dead"]).await.success();
    assert_eq!(told, "2 dead letter(s) wait again; the running relay sends them\n");
    wecom.sandbox.wait_for_delivered("zhangsan", 2).await;
    beside.relay.stop().await;
}

#[tokio::test]
async fn a_dead_letter_is_discarded_once() {
    let beside = Beside::with_dead_letter().await;
    let place = &beside.place;
    let told = place.run(&["outbox", "discard", "1"]).await.success();
    assert_eq!(told, "delivery 1 is discarded; `wecom-relay outbox retry 1` takes that back\n");
    let told = place.run(&["outbox", "discard", "1"]).await.failure(1);
    assert_eq!(told, "delivery 1 is not discarded: it is discarded; that was done before\n");
    assert_eq!(list(place, &["--state", "discarded"]).await.len(), 1);
    assert!(list(place, &["--state", "dead"]).await.is_empty());
    beside.relay.stop().await;
}

#[tokio::test]
async fn a_delivery_that_there_is_not_fails_with_a_sentence() {
    let beside = Beside::start().await;
    for command in ["show", "retry", "discard"] {
        let told = beside.place.run(&["outbox", command, "77"]).await.failure(1);
        assert!(told.starts_with("there is no delivery 77; `wecom-relay outbox list` shows"), "{told}");
    }
    let ended = beside.place.run(&["outbox", "list"]).await;
    assert_eq!((ended.code, ended.out.as_str(), ended.err.as_str()), (Some(0), "", "the outbox is empty\n"));
    let ended = beside.place.run(&["outbox", "list", "--state", "dead"]).await;
    assert_eq!(ended.err, "no delivery is like that\n");
    beside.relay.stop().await;
}

#[tokio::test]
async fn a_list_goes_through_all_pages_and_keeps_to_its_filters() {
    let Beside { wecom, relay, place } = Beside::start().await;
    wecom.sandbox.inject(Fault::errcode(60020).on(Api::MessageSend));
    let posts = (0..1201).map(|number| {
        let relay = &relay;
        async move {
            relay.post(&payload_at(&format!("Group{number}"), &[("a", true)], "2026-11-21T08:00:00Z")).await
        }
    });
    futures_util::future::join_all(posts).await;
    // Without a relay nothing moves, and the command works as well.
    let _folder = relay.stop().await;
    let all = list(&place, &[]).await;
    let ids: Vec<i64> = all.iter().map(|one| one["id"].as_i64().unwrap()).collect();
    assert!(ids.len() >= 1201 && ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    assert_eq!(list(&place, &["--limit", "700"]).await, all[..700]);
    assert_eq!(list(&place, &["--newer-than", "1h"]).await, all);
    assert_eq!(list(&place, &["--receiver", "wechat"]).await, all);
    assert!(list(&place, &["--older-than", "1h"]).await.is_empty());
    assert!(list(&place, &["--receiver", "another"]).await.is_empty());
    let table = place.run(&["outbox", "list"]).await.success();
    assert_eq!(table.lines().count(), ids.len() + 1);

    let mut count = 0;
    for state in State::ALL {
        let listed = list(&place, &["--state", state.name()]).await;
        assert!(listed.iter().all(|one| one["state"] == state.name()));
        count += listed.len();
    }
    assert_eq!(count, ids.len());
    let states: Vec<&str> = State::ALL.iter().flat_map(|state| ["--state", state.name()]).collect();
    assert_eq!(list(&place, &states).await, all);
}

#[tokio::test]
async fn what_a_digest_tells_is_listed_by_it() {
    let Beside { wecom: _wecom, relay, place } = Beside::start().await;
    let posts = (0..60).map(|number| {
        let relay = &relay;
        async move {
            relay.post(&payload_at(&format!("Group{number}"), &[("a", true)], "2026-11-21T08:00:00Z")).await
        }
    });
    futures_util::future::join_all(posts).await;
    relay.settled(61).await;
    let all = list(&place, &[]).await;
    let digest = all.iter().find(|one| one["kind"] == "digest").unwrap()["id"].as_i64().unwrap();
    let told = list(&place, &["--digest", &digest.to_string()]).await;
    assert!(!told.is_empty() && told.iter().all(|one| one["digest"] == digest), "{told:?}");
    let table = place.run(&["outbox", "list", "--digest", &digest.to_string()]).await.success();
    assert!(table.lines().skip(1).all(|line| line.contains(&format!("told by digest {digest}"))), "{table}");
    let shown = place.run(&["outbox", "show", &told[0]["id"].to_string()]).await.success();
    assert!(shown.contains(&format!("digest:     told by delivery {digest}\n")), "{shown}");
    relay.stop().await;
}

#[tokio::test]
async fn a_list_may_be_cut_by_its_reader() {
    let beside = Beside::with_dead_letter().await;
    let mut list = command(&["outbox", "list"]);
    list.current_dir(beside.place.folder.path()).stdout(std::process::Stdio::piped());
    let mut child = list.spawn().unwrap();
    drop(child.stdout.take());
    let status = tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap();
    assert_eq!(status.code(), Some(0));
    beside.relay.stop().await;
}

#[tokio::test]
async fn without_an_outbox_the_command_says_where_it_looked() {
    let place = Place::with(&Options::default(), "http://127.0.0.1:9");
    let told = place.run(&["outbox", "list"]).await.failure(1);
    assert!(told.contains("there is no outbox at ") && told.contains("outbox.db"), "{told}");
    assert!(!place.folder.path().join("outbox.db").exists());
    let named = place.folder.path().join("config.yml");
    let elsewhere = command(&["outbox", "list", "--config", named.to_str().unwrap()]);
    assert_eq!(run(elsewhere, String::new()).await.failure(1), told);
}
