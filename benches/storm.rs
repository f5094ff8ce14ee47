//! Row `storm`: 10,000 notifications at once, over as many connections as a large Alertmanager opens.

use crate::{
    load::Load,
    process::Process,
    reference,
    report::Report,
    samples::Samples,
    setup::{MEMBERS, Setup, assert_full_speed},
    sink::Sink,
    table::{Table, ratio},
};

pub(crate) async fn run(setup: &Setup, sink: &Sink) -> Report {
    let (notifications, connections) = setup.choose((1_000, 100), (10_000, 1_000));
    assert_full_speed(notifications, MEMBERS);
    let [mut durable, mut forwarder, mut accepted, mut delivered] = <[Samples; 4]>::default();
    for _ in 0..setup.rounds() {
        let folder = setup.temporary();
        let server = reference::durable(folder.path());
        let run = Load::new(&server, connections, MEMBERS, 0..notifications).run().await;
        durable.push(run.took.as_secs_f64());
        let server = reference::forward(sink.address);
        forwarder.push(deliver(sink, &server, connections, notifications).await.delivered);
        let folder = setup.temporary();
        let server = setup.start_relay(folder.path(), sink.address);
        let seconds = deliver(sink, &server, connections, notifications).await;
        accepted.push(seconds.accepted);
        delivered.push(seconds.delivered);
    }
    let mut report = Report::default();
    let mut table = Table::new(
        format!(
            "storm: {notifications} notifications over {connections} connections, {MEMBERS} members; seconds"
        ),
        ["until all are", "reference", "relay", "relay/reference"],
    );
    for (name, reference, relay) in [("accepted", &durable, &accepted), ("delivered", &forwarder, &delivered)]
    {
        let seconds = |samples: &Samples| format!("{:.2}", samples.median());
        table.row([name.to_owned(), seconds(reference), seconds(relay), ratio(relay.ratio_to(reference))]);
        report.samples(format!("storm/{name}/reference/s"), reference);
        report.samples(format!("storm/{name}/relay/s"), relay);
    }
    table
        .note("references: the durable handler, which delivers nothing; the forwarder, which stores nothing");
    table.note("the relay delivers while it accepts, on the same processors");
    report.tables.push(table);
    report
}

struct Seconds {
    accepted: f64,
    delivered: f64,
}

async fn deliver(sink: &Sink, server: &Process, connections: usize, notifications: u64) -> Seconds {
    let ids = 0..notifications;
    let arrivals = sink.accept(notifications, connections, MEMBERS);
    let load =
        Load { arrivals: Some(arrivals.clone()), ..Load::new(server, connections, MEMBERS, ids.clone()) };
    let run = load.run().await;
    arrivals.wait_for_all(notifications).await;
    Seconds { accepted: run.took.as_secs_f64(), delivered: arrivals.took(ids).as_secs_f64() }
}
