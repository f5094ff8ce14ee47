//! The query plans of every statement: each is a search in the index that is meant, none sorts or scans a table.

use rusqlite::Connection;

use super::{
    bodies, claim, depth, desk, due, enqueue, fold, heard, hold, lane, lanes, open, people, purge, schema,
    settle, tally, waiting,
};

/// A statement and what its plan must mention; an empty text asks only that nothing is scanned or sorted.
const STATEMENTS: &[(&str, &str)] = &[
    (heard::PUT, ""),
    (heard::TRIM, "PRIMARY KEY (rowid<?)"),
    (heard::LAST, "PRIMARY KEY (rowid<?)"),
    (bodies::ATTEMPTED, "attempt_counted (sender=? AND ended_at>?)"),
    (bodies::IN_FLIGHT, "delivery_in_flight (state=?)"),
    (tally::LAST, "PRIMARY KEY"),
    (tally::PUT_LAST, "PRIMARY KEY"),
    (tally::PUT_WAITING, ""),
    (enqueue::PUT_NOTIFICATION, ""),
    (enqueue::PUT_DELIVERY, ""),
    (enqueue::PUT_MESSAGE, ""),
    (lane::LOAD, "SEARCH d USING INTEGER PRIMARY KEY"),
    (lane::NEXT, "delivery_queued (lane=?)"),
    (lanes::HEADS, "delivery_head (id>?)"),
    (lanes::LEFT, "delivery_head (id<?)"),
    (lanes::SPILLED_TO, "PRIMARY KEY"),
    (lanes::PUT_SPILLED_TO, "PRIMARY KEY"),
    (lanes::SPILL_ONE, ""),
    (lanes::FORGET_LANE, "PRIMARY KEY (lane=?)"),
    (lanes::IS_SPILLED, "SEARCH s USING PRIMARY KEY (lane=?)"),
    (lane::PROMOTE, "PRIMARY KEY"),
    (lane::SETTLED_ONE, "PRIMARY KEY"),
    (lane::REOPENED_ONE, "PRIMARY KEY"),
    (lane::OF_NOTIFICATION, "delivery_notification (notification=?)"),
    (lane::MEMBERS, "delivery_digest (digest=?)"),
    (lane::SETTLE_MEMBER, "PRIMARY KEY"),
    (lane::TOLD_BY_MEMBERS, "delivery_notification (notification=?)"),
    (claim::DUE_HEADS, "delivery_ready (sender=? AND destination=? AND receiver=? AND fresh=? AND due_at<?)"),
    (claim::LOAD, "SEARCH m USING INTEGER PRIMARY KEY"),
    (claim::CLAIM_FIRST, "PRIMARY KEY"),
    (claim::CLAIM_AGAIN, "PRIMARY KEY"),
    (claim::STARTED, "delivery_notification (notification=?)"),
    (due::HEADS, "COVERING INDEX delivery_ready (sender=?)"),
    (fold::NEXT_RECEIVER, "delivery_ready (sender=? AND destination=? AND receiver>?)"),
    (
        fold::NEXT_HEAD,
        "delivery_ready (sender=? AND destination=? AND receiver=? AND fresh=? AND due_at=? AND place>?)",
    ),
    (
        fold::NEXT_LATER_HEAD,
        "delivery_ready (sender=? AND destination=? AND receiver=? AND fresh=? AND due_at>?)",
    ),
    (fold::NEXT_IN_LANE, "delivery_queued (lane=? AND place>?)"),
    (fold::LINE, "PRIMARY KEY"),
    (fold::EVERYBODY, "PRIMARY KEY"),
    (fold::ROWS, "delivery_notification (notification=?)"),
    (fold::AHEAD, "delivery_queued (lane=? AND place<?)"),
    (fold::FOLD, "delivery_notification (notification=?)"),
    (settle::RECORD, "SEARCH attempt USING PRIMARY KEY (delivery=?)"),
    (settle::DELIVERED, "PRIMARY KEY"),
    (settle::DEAD, "PRIMARY KEY"),
    (settle::RETRY, "PRIMARY KEY"),
    (settle::INSTEAD, "PRIMARY KEY"),
    (settle::REWRITE, "PRIMARY KEY"),
    (settle::IN_FLIGHT, "delivery_in_flight (state=?)"),
    (settle::LAST_CLAIM, "delivery_in_flight (state=?)"),
    (waiting::NEXT_RECEIVER, "delivery_ready (sender=? AND destination=? AND receiver>?)"),
    (waiting::NEXT_DESTINATION, "delivery_ready (sender=? AND destination>?)"),
    (waiting::HEADS, "COVERING INDEX delivery_ready (sender=? AND destination=? AND receiver=? AND fresh=?)"),
    (
        waiting::NEXT_DUE,
        "delivery_ready (sender=? AND destination=? AND receiver=? AND fresh=? AND due_at>?)",
    ),
    (waiting::FIRST, "SEARCH d USING INTEGER PRIMARY KEY"),
    (waiting::NEXT_CHANNEL, "delivery_ready (sender>?)"),
    (waiting::CHANNELS_IN_FLIGHT, "delivery_in_flight (state=?)"),
    (depth::OLDEST, "notification_open (id>?)"),
    (depth::HAS_WAITING, "PRIMARY KEY (sender=? AND receiver=?)"),
    (waiting::SENT_SINCE, "attempt_counted (sender=? AND ended_at>?)"),
    (hold::PUT_HOLD, ""),
    (hold::RELEASE, "PRIMARY KEY"),
    (hold::FORGET_TOLD, "PRIMARY KEY"),
    (hold::TOLD, "PRIMARY KEY"),
    (hold::PUT_TOLD, "PRIMARY KEY"),
    (hold::COUNT_HELD, "notification_open (id>?)"),
    (hold::HELD_LINES, "notification_open (id>?)"),
    (hold::UNNOTICED, "delivery_unnoticed (receiver=? AND settled_at>?)"),
    (hold::NOTICED, "PRIMARY KEY"),
    (purge::SETTLED_BEFORE, "notification_settled (settled_at>? AND settled_at<?)"),
    (purge::DELETE_ATTEMPTS, "delivery_notification (notification=?)"),
    (purge::DELETE_MESSAGES, "delivery_notification (notification=?)"),
    (purge::DELETE_DELIVERIES, "delivery_notification (notification=?)"),
    (purge::DELETE_NOTIFICATION, "PRIMARY KEY"),
    (purge::PROBE, "PRIMARY KEY"),
    (people::LIST_ALL, "SEARCH d USING INTEGER PRIMARY KEY (rowid>?)"),
    (people::LIST_STATE, "SEARCH d USING INTEGER PRIMARY KEY (rowid>?)"),
    (people::LIST_IN_FLIGHT, "delivery_in_flight (state=? AND rowid>?)"),
    (people::LIST_DEAD, "delivery_dead (state=? AND rowid>?)"),
    (people::LIST_DIGEST, "delivery_digest (digest=? AND rowid>?)"),
    (people::SHOW, "SEARCH d USING INTEGER PRIMARY KEY"),
    (people::ATTEMPTS, "PRIMARY KEY (delivery=?)"),
    (people::DUE_NOW, "PRIMARY KEY"),
    (people::AGAIN, "PRIMARY KEY"),
    (people::DEAD_AFTER, "delivery_dead (state=? AND rowid>?)"),
    (people::DISCARD, "PRIMARY KEY"),
    (people::NOT_WHOLE, "delivery_notification (notification=?)"),
];

