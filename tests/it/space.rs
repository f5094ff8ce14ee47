//! A full disk stops acceptance, not delivery.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rusqlite::Connection;
use tempfile::TempDir;
use wecom_relay::sandbox::{Api, Effect, Fault, Settings};

use crate::support::{
    Options, Process, Wecom, config_file, eventually,
    members::{self, BY_MEMBER, member, payload_for},
    process::{post, serve},
    small_disk::SmallDisk,
    soon,
};

const MEMBERS: usize = 500;

/// A configuration with the outbox on `disk`.
fn config_on(disk: &SmallDisk, wecom: &Wecom) -> (Arc<TempDir>, PathBuf) {
    let app = "    limits: { per_minute: 0, per_hour: 0 }\n".to_owned();
    let (folder, config) =
        config_file(&wecom.url, &Options { receivers: BY_MEMBER.to_owned(), app, ..Options::default() });
    let text = fs::read_to_string(&config).unwrap();
    let here = folder.path().join("outbox.db");
    assert!(text.contains(here.to_str().unwrap()), "{text}");
    let there = disk.path("outbox.db");
    fs::write(&config, text.replace(here.to_str().unwrap(), there.to_str().unwrap())).unwrap();
    (folder, config)
}

fn alert(number: usize) -> serde_json::Value {
    let names: Vec<String> = (0..20).map(|alert| format!("instance{alert}")).collect();
    let alerts: Vec<(&str, bool)> = names.iter().map(|name| (name.as_str(), true)).collect();
    payload_for(&member(number % MEMBERS), &format!("Group{number}"), &alerts)
}

/// Posts alerts until several are refused. Returns the numbers of the accepted ones.
async fn post_until_full(relay: &Process) -> Vec<usize> {
    let (mut accepted, mut refused) = (Vec::new(), 0);
    for number in 0..100_000 {
        match relay.post(&alert(number)).await {
            Some(200) => accepted.push(number),
            status => {
                assert_eq!(status, Some(503));
                refused += 1;
            }
        }
        if refused == 5 {
            return accepted;
        }
    }
    panic!("never full")
}

/// The numbers of the alerts that were shown.
fn seen(wecom: &Wecom) -> HashSet<usize> {
    let number = |text: &String| text.split_once("] Group")?.1.split_once(' ')?.0.parse().ok();
    members::shown(&wecom.sandbox).iter().filter_map(number).collect()
}

async fn all_are_seen(wecom: &Wecom, accepted: &[usize]) {
    let missing = async || {
        // A look reads all messages.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let seen = seen(wecom);
        accepted.iter().filter(|number| !seen.contains(number)).count()
    };
    eventually(missing, |missing| *missing == 0).await;
}

/// Everything waits for an access token, and nothing is attempted.
fn hangs() -> Fault {
    Fault::new(Effect::Hang { taken: false }).on(Api::Gettoken)
}

async fn status(relay: &Process, path: &str) -> u16 {
    relay.client.get(format!("{}{path}", relay.url)).send().await.unwrap().status().as_u16()
}

/// Fills the disk, once with alerts and then to the last byte, and lets the relay deliver.
async fn everything_is_delivered_from(disk: &SmallDisk, restart: Restart) {
    let wecom = Wecom::with_members(MEMBERS).await;
    let (_folder, config) = config_on(disk, &wecom);
    wecom.sandbox.inject(hangs());
    let relay = Process::start(&config).await;
    let accepted = post_until_full(&relay).await;
    assert!(accepted.len() > 20, "{}", accepted.len());
    disk.fill();
    let relay = restart.run(relay, disk, &config).await;
    assert_eq!(status(&relay, "/-/healthy").await, 200);
    wecom.sandbox.clear_faults();
    all_are_seen(&wecom, &accepted).await;
    let shown = members::shown(&wecom.sandbox);
    assert_eq!(shown.iter().collect::<HashSet<_>>().len(), shown.len(), "nothing is shown twice");
    disk.free();
    eventually(async || relay.post(&alert(100_000)).await, |status| *status == Some(200)).await;
    all_are_seen(&wecom, &[100_000]).await;
    let database = Connection::open(disk.path("outbox.db")).unwrap();
    let reserve = async || database.query_row("SELECT count(*) FROM reserve", [], |row| row.get(0)).unwrap();
    eventually(reserve, |rows: &i64| *rows == 1).await;
}

