//! `wecom-relay outbox`: shows deliveries, and lets a person requeue or discard them.
//!
//! It works with and without a running relay, which notices a change within a second. It uses only the query port, and
//! needs only `outbox` of the configuration. `move` alone needs that no relay runs, and `recall` alone calls WeCom.

mod change;
mod command;
mod list;
mod recall;
mod show;
mod text;
mod transfer;

pub(super) use command::{Args, run};
pub(super) use recall::recall;
