//! The settings of an engine.

use std::time::Duration;

use super::{tls::Tls, url::PostgresUrl};

/// The role of a process that opens the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// A daemon. It creates or migrates the schema, and may acquire leases. It opens also while the server is away.
    Replica,
    /// A command beside the daemons. It creates nothing and acquires nothing.
    Guest,
}

/// The database, and what this process is called there.
#[derive(Clone)]
pub struct Settings {
    pub url: PostgresUrl,
    pub tls: Tls,
    /// New alerts are refused from this size on (`outbox.max_size`).
    pub max_size_bytes: u64,
    /// The name of this process for people (`outbox.replica`).
    pub replica: String,
    /// A fingerprint of the configuration at the start, which should be the same everywhere.
    pub config: String,
    pub lease: LeaseTimes,
}

impl Settings {
    /// The settings of a daemon.
    pub fn new(url: PostgresUrl, tls: Tls, max_size_bytes: u64, replica: String) -> Self {
        Self { url, tls, max_size_bytes, replica, config: String::new(), lease: LeaseTimes::default() }
    }
}

/// The times of leases. With the default ones a takeover takes 7 s and the start of a dispatcher, so it takes less than 10 s on
/// a busy machine too. Two renewals in a row may fail before the owner must stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseTimes {
    /// A lease that is not renewed for this time is free.
    pub ttl: Duration,
    /// The time between two renewals.
    pub renewal: Duration,
    /// The owner stops this much earlier than others may start. It covers clocks of different rates.
    pub margin: Duration,
}

impl Default for LeaseTimes {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(7),
            renewal: Duration::from_millis(1500),
            margin: Duration::from_secs(1),
        }
    }
}
