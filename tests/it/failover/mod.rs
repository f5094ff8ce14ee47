//! Two replicas that share a PostgreSQL: nothing is lost, doubled or late when one of the three fails.
//!
//! `WECOM_RELAY_FAILOVER_ROUNDS` is the number of rounds of each test.

mod pair;
mod scrapes;
mod site;
mod versions;

use std::time::Duration;

use tokio::time::Instant;

use self::site::{Site, rounds};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_owner_loses_and_doubles_nothing() {
    let mut site = Site::start(&[]).await;
    let load = site.load();
    let mut takeovers = Vec::new();
    for _ in 0..rounds(2) {
        let (owner, epoch, began) = (site.owned().await, site.epoch(), Instant::now());
        site.kill(owner).await;
        site.launch(owner).await;
        site.taken_over(&epoch).await;
        takeovers.push(began.elapsed());
    }
    let count = site.check(load).await;
    report(&format!("kills of the owner, {count} notifications, takeovers {}", times(takeovers)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_owner_hands_over_at_once() {
    let mut site = Site::start(&[]).await;
    let load = site.load();
    let mut hand_overs = Vec::new();
    for _ in 0..rounds(3) {
        let (owner, epoch, began) = (site.owned().await, site.epoch(), Instant::now());
        let mut process = site.replicas[owner].take().unwrap();
        process.signal("TERM");
        site.taken_over(&epoch).await;
        hand_overs.push(began.elapsed());
        assert!(process.ended().await.success());
        site.launch(owner).await;
    }
    let count = site.check(load).await;
    report(&format!("rolling restarts, {count} notifications, hand-overs {}", times(hand_overs)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_owner_sends_nothing_when_it_wakes() {
    let mut site = Site::start(&[]).await;
    let load = site.load();
    for seconds in [5, 20].into_iter().cycle().take(rounds(2)) {
        let owner = site.owned().await;
        site.replica(owner).signal("STOP");
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        site.replica(owner).signal("CONT");
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    let count = site.check(load).await;
    report(&format!("frozen owners, {count} notifications"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_database_loses_and_doubles_nothing() {
    let mut site = Site::start(&[]).await;
    let load = site.load();
    let rounds = rounds(2);
    for _ in 0..rounds {
        site.owned().await;
        tokio::time::sleep(Duration::from_millis(700)).await;
        site.cluster.kill();
        site.cluster.resume();
    }
    let count = site.check(load).await;
    report(&format!("{rounds} kills of PostgreSQL, {count} notifications"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhooks_are_refused_while_the_database_is_away() {
    let mut site = Site::start(&[]).await;
    let load = site.load();
    site.owned().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    site.cluster.stop();
    let before = load.refused();
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(load.refused() > before + 20, "{} answers with 503", load.refused() - before);
    site.cluster.resume();
    site.check(load).await;
}

/// The number of times, with the median and the longest. They depend on what else the machine does.
fn times(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    format!("{}: median {:?}, longest {:?}", times.len(), times[times.len() / 2], times[times.len() - 1])
}

#[expect(clippy::print_stderr, reason = "the figures of long runs")]
fn report(text: &str) {
    eprintln!("{text}");
}
