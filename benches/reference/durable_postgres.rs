//! A handler that parses, inserts one row in PostgreSQL, and answers when it is on disk. Simultaneous requests share an
//! `INSERT`.

use axum::{Router, body::Bytes, extract::State, routing::post};
use tokio::sync::{mpsc, oneshot};
use tokio_postgres::Client;

use super::parsed::Parsed;
use crate::replicas::connect;

/// The maximum number of requests in a commit, as in the relay.
const MAX_BATCH: usize = 256;

struct Row {
    group_key: String,
    body: Bytes,
    done: oneshot::Sender<()>,
}

pub(super) async fn serve(url: &str) {
    let client = connect(url).await;
    let (sender, rows) = mpsc::channel(4 * MAX_BATCH);
    let router = Router::new().route("/webhook/{receiver}", post(accept)).with_state(sender);
    tokio::join!(write(&client, rows), super::serve(router));
}

async fn accept(State(rows): State<mpsc::Sender<Row>>, body: Bytes) -> String {
    let parsed = Parsed::of(&body);
    let (done, committed) = oneshot::channel();
    rows.send(Row { group_key: parsed.group_key, body, done }).await.unwrap();
    committed.await.unwrap();
    format!("{} alerts for {}\n", parsed.alerts.len(), parsed.receiver)
}

async fn write(client: &Client, mut rows: mpsc::Receiver<Row>) {
    let table = "CREATE TABLE row (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, group_key text NOT NULL, \
         body bytea NOT NULL)";
    client.batch_execute(table).await.unwrap();
    let insert = "INSERT INTO row (group_key, body) SELECT * FROM unnest($1::text[], $2::bytea[])";
    let insert = client.prepare(insert).await.unwrap();
    let mut batch = Vec::new();
    while rows.recv_many(&mut batch, MAX_BATCH).await > 0 {
        let group_keys: Vec<&str> = batch.iter().map(|row| row.group_key.as_str()).collect();
        let bodies: Vec<&[u8]> = batch.iter().map(|row| row.body.as_ref()).collect();
        client.execute(&insert, &[&group_keys, &bodies]).await.unwrap();
        for row in batch.drain(..) {
            // The client may have hung up.
            _ = row.done.send(());
        }
    }
}
