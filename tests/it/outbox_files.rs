//! Operators touch the files of a running outbox. No alert that was answered with 200 is lost.

use std::{
    fs,
    path::{Path, PathBuf},
};

use wecom_relay::sandbox::{Api, Effect, Fault, Settings};

use crate::support::{Options, Process, Wecom, config_file, eventually, payload, soon};

fn log_file(folder: &Path) -> PathBuf {
    folder.join("outbox.db-wal")
}

fn index_file(folder: &Path) -> PathBuf {
    folder.join("outbox.db-shm")
}

fn empty(path: &Path) {
    fs::File::options().write(true).truncate(true).open(path).unwrap();
}

/// Twice this number is within WeCom's limit of a minute.
const ALERTS: usize = 14;

/// No digest replaces several messages, so the messages can be counted.
fn without_digests() -> Options {
    Options { app: "    limits: { per_minute: 0, per_hour: 0 }\n".to_owned(), ..Options::default() }
}

/// Posts alerts, each until it is accepted.
async fn post(relay: &Process, from: usize) {
    for number in from..from + ALERTS {
        let alert = payload(&format!("Group{number}"), &[("a", true)]);
        eventually(async || relay.post(&alert).await, |status| *status == Some(200)).await;
    }
}

/// Accepts alerts before and after `touch`, and kills the relay. The next process must send all of them.
async fn nothing_is_lost_after(touch: fn(&Path)) {
    let wecom = Wecom::live(Settings::default()).await;
    let (folder, config) = config_file(&wecom.url, &without_digests());
    wecom.sandbox.inject(Fault::new(Effect::Hang { taken: false }).on(Api::Gettoken));
    let mut relay = Process::start(&config).await;
    post(&relay, 0).await;
    touch(folder.path());
    post(&relay, ALERTS).await;
    relay.logged("a file of the outbox was touched while the relay runs; its content is saved now. Stop the relay before you touch its files").await;
    relay.kill().await;
    wecom.sandbox.clear_faults();
    let mut relay = Process::start(&config).await;
    soon(wecom.sandbox.wait_for_delivered("zhangsan", 2 * ALERTS)).await;
    relay.signal("TERM");
    assert!(relay.ended().await.success());
}

#[tokio::test]
async fn nothing_is_lost_when_the_log_is_deleted() {
    nothing_is_lost_after(|folder| fs::remove_file(log_file(folder)).unwrap()).await;
}

#[tokio::test]
async fn nothing_is_lost_when_the_log_is_renamed() {
    nothing_is_lost_after(|folder| fs::rename(log_file(folder), folder.join("away")).unwrap()).await;
}

#[tokio::test]
async fn nothing_is_lost_when_the_log_is_replaced() {
    nothing_is_lost_after(|folder| {
        let other = folder.join("other");
        fs::write(&other, [0x37; 100_000]).unwrap();
        fs::rename(other, log_file(folder)).unwrap();
    })
    .await;
}

#[tokio::test]
async fn nothing_is_lost_when_the_log_is_emptied() {
    nothing_is_lost_after(|folder| empty(&log_file(folder))).await;
}

#[tokio::test]
async fn nothing_is_lost_when_the_index_is_deleted() {
    nothing_is_lost_after(|folder| fs::remove_file(index_file(folder)).unwrap()).await;
}

#[tokio::test]
async fn nothing_is_lost_when_log_and_index_are_deleted() {
    nothing_is_lost_after(|folder| {
        fs::remove_file(log_file(folder)).unwrap();
        fs::remove_file(index_file(folder)).unwrap();
    })
    .await;
}

/// An index that is emptied in the middle of a transaction ends the process, and a service manager starts it again.
#[tokio::test]
async fn nothing_is_lost_when_the_index_is_emptied() {
    let wecom = Wecom::live(Settings::default()).await;
    let (folder, config) = config_file(&wecom.url, &Options::default());
    let mut relay = Process::start(&config).await;
    for round in 0..4 {
        let alert = payload(&format!("Group{round}"), &[("a", true)]);
        while relay.post(&alert).await != Some(200) {
            relay = restarted(relay, &config).await;
        }
        empty(&index_file(folder.path()));
        let is_delivered = tokio::select! {
            _ = soon(wecom.sandbox.wait_for_delivered("zhangsan", round + 1)) => true,
            _ = relay.ended() => false,
        };
        if !is_delivered {
            relay = restarted(relay, &config).await;
            soon(wecom.sandbox.wait_for_delivered("zhangsan", round + 1)).await;
        }
    }
    relay.kill().await;
    assert_eq!(wecom.sandbox.delivered_to("zhangsan").len(), 4);
}

async fn restarted(ended: Process, config: &Path) -> Process {
    ended.kill().await;
    Process::start(config).await
}

#[tokio::test]
async fn the_log_of_a_moved_outbox_is_kept() {
    let wecom = Wecom::live(Settings::default()).await;
    let (folder, config) = config_file(&wecom.url, &without_digests());
    let (database, away) = (folder.path().join("outbox.db"), folder.path().join("away.db"));
    wecom.sandbox.inject(Fault::new(Effect::Hang { taken: false }).on(Api::Gettoken));
    let relay = Process::start(&config).await;
    post(&relay, 0).await;
    relay.kill().await;
    fs::rename(&database, &away).unwrap();
    let relay = Process::start(&config).await;
    assert!(relay.log.iter().any(|line| line.contains("a new outbox begins")), "{:?}", relay.log);
    relay.kill().await;
    fs::rename(&away, &database).unwrap();
    fs::rename(folder.path().join("outbox.db-wal.orphaned"), log_file(folder.path())).unwrap();
    wecom.sandbox.clear_faults();
    let mut relay = Process::start(&config).await;
    soon(wecom.sandbox.wait_for_delivered("zhangsan", ALERTS)).await;
    relay.signal("TERM");
    assert!(relay.ended().await.success());
}
