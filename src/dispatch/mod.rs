//! From the outbox to WeCom: claim, send, settle.
//!
//! One loop a sender ([`dispatcher`]) owns everything that is decided for it; the outbox is the truth. Without limits it
//! lends its free slots to the outbox, and gets what is claimed for them. With limits it is woken by the outbox's signal
//! and by a timer, asks what waits, and says what is claimed.
//! [`notices`] tells fallback receivers of what died or is held, [`janitor`] deletes what was kept long enough.

pub mod dispatcher;
pub mod janitor;
pub mod notices;
mod report;
mod text;
mod unwritten;
mod waits;

use std::time::Duration;

/// How long to wait before the outbox is asked again after it failed.
const STORE_PAUSE: Duration = Duration::from_millis(500);
