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
use crate::support::{
    database_proxy::{DatabaseProxy, Network},
    postgres::{Cluster, database_of},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_owner_loses_and_doubles_nothing() {
    let mut site = Site::start(&[]).await;
    let load = site.load();
    let mut takeovers = Vec::new();
    for round in 0..rounds(2) {
        // An owner that is always killed while it catches up would leave more and more behind.
        if round % 2 == 1 {
            site.catch_up(&load).await;
        }
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
    for round in 0..rounds(3) {
        if round % 2 == 1 {
            site.catch_up(&load).await;
        }
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_faulty_network_loses_and_doubles_nothing() {
    let cluster = Cluster::start(&[]);
    let database = database_of(&cluster.database()).to_owned();
    let proxies = [(); 2].map(|()| DatabaseProxy::new(&cluster));
    let urls = [0, 1].map(|number: usize| proxies[number].url(&database));
    let site = Site::with(cluster, urls, "").await;
    let load = site.load();
    // After the first three the owner has its lease again; then another replica has taken it over.
    let faults = [
        (Network::Cut, 500),
        (Network::LosesCommits, 500),
        (Network::Hung, 2000),
        (Network::Cut, 9000),
        (Network::LosesCommits, 9000),
        (Network::Hung, 9000),
    ];
    let rounds = rounds(faults.len());
    for (round, (network, millis)) in faults.into_iter().cycle().take(rounds).enumerate() {
        let owner = site.owned().await;
        // Sometimes it is the other one, which only accepts.
        let proxy = &proxies[if round % 4 == 3 { 1 - owner } else { owner }];
        proxy.set(network);
        tokio::time::sleep(Duration::from_millis(millis)).await;
        proxy.set(Network::Up);
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    let count = site.check(load).await;
    report(&format!("{rounds} faults of the network, {count} notifications"));
}

/// The number of times, with the median and the longest. They depend on what else the machine does.
fn times(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let over = times.iter().filter(|time| **time > Duration::from_secs(10)).count();
    let (median, longest) = (times[times.len() / 2], times[times.len() - 1]);
    format!("{}: median {median:?}, longest {longest:?}, {over} above 10 s", times.len())
}

#[expect(clippy::print_stderr, reason = "the figures of long runs")]
fn report(text: &str) {
    eprintln!("{text}");
}
