//! Two processes on one outbox: leases, fences, duplicates and wake-ups.

use std::time::Duration;

use wecom_relay::outbox::{
    ConfiguredSender, DeliveryId, Enqueued, Lease, NoticeSubject, Outbox, SenderName, State, StoreError,
    TermState,
    postgres::{Access, LeaseTimes, PostgresLease, PostgresOutbox, Settings},
};

use super::{SHORT, database, open, settings, sharing, taken};
use crate::{
    outbox_conformance::fixture::{
        Take, acquire, addressed, alert, at, claim, claim_of, claim_one, claim_zhang, deliver, destination,
        drain, enqueue, kill, list, ops, postpone, state, states, team, texts, user,
    },
    support::{
        eventually,
        postgres::{database_of, shared},
        soon,
    },
};

/// Leases that nobody renews.
fn unrenewed(ttl: Duration) -> LeaseTimes {
    LeaseTimes { ttl, renewal: Duration::from_secs(3600), margin: ttl / 8 }
}

/// Two processes that share an outbox.
fn two(lease: LeaseTimes) -> (PostgresOutbox, PostgresOutbox) {
    let url = database();
    (open(&url, lease), open(&url, lease))
}

#[tokio::test]
async fn a_released_lease_goes_to_the_process_that_waits() {
    let (one, two) = two(LeaseTimes::default());
    let lease = acquire(&one, at(0)).await;
    let next = acquire(&two, at(0));
    let release = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(sharing(&two).leases, []);
        lease.release().await;
    };
    let (next, ()) = soon(async { tokio::join!(next, release) }).await;
    assert_eq!(next.term().state(), TermState::Valid);
    assert_eq!(sharing(&two).takeovers, [taken(false)]);
    assert_eq!((sharing(&one).leases, sharing(&two).leases), (vec![], vec![ops()]));
}

#[tokio::test]
async fn a_lease_is_renewed_until_its_process_ends() {
    let (one, two) = two(SHORT);
    let lease = acquire(&one, at(0)).await;
    let waits = tokio::time::timeout(SHORT.ttl * 3, acquire(&two, at(0)));
    assert!(waits.await.is_err());
    assert_eq!(lease.term().state(), TermState::Valid);
    let term = lease.term().clone();
    drop(lease);
    let next = soon(acquire(&two, at(0))).await;
    assert_eq!(sharing(&two).takeovers, [taken(true)]);
    assert_eq!(next.term().state(), TermState::Valid);
    soon(term.ended()).await;
}

#[tokio::test]
async fn a_renamed_sender_lets_other_replicas_start() {
    let (one, two) = two(LeaseTimes::default());
    let named = |name: &str, alias: &str| {
        let (name, alias) = (SenderName(name.to_owned()), SenderName(alias.to_owned()));
        vec![ConfiguredSender { name, identity: "A".to_owned(), aliases: vec![alias] }]
    };
    one.adopt(named("old", "twin"), at(0)).await.unwrap();
    one.adopt(named("ops", "twin"), at(0)).await.unwrap();
    let lease = acquire(&one, at(0)).await;
    // The lease of another replica does not matter, because nothing moves; a new app of the same agent moves nothing, too.
    two.adopt(named("ops", "twin"), at(1)).await.unwrap();
    two.adopt(named("ops", "another"), at(1)).await.unwrap();
    let refused = two.adopt(named("new", "twin"), at(1)).await.unwrap_err();
    assert!(matches!(refused, StoreError::Unavailable(_)), "{refused}");
    lease.release().await;
    two.adopt(named("new", "twin"), at(1)).await.unwrap();
}

#[tokio::test]
async fn a_replica_may_have_an_apostrophe_in_its_name() {
    let named = Settings { replica: "ops' relay".to_owned(), ..settings(&database(), SHORT) };
    let outbox = PostgresOutbox::open(named, Access::Replica).unwrap();
    let names = async || {
        let replicas = outbox.overview().await.unwrap().replicas;
        replicas.into_iter().map(|replica| replica.name).collect::<Vec<_>>()
    };
    eventually(names, |names| *names == ["ops' relay"]).await;
}

#[tokio::test]
async fn a_replica_reports_the_configuration_in_use() {
    let outbox = open(&database(), SHORT);
    outbox.use_config("reloaded".to_owned());
    let config = async || {
        let replicas = outbox.overview().await.unwrap().replicas;
        replicas.into_iter().map(|replica| replica.config).collect::<Vec<_>>()
    };
    eventually(config, |config| *config == ["reloaded"]).await;
    outbox.use_config("again".to_owned());
    eventually(config, |config| *config == ["again"]).await;
}

