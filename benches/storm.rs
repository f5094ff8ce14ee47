//! 10,000 notifications at once, over as many connections as a large Alertmanager opens.

use crate::{
    load::Load,
    process::Process,
    reference,
    report::Report,
    samples::Samples,
    setup::Setup,
    sink::Sink,
    table::{Table, ratio},
};

const NOTIFICATIONS: u64 = 10_000;
const CONNECTIONS: usize = 1_000;

pub(crate) async fn run(setup: &Setup, sink: &Sink) -> Report {
    let (count, connections) = setup.either((1_000, 100), (NOTIFICATIONS, CONNECTIONS));
    let [mut durable, mut forward, mut accepted, mut delivered] = <[Samples; 4]>::default();
    for _ in 0..setup.rounds() {
        let folder = setup.temporary();
        durable.push(accept(sink, reference::durable(folder.path()), count, connections).await);
        let (_, last) = both(sink, reference::forward(sink.address), count, connections).await;
        forward.push(last);
        let folder = setup.temporary();
        let (answered, last) =
            both(sink, setup.start_relay(folder.path(), sink.address), count, connections).await;
        accepted.push(answered);
        delivered.push(last);
    }
    let mut report = Report::default();
    let mut table = Table::new(
        format!("storm: {count} notifications over {connections} connections, pacing off; seconds"),
        ["until", "reference", "relay", "relay/reference"],
    );
    for (until, name, reference, relay) in [
        ("all are accepted", "accepted", &durable, &accepted),
        ("all are delivered", "delivered", &forward, &delivered),
    ] {
        let seconds = |samples: &Samples| format!("{:.2}", samples.median());
        let over = relay.ratio_to(reference);
        table.row([until.to_owned(), seconds(reference), seconds(relay), ratio(over)]);
        report.samples(format!("storm/{name}/reference/s"), reference);
        report.samples(format!("storm/{name}/relay/s"), relay);
    }
    table.note("references: the minimal durable handler, and the forwarder without storage");
    table.note(
        "the durable handler delivers nothing; the relay delivers while it accepts, on the same processors",
    );
    report.tables.push(table);
    report
}

async fn accept(sink: &Sink, server: Process, count: u64, connections: usize) -> f64 {
    let arrivals = sink.takes(count, connections);
    Load::counted(server.address, connections, 0..count, &arrivals).run().await.took.as_secs_f64()
}

/// Seconds until all were answered, and until all had arrived.
async fn both(sink: &Sink, server: Process, count: u64, connections: usize) -> (f64, f64) {
    let arrivals = sink.takes(count, connections);
    let run = Load::counted(server.address, connections, 0..count, &arrivals).run().await;
    arrivals.all(usize::try_from(count).unwrap()).await;
    (run.took.as_secs_f64(), arrivals.took(0..count).as_secs_f64())
}
