//! Whether a long queue costs more than a short one: rates, memory and file by the number of rows that wait.
//!
//! Each length has a database and a process of its own, and their rates are measured in turn. Memory and file are
//! looked at once, after that.

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

/// How many rows a round enqueues, claims and settles, for each of the two ways to claim.
const ROUND: u64 = 4_000;

/// What a round measures. Slots that are lent have their claims in the commit that settles, so these are not told apart.
const RATES: [&str; 4] = ["enqueue", "claim_and_settle", "claim_within_limits", "settle"];

/// An outbox in which so many rows wait.
struct Length {
    /// In the table.
    title: String,
    /// In the names of figures.
    name: String,
    folder: tempfile::TempDir,
    /// As [`RATES`].
    rates: [Samples; 4],
    worker_rss: f64,
    serving_rss: f64,
    size: f64,
}

pub(crate) async fn run(setup: &Setup, sink: &Sink) -> Report {
    let levels: &[u64] = setup.either(&[0, 2_000], &[0, 10_000, 100_000, 1_000_000]);
    let round = setup.either(500, ROUND);
    let filled = |rows: &u64| Length::filled(setup, *rows, rows.to_string(), rows.to_string());
    let mut lengths: Vec<Length> = levels.iter().map(filled).collect();
    // Rows that were delivered and purged must leave nothing behind.
    let gone = setup.either(2_000, 100_000);
    let drained = Length::filled(setup, gone, format!("0, after {gone}"), "drained".to_owned());
    let mut worker = Worker::start(drained.folder.path());
    worker.ask("drain", 0);
    worker.end();
    lengths.push(drained);

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
    // What the rounds delivered is forgotten here, too.
    workers.last_mut().unwrap().ask("drain", 0);
    for (length, worker) in lengths.iter_mut().zip(workers) {
        length.worker_rss = worker.rss_mib();
        worker.end();
        length.size = size_mib(length.folder.path());
        length.serving_rss = serving(setup, sink, length.folder.path()).await;
    }
    report(&lengths)
}

impl Length {
    fn filled(setup: &Setup, rows: u64, title: String, name: String) -> Self {
        let folder = setup.temporary();
        let mut worker = Worker::start(folder.path());
        worker.ask("fill", rows);
        worker.end();
        Self { title, name, folder, rates: Default::default(), worker_rss: 0.0, serving_rss: 0.0, size: 0.0 }
    }

    fn measure(&mut self, worker: &mut Worker, round: u64) {
        let rates = worker.ask("round", round);
        assert_eq!(rates.len(), RATES.len());
        self.rates.iter_mut().zip(rates).for_each(|(samples, rate)| samples.push(rate));
    }
}

fn report(lengths: &[Length]) -> Report {
    let [empty, .., longest, _drained] = lengths else { panic!("there are too few") };
    let mut report = Report::default();
    let mut table = Table::new(
        "growth: by rows that wait; rates are a second",
        [
            "waiting",
            "enqueue",
            "/at 0",
            "claim, settle",
            "/at 0",
            "claim in limits",
            "/at 0",
            "settle",
            "RSS outbox MiB",
            "RSS relay MiB",
            "file MiB",
        ],
    );
    for length in lengths {
        let figure = |figure: &str| format!("growth/{}/{figure}", length.name);
        let mut cells: [[String; 2]; 4] = Default::default();
        for (at, name) in RATES.iter().enumerate() {
            let (rate, of_empty) = (&length.rates[at], length.rates[at].ratio_to(&empty.rates[at]));
            cells[at] = [count(rate.median()), ratio(of_empty)];
            report.samples(figure(&format!("{name}_per_s")), rate);
            report.figure(figure(&format!("{name}_ratio")), of_empty);
        }
        let [[enqueue, enqueue_of], [lent, lent_of], [planned, planned_of], [settle, _]] = cells;
        table.row([
            length.title.clone(),
            enqueue,
            enqueue_of,
            lent,
            lent_of,
            planned,
            planned_of,
            settle,
            mib(length.worker_rss),
            mib(length.serving_rss),
            mib(length.size),
        ]);
        report.figure(figure("outbox_rss_mib"), length.worker_rss);
        report.figure(figure("relay_rss_mib"), length.serving_rss);
        report.figure(figure("file_mib"), length.size);
    }
    table.note(
        "claim, settle: for slots that are lent, as without limits: the commit that settles also claims",
    );
    table.note(
        "claim in limits: what waits is read, planned and claimed, 32 at once; settle: by itself, after that",
    );
    table.note("RSS outbox: of a process that only enqueues, claims and settles");
    table.note(
        "RSS relay: `serve` on that outbox, held; memory and file are looked at once, after the rounds",
    );
    report.tables.push(table);
    for (at, what) in ["enqueue", "claim and settle", "claim within limits"].iter().enumerate() {
        let found = longest.rates[at].ratio_to(&empty.rates[at]);
        report.at_least(&format!("{what} with {} rows, of that with 0", longest.name), 0.85, found);
    }
    let memory = longest.serving_rss / empty.serving_rss;
    report.at_most(&format!("RSS of the relay with {} rows, over that with 0", longest.name), 1.15, memory);
    report
}

fn size_mib(folder: &Path) -> f64 {
    let file =
        |suffix: &str| fs::metadata(folder.join(format!("{OUTBOX}{suffix}"))).map_or(0, |file| file.len());
    (file("") + file("-wal")) as f64 / f64::from(1 << 20)
}

/// The memory of a relay that serves the outbox in `folder`, while its sender is held and alerts come in.
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
    let body = payload::payload(id, payload::ALERTS);
    let payload = wecom_relay::alertmanager::parse(body.as_bytes()).unwrap();
    let templates = wecom_relay::render::Templates::compile(&[]).unwrap();
    templates.with(&payload, &crate::render::moment()).render(wecom_relay::render::DEFAULT_MESSAGE).unwrap()
}