#[tokio::test]
async fn a_former_owner_can_claim_and_hold_nothing() {
    let (one, two) = two(unrenewed(Duration::from_millis(300)));
    enqueue(&one, alert("a", "text"), at(0)).await;
    enqueue(&one, alert("b", "other"), at(0)).await;
    let former = acquire(&one, at(0)).await;
    let in_flight = claim_zhang(&former, 1, at(1)).await.remove(0);
    let lease = soon(acquire(&two, at(9))).await;
    assert_eq!(lease.recovered(), 1);
    soon(former.term().ended()).await;
    let plan = crate::outbox_conformance::fixture::TestPlan::from(Take::Slots(9));
    let claims = former.claim(vec![destination("zhang")], 9, plan, at(9)).await;
    assert_eq!(claims.unwrap_err(), StoreError::LeaseLost);
    assert_eq!(former.hold(None).await, Err(StoreError::LeaseLost));
    // Its message is sent again by the new owner, so its result comes too late.
    deliver(&former, &in_flight, at(10)).await;
    assert_eq!(list(&two).await[0].state, State::Ready);
    let again = claim_one(&lease, at(11)).await;
    assert_eq!((again.id, again.attempts, again.unconfirmed_since), (in_flight.id, 1, Some(at(1))));
    deliver(&former, &in_flight, at(12)).await;
    assert_eq!(list(&two).await[0].state, State::InFlight);
    former.release().await;
    assert_eq!(lease.hold(None).await, Ok(()), "the release of a former owner changes nothing");
}

#[tokio::test]
async fn a_result_is_stored_after_the_lease_has_ended() {
    let (one, _two) = two(unrenewed(Duration::from_millis(200)));
    enqueue(&one, alert("a", "text"), at(0)).await;
    let lease = acquire(&one, at(0)).await;
    let claimed = claim_one(&lease, at(1)).await;
    soon(lease.term().ended()).await;
    deliver(&lease, &claimed, at(2)).await;
    assert_eq!(list(&one).await[0].state, State::Delivered);
}

#[tokio::test]
async fn what_a_removed_sender_left_in_flight_is_recovered_once_free() {
    let (one, two) = two(unrenewed(Duration::from_millis(300)));
    enqueue(&one, alert("a", "text"), at(0)).await;
    let lease = acquire(&one, at(0)).await;
    claim_one(&lease, at(1)).await;
    two.recover(&ops(), at(2)).await.unwrap();
    assert_eq!(list(&two).await[0].state, State::InFlight, "its owner is sending it");
    let recovered = async || {
        two.recover(&ops(), at(3)).await.unwrap();
        list(&two).await[0].state
    };
    eventually(recovered, |state| *state == State::Ready).await;
}

#[tokio::test]
async fn senders_are_spread_over_the_processes() {
    let url = database();
    let (one, two) = (open(&url, SHORT), open(&url, SHORT));
    let names: Vec<_> = (0..4).map(|n| wecom_relay::outbox::SenderName(format!("app{n}"))).collect();
    let mut leases = Vec::new();
    for name in &names {
        leases.push(one.acquire(name, at(0)).await.unwrap());
    }
    let hand_over = async |lease: &PostgresLease| {
        loop {
            let state = lease.term().state();
            if state == TermState::Offered {
                return lease.clone().release().await;
            }
            lease.term().changed_from(state).await;
        }
    };
    let waiting: Vec<_> = names.iter().map(|name| two.acquire(name, at(0))).collect();
    let taken = futures_util::future::join_all(waiting);
    let handed = futures_util::future::join_all(leases.iter().map(hand_over));
    let leases = async || (sharing(&one).leases.len(), sharing(&two).leases.len());
    tokio::select! {
        _ = taken => {}
        _ = handed => {}
        _ = eventually(leases, |leases| *leases == (2, 2)) => {}
    }
}

#[tokio::test]
async fn one_of_two_equal_webhooks_is_taken_wherever_they_arrive() {
    let (one, two) = two(LeaseTimes::default());
    let mut accepted = 0;
    for batch in 0..20 {
        let calls = (0..50).flat_map(|n| {
            let new = state(&format!("{batch} {n}"), "text");
            [one.enqueue(new.clone(), at(0)), two.enqueue(new, at(0))]
        });
        for answer in futures_util::future::join_all(calls).await {
            accepted += usize::from(matches!(answer.unwrap(), Enqueued::Accepted(_)));
        }
    }
    assert_eq!(accepted, 1000);
    assert_eq!(list(&one).await.len(), 1000);
}

