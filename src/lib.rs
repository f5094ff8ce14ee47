//! wecom-relay accepts webhooks of Alertmanager and delivers them to WeCom. No accepted alert is lost.

pub mod alertmanager;
pub mod allocator;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod delivery;
pub mod dispatch;
pub mod doctor;
pub mod heartbeat;
pub mod http;
pub mod intake;
pub mod language;
pub mod lifecycle;
pub mod metrics;
pub mod nearest;
pub mod outbox;
pub mod render;
pub mod retry;
pub mod sandbox;
pub mod secret;
pub mod systemd;
pub mod telemetry;
pub mod text;
pub mod tls;
pub mod wecom;
mod yaml;
