//! Cards and presses beyond the port: restarts, migrations, damaged rows and lost answers.

use std::{fs, path::Path};

use rusqlite::Connection;
use wecom_relay::outbox::{
    AcceptedPress, CardStore as _, DeliveryId, Lease as _, Outbox, OutboxQuery as _, PressVerdict, State,
    StoreError,
    postgres::LeaseTimes,
    sqlite::{Access, Settings, SqliteOutbox},
};

use crate::{
    outbox_conformance::{
        cards::{card, resolved, send_card, sent_with},
        fixture::{acquire, alert, at, claim_one, drain, enqueue, list, owned, settle, states},
        presses::{accept, claim, done, press},
    },
    outbox_postgres, outbox_sqlite,
    support::postgres::{database_of, shared},
};

/// The server commits an insertion of the press that zhang made in second 7, or its settlement in second 9, and the client
/// gives up before.
const SLOW: &str = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql
         AS $$ BEGIN PERFORM pg_sleep(TG_ARGV[0]::float); RETURN NEW; END $$;
     CREATE TRIGGER first BEFORE INSERT OR UPDATE ON wecom_relay.press
         FOR EACH ROW WHEN (NEW.accepted_at = 1800000007000 AND NEW.claim IS NULL
             OR NEW.settled_at = 1800000009000) EXECUTE FUNCTION slow('2');
     CREATE CONSTRAINT TRIGGER last AFTER INSERT OR UPDATE ON wecom_relay.press DEFERRABLE INITIALLY DEFERRED
         FOR EACH ROW WHEN (NEW.accepted_at = 1800000007000 AND NEW.claim IS NULL
             OR NEW.settled_at = 1800000009000) EXECUTE FUNCTION slow('4')";

fn open(settings: &Settings, access: Access) -> SqliteOutbox {
    SqliteOutbox::open(settings.clone(), access).unwrap()
}

#[tokio::test]
async fn claims_of_a_former_process_are_due_at_once() {
    let directory = outbox_sqlite::directory();
    let settings = outbox_sqlite::settings(&directory);
    let outbox = open(&settings, Access::Owner);
    let id = accept(&outbox, press("t1", 0), at(0)).await;
    let former = outbox.claim_press(at(1000), at(1)).await.unwrap().unwrap();
    let guest = open(&settings, Access::Guest);
    assert_eq!(guest.presses(DeliveryId(1)).await.unwrap(), []);
    guest.close().await;
    assert_eq!(claim(&outbox, at(2)).await, None, "a guest is no new owner");
    outbox.close().await;
    let outbox = open(&settings, Access::Owner);
    outbox.settle_press(id, former.claim, done("late"), at(3)).await.unwrap();
    let claimed = claim(&outbox, at(3)).await.unwrap();
    assert_eq!((claimed.id, claimed.attempts), (id, 1));
}

/// Opens what a process leaves that is killed now.
fn killed(settings: &Settings, copy: &Path) -> SqliteOutbox {
    for suffix in ["", "-wal"] {
        let name = format!("outbox.db{suffix}");
        fs::copy(settings.path.with_file_name(&name), copy.join(&name)).unwrap();
    }
    open(&Settings { path: copy.join("outbox.db"), ..settings.clone() }, Access::Owner)
}

#[tokio::test]
async fn an_accepted_press_survives_a_kill() {
    let (directory, copy) = (outbox_sqlite::directory(), outbox_sqlite::directory());
    let settings = outbox_sqlite::settings(&directory);
    let outbox = open(&settings, Access::Owner);
    let lease = acquire(&outbox, at(0)).await;
    send_card(&outbox, &lease, card("a", "t1"), "c1", at(1)).await;
    let id = accept(&outbox, press("t1", 2), at(2)).await;
    let outbox = killed(&settings, copy.path());
    let again = outbox.accept_press(press("t1", 2), at(3)).await.unwrap();
    assert_eq!(again, AcceptedPress::Duplicate(id));
    let claimed = claim(&outbox, at(3)).await.unwrap();
    assert_eq!(claimed.card.unwrap().task_id, "t1");
}

/// Fills an outbox with rows that a program without cards could have.
async fn fill<O: Outbox>(outbox: &O) {
    let lease = acquire(outbox, at(0)).await;
    enqueue(outbox, alert("a", "delivered"), at(0)).await;
    drain(&lease, at(0)).await;
    enqueue(outbox, alert("a", "waits"), at(1)).await;
    enqueue(outbox, alert("a", "behind"), at(1)).await;
}

async fn check_filled<O: Outbox>(outbox: &O) {
    let expected = [("delivered", State::Delivered), ("waits", State::Ready), ("behind", State::Queued)];
    assert_eq!(states(outbox).await, owned(&expected));
    let id = list(outbox).await[0].id;
    assert_eq!(outbox.show(id).await.unwrap().unwrap().listed.recalled_at, None);
    let lease = acquire(outbox, at(2)).await;
    assert_eq!(drain(&lease, at(2)).await, ["waits", "behind"]);
    send_card(outbox, &lease, card("b", "t1"), "c1", at(3)).await;
    accept(outbox, press("t1", 4), at(4)).await;
    assert!(claim(outbox, at(4)).await.unwrap().card.is_some());
}

