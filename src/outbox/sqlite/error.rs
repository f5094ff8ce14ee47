//! SQLite's errors by what the caller can do, and by whether the connection can still be trusted.

use rusqlite::ErrorCode;

use crate::outbox::StoreError;

/// Why a job failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// SQLite said no, or a row could not be read.
    Sql(rusqlite::Error),
    /// The outbox said no.
    Store(StoreError),
}

/// What a job comes to.
pub(super) type Done<T> = Result<T, Failure>;

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Failure {
    /// A stored value that this program did not write.
    pub(super) fn unreadable(what: &str, value: impl std::fmt::Display) -> Self {
        Self::Store(StoreError::Damaged(format!("{what} cannot be {value}")))
    }

    /// The error by what the caller can do.
    pub(super) fn store_error(&self) -> StoreError {
        let error = match self {
            Self::Store(error) => return error.clone(),
            Self::Sql(error) => error,
        };
        let text = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => {
                StoreError::Full(format!("no space left on its file system ({text})"))
            }
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
            // What is left is a damaged file, or rows that contradict this program: no repetition mends it.
            _ => StoreError::Damaged(text),
        }
    }

    /// Whether the connection must be opened anew before it is used again: SQLite keeps some of these errors
    /// after their cause is gone.
    pub(super) fn spoils_connection(&self) -> bool {
        let Self::Sql(error) = self else { return false };
        !matches!(
            error.sqlite_error_code(),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::DiskFull)
        )
    }
}
