//! Row `growth`: the cost of an outbox with many queued deliveries, compared with an empty one.
//!
//! Each outbox is in a process of its own, without a dispatcher. The rates of both are measured
//! alternately. Memory and file size are measured once at the end.

pub(crate) mod port;
mod worker;

use std::{fs, path::Path};

use crate::{
    load::Load,
    report::Report,
    samples::Samples,
    setup::{MEMBERS, OUTBOX, Setup},
    sink::Sink,
    table::{Table, count, mb, ratio},
};

use worker::Rates;
pub(crate) use worker::{Worker, run_child};

/// An outbox that was filled with this number of deliveries.
struct Filled {
    waiting: u64,
    folder: tempfile::TempDir,
    enqueue: Samples,
    claim_and_settle: Samples,
    outbox_rss_mb: f64,
    relay_rss_mb: f64,
    file_mb: f64,
}

pub(crate) async fn run(setup: &Setup, sink: &Sink) -> Report {
    let levels = [0, setup.choose(2_000, 1_000_000)];
    let round = setup.choose(500, 4_000);
    let mut all = levels.map(|waiting| Filled::new(setup, waiting));
    // The processes are new, because filling an outbox leaves memory in use.
    let mut workers: Vec<Worker> = all.iter().map(|filled| Worker::start(filled.folder.path())).collect();
    for worker in &mut workers {
        worker.round(round / 4);
    }
    for _ in 0..setup.rounds() {
        for (filled, worker) in all.iter_mut().zip(&mut workers) {
            let Rates { enqueue, claim_and_settle } = worker.round(round);
            filled.enqueue.push(enqueue);
            filled.claim_and_settle.push(claim_and_settle);
        }
    }
    for (filled, worker) in all.iter_mut().zip(workers) {
        filled.outbox_rss_mb = worker.rss_mb();
        worker.end();
        filled.file_mb = file_mb(filled.folder.path());
        filled.relay_rss_mb = relay_rss_mb(setup, sink, filled.folder.path()).await;
    }
    report(&all)
}

impl Filled {
    fn new(setup: &Setup, waiting: u64) -> Self {
        let folder = setup.temporary();
        let mut worker = Worker::start(folder.path());
        worker.fill(waiting);
        worker.end();
        Self {
            waiting,
            folder,
            enqueue: Samples::default(),
            claim_and_settle: Samples::default(),
            outbox_rss_mb: 0.0,
            relay_rss_mb: 0.0,
            file_mb: 0.0,
        }
    }
}

fn report(all: &[Filled; 2]) -> Report {
    let [empty, full] = all;
    let mut report = Report::default();
    let mut table = Table::new(
        format!("growth: by deliveries that wait, for {MEMBERS} members"),
        [
            "waiting",
            "enqueued/s",
            "/at 0",
            "claimed and settled/s",
            "/at 0",
            "RSS outbox MB",
            "RSS relay MB",
            "file MB",
        ],
    );
    for filled in all {
        let enqueue_ratio = filled.enqueue.ratio_to(&empty.enqueue);
        let claim_ratio = filled.claim_and_settle.ratio_to(&empty.claim_and_settle);
        table.row([
            count(filled.waiting as f64),
            count(filled.enqueue.median()),
            ratio(enqueue_ratio),
            count(filled.claim_and_settle.median()),
            ratio(claim_ratio),
            mb(filled.outbox_rss_mb),
            mb(filled.relay_rss_mb),
            mb(filled.file_mb),
        ]);
        let name = |figure: &str| format!("growth/{}/{figure}", filled.waiting);
        report.samples(name("enqueue_per_s"), &filled.enqueue);
        report.samples(name("claim_and_settle_per_s"), &filled.claim_and_settle);
        report.figure(name("outbox_rss_mb"), filled.outbox_rss_mb);
        report.figure(name("relay_rss_mb"), filled.relay_rss_mb);
        report.figure(name("file_mb"), filled.file_mb);
    }
    table.note("RSS outbox: a process that only enqueues, claims and settles");
    table.note("RSS relay: `serve` on that outbox, with its sender held, while alerts come in");
    report.tables.push(table);
    let waiting = count(full.waiting as f64);
    let enqueue = full.enqueue.ratio_to(&empty.enqueue);
    report.at_least(&format!("growth: enqueue with {waiting} waiting over none"), 0.5, enqueue);
    let claim = full.claim_and_settle.ratio_to(&empty.claim_and_settle);
    report.at_least(&format!("growth: claim and settle with {waiting} waiting over none"), 0.5, claim);
    report
}

fn file_mb(folder: &Path) -> f64 {
    let bytes = |suffix: &str| {
        let file = folder.join(format!("{OUTBOX}{suffix}"));
        fs::metadata(file).map_or(0, |file| file.len())
    };
    (bytes("") + bytes("-wal")) as f64 / 1e6
}

async fn relay_rss_mb(setup: &Setup, sink: &Sink, folder: &Path) -> f64 {
    sink.refuse();
    let relay = setup.start_relay(folder, sink.address);
    let notifications = setup.choose(200, 5_000);
    Load::new(&relay, 16, MEMBERS, 0..notifications).run().await;
    relay.rss_mb()
}
