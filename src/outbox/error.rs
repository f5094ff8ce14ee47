//! The errors of the outbox.

/// The reason why a call to the outbox failed. There is one variant for each reaction of the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// There is no room. Try again after deliveries were settled and purged.
    #[error("the outbox is full: {0}")]
    Full(String),
    /// The disk or a lock prevents the work. Try again.
    #[error("the outbox cannot be written or read: {0}")]
    Unavailable(String),
    /// The file is damaged. A person must act.
    #[error("the outbox is damaged: {0}")]
    Damaged(String),
    /// Another process dispatches the sender now. Acquire the lease again.
    #[error("another replica has taken the lease of this sender")]
    LeaseLost,
    /// The daemon is shutting down.
    #[error("the outbox is closed")]
    Closed,
}

/// The result of a call to the outbox.
pub type StoreResult<T> = Result<T, StoreError>;
