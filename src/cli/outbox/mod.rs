//! `wecom-relay outbox`: shows deliveries, and lets a person requeue or discard them.
//!
//! It works with and without a running relay, which notices a change within a second. It uses only the query port, and
//! needs only `outbox.path` of the configuration.

mod change;
mod command;
mod json;
mod list;
mod show;
mod text;

pub(super) use command::{Args, run};
