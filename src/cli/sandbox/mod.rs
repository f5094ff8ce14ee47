//! `wecom-relay sandbox`

mod arrivals;
mod command;

pub(super) use command::{Args, run};
