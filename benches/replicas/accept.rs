//! Webhooks a second that a replica stores, beside a handler that inserts one row. Delivery is held.

use super::server::Server;
use crate::{
    accept::measure,
    reference,
    report::Report,
    samples::Measured,
    setup::{MEMBERS, Setup},
    sink::Sink,
    table::{Table, count, ms, ratio},
};

pub(super) async fn run(setup: &Setup, sink: &Sink, postgres: &Server) -> Report {
    sink.refuse();
    let mut report = Report::default();
    let mut table = Table::new(
        format!(
            "replicas, accept: webhooks that are stored in PostgreSQL when they are answered; {MEMBERS} members"
        ),
        ["server", "connections", "accepted/s", "p50 ms", "p99 ms", "CPU ms each", "relay/it, accepted/s"],
    );
    for connections in [1, 64] {
        let [mut relay, mut inserting] = <[Measured; 2]>::default();
        for _ in 0..setup.rounds() {
            let server = reference::durable_postgres(&postgres.database().await);
            measure(setup, connections, &server, &mut inserting).await;
            let folder = setup.temporary();
            let url = postgres.database().await;
            let server = setup.start_replica("a", &url, folder.path(), sink.address);
            measure(setup, connections, &server, &mut relay).await;
        }
        for (server, measured) in [("relay", &relay), ("one INSERT", &inserting)] {
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
            let name =
                |figure: &str| format!("replicas/accept/{connections}/{}/{figure}", server.replace(' ', "_"));
            report.samples(name("per_s"), &measured.rate);
            report.samples(name("p50_us"), &measured.p50_us);
            report.samples(name("p99_us"), &measured.p99_us);
            report.samples(name("cpu_us"), &measured.cpu_us);
            report.figure(name("ratio"), of_it);
        }
    }
    table
        .note("one INSERT: a handler that parses and inserts one row; simultaneous requests share an INSERT");
    table.note("CPU: of the server that is named, without PostgreSQL");
    report.tables.push(table);
    report
}
