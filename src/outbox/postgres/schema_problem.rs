//! The reason why a schema cannot be used.

/// The reason why a schema cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum SchemaProblem {
    #[error("there is no outbox in the database")]
    Missing,
    #[error("the schema has version {0}, which needs a newer program")]
    Newer(i32),
    #[error("the schema has version {0}, which a daemon of this version must migrate first")]
    Older(i32),
}
