//! Row `accept`: durable webhooks a second. The sink refuses every message, so the sender is held and nothing is delivered.

use crate::{
    load::Load,
    process::Process,
    reference,
    report::Report,
    samples::Measured,
    setup::{MEMBERS, Setup},
    sink::Sink,
    table::{Table, count, ms, ratio},
};

pub(crate) async fn run(setup: &Setup, sink: &Sink) -> Report {
    sink.refuse();
    let mut report = Report::default();
    let mut table = Table::new(
        format!("accept: webhooks that are on disk when they are answered; delivery held, {MEMBERS} members"),
        ["server", "connections", "accepted/s", "p50 ms", "p99 ms", "CPU ms each", "relay/it, accepted/s"],
    );
    for connections in [1, 64] {
        let [mut relay, mut durable] = <[Measured; 2]>::default();
        for _ in 0..setup.rounds() {
            let folder = setup.temporary();
            measure(setup, connections, &reference::durable(folder.path()), &mut durable).await;
            let folder = setup.temporary();
            let server = setup.start_relay(folder.path(), sink.address);
            measure(setup, connections, &server, &mut relay).await;
        }
        for (server, measured) in [("relay", &relay), ("durable handler", &durable)] {
            let of_it = relay.rate.ratio_to(&measured.rate);
            table.row([
                server.to_owned(),
                connections.to_string(),
                count(measured.rate.median()),
                ms(measured.p50_us.median()),
                ms(measured.p99_us.median()),
                ms(measured.cpu_us.median()),
                ratio(of_it),
            ]);
            let name = |figure: &str| format!("accept/{connections}/{}/{figure}", server.replace(' ', "_"));
            report.samples(name("per_s"), &measured.rate);
            report.samples(name("p50_us"), &measured.p50_us);
            report.samples(name("p99_us"), &measured.p99_us);
            report.samples(name("cpu_us"), &measured.cpu_us);
            report.figure(name("ratio"), of_it);
        }
        if connections == 64 {
            let of_durable = relay.rate.ratio_to(&durable.rate);
            report.at_least("accept, 64 connections: rate over the durable handler's", 0.45, of_durable);
        }
    }
    table.note("durable handler: parses, inserts one row in SQLite, simultaneous requests share a commit");
    report.tables.push(table);
    report
}

/// Measures `server` for one round.
pub(crate) async fn measure(setup: &Setup, connections: usize, server: &Process, measured: &mut Measured) {
    let load = |ids, time| Load { time: Some(time), ..Load::new(server, connections, MEMBERS, ids) };
    let middle = u64::from(u32::MAX / 2);
    load(0..middle, setup.time() / 8).run().await;
    let cpu = server.cpu();
    // Each round posts new notifications, because a duplicate costs less.
    let run = load(middle..2 * middle, setup.time()).run().await;
    measured.rate.push(run.rate());
    measured.latencies(&run.latencies);
    measured.cpu_us.push((server.cpu() - cpu).as_secs_f64() * 1e6 / run.posts as f64);
}
