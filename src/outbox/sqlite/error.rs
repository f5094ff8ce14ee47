//! SQLite's errors, by the reaction of the caller.

use rusqlite::ErrorCode;

use crate::outbox::{StoreError, rules::stored::Unreadable};

/// The reason why a job failed.
#[derive(Debug)]
pub(super) enum EngineError {
    /// SQLite failed, or a row could not be read.
    Sql(rusqlite::Error),
    /// The outbox refused.
    Store(StoreError),
}

/// The result of an operation of the engine.
pub(super) type EngineResult<T> = Result<T, EngineError>;

impl From<rusqlite::Error> for EngineError {
    fn from(error: rusqlite::Error) -> Self {
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
    /// A stored value that no version of this program writes.
    pub(super) fn unreadable(column: &str, value: impl std::fmt::Display) -> Self {
        Unreadable::new(column, value).into()
    }

    /// The error that the caller gets.
    pub(super) fn store_error(&self) -> StoreError {
        let error = match self {
            Self::Store(error) => return error.clone(),
            Self::Sql(error) => error,
        };
        let text = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => StoreError::Full(no_space(&text)),
            Some(
                ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::FileLockingProtocolFailed
                | ErrorCode::SystemIoFailure
                | ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::OperationInterrupted
                | ErrorCode::OperationAborted
                | ErrorCode::OutOfMemory
                | ErrorCode::SchemaChanged,
            ) => StoreError::Unavailable(text),
            // The file is damaged, or its rows contradict this program. Trying again does not help.
            _ => StoreError::Damaged(text),
        }
    }

    /// True if a value of a row cannot be read, although SQLite found the row.
    pub(super) fn is_unreadable_row(&self) -> bool {
        match self {
            Self::Sql(error) => {
                error.sqlite_error_code().is_none() && !matches!(error, rusqlite::Error::QueryReturnedNoRows)
            }
            Self::Store(error) => matches!(error, StoreError::Damaged(_)),
        }
    }

    /// True if another process holds the lock of the database.
    pub(super) fn is_locked(&self) -> bool {
        let Self::Sql(error) = self else { return false };
        error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
    }

    /// True if the connection must be opened again before its next use, because SQLite keeps some errors after their
    /// cause is gone.
    pub(super) fn spoils_connection(&self) -> bool {
        let Self::Sql(error) = self else { return false };
        !matches!(
            error.sqlite_error_code(),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::DiskFull)
        )
    }
}

/// The reason of [`StoreError::Full`] when the file system is full.
pub(super) fn no_space(reason: &str) -> String {
    format!("no space left on its file system ({reason}); free some space there")
}
