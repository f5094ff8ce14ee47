//! The identity of a lease.

use crate::outbox::SenderName;

/// A lease, which may have ended. No other lease has its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LeaseId {
    pub(super) sender: SenderName,
    pub(super) token: i64,
}
