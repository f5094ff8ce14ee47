//! The time from a POST at one replica to the message that another one sends. It contains the acceptance, the wake-up of
//! the other replica, its claim and its call.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::server::{Server, connect};
use crate::{
    relay::Case,
    report::Report,
    samples::Measured,
    setup::{APP, MEMBERS, Setup},
    sink::Sink,
    table::{Table, ms},
};

/// The longest time until a replica has the lease.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn run(setup: &Setup, sink: &Sink, postgres: &Server) -> Report {
    let (fast, waiting) = setup.choose((20, 10), (400, 200));
    let case = Case { connections: 1, members: MEMBERS, warm: 20, fast, waiting };
    let [mut owner, mut other] = <[Measured; 2]>::default();
    for _ in 0..setup.rounds() {
        let folders = [setup.temporary(), setup.temporary()];
        let url = postgres.database().await;
        let a = setup.start_replica("a", &url, folders[0].path(), sink.address);
        wait_for_lease(&url).await;
        let b = setup.start_replica("b", &url, folders[1].path(), sink.address);
        case.measure(&b, sink, &mut other).await;
        assert_eq!(sending(&url).await.as_deref(), Some("a"), "the lease has moved");
        drop(b);
        // The numbers of the notifications begin anew, and a repeated one would be a duplicate.
        drop(a);
        let url = postgres.database().await;
        let a = setup.start_replica("a", &url, folders[0].path(), sink.address);
        wait_for_lease(&url).await;
        case.measure(&a, sink, &mut owner).await;
    }
    let mut report = Report::default();
    let mut table = Table::new(
        "replicas, from the POST to the arrival, one connection that waits",
        ["accepted by", "p50 ms", "p99 ms"],
    );
    for (name, measured) in [("the replica that sends", &owner), ("another replica", &other)] {
        table.row([name.to_owned(), ms(measured.p50_us.median()), ms(measured.p99_us.median())]);
        let name = name.replace(' ', "_");
        report.samples(format!("replicas/wakeup/{name}/p50_us"), &measured.p50_us);
        report.samples(format!("replicas/wakeup/{name}/p99_us"), &measured.p99_us);
    }
    report.at_most(
        "replicas: POST at one to arrival from another, p50, ms",
        20.0,
        other.p50_us.median() / 1e3,
    );
    report.tables.push(table);
    report
}

/// Waits until a replica has the lease of the app.
async fn wait_for_lease(url: &str) {
    let deadline = Instant::now() + PATIENCE;
    while sending(url).await.is_none() {
        assert!(Instant::now() < deadline, "no replica has the lease");
        sleep(Duration::from_millis(50)).await;
    }
}

/// The name of the replica that has the lease of the app.
async fn sending(url: &str) -> Option<String> {
    let query = "SELECT r.name FROM wecom_relay.lease l JOIN wecom_relay.replica r USING (owner) \
         WHERE l.sender = $1 AND l.until > clock_timestamp()";
    connect(url).await.query_opt(query, &[&APP]).await.unwrap().map(|row| row.get(0))
}
