//! Claimed deliveries a second, by the number that wait.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::time::Instant;
use wecom_relay::outbox::postgres::PostgresOutbox;

use super::{
    server::{Server, connect},
    store::open,
};
use crate::{
    growth::port::Store,
    report::Report,
    samples::{Samples, rate},
    setup::{MEMBERS, Setup},
    table::{Table, count, ratio},
};

/// The number of requests that wait for their commit at a busy webhook.
const CONCURRENT: usize = 64;

/// Copies each delivery as often as the parameter says. A copy has an ordering key of its own.
const COPY: &str = "INSERT INTO wecom_relay.delivery SELECT copy.* FROM wecom_relay.delivery d
     CROSS JOIN generate_series(1, $1::bigint) AS n
     CROSS JOIN LATERAL (SELECT 1000000 + d.id * 1000 + n AS id) AS number
     CROSS JOIN LATERAL jsonb_populate_record(d, jsonb_build_object('id', number.id, 'seq', number.id,
         'notification', number.id, 'ordering_key', hashint8extended(number.id, 0))) AS copy";
const AFTER_COPY: &str = "INSERT INTO wecom_relay.ordering_key (id, heads, expires_at)
         SELECT ordering_key, 1, 0 FROM wecom_relay.delivery WHERE id > 1000000;
     SELECT setval('wecom_relay.number', (SELECT max(id) FROM wecom_relay.delivery));
     VACUUM ANALYZE wecom_relay.delivery; VACUUM ANALYZE wecom_relay.ordering_key; CHECKPOINT";

pub(super) async fn run(setup: &Setup, postgres: &Server) -> Report {
    let levels = setup.choose([5_000, 10_000], [10_000, 1_000_000]);
    let round = setup.choose(500, 4_000);
    let mut all = Vec::new();
    for waiting in levels {
        all.push(Filled::new(postgres, waiting).await);
    }
    for filled in &mut all {
        filled.round(round / 4).await;
    }
    for _ in 0..setup.rounds() {
        for filled in &mut all {
            let rate = filled.round(round).await;
            filled.claimed.push(rate);
        }
    }
    let mut report = Report::default();
    let mut table = Table::new(
        format!(
            "replicas, claim: claimed deliveries a second by deliveries that wait, for {MEMBERS} members"
        ),
        ["waiting", "claimed/s", "/at fewest"],
    );
    for filled in &all {
        let of_fewest = filled.claimed.ratio_to(&all[0].claimed);
        table.row([count(filled.waiting as f64), count(filled.claimed.median()), ratio(of_fewest)]);
        report.samples(format!("replicas/claim/{}/per_s", filled.waiting), &filled.claimed);
    }
    let of_fewest = all[1].claimed.ratio_to(&all[0].claimed);
    let [fewest, most] = levels.map(|waiting| count(waiting as f64));
    report.at_least(&format!("replicas: claims with {most} waiting over {fewest}"), 0.9, of_fewest);
    report.tables.push(table);
    for filled in all {
        filled.outbox.close().await;
    }
    report
}

/// An outbox in which this number of deliveries waits.
struct Filled {
    waiting: u64,
    outbox: PostgresOutbox,
    store: Store<PostgresOutbox>,
    next: u64,
    claimed: Samples,
}

impl Filled {
    async fn new(postgres: &Server, waiting: u64) -> Self {
        let url = postgres.database().await;
        let outbox = open(&url);
        let store = Store::new(outbox.clone()).await;
        let mut filled = Self { waiting, outbox, store, next: 0, claimed: Samples::default() };
        filled.enqueue(MEMBERS).await;
        // The engine would take minutes for a million, so the others are copies of one for each member.
        let client = connect(&url).await;
        client.execute(COPY, &[&((waiting / MEMBERS - 1) as i64)]).await.unwrap();
        for statement in AFTER_COPY.split(';') {
            client.batch_execute(statement).await.unwrap();
        }
        let row = client.query_one("SELECT count(*) FROM wecom_relay.delivery", &[]).await.unwrap();
        assert_eq!(row.get::<_, i64>(0), waiting as i64);
        filled
    }

    async fn enqueue(&mut self, count: u64) {
        let ids = self.next..self.next + count;
        self.next = ids.end;
        let store = &self.store;
        stream::iter(ids).for_each_concurrent(CONCURRENT, |id| store.enqueue(id)).await;
    }

    /// Enqueues `count` deliveries, and claims and settles as many. Returns the claimed ones a second.
    async fn round(&mut self, count: u64) -> f64 {
        self.enqueue(count).await;
        let (mut claimed, mut took) = (0, Duration::ZERO);
        while claimed < count {
            let began = Instant::now();
            let deliveries = self.store.claim().await;
            took += began.elapsed();
            assert!(!deliveries.is_empty(), "nothing waits");
            claimed += deliveries.len() as u64;
            self.store.settle(&deliveries).await;
        }
        rate(claimed, took)
    }
}
