//! `wecom-relay init`.

mod command;

pub(super) use command::{Args, run};
