//! The server's errors, by the reaction of the engine and of its caller.

use std::{error::Error as _, time::Duration};

use tokio_postgres::error::SqlState;

use super::schema_problem::SchemaProblem;
use crate::outbox::{StoreError, rules::stored::Unreadable};

/// The reason why a job failed.
#[derive(Debug)]
pub(super) enum EngineError {
    /// The server refused a statement, or the session has ended.
    Sql(tokio_postgres::Error),
    /// The outbox refused.
    Store(StoreError),
    /// The schema does not fit.
    Schema(SchemaProblem),
    /// Rows that were read have changed meanwhile. The transaction must run again.
    Changed,
    /// The server did not answer within this time.
    TimedOut(Duration),
}

/// The result of an operation of the engine.
pub(super) type EngineResult<T> = Result<T, EngineError>;

/// Gives `work` up after `limit`.
pub(super) async fn within<T>(
    limit: Duration,
    work: impl Future<Output = EngineResult<T>>,
) -> EngineResult<T> {
    tokio::time::timeout(limit, work).await.unwrap_or(Err(EngineError::TimedOut(limit)))
}

impl From<tokio_postgres::Error> for EngineError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for EngineError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Unreadable> for EngineError {
    fn from(unreadable: Unreadable) -> Self {
        Self::Store(StoreError::Damaged(unreadable.to_string()))
    }
}

impl EngineError {
    fn code(&self) -> Option<&SqlState> {
        let Self::Sql(error) = self else { return None };
        error.code()
    }

    /// True if the same transaction may succeed when it runs again.
    pub(super) fn is_conflict(&self) -> bool {
        let conflicts = [
            &SqlState::T_R_SERIALIZATION_FAILURE,
            &SqlState::T_R_DEADLOCK_DETECTED,
            &SqlState::LOCK_NOT_AVAILABLE,
        ];
        matches!(self, Self::Changed) || self.code().is_some_and(|code| conflicts.contains(&code))
    }

    /// True if the reason is a value of one job. The other jobs of its batch may succeed without it.
    pub(super) fn is_of_one_job(&self) -> bool {
        self.is_unreadable_row() || self.code().is_some_and(|code| ["22", "23"].contains(&class(code)))
    }

    /// True if a value of a row cannot be read.
    pub(super) fn is_unreadable_row(&self) -> bool {
        matches!(self, Self::Store(StoreError::Damaged(_)))
    }

    /// True if the session must be closed, because its state is unknown.
    pub(super) fn spoils_session(&self) -> bool {
        match self {
            Self::Sql(error) => error.code().is_none_or(ends_session),
            Self::TimedOut(_) => true,
            Self::Store(_) | Self::Schema(_) | Self::Changed => false,
        }
    }

    /// True if a person must act before the same login can succeed.
    pub(super) fn is_permanent(&self) -> bool {
        matches!(self, Self::Schema(_))
            || self.code().is_some_and(|code| ["28", "3D", "3F", "42"].contains(&class(code)))
    }

    /// True if another process has created the same object.
    pub(super) fn is_duplicate_object(&self) -> bool {
        let duplicates =
            [&SqlState::UNIQUE_VIOLATION, &SqlState::DUPLICATE_SCHEMA, &SqlState::DUPLICATE_TABLE];
        self.code().is_some_and(|code| duplicates.contains(&code))
    }

    /// The error in words. Details are left out, because they may quote values.
    pub(super) fn reason(&self) -> String {
        let error = match self {
            Self::Store(error) => return error.to_string(),
            Self::Schema(problem) => return problem.to_string(),
            Self::Changed => return "its rows changed too often".to_owned(),
            Self::TimedOut(after) => {
                return format!("the server did not answer within {} s", after.as_secs_f32());
            }
            Self::Sql(error) => error,
        };
        if let Some(error) = error.as_db_error() {
            return format!("{} ({})", error.message(), error.code().code());
        }
        match error.source() {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        }
    }

    /// The error that the caller gets.
    pub(super) fn store_error(&self) -> StoreError {
        let reason = match self {
            Self::Store(error) => return error.clone(),
            _ => self.reason(),
        };
        match self.code() {
            Some(code) if *code == SqlState::DISK_FULL => StoreError::Full(reason),
            Some(code) if ["22", "23", "XX"].contains(&class(code)) => StoreError::Damaged(reason),
            _ => StoreError::Unavailable(reason),
        }
    }
}

/// The first two characters, which name the kind of the error.
fn class(code: &SqlState) -> &str {
    code.code().get(..2).unwrap_or_default()
}

/// True if the session has ended or is of no use: the server stops, or it is a standby now.
fn ends_session(code: &SqlState) -> bool {
    ["08", "53", "57", "58", "XX"].contains(&class(code))
        || [&SqlState::READ_ONLY_SQL_TRANSACTION, &SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT]
            .contains(&code)
}
