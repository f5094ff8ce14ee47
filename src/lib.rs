//! wecom-relay: Alertmanager's webhook in, WeCom messages out, nothing lost in between.

pub mod clock;
pub mod metrics;
pub mod retry;
pub mod secret;
pub mod telemetry;
