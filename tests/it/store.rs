//! Problems with the outbox's file: no wrong 200, no lost alert, and no restart needed afterwards.

use std::{fs, path::Path, sync::Arc, time::Duration};

use reqwest::Method;
use rusqlite::Connection;
use serde_json::Value;
use wecom_relay::{
    clock::{Clock, SystemClock},
    outbox::{
        Changed, Outbox, OutboxQuery, Requeue, State,
        sqlite::{self, Access, SqliteOutbox},
    },
    sandbox::{Api, Effect, Fault, Settings},
};

use crate::support::{
    Gated, Gates, Options, Process, Relay, Wecom, config_file, eventually,
    members::{self, BY_MEMBER, member, payload_for},
    payload,
    process::serve,
    redacted, short_delays, soon,
};

/// A payload of about 50 kB.
fn large(member: &str, group: &str) -> Value {
    let names: Vec<String> = (0..120).map(|alert| format!("instance{alert}")).collect();
    let alerts: Vec<(&str, bool)> = names.iter().map(|name| (name.as_str(), true)).collect();
    payload_for(member, group, &alerts)
}

async fn get(relay: &Relay, path: &str) -> (u16, String) {
    relay.request(Method::GET, path, "").await
}

/// Posts large alerts until one is refused. Returns the number of accepted ones and the text of the refusal.
async fn fill(relay: &Relay) -> (usize, String) {
    for accepted in 0..10_000 {
        let body = large(&member(accepted % MEMBERS), &format!("Group{accepted}")).to_string();
        let (status, text) = relay.request(Method::POST, "/webhook", body).await;
        if status != 200 {
            assert_eq!(status, 503, "{text}");
            return (accepted, text);
        }
    }
    panic!("never full")
}

const MEMBERS: usize = 500;

/// True if a member was shown a message of `group`.
fn is_seen(wecom: &Wecom, group: &str) -> bool {
    let mark = format!("] {group} ");
    members::shown(&wecom.sandbox).iter().any(|text| text.contains(&mark))
}

fn untrusted_ip() -> Fault {
    Fault::errcode(60020).on(Api::MessageSend)
}

#[tokio::test]
async fn a_full_outbox_refuses_alerts_until_there_is_room() {
    let wecom = Wecom::with_members(MEMBERS).await;
    let outbox_settings =
        |settings| wecom_relay::outbox::sqlite::Settings { max_size_bytes: 450 << 10, ..settings };
    let relay = Relay::with(
        &wecom.url,
        Options {
            receivers: BY_MEMBER.to_owned(),
            outbox_settings,
            tuning: short_delays(),
            ..Options::default()
        },
    )
    .await;
    wecom.sandbox.inject(untrusted_ip());
    let (accepted, text) = fill(&relay).await;
    assert!(accepted > 0, "{accepted}");
    insta::assert_snapshot!(text, @"not accepted, try again: the outbox is full: it holds 0.4 MiB, and `outbox.max_size` is 0.4 MiB; find out why its deliveries wait (`wecom-relay outbox list`), or set a larger `outbox.max_size`");
    let (status, text) = get(&relay, "/-/ready").await;
    assert_eq!(status, 503);
    insta::assert_snapshot!(text, @"not accepted, try again: the outbox is full: it holds 0.4 MiB, and `outbox.max_size` is 0.4 MiB; find out why its deliveries wait (`wecom-relay outbox list`), or set a larger `outbox.max_size`");
    assert_eq!(get(&relay, "/-/healthy").await.0, 200);

    // An operator discards some deliveries, and purging them makes room.
    let clock = wecom_relay::clock::SystemClock;
    let now = wecom_relay::clock::Clock::now(&clock);
    let waiting = relay.listed(&[State::Ready, State::Queued, State::InFlight]).await;
    let mut notifications: Vec<_> = waiting.iter().map(|delivery| delivery.notification).collect();
    notifications.dedup();
    for delivery in waiting.iter().filter(|delivery| notifications[..2].contains(&delivery.notification)) {
        // The delivery that is sent as a probe cannot be discarded while it is in flight.
        let discard = async || relay.outbox.discard(delivery.id, now).await.unwrap();
        eventually(discard, |changed| *changed == Changed::Deliveries(1)).await;
    }
    relay.outbox.purge(now + Duration::from_secs(60), 100).await.unwrap();
    assert_eq!(get(&relay, "/-/ready").await.0, 200);
    relay.post(&payload_for("zhangsan", "Small", &[("a", true)])).await;

    // All accepted notifications are seen except the discarded ones.
    wecom.sandbox.clear_faults();
    soon(relay.settled(accepted - 1)).await;
    assert!((2..accepted).all(|group| is_seen(&wecom, &format!("Group{group}"))));
    assert!(is_seen(&wecom, "Small"));
    assert!(!is_seen(&wecom, "Group0") && !is_seen(&wecom, &format!("Group{accepted}")));
    relay.stop().await;
}