#[derive(Clone, Copy)]
enum Restart {
    None,
    Clean,
    Kill,
}

impl Restart {
    /// Another program takes the space that the relay may have left.
    async fn run(self, mut relay: Process, disk: &SmallDisk, config: &Path) -> Process {
        match self {
            Self::None => return relay,
            Self::Clean => {
                relay.signal("TERM");
                assert!(relay.ended().await.success());
            }
            Self::Kill => relay.kill().await,
        }
        disk.fill();
        Process::start(config).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stored_alerts_are_delivered_from_a_full_disk() {
    let Some(disk) = SmallDisk::memory(4) else { return };
    everything_is_delivered_from(&disk, Restart::None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_are_delivered_after_a_restart_on_a_full_disk() {
    let Some(disk) = SmallDisk::memory(4) else { return };
    everything_is_delivered_from(&disk, Restart::Clean).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_are_delivered_after_a_kill_on_a_full_disk() {
    let Some(disk) = SmallDisk::memory(4) else { return };
    everything_is_delivered_from(&disk, Restart::Kill).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stored_alerts_are_delivered_from_a_full_ext4() {
    let Some(disk) = SmallDisk::ext4(8) else { return };
    everything_is_delivered_from(&disk, Restart::Clean).await;
}

#[tokio::test]
async fn a_start_on_a_full_disk_waits_for_space() {
    let Some(disk) = SmallDisk::memory(4) else { return };
    let wecom = Wecom::live(Settings::default()).await;
    let (_folder, config) = config_on(&disk, &wecom);
    disk.fill();
    let mut relay = Process::launch(serve(&config));
    relay.ready().await;
    assert_eq!(status(&relay, "/-/healthy").await, 200);
    assert_eq!(status(&relay, "/-/ready").await, 503);
    let alert = payload_for("zhangsan", "Down", &[("a", true)]);
    assert_eq!(relay.post(&alert).await, Some(503));
    let waits = "waiting for space; alerts are answered with 503 until the outbox is open";
    assert!(relay.log.iter().any(|line| line.contains(waits)), "{:?}", relay.log);
    disk.free();
    eventually(async || relay.post(&alert).await, |status| *status == Some(200)).await;
    soon(wecom.sandbox.wait_for_delivered("zhangsan", 1)).await;
    assert_eq!(status(&relay, "/-/ready").await, 200);
}

#[tokio::test]
async fn a_renamed_app_gets_its_queue_when_there_is_space() {
    let Some(disk) = SmallDisk::memory(4) else { return };
    let wecom = Wecom::with_members(MEMBERS).await;
    let (_folder, config) = config_on(&disk, &wecom);
    wecom.sandbox.inject(hangs());
    let mut relay = Process::start(&config).await;
    let accepted = post_until_full(&relay).await;
    relay.signal("TERM");
    assert!(relay.ended().await.success());
    disk.fill();
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replacen("- name: ops", "- name: dev", 1)).unwrap();
    wecom.sandbox.clear_faults();
    let _relay = Process::start(&config).await;
    disk.free();
    all_are_seen(&wecom, &accepted).await;
}

#[tokio::test]
async fn a_reader_without_an_end_is_reported() {
    let Some(disk) = SmallDisk::memory(24) else { return };
    let wecom = Wecom::with_members(MEMBERS).await;
    let (_folder, config) = config_on(&disk, &wecom);
    let mut relay = Process::start(&config).await;
    assert_eq!(relay.post(&alert(0)).await, Some(200));
    let reader = Connection::open(disk.path("outbox.db")).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM delivery").unwrap();
    let (client, url) = (relay.client.clone(), relay.url.clone());
    let posts = async {
        for number in 1.. {
            assert_eq!(post(&client, &url, &alert(number)).await, Some(200));
        }
    };
    tokio::select! {
        () = posts => {}
        _ = relay.logged("the log of the outbox grows, because another process reads the outbox without an end; end that process") => {}
    }
    drop(reader);
}
