//! Facts about a server, for operators. They need no outbox in the database, and change nothing.

use std::{future::poll_fn, time::Duration};

use futures_util::future::{self, Either};
use jiff::Timestamp;
use tokio::{sync::mpsc, time::timeout};
use tokio_postgres::{AsyncMessage, Client};

use super::{columns::column, error::EngineError, tls::Tls, url::PostgresUrl};

const FACTS: &str = "SELECT current_setting('server_version') AS version,
     current_setting('server_version_num')::integer AS version_number,
     current_setting('fsync') = 'on' AS fsync, current_setting('full_page_writes') = 'on' AS full_page_writes,
     current_setting('synchronous_standby_names') <> '' AS has_synchronous_standby,
     coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS is_encrypted,
     coalesce(has_schema_privilege(to_regnamespace('wecom_relay')::oid, 'CREATE'),
         has_database_privilege(current_database(), 'CREATE')) AS may_create,
     pg_encoding_to_char((SELECT encoding FROM pg_database WHERE datname = current_database())) AS encoding,
     (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms";
const RIGHTS: &str = "SELECT count(*) > 0 AS has_outbox,
     coalesce(bool_and(has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
         AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE')), true) AS may_write
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'wecom_relay' AND c.relkind = 'r'";
const LISTEN: &str = "LISTEN wecom_relay_doctor; NOTIFY wecom_relay_doctor";
/// The time that a notification of this session takes at most.
const HEARD_WITHIN: Duration = Duration::from_secs(1);

/// A server and the rights of the role in its database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFacts {
    /// The version for people, and as `server_version_num`.
    pub version: String,
    pub version_number: i32,
    pub fsync: bool,
    pub full_page_writes: bool,
    pub has_synchronous_standby: bool,
    pub is_encrypted: bool,
    pub encoding: String,
    /// True if there are tables of an outbox.
    pub has_outbox: bool,
    /// True if the role may create the schema, or read and write its tables.
    pub has_rights: bool,
    /// False if a pooler or something else keeps notifications from arriving.
    pub hears: bool,
    pub now: Timestamp,
}

/// Asks the server of `url`.
///
/// # Errors
/// The reason, without a secret.
pub async fn inspect(url: &PostgresUrl, tls: Tls, limit: Duration) -> Result<ServerFacts, String> {
    let shown = |error: &EngineError| url.hide_in(&error.reason());
    let asked = async {
        let (client, mut connection) = url.config().connect(tls).await?;
        let (heard, notifications) = mpsc::unbounded_channel();
        let driver = async {
            while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
                if let AsyncMessage::Notification(_) = message? {
                    // Nobody waits for it any more.
                    _ = heard.send(());
                }
            }
            Ok(())
        };
        let ask = std::pin::pin!(facts(&client, notifications));
        match future::select(ask, std::pin::pin!(driver)).await {
            Either::Left((facts, _)) => facts,
            Either::Right((ended, ask)) => {
                ended.map_err(EngineError::Sql)?;
                ask.await
            }
        }
    };
    match timeout(limit, asked).await {
        Ok(facts) => facts.map_err(|error| shown(&error)),
        Err(_elapsed) => Err(format!("no answer within {} s", limit.as_secs_f64())),
    }
}

async fn facts(
    client: &Client,
    mut notifications: mpsc::UnboundedReceiver<()>,
) -> Result<ServerFacts, EngineError> {
    let row = client.query_one(FACTS, &[]).await?;
    let rights = client.query_one(RIGHTS, &[]).await?;
    client.batch_execute(LISTEN).await?;
    let hears = timeout(HEARD_WITHIN, notifications.recv()).await.is_ok_and(|heard| heard.is_some());
    let (has_outbox, may_write): (bool, bool) =
        (column(&rights, "has_outbox")?, column(&rights, "may_write")?);
    let may_create: bool = column(&row, "may_create")?;
    Ok(ServerFacts {
        version: column(&row, "version")?,
        version_number: column(&row, "version_number")?,
        fsync: column(&row, "fsync")?,
        full_page_writes: column(&row, "full_page_writes")?,
        has_synchronous_standby: column(&row, "has_synchronous_standby")?,
        is_encrypted: column(&row, "is_encrypted")?,
        encoding: column(&row, "encoding")?,
        has_outbox,
        has_rights: if has_outbox { may_write } else { may_create },
        hears,
        now: Timestamp::from_millisecond(column(&row, "now_ms")?).unwrap_or(Timestamp::UNIX_EPOCH),
    })
}
