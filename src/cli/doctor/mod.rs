//! `wecom-relay doctor`: finds out why messages do not reach WeCom.

mod command;
mod report;

pub(super) use command::{Args, run};
