//! The reason why the outbox cannot be opened.

/// The reason why the outbox cannot be opened, and what to do. The text is complete, and has no secret.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The server cannot be reached. A daemon does not get this error, because it tries again.
    #[error("cannot reach the outbox, {outbox}: {reason}")]
    Unavailable { outbox: String, reason: String },
    /// The server refuses the login, or the role lacks a right.
    #[error("cannot use the outbox, {outbox}: {reason}; check the URL, and the rights of its role")]
    Refused { outbox: String, reason: String },
    /// There is no outbox in the database.
    #[error("there is no outbox in {outbox}; `serve` creates it: is the URL the daemon's?")]
    Missing { outbox: String },
    /// A newer version of the program changed the schema so that this one cannot use it.
    #[error("{outbox} has schema version {found}, this program knows {known}: run the newer program")]
    Newer { outbox: String, found: i32, known: i32 },
    /// An older version of the program wrote the schema, and only a daemon may migrate it.
    #[error(
        "{outbox} has schema version {found}, this program needs {known}: start this version's `serve` once"
    )]
    Older { outbox: String, found: i32, known: i32 },
    /// This process cannot start the thread of the outbox.
    #[error("cannot start the thread of the outbox: {reason}")]
    Thread { reason: String },
}
