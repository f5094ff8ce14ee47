//! The server goes away and comes back, and databases that cannot be used.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;
use wecom_relay::{
    clock::{Clock as _, Reading, ReadingRecord, RelayClock, SystemClock},
    dispatch::janitor,
    outbox::{
        Filter, Lease, Outbox, OutboxQuery, State, StoreError, TermState,
        postgres::{
            Access, LeaseTimes, OpenError, PostgresOutbox, PostgresUrl, ServerFacts, Settings, Tls, inspect,
        },
    },
    secret::Secret,
    tls::ExtraRoots,
};

use super::{SHORT, database, fresh, open, settings, sharing};
use crate::{
    outbox_conformance::fixture::{
        Take, TestPlan, acquire, alert, at, claim_one, claim_zhang, deliver, destination, drain, enqueue,
        list, list_all, ops,
    },
    support::{
        ShiftedClock, eventually,
        postgres::{Cluster, database_of, shared},
        soon,
    },
};

fn opened(url: &str, access: Access) -> Result<PostgresOutbox, OpenError> {
    PostgresOutbox::open(settings(url, LeaseTimes::default()), access)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_goes_on_after_an_outage() {
    let mut cluster = Cluster::start(&[]);
    let outbox = open(&cluster.database(), SHORT);
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, alert("a", "one"), at(0)).await;
    let claimed = claim_one(&lease, at(1)).await;
    cluster.kill();
    let refused = soon(outbox.enqueue(alert("b", "two"), at(1))).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    soon(lease.term().ended()).await;
    assert_eq!(lease.term().state(), TermState::Ended);
    cluster.resume();
    eventually(async || lease.term().state(), |state| *state == TermState::Valid).await;
    enqueue(&outbox, alert("b", "two"), at(2)).await;
    deliver(&lease, &claimed, at(2)).await;
    assert_eq!(drain(&lease, at(3)).await, ["two"]);
    assert_eq!((sharing(&outbox).leases, sharing(&outbox).takeovers), (vec![ops()], vec![]));
    outbox.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_opens_its_outbox_while_the_server_is_away() {
    let mut cluster = Cluster::start(&[]);
    let url = cluster.database();
    cluster.stop();
    let refused = opened(&url, Access::Guest).unwrap_err();
    assert!(matches!(refused, OpenError::Unavailable { .. }), "{refused}");
    let outbox = opened(&url, Access::Replica).unwrap();
    cluster.resume();
    eventually(async || outbox.probe(at(0)).await, Result::is_ok).await.unwrap();
    enqueue(&outbox, alert("a", "text"), at(0)).await;
    outbox.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_starts_without_the_server_sets_no_time() {
    let mut cluster = Cluster::start(&[]);
    let url = cluster.database();
    cluster.stop();
    let outbox = opened(&url, Access::Replica).unwrap();
    let machine = ShiftedClock::default();
    machine.set_forward(Duration::from_secs(3 * 3600));
    let clock = Arc::new(RelayClock::unknown(Arc::new(machine)));
    let (_retention, retention) = watch::channel(Duration::from_secs(3600));
    let stop = CancellationToken::new();
    let janitor = janitor::run(outbox.clone(), retention, Arc::clone(&clock), stop.clone());
    let mut tasks = JoinSet::new();
    tasks.spawn(janitor);
    cluster.resume();
    let is_near =
        |time: &Timestamp| time.duration_since(SystemClock.now()).abs() < SignedDuration::from_mins(1);
    eventually(async || clock.now(), is_near).await;
    let of_outbox = outbox.relay_time(reading(Timestamp::UNIX_EPOCH)).await.unwrap();
    assert!(is_near(&of_outbox), "{of_outbox}");
    stop.cancel();
    soon(tasks.join_all()).await;
    outbox.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_on_the_schema_stops_no_start_and_no_answer() {
    let url = database();
    let parsed = PostgresUrl::parse(&Secret::new(url.as_str())).unwrap();
    let connected = parsed.config().connect(Tls::new(&ExtraRoots::default()).unwrap()).await;
    let (client, connection) = connected.unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(connection);
    let lock = "BEGIN; LOCK TABLE wecom_relay.migration IN ACCESS EXCLUSIVE MODE";
    client.batch_execute(lock).await.unwrap();
    let open = tokio::task::spawn_blocking(move || opened(&url, Access::Replica).unwrap());
    let outbox = soon(open).await.unwrap();
    let refused = soon(outbox.enqueue(alert("a", "text"), at(0))).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    client.batch_execute("COMMIT").await.unwrap();
    eventually(async || outbox.enqueue(alert("a", "text"), at(0)).await, Result::is_ok).await.unwrap();
    drop(client);
    soon(tasks.join_all()).await.into_iter().for_each(|ended| ended.unwrap());
}

#[tokio::test]
async fn a_role_may_own_the_schema_only() {
    let url = shared().database();
    let database = database_of(&url);
    shared().sql("postgres", &format!("ALTER DATABASE {database} OWNER TO postgres"));
    let facts = facts(&url).await;
    assert!(!facts.has_outbox && !facts.has_rights, "{facts:?}");
    shared().sql(database, "CREATE SCHEMA wecom_relay AUTHORIZATION relay");
    let facts = self::facts(&url).await;
    assert!(!facts.has_outbox && facts.has_rights, "{facts:?}");
    let outbox = opened(&url, Access::Replica).unwrap();
    enqueue(&outbox, alert("a", "text"), at(0)).await;
}

#[tokio::test]
async fn a_role_that_may_only_read_does_not_have_the_rights() {
    let url = database();
    assert!(facts(&url).await.has_rights);
    let revoke = "REVOKE INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA wecom_relay FROM relay";
    shared().sql(database_of(&url), revoke);
    let facts = facts(&url).await;
    assert!(facts.has_outbox && !facts.has_rights, "{facts:?}");
}

async fn facts(url: &str) -> ServerFacts {
    let url = PostgresUrl::parse(&Secret::new(url)).unwrap();
    let tls = Tls::new(&ExtraRoots::default()).unwrap();
    inspect(&url, tls, Duration::from_secs(10)).await.unwrap()
}

#[tokio::test]
async fn a_command_does_not_create_an_outbox() {
    let url = shared().database();
    let missing = opened(&url, Access::Guest).unwrap_err();
    assert!(matches!(missing, OpenError::Missing { .. }), "{missing}");
    let daemon = opened(&url, Access::Replica).unwrap();
    enqueue(&daemon, alert("a", "text"), at(0)).await;
    let guest = opened(&url, Access::Guest).unwrap();
    assert_eq!(list(&guest).await.len(), 1);
    eventually(async || guest.overview().await.unwrap().replicas.len(), |replicas| *replicas == 1).await;
}

#[tokio::test]
async fn replicas_that_start_at_the_same_time_create_one_schema() {
    let url = shared().database();
    let start = || {
        let url = url.clone();
        std::thread::spawn(move || opened(&url, Access::Replica).unwrap())
    };
    let threads: Vec<_> = (0..4).map(|_| start()).collect();
    let outboxes: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    for (n, outbox) in outboxes.iter().enumerate() {
        enqueue(outbox, alert("a", &n.to_string()), at(0)).await;
    }
    assert_eq!(list(&outboxes[0]).await.len(), 4);
}

#[tokio::test]
async fn a_schema_is_used_as_long_as_it_is_compatible() {
    let url = database();
    let database = database_of(&url);
    shared().sql(database, "INSERT INTO wecom_relay.migration VALUES (100, 1, now())");
    opened(&url, Access::Replica).unwrap();
    shared().sql(database, "INSERT INTO wecom_relay.migration VALUES (101, 101, now())");
    for access in [Access::Replica, Access::Guest] {
        let newer = opened(&url, access).unwrap_err();
        assert!(matches!(newer, OpenError::Newer { found: 101, .. }), "{newer}");
    }
}

#[tokio::test]
async fn an_outbox_of_the_first_version_is_migrated() {
    let url = database();
    let first = "ALTER TABLE wecom_relay.relay_clock DROP COLUMN recorded_ms;
         DROP TABLE wecom_relay.card, wecom_relay.press, wecom_relay.console;
         ALTER TABLE wecom_relay.delivery DROP COLUMN recalled_at;
         DELETE FROM wecom_relay.migration WHERE version > 1";
    shared().sql(database_of(&url), first);
    let older = opened(&url, Access::Guest).unwrap_err();
    assert!(matches!(older, OpenError::Older { found: 1, .. }), "{older}");
    let outbox = opened(&url, Access::Replica).unwrap();
    outbox.record_time(record(Timestamp::UNIX_EPOCH)).await.unwrap();
}

#[tokio::test]
async fn a_step_of_the_servers_clock_is_bounded() {
    let (outbox, url) = fresh();
    let before = outbox.record_time(record(Timestamp::UNIX_EPOCH)).await.unwrap();
    // As if its clock were a day ahead.
    let step = "UPDATE wecom_relay.relay_clock SET offset_ms = offset_ms + 86400000";
    shared().sql(database_of(&url), step);
    let is_bounded = |after: Timestamp| {
        let moved = after.duration_since(before);
        assert!(moved < SignedDuration::from_mins(4 * 60 + 5), "{moved}");
    };
    // A replica that starts reads the time before another one records it.
    is_bounded(outbox.relay_time(reading(Timestamp::UNIX_EPOCH)).await.unwrap());
    for _ in 0..2 {
        is_bounded(outbox.record_time(record(Timestamp::UNIX_EPOCH)).await.unwrap());
    }
    is_bounded(outbox.relay_time(reading(Timestamp::UNIX_EPOCH)).await.unwrap());
}

#[tokio::test]
async fn a_role_without_rights_is_refused() {
    let url = database();
    shared().sql(
        database_of(&url),
        "REVOKE ALL ON SCHEMA wecom_relay FROM relay; ALTER SCHEMA wecom_relay OWNER TO postgres",
    );
    let refused = opened(&url, Access::Replica).unwrap_err();
    assert!(matches!(refused, OpenError::Refused { .. }), "{refused}");
    let text = refused.to_string();
    assert!(!text.contains("postgres://"), "{text}");
}

#[tokio::test]
async fn relay_time_goes_on_when_the_clock_of_the_server_was_set_back() {
    let (outbox, url) = fresh();
    let other = open(&url, LeaseTimes::default());
    let now = outbox.relay_time(reading(Timestamp::UNIX_EPOCH)).await.unwrap();
    // A clock that is a little ahead is wrong by its rate.
    let near = outbox.record_time(record(now + SignedDuration::from_secs(5))).await.unwrap();
    assert!(near < now + SignedDuration::from_secs(5));
    let ahead = now + SignedDuration::from_hours(1);
    // An answer counts as late by its way.
    let goes_on =
        |time: Timestamp| assert!(ahead.duration_since(time) < SignedDuration::from_mins(1), "{time}");
    goes_on(outbox.record_time(record(ahead)).await.unwrap());
    goes_on(other.relay_time(reading(Timestamp::UNIX_EPOCH)).await.unwrap());
    // People see the time of the wall clock.
    enqueue(&outbox, alert("a", "text"), ahead).await;
    let shown = list_all(&outbox, Filter::default(), wecom_relay::outbox::ListOrder::OldestFirst, 1).await;
    let difference = shown[0].accepted_at.duration_since(now).abs();
    assert!(difference < SignedDuration::from_mins(5), "{difference}");
}

fn record(relay_time: Timestamp) -> ReadingRecord {
    ReadingRecord { reading: reading(relay_time), relay_time }
}

fn reading(wall: Timestamp) -> Reading {
    Reading { boot_id: "boot".to_owned(), uptime: Duration::ZERO, wall }
}

#[tokio::test]
async fn a_full_outbox_refuses_alerts_until_settled_ones_are_purged() {
    let settings = Settings { max_size_bytes: 20_000, ..settings(&database(), SHORT) };
    let outbox = PostgresOutbox::open(settings, Access::Replica).unwrap();
    let lease = acquire(&outbox, at(0)).await;
    let mut accepted = 0;
    let full = loop {
        match outbox.enqueue(alert(&accepted.to_string(), &"x".repeat(500)), at(0)).await {
            Ok(_) => accepted += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(full, StoreError::Full(_)), "{full}");
    assert!(accepted > 5 && outbox.size().await.unwrap().bytes >= 20_000);
    for claimed in claim_zhang(&lease, 1000, at(1)).await {
        deliver(&lease, &claimed, at(1)).await;
    }
    eventually(async || outbox.enqueue(alert("late", "text"), at(2)).await, Result::is_ok).await.unwrap();
    assert_eq!(lease.sent_since(at(-1)).await.unwrap().len(), accepted, "purged attempts still count");
}

/// Triggers that slow the claim of the second 1 down. So the client gives up while the server commits.
const SLOW: &str = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql
         AS $$ BEGIN PERFORM pg_sleep(TG_ARGV[0]::float); RETURN NEW; END $$;
     CREATE TRIGGER mark BEFORE UPDATE ON wecom_relay.delivery
         FOR EACH ROW WHEN (NEW.state = 2 AND NEW.claimed_at = 1800000001000) EXECUTE FUNCTION slow('2');
     CREATE CONSTRAINT TRIGGER kept AFTER UPDATE ON wecom_relay.delivery DEFERRABLE INITIALLY DEFERRED
         FOR EACH ROW WHEN (NEW.state = 2 AND NEW.claimed_at = 1800000001000) EXECUTE FUNCTION slow('4')";

#[tokio::test]
async fn a_claim_without_an_answer_leaves_nothing_in_flight() {
    let (outbox, url) = fresh();
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, alert("a", "text"), at(0)).await;
    shared().sql(database_of(&url), SLOW);
    let plan = TestPlan::from(Take::First);
    let claims = lease.claim(vec![destination("zhang")], 9, plan, at(1)).await;
    assert!(matches!(claims, Err(StoreError::Unavailable(_))), "{claims:?}");
    assert_eq!(list(&outbox).await[0].state, State::Ready, "the server still commits");
    let again = claim_one(&lease, at(2)).await;
    assert_eq!((again.attempts, again.unconfirmed_since), (0, None));
    assert_eq!(claim_zhang(&lease, 1, at(2)).await, []);
}
