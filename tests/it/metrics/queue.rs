//! Metrics of the queue.

use std::{sync::Arc, time::Duration};

use rusqlite::Connection;
use tokio::time::Instant;
use wecom_relay::{
    clock::{Clock, SystemClock},
    outbox::{NewNotification, Outbox, OutboxQuery, SenderName},
    sandbox::{Api, Fault, Settings},
};

use super::{quick, scrape, until, value, values};
use crate::{
    outbox_conformance::fixture::alert,
    outbox_sqlite::{directory, settings},
    support::{Options, Relay, ShiftedClock, Wecom, payload},
};

const DEPTH: &str = r#"wecom_relay_outbox_depth{receiver="wechat"}"#;
const AGE: &str = r#"wecom_relay_outbox_oldest_age_seconds{receiver="wechat"}"#;

#[tokio::test]
async fn depth_and_age_are_those_of_unsettled_deliveries() {
    let wecom = Wecom::live(Settings::default()).await;
    let clock = Arc::new(ShiftedClock::default());
    let receivers =
        "  - { name: wechat, to_user: zhangsan }\n  - { name: other, to_user: lisi }\n".to_owned();
    let relay = Relay::with(&wecom.url, Options { receivers, clock: clock.clone(), ..quick() }).await;
    wecom.sandbox.inject(Fault::errcode(60020).on(Api::MessageSend));
    relay.post(&payload("First", &[("a", true)])).await;
    clock.advance(Duration::from_secs(600));
    relay.post(&payload("Second", &[("a", true)])).await;
    relay.post(&payload("Second", &[("b", true)])).await;
    let [depth, age] = values(&relay, [DEPTH, AGE]).await;
    assert_eq!(depth, 3.0);
    assert!((600.0..660.0).contains(&age), "{age}");
    let other = [DEPTH, AGE].map(|series| series.replace("wechat", "other"));
    assert_eq!(values(&relay, [&other[0], &other[1]]).await, [0.0, 0.0]);
    wecom.sandbox.clear_faults();
    until(&relay, DEPTH, |depth| depth == 0.0).await;
    assert_eq!(values(&relay, [AGE]).await, [0.0]);
    relay.stop().await;
}

#[tokio::test]
async fn a_removed_app_is_exported_until_its_deliveries_are_gone() {
    let wecom = Wecom::live(Settings::default()).await;
    let relay = Relay::with(&wecom.url, quick()).await;
    let sender = SenderName("former".to_owned());
    let stray = NewNotification { sender, ..alert("group", "stray") };
    relay.outbox.enqueue(stray, SystemClock.now()).await.unwrap();
    let held = r#"wecom_relay_sender_held{app="former",reason="not_in_configuration"}"#;
    let depth = r#"wecom_relay_outbox_depth{receiver="team"}"#;
    assert_eq!(values(&relay, [held, depth]).await, [1.0, 1.0]);
    let id = relay.listed(&[]).await.remove(0).id;
    relay.outbox.discard(id, SystemClock.now()).await.unwrap();
    assert_eq!(values(&relay, [held]).await, [0.0]);
    assert_eq!(value(&scrape(&relay).await, depth), None);
    relay.stop().await;
}

#[tokio::test]
#[ignore = "takes minutes and prints a figure"]
#[expect(clippy::print_stdout, reason = "this test prints figures")]
async fn depths_of_a_million_queued_deliveries() {
    let directory = directory();
    let settings = settings(&directory);
    let open = || {
        let access = wecom_relay::outbox::sqlite::Access::Owner;
        wecom_relay::outbox::sqlite::SqliteOutbox::open(settings.clone(), access).unwrap()
    };
    open().close().await;
    let conn = Connection::open(&settings.path).unwrap();
    let began = Instant::now();
    conn.execute_batch(
        "BEGIN;
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)
         INSERT INTO notification SELECT i, 0, 'receiver' || (i % 20), 'ops', 'group' || i, 0, '', '',
             1800000000000 + i, 1, NULL, 'zhang', '', '', 'summary', '', 'plain' FROM n;
         INSERT INTO delivery SELECT id, id, sender, receiver, random(), x'00', 1, 1, accepted_at, id, 1, 1,
             accepted_at, NULL, 0, 0, NULL, NULL, NULL, NULL, NULL, 0, '', '', '', '' FROM notification;
         INSERT INTO waiting SELECT sender, receiver, count(*), 0 FROM notification GROUP BY sender, receiver;
         INSERT INTO message SELECT id, 'zhang', '', '', 'text', 'text' FROM notification;
         COMMIT",
    )
    .unwrap();
    println!("a million deliveries stored within {:.1} s", began.elapsed().as_secs_f64());
    drop(conn);
    let outbox = open();
    for _ in 0..3 {
        let began = Instant::now();
        let depths = outbox.depths().await.unwrap();
        let took = began.elapsed();
        assert_eq!(depths.iter().map(|depth| depth.deliveries).sum::<u64>(), 1_000_000);
        println!("depths and ages of {} receivers: {:.3} ms", depths.len(), took.as_secs_f64() * 1e3);
    }
    outbox.close().await;
}
