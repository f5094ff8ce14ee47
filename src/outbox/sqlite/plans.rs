//! The query plan of every statement: each is a search in the intended index, and none sorts or scans a table.

use rusqlite::Connection;

use super::{
    admin, adopt, cards, claim, enqueue, entry, file_guard, fold, history, hold, open, order, presses, purge,
    query, relay_time, room, schema, sender, settle, transaction, waiting, watches,
};
use crate::outbox::{DeliveryId, Filter, ListOrder, State, rules::page::Source};

/// A statement and the text that its plan must contain. An empty text only means that nothing is scanned or sorted.
const STATEMENTS: &[(&str, &str)] = &[
    (transaction::TAKE_NUMBERS, "PRIMARY KEY"),
    (transaction::LAST_NUMBER, "PRIMARY KEY"),
    (order::LOAD, "PRIMARY KEY"),
    (order::STORE, ""),
    (order::ADD_HEADS, ""),
    (order::HEADS, "PRIMARY KEY"),
    (order::REMOVE_HEAD, "PRIMARY KEY"),
    (order::DELETE, "PRIMARY KEY"),
    (order::FIRST_QUEUED, "delivery_queued (ordering_key=?)"),
    (order::MAKE_READY, "PRIMARY KEY"),
    (enqueue::INSERT, ""),
    (claim::LOAD, "PRIMARY KEY"),
    (claim::MARK, "PRIMARY KEY"),
    (claim::MARK_STARTED, "PRIMARY KEY (rowid>? AND rowid<?)"),
    (settle::UNSETTLED_OTHERS, "PRIMARY KEY (rowid>? AND rowid<?)"),
    (adopt::STORE, ""),
    (adopt::IS_STORED, "PRIMARY KEY"),
    (adopt::OPEN, "delivery_open (sender=?)"),
    (adopt::COUNTED, "delivery_counted (sender=? AND attempt_ended_at>?)"),
    (adopt::COUNTED_EARLIER, "attempt_counted (sender=? AND ended_at>?)"),
    (adopt::PURGED, "purged_attempt_ended (ended_at>?)"),
    (adopt::RENAME_PURGED, "PRIMARY KEY"),
    (sender::PRESENT, "PRIMARY KEY"),
    (sender::LOAD, "PRIMARY KEY"),
    (sender::RENAME, "PRIMARY KEY"),
    (sender::RENAME_DAMAGED, "PRIMARY KEY"),
    (sender::RENAME_ATTEMPTS, "PRIMARY KEY (delivery=?)"),
    (entry::LOAD, "PRIMARY KEY"),
    (settle::MOVE_LAST_ATTEMPT, "PRIMARY KEY"),
    (settle::DELIVERED, "PRIMARY KEY"),
    (settle::DEAD, "PRIMARY KEY"),
    (settle::UNDONE, "PRIMARY KEY"),
    (settle::DISCARD, "PRIMARY KEY"),
    (settle::COUNT_DISCARDED, ""),
    (settle::NOT_WHOLE, "PRIMARY KEY (rowid>? AND rowid<?)"),
    (settle::FOLDED, "delivery_digest (digest=?)"),
    (settle::UNFOLD, "PRIMARY KEY"),
    (settle::RETRY, "PRIMARY KEY"),
    (settle::REPLACE, "PRIMARY KEY"),
    (settle::RECIPIENTS, "PRIMARY KEY"),
    (settle::LOAD_DAMAGED, "PRIMARY KEY"),
    (settle::SET_ASIDE, "PRIMARY KEY"),
    (settle::IN_FLIGHT, "delivery_in_flight (sender=?)"),
    (settle::SIBLINGS, "PRIMARY KEY (rowid>? AND rowid<?)"),
    (settle::MEMBERS, "delivery_digest (digest=?)"),
    (settle::SETTLE_MEMBER, "PRIMARY KEY"),
    (settle::MARK_NOTICED, "PRIMARY KEY (rowid>? AND rowid<?)"),
    (fold::HEADS, "delivery_ready (sender=? AND destination=?)"),
    (fold::FOLLOWER, "delivery_queued (ordering_key=? AND seq>?)"),
    (fold::LINE, "PRIMARY KEY"),
    (fold::RECIPIENTS, "PRIMARY KEY"),
    (fold::FOLD, "PRIMARY KEY (rowid>? AND rowid<?)"),
    (waiting::HEADS, "delivery_ready (sender=? AND destination=?)"),
    (waiting::NEXT_DUE, "delivery_ready (sender=? AND destination=? AND due_at>?)"),
    (waiting::NEXT_DESTINATION, "delivery_ready (sender=? AND destination>?)"),
    (waiting::NEXT_SENDER, "delivery_open (sender>?)"),
    (waiting::COUNTED, "delivery_counted (sender=? AND attempt_ended_at>?)"),
    (waiting::PURGED_COUNTED, "purged_attempt_ended (ended_at>?)"),
    (room::RESERVE, ""),
    (room::GIVE_UP, "PRIMARY KEY"),
    (room::LAST_SETTLED, "delivery_settled (settled_at>?)"),
    (waiting::EARLIER_COUNTED, "attempt_counted (sender=? AND ended_at>?)"),
    (hold::STORE, ""),
    (hold::DELETE, "PRIMARY KEY"),
    (hold::FORGET_NOTICES, "PRIMARY KEY"),
    (hold::IS_NOTICED, "PRIMARY KEY"),
    (hold::RECORD_NOTICE, "PRIMARY KEY"),
    (hold::COUNT_OPEN, "delivery_open (sender=? AND receiver=?)"),
    (hold::OPEN_SUMMARIES, "delivery_open (sender=? AND receiver=?)"),
    (hold::UNNOTICED, "delivery_unnoticed (receiver=? AND settled_at>?)"),
    (hold::MARK_NOTICED, "PRIMARY KEY"),
    (history::SETTLED_BEFORE, "delivery_settled (settled_at>? AND settled_at<?)"),
    (history::DEAD_BEFORE, "delivery_dead_settled (settled_at<?)"),
    (history::KEEP_LAST_ATTEMPT, "PRIMARY KEY"),
    (history::KEEP_ATTEMPTS, "PRIMARY KEY"),
    (history::FORGET_ATTEMPTS, "purged_attempt_ended (ended_at<?)"),
    (history::DELETE_ATTEMPTS, "PRIMARY KEY (delivery=?)"),
    (history::DELETE_DELIVERY, "PRIMARY KEY"),
    (history::DELETE_CARD, "PRIMARY KEY"),
    (cards::INSERT, ""),
    (cards::SENT, "PRIMARY KEY"),
    (cards::TRIED, "card_task (task_id=?)"),
    (cards::CLOSE, "card_open (ordering_key=? AND rowid<?)"),
    (cards::CLOSE_OF_DIGEST, "card_open (ordering_key=? AND rowid<?)"),
    (cards::CLOSE_RECALLED, "PRIMARY KEY"),
    (cards::OPEN, "card_code (ordering_key=? AND code_until>?)"),
    (cards::DOUBT, "card_code (ordering_key=? AND code_until>?)"),
    (settle::CONTENT, "PRIMARY KEY"),
    (cards::IS_UPDATED_CLOSED, "card_task (task_id=?)"),
    (cards::FIND, "card_task (task_id=? AND queue=?)"),
    (cards::LOAD, "PRIMARY KEY"),
    (cards::HANDLED, "PRIMARY KEY"),
    (cards::STORE_HANDLED, "PRIMARY KEY"),
    (watches::BEGIN, "PRIMARY KEY"),
    (watches::DUE, "card_watched (watch_due>? AND watch_due<?)"),
    (watches::CLAIM, "PRIMARY KEY"),
    (watches::POSTPONE, "PRIMARY KEY"),
    (watches::END, "PRIMARY KEY"),
    (presses::INSERT, ""),
    (presses::DUE, "press_due (due_at<?)"),
    (presses::LOAD, "PRIMARY KEY"),
    (presses::CLAIM, "PRIMARY KEY"),
    (presses::CLAIMED, "PRIMARY KEY"),
    (presses::RETRY, "PRIMARY KEY"),
    (presses::SETTLE, "PRIMARY KEY"),
    (presses::OF_DELIVERY, "press_delivery (delivery=?)"),
    (presses::DELETE_SETTLED, "press_settled (settled_at>? AND settled_at<?)"),
    (purge::DELETE_IDLE_KEYS, "ordering_key_idle (expires_at<?)"),
    (purge::PROBE, "PRIMARY KEY"),
    (relay_time::STORE, ""),
    (query::SHOW, "PRIMARY KEY"),
    (query::EARLIER_ATTEMPTS, "PRIMARY KEY (delivery=?)"),
    (query::ACCEPTED_AT, "PRIMARY KEY"),
    (query::CONSOLE_SECRET, "PRIMARY KEY"),
    (admin::DUE_NOW, "PRIMARY KEY"),
    (admin::REQUEUE, "PRIMARY KEY"),
    (admin::DEAD_AFTER, "delivery_dead (id>?)"),
    (admin::RECALLED, "PRIMARY KEY"),
];

