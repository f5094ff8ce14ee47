//! One session with the server, and its transactions.
//!
//! Statements that do not need each other's results are sent together (`tokio::join!`), so they cost one round trip.

use std::{cell::RefCell, collections::HashMap, future::poll_fn, time::Duration};

use futures_util::FutureExt as _;
use tokio::{sync::mpsc, task::AbortHandle};
use tokio_postgres::{AsyncMessage, Client, Row, Statement, types::ToSql};

use super::{
    columns::column,
    error::{EngineError, EngineResult},
    tls::Tls,
    url::PostgresUrl,
};
use crate::outbox::{Destination, ReceiverName, SenderName, rules::stored::Unreadable};

/// The head of every transaction.
///
/// - The limits of time are shorter than a lease, so that a process that was stopped holds no lock when others take its
///   senders.
/// - The planner may only search indexes, in their order. Otherwise it reads whole tables when its statistics are old.
macro_rules! head {
    ($more:literal) => {
        concat!(
            "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = '5s'; SET LOCAL lock_timeout = '3s'; \
             SET LOCAL idle_in_transaction_session_timeout = '3s'; SET LOCAL jit = off; SET LOCAL enable_seqscan = off; \
             SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_bitmapscan = off; \
             SET LOCAL enable_sort = off; SET LOCAL enable_incremental_sort = off",
            $more
        )
    };
}
pub(super) const HEAD: &str = head!("");
const HEAD_WITH_SYNC: &str = head!("; SET LOCAL synchronous_commit = on");

pub(super) const TAKE_NUMBERS: &str =
    "SELECT nextval('wecom_relay.number') AS number FROM generate_series(1, $1::bigint)";

/// A transaction without an answer for this time is given up. Alertmanager waits longer.
pub(super) const TIME_LIMIT: Duration = Duration::from_secs(5);

pub(super) type Param<'a> = &'a (dyn ToSql + Sync);

/// One session.
pub(super) struct Session {
    client: Client,
    /// Each statement is prepared once.
    statements: RefCell<HashMap<String, Statement>>,
    head: &'static str,
    driver: AbortHandle,
}

impl Session {
    /// Connects, without a limit of time. Notifications that the session hears go to `heard`. Call it within a `LocalSet`.
    pub(super) async fn connect(
        url: &PostgresUrl,
        tls: &Tls,
        heard: Option<mpsc::UnboundedSender<String>>,
    ) -> EngineResult<Self> {
        let (client, mut connection) = url.config().connect(tls.clone()).await?;
        let driver = tokio::task::spawn_local(async move {
            while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
                if let (AsyncMessage::Notification(notification), Some(heard)) = (message, &heard) {
                    // Nobody listens any more when the keeper has another session.
                    _ = heard.send(notification.payload().to_owned());
                }
            }
        });
        let mut session =
            Self { client, statements: RefCell::default(), head: HEAD, driver: driver.abort_handle() };
        let weak: bool = session
            .client
            .query_one("SELECT current_setting('synchronous_commit') IN ('off', 'local') AS weak", &[])
            .await?
            .try_get("weak")?;
        if weak {
            session.head = HEAD_WITH_SYNC;
        }
        Ok(session)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Runs `work` in a transaction. Returns the changes to report with its result.
    pub(super) async fn transaction<T>(
        &self,
        work: &mut impl AsyncFnMut(&Transaction<'_>) -> EngineResult<T>,
    ) -> EngineResult<(T, Vec<Change>)> {
        let running = async {
            let mut head = Box::pin(self.client.batch_execute(self.head));
            // It is sent, and its answer is read with the next one.
            let begun = head.as_mut().now_or_never();
            let tx = Transaction { session: self, changed: RefCell::default() };
            let result = work(&tx).await;
            match begun {
                Some(begun) => begun?,
                None => head.await?,
            }
            match result {
                Ok(value) => {
                    self.client.batch_execute("COMMIT").await?;
                    Ok((value, tx.changed.into_inner()))
                }
                Err(error) => {
                    if !error.spoils_session() {
                        self.client.batch_execute("ROLLBACK").await?;
                    }
                    Err(error)
                }
            }
        };
        let result = tokio::time::timeout(TIME_LIMIT, running).await;
        result.unwrap_or(Err(EngineError::TimedOut(TIME_LIMIT)))
    }

    /// Runs simple statements outside of a transaction.
    pub(super) async fn execute(&self, sql: &str) -> EngineResult<()> {
        Ok(self.client.batch_execute(sql).await?)
    }

    /// Reads rows outside of a transaction.
    pub(super) async fn query(&self, sql: &str, params: &[Param<'_>]) -> EngineResult<Vec<Row>> {
        let statement = self.prepared(sql).await?;
        Ok(self.client.query(&statement, params).await?)
    }

    async fn prepared(&self, sql: &str) -> EngineResult<Statement> {
        if let Some(statement) = self.statements.borrow().get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).await?;
        self.statements.borrow_mut().insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// A change that the dispatcher of a sender must know after the commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// Deliveries of a destination may be claimable.
    Claimable(SenderName, Destination),
    /// A delivery is a dead letter because its row cannot be read.
    Damaged(SenderName, ReceiverName),
    /// A lease is free.
    Released,
}

/// One transaction.
pub(super) struct Transaction<'s> {
    session: &'s Session,
    changed: RefCell<Vec<Change>>,
}

impl Transaction<'_> {
    /// Marks a destination whose deliveries may be claimable after the commit.
    pub(super) fn mark_changed(&self, sender: &SenderName, destination: Destination) {
        self.mark(Change::Claimable(sender.clone(), destination));
    }

    pub(super) fn mark(&self, change: Change) {
        self.changed.borrow_mut().push(change);
    }

    /// Prepares statements whose order matters, before they are sent together.
    pub(super) async fn prepare(&self, statements: &[&str]) -> EngineResult<()> {
        for sql in statements {
            self.session.prepared(sql).await?;
        }
        Ok(())
    }

    /// Takes `count` new numbers, which rise.
    pub(super) async fn take_numbers(&self, count: usize) -> EngineResult<Vec<i64>> {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let mut numbers = self.all(TAKE_NUMBERS, &[&count], |row| column(row, "number")).await?;
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Runs a statement and returns the number of rows that it changed.
    pub(super) async fn run(&self, sql: &str, params: &[Param<'_>]) -> EngineResult<u64> {
        let statement = self.session.prepared(sql).await?;
        Ok(self.session.client.execute(&statement, params).await?)
    }

    /// Reads all rows.
    pub(super) async fn all<T>(
        &self,
        sql: &str,
        params: &[Param<'_>],
        read: impl FnMut(&Row) -> EngineResult<T>,
    ) -> EngineResult<Vec<T>> {
        self.session.query(sql, params).await?.iter().map(read).collect()
    }

    /// Reads the first row, if there is one.
    pub(super) async fn first<T>(
        &self,
        sql: &str,
        params: &[Param<'_>],
        read: impl FnOnce(&Row) -> EngineResult<T>,
    ) -> EngineResult<Option<T>> {
        self.session.query(sql, params).await?.first().map(read).transpose()
    }

    /// Reads the one row that an aggregate or a `RETURNING` clause always produces.
    pub(super) async fn only<T>(
        &self,
        sql: &str,
        params: &[Param<'_>],
        read: impl FnOnce(&Row) -> EngineResult<T>,
    ) -> EngineResult<T> {
        let row = self.first(sql, params, read).await?;
        row.ok_or_else(|| Unreadable::new("a row that is always there", "missing").into())
    }
}
