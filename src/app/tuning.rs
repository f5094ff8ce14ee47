//! Limits and timeouts that only tests change.

use std::{path::PathBuf, time::Duration};

use crate::{
    actions::Timing,
    delivery::{decide::Probes, duplicate_check::DUPLICATE_CHECK_MARGIN, rate_limiter::Windows},
    dispatch::service,
    http,
    retry::{Schedule, retry_delays},
    wecom::client::{CONNECT_TIMEOUT, LONGEST_CALL_TIMEOUT},
};

// One send may need two calls with an old access token and two with a new one.
const _: () = assert!(
    4 * LONGEST_CALL_TIMEOUT.as_secs() < DUPLICATE_CHECK_MARGIN.as_secs(),
    "a send may take longer than DUPLICATE_CHECK_MARGIN"
);

/// Values that are fixed in the product. Tests shorten them.
#[derive(Debug, Clone)]
pub struct Tuning {
    /// Windows of the rate limiter.
    pub windows: Windows,
    /// Concurrent sends per sender.
    pub concurrency: u32,
    /// `duplicate_check_interval` of each send.
    pub duplicate_check: Duration,
    /// Time limit for the templates of one notification.
    pub render_limit: Duration,
    /// Delays between the attempts of one delivery.
    pub retries: Schedule,
    /// Pauses between the probes of a held sender.
    pub probes: Probes,
    /// Timeout of a connection to WeCom.
    pub connect_timeout: Duration,
    /// Upper bound for the timeout of a call.
    pub call_timeout: Duration,
    /// Maximum number of open client connections.
    pub connections: usize,
    /// Time limit for reading the configuration and the files that it names.
    pub reload_limit: Duration,
    /// Pause between two looks at the secret files.
    pub secret_check: Duration,
    /// Time limit for a draft of the console, with the start of its process.
    pub draft_limit: Duration,
    /// The program that renders drafts of the console: this one, except in tests.
    pub program: PathBuf,
    /// Times of presses and of watches of silenced cards.
    pub actions: Timing,
    /// Seed of the jitter; `None` uses the randomness of the system.
    pub seed: Option<u64>,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            windows: Windows::default(),
            concurrency: service::CONCURRENCY,
            duplicate_check: service::DUPLICATE_CHECK,
            render_limit: http::RENDER_LIMIT,
            retries: retry_delays(),
            probes: Probes::default(),
            connect_timeout: CONNECT_TIMEOUT,
            call_timeout: LONGEST_CALL_TIMEOUT,
            connections: http::MAX_CONNECTIONS,
            reload_limit: Duration::from_secs(30),
            secret_check: Duration::from_secs(2),
            draft_limit: http::RENDER_LIMIT,
            // The link leads to the running program, also after its file was replaced.
            program: PathBuf::from("/proc/self/exe"),
            actions: Timing::default(),
            seed: None,
        }
    }
}