#[tokio::test]
async fn while_the_file_is_moved_away_nothing_is_accepted() {
    let wecom = Wecom::live(Settings::default()).await;
    let relay = Relay::with(&wecom.url, Options { tuning: short_delays(), ..Options::default() }).await;
    wecom.sandbox.inject(untrusted_ip());
    relay.post(&payload("First", &[("a", true)])).await;
    let path = |name: &str| relay.folder.path().join(name);
    fs::rename(path("outbox.db"), path("elsewhere.db")).unwrap();
    assert_eq!(relay.try_post(&payload("Second", &[("a", true)])).await, 503);
    let (status, text) = get(&relay, "/-/ready").await;
    assert_eq!(status, 503);
    insta::assert_snapshot!(redacted(&text), @"not accepted, try again: the outbox cannot be written or read: its file was deleted or replaced; deliveries that are left in it are sent first");
    fs::rename(path("elsewhere.db"), path("outbox.db")).unwrap();
    relay.post(&payload("Second", &[("a", true)])).await;
    wecom.sandbox.clear_faults();
    soon(relay.settled(2)).await;
    relay.stop().await;
    assert_eq!(wecom.sandbox.delivered_to("zhangsan").len(), 2);
}

#[tokio::test]
async fn a_deleted_file_is_drained_before_a_new_one_is_used() {
    let wecom = Wecom::live(Settings::default()).await;
    let relay = Relay::with(&wecom.url, Options { tuning: short_delays(), ..Options::default() }).await;
    wecom.sandbox.inject(untrusted_ip());
    relay.post(&payload("First", &[("a", true)])).await;
    for name in ["outbox.db", "outbox.db-wal", "outbox.db-shm"] {
        fs::remove_file(relay.folder.path().join(name)).unwrap();
    }
    assert_eq!(relay.try_post(&payload("Second", &[("a", true)])).await, 503);
    wecom.sandbox.clear_faults();
    soon(wecom.sandbox.wait_for_delivered("zhangsan", 1)).await;
    // Alertmanager also repeats a notification that was refused with 503.
    eventually(async || relay.try_post(&payload("Second", &[("a", true)])).await, |status| *status == 200)
        .await;
    soon(wecom.sandbox.wait_for_delivered("zhangsan", 2)).await;
    let folder = relay.stop().await;
    assert!(folder.path().join("outbox.db").exists());
    assert_eq!(wecom.sandbox.delivered_to("zhangsan").len(), 2);
}

