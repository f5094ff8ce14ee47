//! A handler that parses, inserts one row, and answers when it is on disk. Simultaneous requests share a commit.

use std::{sync::mpsc, thread};

use axum::{Router, body::Bytes, extract::State, routing::post};
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::parsed::Parsed;

/// The maximum number of requests in a commit, as in the relay.
const MAX_BATCH: usize = 256;

struct Row {
    group_key: String,
    body: Bytes,
    done: oneshot::Sender<()>,
}

pub(super) fn router(path: &str) -> Router {
    let conn = Connection::open(path).unwrap();
    conn.execute_batch(
        "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         PRAGMA cache_size = -16384;
         CREATE TABLE row (id INTEGER PRIMARY KEY, group_key TEXT NOT NULL, body BLOB NOT NULL) STRICT",
    )
    .unwrap();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || write(&conn, &receiver));
    Router::new().route("/webhook/{receiver}", post(accept)).with_state(sender)
}

async fn accept(State(rows): State<mpsc::Sender<Row>>, body: Bytes) -> String {
    let parsed = Parsed::of(&body);
    let (done, committed) = oneshot::channel();
    rows.send(Row { group_key: parsed.group_key, body, done }).unwrap();
    committed.await.unwrap();
    format!("{} alerts for {}\n", parsed.alerts.len(), parsed.receiver)
}

fn write(conn: &Connection, rows: &mpsc::Receiver<Row>) {
    while let Ok(first) = rows.recv() {
        let batch: Vec<Row> = std::iter::once(first).chain(rows.try_iter().take(MAX_BATCH - 1)).collect();
        let run = |sql: &str| conn.prepare_cached(sql).unwrap().execute([]).unwrap();
        run("BEGIN IMMEDIATE");
        for row in &batch {
            let mut insert =
                conn.prepare_cached("INSERT INTO row (group_key, body) VALUES (?1, ?2)").unwrap();
            insert.execute((&row.group_key, row.body.as_ref())).unwrap();
        }
        run("COMMIT");
        for row in batch {
            // The client may have hung up.
            _ = row.done.send(());
        }
    }
}