#[tokio::test]
async fn a_file_of_the_schema_before_cards_is_migrated() {
    let directory = outbox_sqlite::directory();
    let settings = outbox_sqlite::settings(&directory);
    let outbox = open(&settings, Access::Owner);
    fill(&outbox).await;
    outbox.close().await;
    let before = "DROP TABLE card; DROP TABLE press; DROP TABLE console; ALTER TABLE delivery DROP COLUMN recalled_at; \
         PRAGMA user_version = 7";
    Connection::open(&settings.path).unwrap().execute_batch(before).unwrap();
    check_filled(&open(&settings, Access::Owner)).await;
}

#[tokio::test]
async fn a_database_of_the_schema_before_cards_is_migrated() {
    let url = outbox_postgres::database();
    let outbox = outbox_postgres::open(&url, LeaseTimes::default());
    fill(&outbox).await;
    outbox.close().await;
    let before = "DROP TABLE wecom_relay.card, wecom_relay.press, wecom_relay.console;
         ALTER TABLE wecom_relay.delivery DROP COLUMN recalled_at;
         DELETE FROM wecom_relay.lease; DELETE FROM wecom_relay.migration WHERE version > 2";
    shared().sql(database_of(&url), before);
    check_filled(&outbox_postgres::open(&url, LeaseTimes::default())).await;
}

/// Sends a card whose code an update may have used.
async fn send_marked<O: Outbox>(outbox: &O) {
    let lease = acquire(outbox, at(0)).await;
    send_card(outbox, &lease, card("a", "t1"), "c1", at(1)).await;
    enqueue(outbox, resolved("a"), at(2)).await;
    claim_one(&lease, at(2)).await;
    lease.release().await;
}

/// The mark did not say which update it was, so no update may believe that it has changed the card.
async fn check_marked<O: Outbox>(outbox: &O) {
    let lease = acquire(outbox, at(3)).await;
    let claimed = claim_one(&lease, at(3)).await;
    assert_eq!((lease.recovered(), claimed.open_cards.len()), (1, 1));
    assert!(!claimed.open_cards[0].may_be_used);
}

#[tokio::test]
async fn a_file_with_marks_of_no_update_is_migrated() {
    let directory = outbox_sqlite::directory();
    let settings = outbox_sqlite::settings(&directory);
    let outbox = open(&settings, Access::Owner);
    send_marked(&outbox).await;
    outbox.close().await;
    let before = "ALTER TABLE card DROP COLUMN unconfirmed_by; ALTER TABLE card DROP COLUMN absence;
         ALTER TABLE card ADD COLUMN unconfirmed INTEGER NOT NULL DEFAULT 0;
         UPDATE card SET unconfirmed = 1; PRAGMA user_version = 10";
    Connection::open(&settings.path).unwrap().execute_batch(before).unwrap();
    check_marked(&open(&settings, Access::Owner)).await;
}

#[tokio::test]
async fn a_database_with_marks_of_no_update_is_migrated() {
    let url = outbox_postgres::database();
    let outbox = outbox_postgres::open(&url, LeaseTimes::default());
    send_marked(&outbox).await;
    outbox.close().await;
    let before = "ALTER TABLE wecom_relay.card DROP COLUMN unconfirmed_by, DROP COLUMN absence;
         UPDATE wecom_relay.card SET unconfirmed = true;
         DELETE FROM wecom_relay.lease; DELETE FROM wecom_relay.migration WHERE version > 5";
    shared().sql(database_of(&url), before);
    check_marked(&outbox_postgres::open(&url, LeaseTimes::default())).await;
}

/// Presses three cards. `damage` breaks the row of the first card, and the press of the second.
async fn damaged<O: Outbox>(outbox: &O, damage: impl AsyncFnOnce(&str, &str)) {
    let lease = acquire(outbox, at(0)).await;
    for (second, task_id) in [(1, "t1"), (2, "t2"), (3, "t3")] {
        send_card(outbox, &lease, card(task_id, task_id), task_id, at(second)).await;
        accept(outbox, press(task_id, second), at(second)).await;
    }
    damage(
        "SET labels = '{' WHERE task_id = 't1'",
        "SET pressed_at = 9000000000000000000 WHERE task_id = 't2'",
    )
    .await;
    let first = claim(outbox, at(5)).await.unwrap();
    assert_eq!((first.task_id.as_str(), first.card), ("t1", None));
    let third = claim(outbox, at(5)).await.unwrap();
    assert_eq!((third.task_id.as_str(), third.card.is_some()), ("t3", true));
    assert_eq!(claim(outbox, at(5)).await, None);
    let second = list(outbox).await[1].id;
    let result = outbox.presses(second).await.unwrap()[0].result.clone().unwrap();
    assert!(result.starts_with("a row cannot be read: "), "{result}");
}