/// These read a few rows from the beginning of a table on purpose, bounded by a limit or by the number of apps and
/// receivers; or seldom all of them.
const FROM_THE_BEGINNING: &[&str] = &[
    hold::HOLDS,
    desk::UNSETTLED,
    depth::DEPTHS,
    depth::OPEN,
    heard::FORGET,
    lanes::SPILLED,
    lanes::FORGET_SPILLED,
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

#[test]
fn every_statement_is_a_search_in_its_index() {
    let conn = database();
    for (sql, wanted) in STATEMENTS {
        let steps = plan(&conn, sql);
        let text = steps.join("\n");
        assert!(text.contains(wanted), "{sql}\nshould use {wanted}, but does\n{text}");
        let scans = steps.iter().filter(|step| step.starts_with("SCAN ") && *step != "SCAN (subquery-1)");
        assert_eq!(scans.count(), 0, "{sql}\nscans:\n{text}");
        assert!(!text.contains("TEMP B-TREE"), "{sql}\nsorts:\n{text}");
    }
}

#[test]
fn what_reads_from_the_beginning_does_not_sort() {
    let conn = database();
    for sql in FROM_THE_BEGINNING {
        let text = plan(&conn, sql).join("\n");
        assert!(!text.contains("TEMP B-TREE"), "{sql}\nsorts:\n{text}");
    }
}
