//! Claims that meet conflicts, digests and rows that cannot be read.

use std::time::Duration;

use tokio::task::JoinSet;
use wecom_relay::{
    outbox::{
        CardStore as _, Lease, NewDigest, Outbox, State, StoreError,
        postgres::{LeaseTimes, PostgresOutbox, PostgresUrl, Tls},
    },
    secret::Secret,
    tls::ExtraRoots,
};

use super::{database, fresh, open};
use crate::{
    outbox_conformance::{
        cards::{card, pressed_update, send_card},
        fixture::{
            Take, TestPlan, acquire, addressed, alert, at, claim, claim_of, claim_one, destination, digest,
            drain, enqueue, list, states, texts, user,
        },
        holds::held,
    },
    support::{
        postgres::{database_of, shared},
        soon,
    },
};

/// Two foldable notifications for zhang and two for li.
async fn two_destinations(outbox: &PostgresOutbox) {
    for to in ["zhang", "li"] {
        for n in 0..2 {
            enqueue(outbox, addressed(alert(&format!("{to} {n}"), to), &user(to)), at(0)).await;
        }
    }
}

fn digests() -> Take {
    Take::Digest(Some(Box::new(NewDigest { members: 2, message: digest("digest") })))
}

#[tokio::test]
async fn a_claim_makes_one_digest_so_that_locks_are_in_order() {
    let (outbox, _url) = fresh();
    let lease = acquire(&outbox, at(0)).await;
    two_destinations(&outbox).await;
    let both = [destination("zhang"), destination("li")];
    let claims = claim_of(&lease, &both, digests(), at(1)).await;
    assert_eq!((claims.claimed.len(), claims.planner.waiting.len()), (1, 1));
    assert_eq!(claims.claimed[0].members.len(), 2);
    let claims = claim_of(&lease, &both[1..], digests(), at(1)).await;
    assert_eq!((claims.claimed.len(), claims.claimed[0].members.len()), (1, 2));
}

#[tokio::test]
async fn a_claim_that_met_a_conflict_says_so() {
    let (outbox, url) = fresh();
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, alert("a", "text"), at(0)).await;
    shared().sql(
        database_of(&url),
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql
             AS $$ BEGIN RAISE EXCEPTION 'two wait for each other' USING ERRCODE = '40P01'; END $$;
         CREATE TRIGGER refuse BEFORE UPDATE ON wecom_relay.delivery FOR EACH ROW EXECUTE FUNCTION refuse()",
    );
    let claims = lease.claim(vec![destination("zhang")], 9, TestPlan::from(Take::First), at(1)).await;
    assert_eq!(claims.unwrap_err(), StoreError::Unavailable("two wait for each other (40P01)".to_owned()));
}

/// An operator who requeues a delivery has the lock of its ordering key first, and then that of its row.
#[tokio::test]
async fn a_claim_waits_for_no_ordering_key() {
    let (outbox, url) = fresh();
    let lease = acquire(&outbox, at(0)).await;
    send_card(&outbox, &lease, card("a", "t1"), "c1", at(0)).await;
    let recalled = list(&outbox).await[0].id;
    enqueue(&outbox, pressed_update("t1"), at(1)).await;
    outbox.recalled(recalled, at(2)).await.unwrap();
    enqueue(&outbox, alert("b", "damaged"), at(3)).await;
    enqueue(&outbox, alert("c", "text"), at(3)).await;
    shared().sql(
        database_of(&url),
        "UPDATE wecom_relay.delivery SET accepted_at = 9223372036854775807 WHERE summary = 'damaged'",
    );
    let parsed = PostgresUrl::parse(&Secret::new(url.as_str())).unwrap();
    let connected = parsed.config().connect(Tls::new(&ExtraRoots::default()).unwrap()).await;
    let (client, connection) = connected.unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(connection);
    client.batch_execute("BEGIN; SELECT FROM wecom_relay.ordering_key FOR UPDATE").await.unwrap();
    lease.changes().take();
    let claimed = soon(claim(&lease, 9, at(4))).await;
    assert_eq!(texts(&claimed), ["text"]);
    client.batch_execute("UPDATE wecom_relay.delivery SET due_at = due_at; COMMIT").await.unwrap();
    drop(client);
    soon(tasks.join_all()).await.into_iter().for_each(|ended| ended.unwrap());
    assert!(lease.changes().take().destinations.contains(&destination("zhang")), "it looks again");
    assert_eq!(claim(&lease, 9, at(5)).await, []);
    let states = "SELECT string_agg(state::text, ' ' ORDER BY id) FROM wecom_relay.delivery";
    assert_eq!(shared().sql(database_of(&url), states), "4 6 5 2", "delivered, discarded, dead, in flight");
}

#[tokio::test]
async fn damaged_rows_in_flight_do_not_hold_up_their_sender() {
    let (outbox, url) = fresh();
    let lease = acquire(&outbox, at(0)).await;
    for (group, text) in [("a", "one"), ("a", "two"), ("b", "three"), ("b", "four"), ("c", "five")] {
        enqueue(&outbox, alert(group, text), at(0)).await;
    }
    assert_eq!(claim_of(&lease, &[destination("zhang")], Take::Slots(9), at(1)).await.claimed.len(), 3);
    shared().sql(
        database_of(&url),
        r"UPDATE wecom_relay.delivery SET destination = '\x01' WHERE summary = 'one';
          UPDATE wecom_relay.delivery SET claimed_at = 9223372036854775807 WHERE summary = 'three'",
    );
    let lease = acquire(&outbox, at(2)).await;
    assert_eq!(lease.recovered(), 1);
    let mut sent = drain(&lease, at(3)).await;
    sent.sort_unstable();
    assert_eq!(sent, ["five", "four", "two"]);
    let dead = states(&outbox).await.into_iter().filter(|(_, state)| *state == State::Dead);
    assert_eq!(dead.map(|(text, _)| text).collect::<Vec<_>>(), ["one", "three"]);
}

#[tokio::test]
async fn a_hold_is_stored_while_the_lease_is_late() {
    let ttl = Duration::from_millis(300);
    let unrenewed = LeaseTimes { ttl, renewal: Duration::from_secs(3600), margin: ttl / 8 };
    let outbox = open(&database(), unrenewed);
    enqueue(&outbox, alert("a", "text"), at(0)).await;
    let lease = acquire(&outbox, at(0)).await;
    soon(lease.term().ended()).await;
    tokio::time::sleep(ttl).await;
    let claims = lease.claim(vec![destination("zhang")], 9, TestPlan::from(Take::First), at(1)).await;
    assert_eq!(claims.unwrap_err(), StoreError::LeaseLost);
    lease.hold(Some(held())).await.unwrap();
    assert_eq!(outbox.holds().await.unwrap(), [held()]);
}

#[tokio::test]
async fn a_notification_without_deliveries_is_refused_alone() {
    let (outbox, _url) = fresh();
    let lease = acquire(&outbox, at(0)).await;
    let mut empty = alert("a", "empty");
    empty.deliveries.clear();
    let (refused, accepted) =
        tokio::join!(outbox.enqueue(empty, at(0)), outbox.enqueue(alert("b", "text"), at(0)));
    assert!(matches!(refused, Err(StoreError::Damaged(_))), "{refused:?}");
    accepted.unwrap();
    claim_one(&lease, at(1)).await;
    assert_eq!(list(&outbox).await.len(), 1);
}