/// These read an index or a small table from its beginning on purpose. Some are bounded by a limit, others by the number
/// of senders and receivers. `DEPTHS` counts all unsettled deliveries, on the connection for queries.
const FROM_THE_BEGINNING: &[&str] = &[
    adopt::FORWARD,
    adopt::KNOWN,
    file_guard::HAS_UNSETTLED,
    hold::HOLDS,
    presses::NEXT_DUE,
    presses::RELEASE,
    query::DEPTHS,
    query::DISCARDED,
    relay_time::LAST,
    relay_time::ALL,
    sender::OF_QUEUE,
    settle::SENDERS_IN_FLIGHT,
];

fn plan(conn: &Connection, sql: &str) -> Vec<String> {
    let mut statement = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect(sql);
    let nulls = vec![rusqlite::types::Null; statement.parameter_count()];
    let steps = statement.query_map(rusqlite::params_from_iter(nulls), |row| row.get(3)).expect(sql);
    steps.collect::<Result<_, _>>().expect(sql)
}

fn database() -> Connection {
    let mut conn = Connection::open_in_memory().expect("open");
    open::configure(&conn).expect("configure");
    schema::migrate(&mut conn, 0).expect("migrate");
    conn
}

/// The statements of lists, which are composed.
fn list_statements() -> Vec<(String, &'static str)> {
    let sources = [
        (Filter::default(), "PRIMARY KEY (rowid>? AND rowid<?)"),
        (Filter { states: vec![State::Dead], ..Filter::default() }, "delivery_dead (id>? AND id<?)"),
        (
            Filter { digest: Some(DeliveryId(1)), ..Filter::default() },
            "delivery_digest (digest=? AND rowid>? AND rowid<?)",
        ),
    ];
    let orders = [
        (ListOrder::OldestFirst, "PRIMARY KEY (rowid>?)", "delivery_dead (id>?)"),
        (ListOrder::NewestFirst, "PRIMARY KEY (rowid<?)", "delivery_dead (id<?)"),
    ];
    let mut statements = Vec::new();
    for (order, window, window_of_dead) in orders {
        statements.push((query::window_statement(Source::All, order), window));
        statements.push((query::window_statement(Source::Dead, order), window_of_dead));
        for (words, in_content) in [(0, false), (2, false), (2, true)] {
            let statement = |(filter, wanted): &(Filter, _)| {
                let words = vec![String::new(); words];
                let filter = Filter { words, in_content, ..filter.clone() };
                (query::page_statement(&filter, order), *wanted)
            };
            statements.extend(sources.iter().map(statement));
        }
    }
    statements
}

#[test]
fn every_statement_is_a_search_in_its_index() {
    let conn = database();
    let fixed = STATEMENTS.iter().map(|(sql, wanted)| ((*sql).to_owned(), *wanted));
    for (sql, wanted) in fixed.chain(list_statements()) {
        let steps = plan(&conn, &sql);
        let text = steps.join("\n");
        assert!(text.contains(wanted), "{sql}\nshould use {wanted}, but does\n{text}");
        let scans =
            steps.iter().filter(|step| step.starts_with("SCAN ") && !step.starts_with("SCAN (subquery"));
        assert_eq!(scans.count(), 0, "{sql}\nscans:\n{text}");
        assert!(!text.contains("TEMP B-TREE"), "{sql}\nsorts:\n{text}");
    }
}

#[test]
fn reads_from_the_beginning_do_not_sort() {
    let conn = database();
    for sql in FROM_THE_BEGINNING {
        let text = plan(&conn, sql).join("\n");
        assert!(!text.contains("TEMP B-TREE"), "{sql}\nsorts:\n{text}");
    }
}
