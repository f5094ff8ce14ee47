//! Row `footprint`: size of the binary, time to ready, memory, and processor time while idle.

use std::{fs, time::Duration};

use tokio::time::{Instant, sleep};

use crate::{
    http1,
    load::Load,
    reference::alertmanager,
    report::Report,
    samples::Samples,
    setup::{Setup, assert_full_speed},
    sink::Sink,
    table::{Table, mb, ms},
};

const CONNECTIONS: usize = 64;
/// Twice as many members as in the other rows, because WeCom's limits for each member would make 100,000 deliveries slower.
const MEMBERS: u64 = 5_000;
/// A server is idle when this time has passed since its start.
const IDLE_AFTER: Duration = Duration::from_secs(1);

pub(crate) async fn run(setup: &Setup, sink: &Sink) -> Report {
    let binary = fs::metadata(&setup.relay).unwrap().len() as f64 / 1e6;
    let mut ready = Samples::default();
    for _ in 0..setup.choose(2, 11) {
        let folder = setup.temporary();
        let began = Instant::now();
        let relay = setup.start_relay(folder.path(), sink.address);
        let answer = http1::get(relay.address, "/-/ready");
        assert_eq!(http1::status(&answer), 200, "{}", String::from_utf8_lossy(&answer));
        ready.push(began.elapsed().as_secs_f64() * 1e6);
    }
    let ready = ready.median();
    let folder = setup.temporary();
    let relay = setup.start_relay(folder.path(), sink.address);
    sleep(IDLE_AFTER).await;
    let (idle, cpu) = (relay.rss_mb(), relay.cpu());
    let idle_time = setup.choose(Duration::from_secs(1), Duration::from_secs(5));
    sleep(idle_time).await;
    let idle_cpu_ms = (relay.cpu() - cpu).as_secs_f64() * 1e3 / idle_time.as_secs_f64();

    let deliveries = setup.choose(2_000, 100_000);
    assert_full_speed(deliveries, MEMBERS);
    let arrivals = sink.accept(deliveries, CONNECTIONS, MEMBERS);
    Load::new(&relay, CONNECTIONS, MEMBERS, 0..deliveries).run().await;
    arrivals.wait_for_all(deliveries).await;
    let loaded = relay.rss_mb();

    let mut report = Report::default();
    let mut table = Table::new("footprint: of the relay alone", ["", "measured"]);
    let loaded_title = format!("RSS after {deliveries} deliveries to {MEMBERS} members, MB");
    for (title, name, value, shown) in [
        ("binary, MB", "binary_mb", binary, mb(binary)),
        ("start to a 200 of /-/ready, ms", "ready_us", ready, ms(ready)),
        ("RSS idle, MB", "idle_rss_mb", idle, mb(idle)),
        ("CPU idle, ms a second", "idle_cpu_ms", idle_cpu_ms, format!("{idle_cpu_ms:.1}")),
        (&loaded_title, "loaded_rss_mb", loaded, mb(loaded)),
    ] {
        table.row([title.to_owned(), shown]);
        report.figure(format!("footprint/{name}"), value);
    }
    if let Some(binary) = alertmanager::find() {
        let folder = setup.temporary();
        let alertmanager = alertmanager::start(&binary, folder.path(), sink.address);
        sleep(IDLE_AFTER).await;
        table.row(["RSS idle of Alertmanager, MB".to_owned(), mb(alertmanager.rss_mb())]);
    }
    table.note("MB: 1,000,000 bytes");
    report.tables.push(table);
    report.at_most("footprint: binary, MB", 20.0, binary);
    report.at_most("footprint: start to ready, ms", 50.0, ready / 1e3);
    report.at_most("footprint: RSS idle, MB", 14.0, idle);
    report.at_most(&format!("footprint: RSS after {deliveries} deliveries, MB"), 32.0, loaded);
    report
}