/// Webhooks with groups that are new and groups that have waited, in every order. Their transactions wait for each other, and
/// none of them must begin again.
#[tokio::test]
async fn webhooks_of_two_processes_meet_no_conflict() {
    let url = database();
    let outboxes = [open(&url, LeaseTimes::default()), open(&url, LeaseTimes::default())];
    for batch in 0..40 {
        let calls = (0..24).map(|call| {
            // Half of the groups are those of the batch before.
            let groups = (0..16).map(|n| 8 * batch + (n * 7 + call) % 16);
            let webhook = groups.map(|group| alert(&group.to_string(), "text")).collect();
            outboxes[call % 2].enqueue_all(webhook, at(0))
        });
        for answer in futures_util::future::join_all(calls).await {
            assert_eq!(answer.map(|accepted| accepted.len()), Ok(16));
        }
    }
    for outbox in outboxes {
        outbox.close().await;
    }
    let database = database_of(&url);
    let ended = || async {
        let sessions = format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}'");
        shared().sql("postgres", &sessions)
    };
    eventually(ended, |sessions| sessions == "0").await;
    let stored = shared().sql(database, "SELECT count(*) FROM wecom_relay.delivery");
    assert_eq!(stored, (40 * 24 * 16).to_string());
    let undone =
        format!("SELECT xact_rollback, deadlocks FROM pg_stat_database WHERE datname = '{database}'");
    assert_eq!(shared().sql("postgres", &undone), "0|0");
}

