//! Row `sweep`: delivered notifications a second, by the number of members.

use std::time::Duration;

use tokio::time::sleep;

use crate::{
    load::Load,
    relay::Case,
    report::Report,
    samples::Measured,
    setup::{FULL_SPEED, Setup},
    sink::Sink,
    table::{Table, count, ms, ratio},
};

const CONNECTIONS: usize = 64;
const MEMBERS: [u64; 3] = [500, 2_500, 10_000];
/// The relay gets this time to send what the limits of one member allow.
const AFTER: Duration = Duration::from_secs(5);

pub(crate) async fn run(setup: &Setup, sink: &Sink) -> Report {
    // There is at least one for each member, and few enough for the limits of 500 members.
    let fast = setup.choose(1_000, 10_000);
    let mut all: [Measured; MEMBERS.len()] = Default::default();
    for _ in 0..setup.rounds() {
        for (members, measured) in MEMBERS.into_iter().zip(&mut all) {
            let case = Case { connections: CONNECTIONS, members, warm: fast / 10, fast, waiting: 0 };
            let folder = setup.temporary();
            let server = setup.start_relay(folder.path(), sink.address);
            case.measure(&server, sink, measured).await;
        }
    }
    let mut report = Report::default();
    let mut table = Table::new(
        format!("sweep: webhook in, message at the sink, by members; {CONNECTIONS} connections"),
        ["members", "delivered/s", "/at 500", "CPU ms each"],
    );
    for (members, measured) in MEMBERS.iter().zip(&all) {
        let of_fewest = measured.rate.ratio_to(&all[0].rate);
        let cells = [count(measured.rate.median()), ratio(of_fewest), ms(measured.cpu_us.median())];
        let [rate, of_fewest, cpu] = cells;
        table.row([members.to_string(), rate, of_fewest, cpu]);
        report.samples(format!("sweep/{members}/per_s"), &measured.rate);
        report.samples(format!("sweep/{members}/cpu_us"), &measured.cpu_us);
    }
    let [fewest, .., most] = &all;
    let of_fewest = most.rate.ratio_to(&fewest.rate);
    report.figure("sweep/ratio", of_fewest);
    report.at_least("sweep: delivered per second, 10,000 members over 500", 0.9, of_fewest);
    table.note(one_member(setup, sink, &mut report).await);
    report.tables.push(table);
    report
}

/// Measures the rate of acceptance for one member. A rate of deliveries would only show the limits, because nearly
/// all deliveries are queued.
async fn one_member(setup: &Setup, sink: &Sink, report: &mut Report) -> String {
    let notifications = setup.choose(500, 5_000);
    let folder = setup.temporary();
    let server = setup.start_relay(folder.path(), sink.address);
    let arrivals = sink.accept(notifications, CONNECTIONS, 1);
    let run = Load::new(&server, CONNECTIONS, 1, 0..notifications).run().await;
    sleep(AFTER).await;
    let messages = arrivals.messages();
    assert!((FULL_SPEED..=30).contains(&messages), "{messages} messages to one member within a minute");
    report.figure("sweep/1/accepted_per_s", run.rate());
    format!(
        "1 member: {notifications} notifications accepted, {} a second; {messages} messages sent within {} s (limit: \
         30 a minute), the rest waits for a digest",
        count(run.rate()),
        AFTER.as_secs()
    )
}
