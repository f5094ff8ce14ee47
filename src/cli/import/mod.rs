//! `wecom-relay import`: makes a configuration out of an `alertmanager.yml` with `wechat_configs`.
//!
//! 1. `source` reads what Alertmanager would do: each entry of `wechat_configs`, filled from `global`.
//! 2. `plan` decides what becomes of it: apps, receivers and their names.
//! 3. `relay_config` writes the configuration of the relay, and `rewrite` edits the text of `alertmanager.yml`.
//! 4. `diff` shows the edit without secrets.

mod command;
mod diff;
mod findings;
mod plan;
mod relay_config;
mod report;
mod rewrite;
mod source;
mod templates;
mod yaml_text;

pub(super) use command::{Args, run};
