//! How fast webhooks are taken, each on disk before its answer.
//!
//! WeCom refuses meanwhile, so the sender is held and nothing is delivered: what delivery costs is `relay`'s.

use crate::{
    disk,
    load::Load,
    process::Process,
    reference,
    report::Report,
    samples::Found,
    setup::Setup,
    sink::Sink,
    table::{Table, count, ms, ratio},
};

const SUBJECTS: [&str; 5] = ["disk", "overwrite", "bare", "durable", "relay"];

pub(crate) async fn run(setup: &Setup, sink: &Sink) -> Report {
    sink.refuses();
    let mut report = Report::default();
    let mut table = Table::new(
        "accept: durable webhooks, with delivery held",
        [
            "connections",
            "subject",
            "per s",
            "p50 ms",
            "p99 ms",
            "CPU µs each",
            "relay/it, per s",
            "relay/it, p99",
        ],
    );
    for connections in [1, 16, 64, 256] {
        let mut found: [Found; 5] = Default::default();
        for _ in 0..setup.rounds() {
            let [disk, overwrite, bare, durable, relay] = &mut found;
            let (rate, latencies) = disk::appends(setup, connections as u64, setup.time() / 2);
            disk.rate.push(rate);
            disk.note(&latencies);
            if connections == 1 {
                let (rate, latencies) = disk::overwrites(setup, 1, setup.time() / 4);
                overwrite.rate.push(rate);
                overwrite.note(&latencies);
            }
            measure(setup, connections, reference::bare(), bare).await;
            let folder = setup.temporary();
            measure(setup, connections, reference::durable(folder.path()), durable).await;
            let folder = setup.temporary();
            measure(setup, connections, setup.start_relay(folder.path(), sink.address), relay).await;
        }
        let [disk, _, bare, durable, relay] = &found;
        for (subject, of) in SUBJECTS.iter().zip(&found).filter(|(_, of)| of.rate.median().is_finite()) {
            let (rates, tails) = (relay.rate.ratio_to(&of.rate), relay.p99.ratio_to(&of.p99));
            table.row([
                connections.to_string(),
                (*subject).to_owned(),
                count(of.rate.median()),
                ms(of.p50.median()),
                ms(of.p99.median()),
                count(of.cpu_us.median()),
                ratio(rates),
                ratio(tails),
            ]);
            let name = |figure: &str| format!("accept/{connections}/{subject}/{figure}");
            report.samples(name("per_s"), &of.rate);
            report.samples(name("p50_us"), &of.p50);
            report.samples(name("p99_us"), &of.p99);
            if of.cpu_us.median().is_finite() {
                report.samples(name("cpu_us"), &of.cpu_us);
            }
            report.figure(name("ratio"), rates);
        }
        if connections == 1 {
            let floor = disk.p50.with(&bare.p50, |append, handling| append + handling);
            let above = relay.p50.ratio_to(&floor);
            report.at_most("accept at 1: p50 over one append's and the bare handler's", 1.3, above);
        }
        if connections == 64 {
            let least = relay.rate.ratio_to(&durable.rate);
            report.at_least("accept at 64: of the minimal durable handler", 0.8, least);
            let tail = relay.p99.ratio_to(&durable.p99);
            report.at_most("accept at 64: p99 over the minimal durable handler's", 2.0, tail);
        }
    }
    table.note("disk: appends of the same bytes, one fdatasync for all connections together, no network");
    table.note(
        "an append also writes the file's size; overwrite: what a log costs that does not grow any more",
    );
    table.note("bare: axum, parses and answers; durable: parses, one INSERT, group commit in SQLite");
    report.tables.push(table);
    report
}

async fn measure(setup: &Setup, connections: usize, server: Process, found: &mut Found) {
    Load::timed(server.address, connections, setup.time() / 8).run().await;
    // Ids that the warming did not reach, so that nothing is a copy.
    let mut load = Load::timed(server.address, connections, setup.time());
    load.ids.start = load.ids.end / 2;
    let before = server.cpu();
    let run = load.run().await;
    found.rate.push(run.rate());
    found.note(&run.latencies);
    found.cpu_us.push((server.cpu() - before).as_secs_f64() * 1e6 / run.posts as f64);
}
