//! `wecom-relay demo`: a sandbox and a relay in one process, and scenes that show what the relay is for.

mod command;
mod language;
mod relay;
mod scenes;
mod stage;
mod webhook;

pub(super) use command::{Args, run};
