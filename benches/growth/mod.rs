//! Whether a long queue costs more than a short one: rates, memory and file by the number of rows that wait.
//!
//! Each length has a database and a process of its own, and they are measured in turn.

mod worker;

use std::{fs, path::Path};

use crate::{
    load::Load,
    payload,
    report::Report,
    samples::Samples,
    setup::{OUTBOX, Setup},
    sink::Sink,
    table::{Table, count, mib, ratio},
};

use worker::Worker;
pub(crate) use worker::play;

/// How many times as long as a round's rows this is.
const ROUND: u64 = 4_000;

struct Length {
    rows: u64,
    folder: tempfile::TempDir,
    enqueue: Samples,
    claim: Samples,
    settle: Samples,
    worker_rss: f64,
    serving_rss: f64,
    size: f64,
}

pub(crate) async fn run(setup: &Setup, sink: &Sink) -> Report {
    let levels: &[u64] = setup.either(&[0, 2_000], &[0, 10_000, 100_000, 1_000_000]);
    let round = setup.either(500, ROUND);
    let mut lengths: Vec<Length> = levels.iter().map(|rows| Length::filled(setup, *rows)).collect();

    // Who filled them has ended: what is measured is not what filling left in memory.
    let mut workers: Vec<Worker> = lengths.iter().map(|length| Worker::start(length.folder.path())).collect();
    for worker in &mut workers {
        worker.ask("round", round / 4);
    }
    for _ in 0..setup.rounds() {
        for (length, worker) in lengths.iter_mut().zip(&mut workers) {
            length.measure(worker, round);
        }
    }
    for (length, worker) in lengths.iter_mut().zip(workers) {
        length.worker_rss = worker.rss_mib();
        worker.end();
        length.size = size_mib(length.folder.path());
        length.serving_rss = serving(setup, sink, length.folder.path()).await;
    }

    // Rows that were delivered and purged must leave nothing behind.
    let drained = lengths.iter().rposition(|length| length.rows <= 100_000).unwrap();
    let mut after = Length::filled(setup, 0);
    std::mem::swap(&mut after.folder, &mut lengths[drained].folder);
    let mut worker = Worker::start(after.folder.path());
    worker.ask("drain", 0);
    for _ in 0..setup.rounds() {
        after.measure(&mut worker, round);
    }
    worker.ask("drain", 0);
    after.worker_rss = worker.rss_mib();
    worker.end();
    after.size = size_mib(after.folder.path());
    after.serving_rss = serving(setup, sink, after.folder.path()).await;
    report(&lengths, &after, lengths[drained].rows)
}

impl Length {
    fn filled(setup: &Setup, rows: u64) -> Self {
        let folder = setup.temporary();
        let mut worker = Worker::start(folder.path());
        worker.ask("fill", rows);
        worker.end();
        Self {
            rows,
            folder,
            enqueue: Samples::default(),
            claim: Samples::default(),
            settle: Samples::default(),
            worker_rss: 0.0,
            serving_rss: 0.0,
            size: 0.0,
        }
    }

    fn measure(&mut self, worker: &mut Worker, round: u64) {
        let rates = worker.ask("round", round);
        let [enqueue, claim, settle] = rates[..] else { panic!("{rates:?}") };
        self.enqueue.push(enqueue);
        self.claim.push(claim);
        self.settle.push(settle);
    }
}

fn report(lengths: &[Length], after: &Length, drained: u64) -> Report {
    let mut report = Report::default();
    let mut table = Table::new(
        "growth: by rows that wait",
        [
            "waiting",
            "enqueue per s",
            "claim per s",
            "settle per s",
            "enqueue/at 0",
            "claim/at 0",
            "RSS outbox MiB",
            "RSS relay MiB",
            "file MiB",
        ],
    );
    let empty = &lengths[0];
    let named = lengths.iter().map(|length| (length, length.rows.to_string(), length.rows.to_string()));
    let drained = format!("0, after {drained}");
    for (length, title, name) in named.chain([(after, drained, "drained".to_owned())]) {
        let enqueue = length.enqueue.ratio_to(&empty.enqueue);
        let claim = length.claim.ratio_to(&empty.claim);
        table.row([
            title,
            count(length.enqueue.median()),
            count(length.claim.median()),
            count(length.settle.median()),
            ratio(enqueue),
            ratio(claim),
            mib(length.worker_rss),
            mib(length.serving_rss),
            mib(length.size),
        ]);
        let figure = |figure: &str| format!("growth/{name}/{figure}");
        report.samples(figure("enqueue_per_s"), &length.enqueue);
        report.samples(figure("claim_per_s"), &length.claim);
        report.samples(figure("settle_per_s"), &length.settle);
        report.figure(figure("outbox_rss_mib"), length.worker_rss);
        report.figure(figure("relay_rss_mib"), length.serving_rss);
        report.figure(figure("file_mib"), length.size);
    }
    table.note(
        "RSS outbox: of a process that enqueues and claims only; RSS relay: `serve` on that outbox, held",
    );
    report.tables.push(table);
    let longest = &lengths[lengths.len() - 1];
    let rows = longest.rows;
    let enqueue = longest.enqueue.ratio_to(&empty.enqueue);
    report.at_least(&format!("enqueue with {rows} rows, of that with 0"), 0.85, enqueue);
    let claim = longest.claim.ratio_to(&empty.claim);
    report.at_least(&format!("claim with {rows} rows, of that with 0"), 0.85, claim);
    let memory = longest.serving_rss / empty.serving_rss;
    report.at_most(&format!("RSS of the relay with {rows} rows, over that with 0"), 1.15, memory);
    report
}

fn size_mib(folder: &Path) -> f64 {
    let file =
        |suffix: &str| fs::metadata(folder.join(format!("{OUTBOX}{suffix}"))).map_or(0, |file| file.len());
    (file("") + file("-wal")) as f64 / f64::from(1 << 20)
}

/// The memory of a relay that serves the outbox in `folder`, while its channel is held and alerts come in.
async fn serving(setup: &Setup, sink: &Sink, folder: &Path) -> f64 {
    sink.refuses();
    let relay = setup.start_relay(folder, sink.address);
    let mut load = Load::timed(relay.address, 16, setup.time());
    load.ids.end = load.ids.start + setup.either(200, 5_000);
    load.run().await;
    relay.rss_mib()
}

/// How a worker's notifications look, so that rows are as large as real ones.
fn text_of(id: u64) -> String {
    let body = payload::payload(id, 2);
    let payload = wecom_relay::alertmanager::parse(body.as_bytes()).unwrap();
    let templates = wecom_relay::render::Templates::compile(&[]).unwrap();
    templates.with(&payload, &crate::render::moment()).render(wecom_relay::render::DEFAULT_MESSAGE).unwrap()
}
