//! wecom-relay: Alertmanager's webhook in, WeCom messages out, nothing lost in between.

pub mod alertmanager;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod delivery;
pub mod dispatch;
pub mod heartbeat;
pub mod http;
pub mod intake;
pub mod lifecycle;
pub mod metrics;
pub mod outbox;
pub mod render;
pub mod retry;
pub mod sandbox;
pub mod secret;
pub mod systemd;
pub mod telemetry;
pub mod wecom;
mod yaml;
