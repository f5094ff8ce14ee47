//! A process among those that share an outbox, for metrics.

use super::SenderName;

/// The leases of one process, and what the others dispatch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sharing {
    /// The senders whose lease this process has.
    pub leases: Vec<SenderName>,
    /// The senders that another process dispatches or waits for.
    pub elsewhere: Vec<SenderName>,
    /// True for one of the processes: it also reports on senders that none dispatches.
    pub is_first: bool,
    /// The number of processes that are alive.
    pub replicas: usize,
    pub takeovers: Vec<Takeovers>,
}

/// The leases of one sender that this process has taken from another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Takeovers {
    pub sender: SenderName,
    pub count: u64,
    /// The lease before was not renewed, and not given back.
    pub is_expired: bool,
}

impl Sharing {
    /// True if this process is the one that reports on `sender`, so that nothing is counted twice.
    pub fn reports(&self, sender: &SenderName) -> bool {
        self.leases.contains(sender) || self.is_first && !self.elsewhere.contains(sender)
    }
}
