//! Row `console`: the price of the console. Durable webhooks a second, alone, and while ten tabs are open and one reader
//! searches without end. The sink refuses every message, so the sender is held and nothing is delivered. Then the time of
//! single pages of an outbox with many messages.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::{
    growth::Worker,
    http1,
    load::Load,
    process::Process,
    report::Report,
    samples::{Latencies, Measured},
    setup::{MEMBERS, Setup},
    sink::Sink,
    table::{Table, count, ms, ratio},
};

const CONNECTIONS: usize = 64;
const TABS: u32 = 10;
/// A tab asks for its page again after this time.
const INTERVAL: Duration = Duration::from_secs(2);
/// The bench fails when a page takes longer.
const TIMEOUT: Duration = Duration::from_secs(60);
const ENDLESS_SEARCH: &str = "/messages?q=nothing+like+this";
/// After this time a search does not wait for the pause after the last one.
const SEARCH_PAUSE: Duration = Duration::from_millis(2_100);

pub(crate) async fn run(setup: &Setup, sink: &Sink) -> Report {
    sink.refuse();
    let mut report = accept(setup, sink).await;
    report.extend(pages(setup, sink).await);
    report
}

async fn accept(setup: &Setup, sink: &Sink) -> Report {
    let [mut alone, mut watched] = <[Measured; 2]>::default();
    for round in 0..setup.choose(1, 7) {
        let folder = setup.temporary();
        let server = setup.start_relay(folder.path(), sink.address);
        Load { time: Some(setup.time() / 4), ..load(&server, 0) }.run().await;
        // The order changes, because the outbox grows meanwhile.
        if round % 2 == 0 {
            measure(setup, &server, &mut alone, 1).await;
        }
        let readers = readers(server.address);
        measure(setup, &server, &mut watched, 2).await;
        drop(readers);
        if round % 2 == 1 {
            measure(setup, &server, &mut alone, 3).await;
        }
    }
    let mut report = Report::default();
    let mut table = Table::new(
        format!("console: webhooks that are on disk when they are answered; connections: {CONNECTIONS}"),
        ["readers", "accepted/s", "p50 ms", "p99 ms", "CPU ms each"],
    );
    for (readers, key, measured) in
        [("none", "none", &alone), ("ten tabs, one endless search", "eleven", &watched)]
    {
        table.row([
            readers.to_owned(),
            count(measured.rate.median()),
            ms(measured.p50_us.median()),
            ms(measured.p99_us.median()),
            ms(measured.cpu_us.median()),
        ]);
        let name = |figure: &str| format!("console/{key}/{figure}");
        report.samples(name("per_s"), &measured.rate);
        report.samples(name("p50_us"), &measured.p50_us);
        report.samples(name("p99_us"), &measured.p99_us);
        report.samples(name("cpu_us"), &measured.cpu_us);
    }
    let share = watched.rate.ratio_to(&alone.rate);
    table.note(format!("accepted/s with readers over without: {}", ratio(share)));
    report.at_least("console: rate with ten tabs and a search over the rate without", 0.95, share);
    report.tables.push(table);
    report
}

fn load(server: &Process, part: u64) -> Load {
    let each = u64::from(u32::MAX / 4);
    Load::new(server, CONNECTIONS, MEMBERS, part * each..(part + 1) * each)
}

async fn measure(setup: &Setup, server: &Process, measured: &mut Measured, part: u64) {
    let (time, cpu) = (setup.choose(setup.time(), 3 * setup.time()), server.cpu());
    let run = Load { time: Some(time), ..load(server, part) }.run().await;
    measured.rate.push(run.rate());
    measured.latencies(&run.latencies);
    measured.cpu_us.push((server.cpu() - cpu).as_secs_f64() * 1e6 / run.posts as f64);
}

/// Ten tabs, and a search that begins again as soon as it ends. They stop when this is dropped.
fn readers(address: SocketAddr) -> JoinSet<()> {
    let mut readers = JoinSet::new();
    for tab in 0..TABS {
        readers.spawn(async move {
            let path = if tab % 2 == 0 { "/" } else { "/messages" };
            sleep(INTERVAL * tab / TABS).await;
            loop {
                read(address, path).await;
                sleep(INTERVAL).await;
            }
        });
    }
    readers.spawn(async move {
        loop {
            read(address, ENDLESS_SEARCH).await;
        }
    });
    readers
}

/// Reads a page on a new connection, and returns the nanoseconds that it took.
async fn read(address: SocketAddr, path: &str) -> u64 {
    let began = Instant::now();
    let answer = timeout(TIMEOUT, get(address, path)).await.expect("the console does not answer");
    let nanos = u64::try_from(began.elapsed().as_nanos()).unwrap();
    assert_eq!(http1::status(&answer), 200, "{path}: {}", String::from_utf8_lossy(&answer));
    nanos
}

async fn get(address: SocketAddr, path: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    answer
}

async fn pages(setup: &Setup, sink: &Sink) -> Report {
    let messages = setup.choose(2_000, 100_000);
    let folder = setup.temporary();
    let mut worker = Worker::start(folder.path());
    worker.fill(messages);
    worker.end();
    let server = setup.start_relay(folder.path(), sink.address);
    let mut report = Report::default();
    let mut table = Table::new(
        format!("console: pages of an outbox with {} messages", count(messages as f64)),
        ["page", "p50 ms", "longest ms"],
    );
    for (page, key, path) in [
        ("overview", "overview", "/"),
        ("first page of messages", "first_page", "/messages"),
        ("dead letters", "dead", "/messages?state=dead"),
        ("search without a hit", "search", ENDLESS_SEARCH),
    ] {
        let mut nanos = Vec::new();
        for _ in 0..setup.choose(3, 30) {
            if path == ENDLESS_SEARCH {
                sleep(SEARCH_PAUSE).await;
            }
            nanos.push(read(server.address, path).await);
        }
        let latencies = Latencies::new(nanos);
        let (middle, longest) = (latencies.quantile_us(0.5), latencies.quantile_us(1.0));
        table.row([page.to_owned(), ms(middle), ms(longest)]);
        report.figure(format!("console/{messages}/{key}_us"), middle);
        report.at_most(&format!("console: {page}, ms"), 300.0, middle / 1e3);
    }
    report.tables.push(table);
    report
}
