//! The whole way: webhook in, message at the sink.
//!
//! Rates are those of connections that post as fast as they are answered, until the last message has arrived.
//! Latencies are those of connections that post again when the last one's message has arrived, so that none
//! waits behind a backlog; a single one also pauses, so that it meets an idle relay.

use std::{ops::Range, path::Path, sync::Arc, time::Duration};

use crate::{
    arrivals::Arrivals,
    disk,
    load::Load,
    process::Process,
    reference,
    report::Report,
    samples::{Found, Samples, rate},
    setup::Setup,
    sink::Sink,
    table::{Table, count, mib, ms, ratio},
};

/// How many groups Alertmanager notifies of.
const GROUPS: u64 = 2_000;
/// Alertmanager is compared at so many connections.
const BUSY: usize = 64;

pub(crate) async fn run(setup: &Setup, sink: &Sink) -> Report {
    let mut report = Report::default();
    let mut table = Table::new(
        "relay: webhook in, message at the sink",
        ["connections", "subject", "per s", "p50 ms", "p99 ms", "CPU µs each", "relay/it, per s"],
    );
    let mut fsync = Samples::default();
    let alertmanager = reference::incumbent::find();
    let groups = setup.either(GROUPS / 10, GROUPS);
    for connections in [1, 16, BUSY] {
        let (mut forward, mut relay) = (Found::default(), Found::default());
        let mut incumbent = Incumbent::default();
        for _ in 0..setup.rounds() {
            measure(setup, sink, connections, reference::forward(sink.address), &mut forward).await;
            if connections == 1 {
                fsync.push(disk::appends(setup, 1, setup.time() / 4).1.p50_us());
            }
            let folder = setup.temporary();
            let server = setup.start_relay(folder.path(), sink.address);
            measure(setup, sink, connections, server, &mut relay).await;
            if let Some(binary) = alertmanager.as_deref().filter(|_| connections == BUSY) {
                incumbent.measure(setup, sink, binary, groups).await;
            }
        }
        for (subject, of) in [("forward", &forward), ("relay", &relay)] {
            let rates = relay.rate.ratio_to(&of.rate);
            table.row([
                connections.to_string(),
                subject.to_owned(),
                count(of.rate.median()),
                ms(of.p50.median()),
                ms(of.p99.median()),
                count(of.cpu_us.median()),
                ratio(rates),
            ]);
            let name = |figure: &str| format!("relay/{connections}/{subject}/{figure}");
            report.samples(name("per_s"), &of.rate);
            report.samples(name("p50_us"), &of.p50);
            report.samples(name("p99_us"), &of.p99);
            report.samples(name("cpu_us"), &of.cpu_us);
            report.figure(name("ratio"), rates);
        }
        if connections == 1 {
            let added = relay.p50.with(&forward.p50, |relay, forward| relay - forward).median();
            let most = 2.0 * fsync.median() + 500.0;
            report.at_most("relay at 1: added latency (p50), ms", most / 1e3, added / 1e3);
        }
        if connections == BUSY {
            let least = relay.rate.ratio_to(&forward.rate);
            report.at_least("relay at 64: of the forwarder without storage", 0.5, least);
        }
        if connections == BUSY && alertmanager.is_some() {
            let Incumbent { rate, cpu_us, rss_mib } = &incumbent;
            let times = relay.rate.ratio_to(rate);
            table.row([
                "-".to_owned(),
                format!("Alertmanager, {groups} groups"),
                count(rate.median()),
                "-".to_owned(),
                "-".to_owned(),
                count(cpu_us.median()),
                ratio(times),
            ]);
            table.note(format!("Alertmanager's RSS after that: {} MiB", mib(rss_mib.median())));
            report.samples("relay/incumbent/per_s", rate);
            report.samples("relay/incumbent/cpu_us", cpu_us);
            report.samples("relay/incumbent/rss_mib", rss_mib);
            report.figure("relay/incumbent/ratio", times);
            report.at_least("relay at 64: times Alertmanager's own notifier", 5.0, times);
        }
    }
    table.note("forward: axum and reqwest, parses, sends, answers; nothing is stored");
    table.note(match alertmanager {
        Some(_) => {
            "Alertmanager: from its first message to its last, all alerts received before; relay: with receiving"
        }
        None => "no alertmanager on PATH: its own notifier was not measured",
    });
    report.tables.push(table);
    report
}

async fn measure(setup: &Setup, sink: &Sink, connections: usize, server: Process, found: &mut Found) {
    let scale = |quick, whole| setup.either(quick, whole);
    let (fast, alone) = match connections {
        1 => (scale(100, 2_000), scale(20, 300)),
        16 => (scale(500, 10_000), scale(200, 5_000)),
        _ => (scale(1_000, 20_000), scale(500, 10_000)),
    };
    let warm = fast / 10;
    let (warming, fast) = (0..warm, warm..warm + fast);
    let alone = fast.end..fast.end + alone;
    let arrivals = sink.takes(alone.end, connections);
    let post = |ids: Range<u64>| Load::counted(server.address, connections, ids, &arrivals);
    let warm = warming.end;
    post(warming).run().await;
    arrived(&arrivals, warm).await;

    let (ids, cpu) = (fast.clone(), server.cpu());
    post(fast).run().await;
    arrived(&arrivals, ids.end).await;
    let posts = ids.end - ids.start;
    found.rate.push(rate(posts, arrivals.took(ids)));
    found.cpu_us.push((server.cpu() - cpu).as_secs_f64() * 1e6 / posts as f64);

    let pause = if connections == 1 { Duration::from_millis(5) } else { Duration::ZERO };
    let ids = alone.clone();
    Load { pause: Some(pause), ..post(alone) }.run().await;
    let latencies = arrivals.latencies(ids);
    found.note(&latencies);
}

async fn arrived(arrivals: &Arc<Arrivals>, count: u64) {
    arrivals.all(usize::try_from(count).unwrap()).await;
}

/// What was found of Alertmanager's own notifier.
#[derive(Default)]
struct Incumbent {
    rate: Samples,
    /// For each notification.
    cpu_us: Samples,
    rss_mib: Samples,
}

impl Incumbent {
    async fn measure(&mut self, setup: &Setup, sink: &Sink, binary: &Path, groups: u64) {
        let folder = setup.temporary();
        let arrivals = sink.takes(groups, 0);
        let alertmanager = reference::incumbent::start(binary, folder.path(), sink.address);
        let before = alertmanager.cpu();
        reference::incumbent::fire(alertmanager.address, groups);
        arrived(&arrivals, groups).await;
        // From the first to the last: what it waits before is its configuration's.
        self.rate.push(rate(groups, arrivals.spread()));
        self.cpu_us.push((alertmanager.cpu() - before).as_secs_f64() * 1e6 / groups as f64);
        self.rss_mib.push(alertmanager.rss_mib());
    }
}
