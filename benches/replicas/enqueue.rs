//! Notifications a second that the outbox stores, beside one `INSERT` of as many bytes. Both share their commits.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Bytes;
use futures_util::{StreamExt, stream};
use tokio::time::Instant;

use super::{server::Server, store::open};
use crate::{
    growth::port::{Store, row},
    reference::durable_postgres::inserter,
    report::Report,
    samples::{Samples, rate},
    setup::{MEMBERS, Setup},
    table::{Table, count, ratio},
};

/// The numbers of callers that wait for their commit.
const CALLERS: [usize; 2] = [1, 64];

pub(super) async fn run(setup: &Setup, postgres: &Server) -> Report {
    let outbox = open(&postgres.database().await);
    let store = Store::new(outbox.clone()).await;
    let (inserter, task) = inserter(&postgres.database().await).await;
    // Each notification is a new one, because a duplicate costs less.
    let next = AtomicU64::new(0);
    let mut report = Report::default();
    let mut table = Table::new(
        format!("replicas, enqueue: notifications that are stored in PostgreSQL; {MEMBERS} members"),
        ["writer", "callers", "stored/s", "outbox/it"],
    );
    let measuring = async {
        for callers in CALLERS {
            let calls = (callers as u64) * setup.choose(5, 200);
            let [mut stored, mut inserted] = <[Samples; 2]>::default();
            for _ in 0..=setup.rounds() {
                let began = Instant::now();
                each(callers, calls, || {
                    let (group_key, text) = row(next.fetch_add(1, Ordering::Relaxed), &store);
                    inserter.insert(group_key, Bytes::from(text))
                })
                .await;
                inserted.push(rate(calls, began.elapsed()));
                let began = Instant::now();
                each(callers, calls, || store.enqueue(next.fetch_add(1, Ordering::Relaxed))).await;
                stored.push(rate(calls, began.elapsed()));
            }
            for (writer, samples) in [("outbox", &stored), ("one INSERT", &inserted)] {
                let of_it = ratio(stored.ratio_to(samples));
                table.row([writer.to_owned(), callers.to_string(), count(samples.median()), of_it]);
                report.samples(format!("replicas/enqueue/{callers}/{writer}/per_s"), samples);
            }
            if callers == 64 {
                let of_insert = stored.ratio_to(&inserted);
                report.at_least("replicas, enqueue, 64 callers: rate over one INSERT's", 0.35, of_insert);
            }
        }
        drop(inserter);
    };
    tokio::join!(measuring, task.run());
    table.note("one INSERT: a row with the group key and the text; simultaneous callers share an INSERT");
    report.tables.push(table);
    outbox.close().await;
    report
}

/// Makes `calls` calls, `callers` at a time.
async fn each<F: Future<Output = ()>>(callers: usize, calls: u64, call: impl Fn() -> F) {
    stream::iter(0..calls).for_each_concurrent(callers, |_| call()).await;
}
