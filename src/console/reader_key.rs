//! The key of the limits of one reader.

use super::throttle::Client;

/// Requests with the same key share their limits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ReaderKey {
    /// The form token of a session.
    Session(String),
    /// A client without a session.
    Client(Client),
}
