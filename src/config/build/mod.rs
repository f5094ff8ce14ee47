//! Builds the valid configuration from the YAML tree.
//!
//! A builder reads all its keys before it returns an error, so that all errors are found at once. In place of a missing
//! value it returns [`ErrorGuaranteed`](super::diagnostic::ErrorGuaranteed): proof that an error was reported.

mod actions;
mod alertmanager;
mod apps;
mod callback;
mod certificates;
mod config;
mod connection;
mod console;
mod context;
mod credentials;
mod fallbacks;
mod mentions;
mod message;
mod outbox;
mod receivers;
mod recipients;
mod robots;
mod secrets;
mod senders;
mod server;
mod templates;
mod values;

pub(super) use config::{config, only_outbox};
pub(super) use context::LoadContext;
