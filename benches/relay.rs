//! Rows `relay1`, `relay16` and `relay64`: from the webhook to the message at the sink, with default limits.
//!
//! The relay, Alertmanager's notifier and the forwarder do the same work: each notification has two alerts, is one
//! request, and becomes one message to one of the members, in turn. The counts are below the limits of a
//! member, because otherwise the bench would measure the limits and not the relay.

use std::{ops::Range, time::Duration};

use crate::{
    disk,
    load::Load,
    process::Process,
    reference::{self, alertmanager},
    report::Report,
    samples::{Measured, Samples, rate},
    setup::{MEMBERS, Setup, assert_full_speed},
    sink::Sink,
    table::{Table, count, ms, ratio},
};

/// A connection that waits for its message also pauses, so that every notification meets an idle server.
const PAUSE: Duration = Duration::from_millis(5);

pub(crate) async fn run(setup: &Setup, sink: &Sink, connections: usize) -> Report {
    let [mut forwarder, mut relay, mut alertmanager] = <[Measured; 3]>::default();
    let mut flush = Samples::default();
    let case = Case::new(setup, connections);
    let binary = alertmanager::find();
    for _ in 0..setup.rounds() {
        case.measure(&reference::forward(sink.address), sink, &mut forwarder).await;
        if let Some(binary) = &binary {
            let folder = setup.temporary();
            let server = alertmanager::start(binary, folder.path(), sink.address);
            case.measure(&server, sink, &mut alertmanager).await;
        }
        let folder = setup.temporary();
        let server = setup.start_relay(folder.path(), sink.address);
        case.measure(&server, sink, &mut relay).await;
        flush.push(disk::flushes(setup, setup.time() / 4).quantile_us(0.5));
    }
    let mut report = Report::default();
    let row = format!("relay{connections}");
    let mut table = Table::new(
        format!("{row}: webhook in, message at the sink; connections: {connections}, members: {MEMBERS}"),
        [
            "server",
            "delivered/s",
            "p50 ms",
            "p99 ms",
            "CPU ms each",
            "bytes each",
            "relay/server, delivered/s",
        ],
    );
    for (server, measured) in [("relay", &relay), ("Alertmanager", &alertmanager), ("forwarder", &forwarder)]
    {
        let ratio_of_relay = relay.rate.ratio_to(&measured.rate);
        table.row([
            server.to_owned(),
            count(measured.rate.median()),
            ms(measured.p50_us.median()),
            ms(measured.p99_us.median()),
            ms(measured.cpu_us.median()),
            count(measured.bytes.median()),
            ratio(ratio_of_relay),
        ]);
        let name = |figure: &str| format!("{row}/{}/{figure}", server.to_lowercase());
        report.samples(name("per_s"), &measured.rate);
        report.samples(name("p50_us"), &measured.p50_us);
        report.samples(name("p99_us"), &measured.p99_us);
        report.samples(name("cpu_us"), &measured.cpu_us);
        report.figure(name("ratio"), ratio_of_relay);
    }
    let flush_ms = flush.median() / 1e3;
    report.figure(format!("{row}/flush_us"), flush.median());
    if binary.is_none() {
        table.note("Alertmanager was not measured: it is not on the PATH");
    }
    if connections == 1 {
        table.note("p50, p99: from the POST to the arrival, for a connection that waits for it");
        table.note(format!("a flush of the disk takes {flush_ms:.2} ms"));
        let wanted_ms = (2.0 * flush_ms + 0.4).max(0.7);
        report.at_most("relay1: POST to arrival, p50, ms", wanted_ms, relay.p50_us.median() / 1e3);
    } else {
        let times = relay.rate.ratio_to(&alertmanager.rate);
        report.at_least(&format!("{row}: delivered per second, times Alertmanager's"), 2.0, times);
    }
    if connections == 64 {
        report.at_most("relay64: CPU per notification, ms", 0.35, relay.cpu_us.median() / 1e3);
    }
    table.note("relay: accepts, stores, delivers; to_user is a template on a label of the alerts");
    table.note("forwarder: a handler that sends before it answers; it stores nothing and has no limits");
    table.note(
        "Alertmanager: accepts the alerts of each notification in one request and does not wait for more",
    );
    let each = (case.warm + case.fast + case.waiting).div_ceil(MEMBERS);
    table.note(format!(
        "limits: default; {each} notifications at most for a member, so none was spaced or folded (checked)"
    ));
    report.tables.push(table);
    report
}

/// The load of one server in one round.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) connections: usize,
    pub(crate) members: u64,
    /// Notifications that are posted before the measurement, so that caches and connections are warm.
    pub(crate) warm: u64,
    /// Notifications that are posted as fast as possible. They give the rate and the processor time.
    pub(crate) fast: u64,
    /// Notifications that are posted by connections that wait for the arrival. They give the latencies.
    pub(crate) waiting: u64,
}

impl Case {
    fn new(setup: &Setup, connections: usize) -> Self {
        let members = MEMBERS;
        if connections == 1 {
            let (fast, waiting) = setup.choose((100, 20), (1_000, 400));
            return Self { connections, members, warm: fast / 10, fast, waiting };
        }
        // Two for each member, so that there are many destinations at the same time.
        let fast = setup.choose(1_000, 5_000);
        Self { connections, members, warm: fast / 10, fast, waiting: 0 }
    }

    /// Measures `server` for one round.
    pub(crate) async fn measure(self, server: &Process, sink: &Sink, measured: &mut Measured) {
        let Self { connections, members, warm, fast, waiting } = self;
        let total = warm + fast + waiting;
        assert_full_speed(total, members);
        let arrivals = sink.accept(total, connections, members);
        let load = |ids: Range<u64>| Load {
            arrivals: Some(arrivals.clone()),
            ..Load::new(server, connections, members, ids)
        };
        load(0..warm).run().await;
        arrivals.wait_for_all(warm).await;

        let ids = warm..warm + fast;
        let cpu = server.cpu();
        load(ids.clone()).run().await;
        arrivals.wait_for_all(ids.end).await;
        measured.rate.push(rate(fast, arrivals.took(ids.clone())));
        measured.cpu_us.push((server.cpu() - cpu).as_secs_f64() * 1e6 / fast as f64);

        if waiting > 0 {
            let ids = ids.end..total;
            Load { pause: Some(PAUSE), ..load(ids.clone()) }.run().await;
            measured.latencies(&arrivals.latencies(ids));
        }
        assert_eq!(arrivals.messages(), total, "some messages were digests or duplicates");
        measured.bytes.push(arrivals.mean_bytes());
    }
}
