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

/// Inserts rows for many callers at once.
#[derive(Clone)]
pub(crate) struct Inserter(mpsc::Sender<Row>);

/// Inserts the rows of an [`Inserter`] until all of its clones are gone.
pub(crate) struct InserterTask {
    client: Client,
    rows: mpsc::Receiver<Row>,
}

pub(crate) async fn inserter(url: &str) -> (Inserter, InserterTask) {
    let client = connect(url).await;
    let table = "CREATE TABLE row (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, group_key text NOT NULL, \
         body bytea NOT NULL)";
    client.batch_execute(table).await.unwrap();
    let (sender, rows) = mpsc::channel(4 * MAX_BATCH);
    (Inserter(sender), InserterTask { client, rows })
}

impl Inserter {
    /// Returns when the row is on disk.
    pub(crate) async fn insert(&self, group_key: String, body: Bytes) {
        let (done, committed) = oneshot::channel();
        self.0.send(Row { group_key, body, done }).await.unwrap();
        committed.await.unwrap();
    }
}

impl InserterTask {
    pub(crate) async fn run(mut self) {
        let insert = "INSERT INTO row (group_key, body) SELECT * FROM unnest($1::text[], $2::bytea[])";
        let insert = self.client.prepare(insert).await.unwrap();
        let mut batch = Vec::new();
        while self.rows.recv_many(&mut batch, MAX_BATCH).await > 0 {
            let group_keys: Vec<&str> = batch.iter().map(|row| row.group_key.as_str()).collect();
            let bodies: Vec<&[u8]> = batch.iter().map(|row| row.body.as_ref()).collect();
            self.client.execute(&insert, &[&group_keys, &bodies]).await.unwrap();
            for row in batch.drain(..) {
                // The client may have hung up.
                _ = row.done.send(());
            }
        }
    }
}

pub(super) async fn serve(url: &str) {
    let (inserter, task) = inserter(url).await;
    let router = Router::new().route("/webhook/{receiver}", post(accept)).with_state(inserter);
    tokio::join!(task.run(), super::serve(router));
}

async fn accept(State(inserter): State<Inserter>, body: Bytes) -> String {
    let parsed = Parsed::of(&body);
    inserter.insert(parsed.group_key, body).await;
    format!("{} alerts for {}\n", parsed.alerts.len(), parsed.receiver)
}
