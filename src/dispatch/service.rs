//! The app and the settings with which a sender is dispatched.

use std::{sync::Arc, time::Duration};

use crate::delivery::{
    decide::Policy,
    rate_limiter::{Limits, Windows},
};

/// The settings with which a sender is dispatched.
#[derive(Debug, Clone)]
pub struct Settings {
    pub concurrency: u32,
    pub limits: Limits,
    pub windows: Windows,
    /// `duplicate_check_interval` of messages.
    pub duplicate_check: Duration,
    pub policy: Policy,
    /// A fingerprint of the app's credentials.
    pub credentials: String,
}

/// The app and its settings. A reload replaces both.
#[derive(Debug)]
pub struct Service<W> {
    pub wecom: Arc<W>,
    pub settings: Settings,
}

/// The maximum number of messages in flight. WeCom answers 45033 to more.
pub const CONCURRENCY: u32 = 32;
/// The default `duplicate_check_interval`. It covers many attempts, because WeCom delivers a copy after each interval in
/// which answers are lost. The history of a rate limit reaches as far, so it costs no further reading at a start.
pub const DUPLICATE_CHECK: Duration = Duration::from_secs(3600);
/// The pause before the outbox is asked again after it failed.
pub(super) const STORE_PAUSE: Duration = Duration::from_millis(500);