#[tokio::test]
async fn a_locked_outbox_accepts_nothing_and_sends_nothing_twice() {
    let wecom = Wecom::live(Settings::default()).await;
    let outbox_settings = |settings| wecom_relay::outbox::sqlite::Settings {
        busy_timeout: Duration::from_millis(50),
        ..settings
    };
    let gates = Arc::new(Gates::default());
    let options = Options { outbox_settings, ..Options::default() };
    let relay = Relay::with_outbox(&wecom.url, options, |outbox| Gated::new(outbox, &gates)).await;
    let slow = Effect::Latency(Duration::from_millis(300));
    wecom.sandbox.inject(Fault::new(slow).on(Api::MessageSend).times(1));
    relay.post(&payload("First", &[("a", true)])).await;
    soon(wecom.sandbox.wait_until(|sandbox| sandbox.send_calls() == 1)).await;
    let other = Connection::open(relay.folder.path().join("outbox.db")).unwrap();
    other.busy_timeout(Duration::from_secs(5)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (status, text) =
        relay.request(Method::POST, "/webhook", payload("Second", &[("a", true)]).to_string()).await;
    assert_eq!(status, 503);
    insta::assert_snapshot!(redacted(&text), @"not accepted, try again: the outbox cannot be written or read: database is locked");
    assert_eq!(get(&relay, "/-/ready").await.0, 503);
    // The first attempt to store the result has failed when there is a second one.
    soon(gates.settle.reached(2)).await;
    other.execute_batch("ROLLBACK").unwrap();
    drop(other);
    soon(relay.settled(1)).await;
    relay.post(&payload("Second", &[("a", true)])).await;
    soon(relay.settled(2)).await;
    relay.stop().await;
    assert_eq!(wecom.sandbox.send_calls(), 2);
    assert_eq!(wecom.sandbox.delivered_to("zhangsan").len(), 2);
}

/// Asserts that `serve` refuses such a file and does not change it. Returns the log.
async fn is_refused(config: &Path, file: &Path, content: &[u8]) -> String {
    fs::write(file, content).unwrap();
    let mut relay = Process::launch(serve(config));
    assert_eq!(relay.ended().await.code(), Some(1), "{:?}", relay.log);
    assert_eq!(fs::read(file).unwrap(), content);
    relay.log.join("\n")
}

#[tokio::test]
async fn a_damaged_file_is_refused_at_the_start_and_left_alone() {
    let wecom = Wecom::live(Settings::default()).await;
    let (folder, config) = config_file(&wecom.url, &Options::default());
    let file = folder.path().join("outbox.db");
    let log = is_refused(&config, &file, "not a database at all\n".repeat(1000).as_bytes()).await;
    insta::assert_snapshot!(redacted(&log), @"wecom-relay: FOLDER/outbox.db is not an outbox: file is not a database; move it away, or set another `outbox.path`");

    // A valid outbox is cut in half.
    fs::remove_file(&file).unwrap();
    let mut relay = Process::start(&config).await;
    assert_eq!(relay.post(&large("zhangsan", "Down")).await, Some(200));
    relay.signal("TERM");
    assert!(relay.ended().await.success());
    let whole = fs::read(&file).unwrap();
    let log = is_refused(&config, &file, &whole[..whole.len() / 2]).await;
    insta::assert_snapshot!(redacted(&log), @"wecom-relay: FOLDER/outbox.db is not an outbox: database disk image is malformed; move it away, or set another `outbox.path`");
}

#[tokio::test]
async fn a_requeued_delivery_is_sent_at_once_even_beside_a_hung_call() {
    for hangs in [false, true] {
        let wecom = Wecom::live(Settings::default()).await;
        let relay = Relay::start(&wecom.url).await;
        wecom.sandbox.inject(Fault::errcode(40008).on(Api::MessageSend).times(1));
        relay.post(&payload("Dead", &[("a", true)])).await;
        soon(relay.settled(1)).await;
        if hangs {
            wecom.sandbox.inject(Fault::new(Effect::Hang { taken: false }).on(Api::MessageSend).times(1));
            relay.post(&payload("Hangs", &[("a", true)])).await;
            soon(wecom.sandbox.wait_until(|sandbox| sandbox.send_calls() == 2)).await;
        }
        let path = relay.folder.path().join("outbox.db");
        let guest = SqliteOutbox::open(sqlite::Settings::new(path, u64::MAX), Access::Guest).unwrap();
        guest.requeue(Requeue::AllDead, SystemClock.now()).await.unwrap();
        // The relay notices another process within a second. The hung call times out after ten.
        let delivered = wecom.sandbox.wait_for_delivered("zhangsan", 1);
        tokio::time::timeout(Duration::from_secs(8), delivered).await.unwrap();
    }
}
