//! Fills an empty outbox with the rows of another one, in one transaction.

use std::future::poll_fn;

use futures_util::future::{self, Either};
use jiff::Timestamp;
use serde_json::Value;
use tokio_postgres::Client;

use super::{error::EngineError, insert::ROW_BYTES, presses::PRESS_BYTES, settings::Settings};

const BEGIN: &str =
    "BEGIN; SET LOCAL synchronous_commit = on; LOCK TABLE wecom_relay.replica IN EXCLUSIVE MODE";
const OBSTACLE: &str = "SELECT CASE
     WHEN EXISTS (SELECT FROM wecom_relay.replica WHERE until > clock_timestamp()) THEN 'a replica uses it; stop all of them'
     WHEN EXISTS (SELECT FROM wecom_relay.delivery) THEN 'it is not empty'
     END AS obstacle";
const CLEAR: &str =
    "DELETE FROM wecom_relay.sender; DELETE FROM wecom_relay.ordering_key; DELETE FROM wecom_relay.usage;
     DELETE FROM wecom_relay.lease; DELETE FROM wecom_relay.press";

/// One transaction that fills an outbox. Nothing is changed unless all of it succeeds.
pub struct Import<'c> {
    client: &'c Client,
}

/// Opens a session with the database of `settings`, and runs `fill` in a transaction on an empty outbox.
///
/// # Errors
/// The reason, without a secret. Then nothing has changed.
pub async fn import(
    settings: &Settings,
    fill: impl AsyncFnOnce(&Import<'_>) -> Result<(), String>,
) -> Result<(), String> {
    let shown = |error: EngineError| settings.url.hide_in(&error.reason());
    let connecting = settings.url.config().connect(settings.tls.clone()).await;
    let (client, mut connection) = connecting.map_err(|error| shown(error.into()))?;
    let filling = async {
        let import = Import { client: &client };
        import.begin().await?;
        fill(&import).await?;
        import.client.batch_execute("COMMIT").await.map_err(|error| shown(error.into()))
    };
    let driver = async {
        while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
            message?;
        }
        Ok::<_, tokio_postgres::Error>(())
    };
    match future::select(std::pin::pin!(filling), std::pin::pin!(driver)).await {
        Either::Left((filled, _)) => filled.map_err(|reason| settings.url.hide_in(&reason)),
        Either::Right((Ok(()), _)) => Err("the session has ended".to_owned()),
        Either::Right((Err(error), _)) => Err(shown(error.into())),
    }
}

impl Import<'_> {
    async fn begin(&self) -> Result<(), String> {
        self.client.batch_execute(BEGIN).await.map_err(text)?;
        let row = self.client.query_one(OBSTACLE, &[]).await.map_err(text)?;
        if let Some(obstacle) = row.try_get::<_, Option<String>>("obstacle").map_err(text)? {
            return Err(obstacle);
        }
        self.client.batch_execute(CLEAR).await.map_err(text)
    }

    /// Adds rows, whose fields have the names of columns. Other fields are ignored.
    ///
    /// # Errors
    /// The server's reason.
    pub async fn add(&self, table: &str, rows: Vec<Value>) -> Result<(), String> {
        let insert = match table {
            "delivery" => delivery(),
            "purged_attempt" => {
                "INSERT INTO wecom_relay.purged_attempt (sender, delivery, ended_at, to_users, to_parties, to_tags, body)
                 SELECT sender, delivery, ended_at, to_users, to_parties, to_tags, body
                 FROM json_populate_recordset(NULL::wecom_relay.purged_attempt, $1::text::json)"
                    .to_owned()
            }
            _ => format!(
                "INSERT INTO wecom_relay.{table} SELECT * FROM json_populate_recordset(NULL::wecom_relay.{table}, \
                 $1::text::json)"
            ),
        };
        let json = Value::Array(rows).to_string();
        self.client.execute(&insert, &[&json]).await.map(drop).map_err(text)
    }

    /// The number of rows of a table.
    ///
    /// # Errors
    /// The server's reason.
    pub async fn count(&self, table: &str) -> Result<i64, String> {
        let row = self.client.query_one(&format!("SELECT count(*) FROM wecom_relay.{table}"), &[]).await;
        row.and_then(|row| row.try_get(0)).map_err(text)
    }

    /// Goes on with the numbers and the relay time of the other outbox, and computes the size.
    ///
    /// # Errors
    /// The server's reason.
    pub async fn finish(&self, last_number: i64, relay_time: Timestamp) -> Result<(), String> {
        let now = relay_time.as_millisecond();
        let finish = format!(
            "SELECT setval('wecom_relay.number', {}, true);
             UPDATE wecom_relay.relay_clock SET recorded_ms = {now},
                 offset_ms = {now} - (extract(epoch FROM clock_timestamp()) * 1000)::bigint;
             INSERT INTO wecom_relay.usage SELECT coalesce(sum(bytes), 0)::bigint FROM wecom_relay.delivery;
             INSERT INTO wecom_relay.usage SELECT count(*) * {PRESS_BYTES} FROM wecom_relay.press",
            last_number.max(1)
        );
        self.client.batch_execute(&finish).await.map_err(text)
    }
}

/// The deliveries of a notification have consecutive ids in the other outbox, and their number in `deliveries`.
fn delivery() -> String {
    format!(
        "INSERT INTO wecom_relay.delivery SELECT p.* FROM json_array_elements($1::text::json) AS r
         CROSS JOIN LATERAL json_populate_record(NULL::wecom_relay.delivery, (r::jsonb || jsonb_build_object(
             'siblings', CASE WHEN (r ->> 'deliveries')::integer > 1 THEN to_jsonb(ARRAY(SELECT generate_series(
                 (r ->> 'notification')::bigint,
                 (r ->> 'notification')::bigint + (r ->> 'deliveries')::integer - 1))) END,
             'bytes', {ROW_BYTES} + octet_length(r ->> 'content') + coalesce(octet_length(r ->> 'text_form'), 0)
                 + octet_length(r ->> 'summary')))::json) AS p"
    )
}

fn text(error: tokio_postgres::Error) -> String {
    EngineError::from(error).reason()
}