#[tokio::test]
async fn an_ordering_key_is_in_order_over_two_processes() {
    let (one, two) = two(LeaseTimes::default());
    let lease = acquire(&two, at(0)).await;
    let mut sent = Vec::new();
    for n in 0..20 {
        let outbox = if n % 3 == 0 { &one } else { &two };
        enqueue(outbox, alert("a", &n.to_string()), at(0)).await;
        if n % 4 == 3 {
            let claimed = claim_one(&lease, at(1)).await;
            sent.extend(texts(std::slice::from_ref(&claimed)).into_iter().map(str::to_owned));
            deliver(&lease, &claimed, at(1)).await;
        }
    }
    sent.extend(drain(&lease, at(2)).await);
    assert_eq!(sent, (0..20).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_dead_letter_is_told_once_by_two_tellers() {
    let (one, two) = two(LeaseTimes::default());
    let lease = acquire(&one, at(0)).await;
    let mut told = 0;
    for n in 0..20 {
        enqueue(&one, alert("a", &n.to_string()), at(n)).await;
        kill(&lease, &claim_one(&lease, at(n)).await, at(n)).await;
        let dead = one.unnoticed(&team(), at(-1), 9).await.unwrap();
        let ids: Vec<DeliveryId> = dead.iter().map(|dead| dead.delivery).collect();
        let notice = || one_notice(&n.to_string());
        let (first, second) = tokio::join!(
            one.notice(notice(), NoticeSubject::Dead(ids.clone()), at(n)),
            two.notice(notice(), NoticeSubject::Dead(ids.clone()), at(n)),
        );
        told += [first, second].into_iter().filter(|told| told.as_ref().unwrap().is_some()).count();
    }
    assert_eq!(told, 20);
}

fn one_notice(text: &str) -> wecom_relay::outbox::NewNotification {
    let mut notice = alert("notice", text);
    notice.kind = wecom_relay::outbox::Kind::Notice;
    notice.sender = wecom_relay::outbox::SenderName("other".to_owned());
    notice
}

#[tokio::test]
async fn an_owner_hears_what_another_process_has_accepted() {
    let (one, two) = two(LeaseTimes::default());
    let lease = acquire(&two, at(0)).await;
    // The first look of the keeper reports everything.
    eventually(async || (sharing(&one).replicas, sharing(&two).replicas), |seen| *seen == (2, 2)).await;
    for n in 0..40 {
        lease.changes().take();
        enqueue(&one, alert(&n.to_string(), "text"), at(0)).await;
        loop {
            soon(lease.changes().notified()).await;
            if lease.changes().take().destinations.contains(&destination("zhang")) {
                break;
            }
        }
        assert!(!claim(&lease, 1, at(1)).await.is_empty());
    }
}

#[tokio::test]
async fn a_character_that_the_server_cannot_store_is_replaced() {
    let (outbox, _url) = super::fresh();
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, alert("a\0b", "one\0two"), at(0)).await;
    let claimed = claim_one(&lease, at(1)).await;
    assert_eq!(texts(std::slice::from_ref(&claimed)), ["one\u{fffd}two"]);
    deliver(&lease, &claimed, at(1)).await;
    assert_eq!(states(&outbox).await[0].1, State::Delivered);
}

/// The number of takeovers: few in CI.
fn takeovers() -> usize {
    let set = std::env::var("WECOM_RELAY_TAKEOVERS").ok();
    set.map_or(40, |set| set.parse().unwrap())
}

/// Claims and settles until the lease has ended.
async fn work(lease: &PostgresLease) {
    let destinations: Vec<_> = (0..16).map(|n| destination(&format!("user{n}"))).collect();
    loop {
        let plan = crate::outbox_conformance::fixture::TestPlan::from(Take::Slots(2));
        let Ok(claims) = lease.claim(destinations.clone(), 9, plan, at(1)).await else { return };
        if lease.term().state() != TermState::Valid {
            // As if its process had ended.
            return;
        }
        for claimed in &claims.claimed {
            postpone(lease, claimed, at(0), at(1)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_takeover_leaves_nothing_in_flight_for_nobody() {
    let url = database();
    let lease = unrenewed(Duration::from_millis(50));
    let (one, two) = (open(&url, lease), open(&url, lease));
    for n in 0..64 {
        let to = user(&format!("user{}", n % 16));
        enqueue(&one, addressed(alert(&n.to_string(), "text"), &to), at(0)).await;
    }
    let mut lease = acquire(&one, at(1)).await;
    for n in 0..takeovers() {
        let next = if n % 2 == 0 { &two } else { &one };
        let (taken, ()) = tokio::join!(acquire(next, at(1)), work(&lease));
        // A claim that began before the takeover has ended now.
        let in_flight = "SELECT count(*) FROM wecom_relay.delivery WHERE state = 2";
        assert_eq!(shared().sql(database_of(&url), in_flight), "0");
        lease = taken;
    }
}

/// A trigger that slows a claim down, so that it is committed after the end of its lease.
const SLOW: &str = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql
         AS $$ BEGIN PERFORM pg_sleep(2.5); RETURN NEW; END $$;
     CREATE TRIGGER slow BEFORE UPDATE ON wecom_relay.delivery FOR EACH ROW WHEN (NEW.state = 2) EXECUTE FUNCTION slow()";

#[tokio::test]
async fn a_takeover_waits_for_a_claim_and_recovers_it() {
    let url = database();
    let lease = unrenewed(Duration::from_secs(1));
    let (one, two) = (open(&url, lease), open(&url, lease));
    enqueue(&one, alert("a", "text"), at(0)).await;
    shared().sql(database_of(&url), SLOW);
    let former = acquire(&one, at(0)).await;
    let (claimed, lease) = soon(async { tokio::join!(claim(&former, 1, at(1)), acquire(&two, at(2))) }).await;
    assert_eq!((claimed.len(), lease.recovered()), (1, 1));
    assert_eq!(list(&two).await[0].state, State::Ready);
}

#[tokio::test]
async fn a_lease_that_comes_too_late_is_given_back() {
    let url = database();
    let long = LeaseTimes { ttl: Duration::from_secs(3600), ..SHORT };
    let (one, two) = (open(&url, long), open(&url, long));
    // Each call is dropped a little later than the one before: before, during and after its transaction.
    let drop_after = async |millis| {
        if let Ok(lease) = tokio::time::timeout(Duration::from_millis(millis), acquire(&one, at(1))).await {
            lease.release().await;
        }
    };
    for millis in 0..40 {
        drop_after(millis).await;
    }
    soon(acquire(&two, at(2))).await.release().await;
    drop_after(5).await;
    one.close().await;
    soon(acquire(&two, at(3))).await;
}

#[tokio::test]
async fn settled_claims_of_other_batches_do_not_stop_a_batch() {
    let (outbox, _url) = super::fresh();
    let lease = acquire(&outbox, at(0)).await;
    for n in 0..30 {
        enqueue(&outbox, alert(&n.to_string(), "text"), at(0)).await;
    }
    let claimed = claim_of(&lease, &[destination("zhang")], Take::Slots(30), at(1)).await.claimed;
    let twice = claimed.iter().chain(&claimed).map(|claimed| deliver(&lease, claimed, at(2)));
    futures_util::future::join_all(twice).await;
    assert!(list(&outbox).await.iter().all(|listed| listed.state == State::Delivered));
}
