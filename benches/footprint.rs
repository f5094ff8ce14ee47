//! What the program takes: disk, time to start, memory, processor.

use std::{fs, time::Duration};

use tokio::time::{Instant, sleep};

use crate::{
    http1,
    load::Load,
    reference,
    report::Report,
    samples::Samples,
    setup::Setup,
    sink::Sink,
    table::{Table, mib, ms},
};

const CONNECTIONS: usize = 64;
/// How long after its start a program does nothing any more.
const IDLE_AFTER: Duration = Duration::from_secs(1);

pub(crate) async fn run(setup: &Setup, sink: &Sink) -> Report {
    let size = fs::metadata(&setup.relay).unwrap().len() as f64 / f64::from(1 << 20);
    let mut ready = Samples::default();
    for _ in 0..setup.either(2, 11) {
        let folder = setup.temporary();
        let began = Instant::now();
        let relay = setup.start_relay(folder.path(), sink.address);
        let (status, answer) = http1::once(relay.address, "GET", "/-/ready", "");
        assert_eq!(status, 200, "{answer}");
        ready.push(began.elapsed().as_secs_f64() * 1e6);
    }
    let folder = setup.temporary();
    let relay = setup.start_relay(folder.path(), sink.address);
    sleep(IDLE_AFTER).await;
    let (idle, cpu) = (relay.rss_mib(), relay.cpu());
    sleep(setup.either(Duration::from_secs(1), Duration::from_secs(10))).await;
    let idle_cpu = (relay.cpu() - cpu).as_secs_f64() * 1e3 / setup.either(1.0, 10.0);

    let deliveries = setup.either(2_000, 100_000);
    let (arrivals, cpu) = (sink.takes(deliveries, CONNECTIONS), relay.cpu());
    Load::counted(relay.address, CONNECTIONS, 0..deliveries, &arrivals).run().await;
    arrivals.all(usize::try_from(deliveries).unwrap()).await;
    let each = (relay.cpu() - cpu).as_secs_f64() * 1e6 / deliveries as f64;
    let loaded = relay.rss_mib();

    let mut report = Report::default();
    let mut table = Table::new("footprint", ["", "found"]);
    let ready = ready.median();
    for (what, name, value, shown) in [
        ("binary, MiB".to_owned(), "binary_mib", size, mib(size)),
        ("from its start to a 200 of /-/ready, ms".to_owned(), "ready_us", ready, ms(ready)),
        ("RSS, idle, MiB".to_owned(), "idle_rss_mib", idle, mib(idle)),
        ("CPU, idle, ms a second".to_owned(), "idle_cpu_ms", idle_cpu, format!("{idle_cpu:.1}")),
        (format!("RSS after {deliveries} deliveries, MiB"), "loaded_rss_mib", loaded, mib(loaded)),
        (format!("CPU for each of {deliveries} deliveries, µs"), "cpu_us", each, format!("{each:.0}")),
    ] {
        table.row([what, shown]);
        report.figure(format!("footprint/{name}"), value);
    }
    if let Some(binary) = reference::incumbent::find() {
        let folder = setup.temporary();
        let alertmanager = reference::incumbent::start(&binary, folder.path(), sink.address);
        sleep(IDLE_AFTER).await;
        let idle = alertmanager.rss_mib();
        table.row(["RSS, idle, of Alertmanager, MiB".to_owned(), mib(idle)]);
        report.figure("footprint/incumbent_idle_rss_mib", idle);
    } else {
        table.note("no alertmanager on PATH: its memory was not looked at");
    }
    report.tables.push(table);
    report.at_most("binary, MB", 12.0, size * 1.048_576);
    report.at_most("start to ready, ms", 50.0, ready / 1e3);
    report.at_most("RSS idle, MiB", 12.0, idle);
    report.at_most(&format!("RSS after {deliveries} deliveries, MiB"), 32.0, loaded);
    report
}