#[tokio::test]
async fn a_damaged_row_of_a_file_stops_no_other_press() {
    let (outbox, directory) = outbox_sqlite::fresh();
    let path = outbox_sqlite::settings(&directory).path;
    let damage = async |card: &str, press: &str| {
        let sql = format!("UPDATE card {card}; UPDATE press {press}");
        Connection::open(&path).unwrap().execute_batch(&sql).unwrap();
    };
    damaged(&outbox, damage).await;
}

#[tokio::test]
async fn a_damaged_row_of_a_database_stops_no_other_press() {
    let (outbox, url) = outbox_postgres::fresh();
    let damage = async |card: &str, press: &str| {
        let sql = format!("UPDATE wecom_relay.card {card}; UPDATE wecom_relay.press {press}");
        shared().sql(database_of(&url), &sql);
    };
    damaged(&outbox, damage).await;
}

#[tokio::test]
async fn a_press_whose_answer_was_lost_is_stored_and_settled_once() {
    let (outbox, url) = outbox_postgres::fresh();
    shared().sql(database_of(&url), SLOW);
    let lost = outbox.accept_press(press("t1", 7), at(7)).await;
    assert!(matches!(lost, Err(StoreError::Unavailable(_))), "{lost:?}");
    let again = outbox.accept_press(press("t1", 7), at(8)).await.unwrap();
    assert!(matches!(again, AcceptedPress::Duplicate(_)), "the server still commits");
    let claimed = claim(&outbox, at(8)).await.unwrap();
    let verdict = || PressVerdict::Done {
        result: "done".to_owned(),
        handled: None,
        watch_until: None,
        notifications: vec![alert("a", "update")],
    };
    let lost = outbox.settle_press(claimed.id, claimed.claim, verdict(), at(9)).await;
    assert!(matches!(lost, Err(StoreError::Unavailable(_))), "{lost:?}");
    outbox.settle_press(claimed.id, claimed.claim, verdict(), at(10)).await.unwrap();
    assert_eq!(states(&outbox).await, owned(&[("update", State::Ready)]));
}

#[tokio::test]
async fn an_older_program_may_purge_cards() {
    let (outbox, url) = outbox_postgres::fresh();
    let lease = acquire(&outbox, at(0)).await;
    send_card(&outbox, &lease, card("a", "t1"), "c1", at(1)).await;
    accept(&outbox, press("t1", 2), at(2)).await;
    shared().sql(database_of(&url), "DELETE FROM wecom_relay.delivery");
    assert_eq!(shared().sql(database_of(&url), "SELECT count(*) FROM wecom_relay.card"), "0");
    assert_eq!(claim(&outbox, at(3)).await.unwrap().card, None);
}

#[tokio::test]
async fn presses_count_for_the_size_of_a_database() {
    let (outbox, _url) = outbox_postgres::fresh();
    let before = outbox.size().await.unwrap().bytes;
    accept(&outbox, press("t1", 0), at(0)).await;
    assert_eq!(outbox.size().await.unwrap().bytes, before + 1024);
    let claimed = claim(&outbox, at(0)).await.unwrap();
    outbox.settle_press(claimed.id, claimed.claim, done("done"), at(1)).await.unwrap();
    outbox.purge(at(2), 10).await.unwrap();
    assert_eq!(outbox.size().await.unwrap().bytes, before);
}

#[tokio::test]
async fn a_full_outbox_accepts_no_press() {
    let directory = outbox_sqlite::directory();
    let settings = Settings { max_size_bytes: 1, ..outbox_sqlite::settings(&directory) };
    let outbox = open(&settings, Access::Owner);
    let refused = outbox.accept_press(press("t1", 0), at(0)).await;
    assert!(matches!(refused, Err(StoreError::Full(_))), "{refused:?}");
    assert_eq!(outbox.next_press_due().await.unwrap(), None);
}

#[tokio::test]
async fn a_card_in_flight_is_open_after_a_restart() {
    let directory = outbox_sqlite::directory();
    let settings = outbox_sqlite::settings(&directory);
    let outbox = open(&settings, Access::Owner);
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, card("a", "t1"), at(0)).await;
    enqueue(&outbox, resolved("a"), at(0)).await;
    claim_one(&lease, at(1)).await;
    drop(lease);
    outbox.close().await;
    let outbox = open(&settings, Access::Owner);
    let lease = acquire(&outbox, at(2)).await;
    assert_eq!(lease.recovered(), 1);
    settle(&lease, &claim_one(&lease, at(2)).await, sent_with("c1"), at(2)).await;
    assert_eq!(claim_one(&lease, at(3)).await.open_cards.len(), 1);
}

#[tokio::test]
async fn a_press_in_a_deleted_file_is_still_settled() {
    let (outbox, directory) = outbox_sqlite::fresh();
    accept(&outbox, press("t1", 0), at(0)).await;
    fs::remove_file(outbox_sqlite::settings(&directory).path).unwrap();
    let refused = outbox.accept_press(press("t2", 1), at(1)).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    let claimed = claim(&outbox, at(1)).await.unwrap();
    outbox.settle_press(claimed.id, claimed.claim, done("done"), at(2)).await.unwrap();
    let stored = outbox.accept_press(press("t2", 1), at(3)).await.unwrap();
    assert!(matches!(stored, AcceptedPress::Stored(_)), "the next file");
}
