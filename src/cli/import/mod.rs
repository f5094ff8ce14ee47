//! `wecom-relay import`: makes a configuration out of an `alertmanager.yml` with `wechat_configs`, or with webhooks of
//! programs for group robots.
//!
//! 1. `source` reads what Alertmanager would do: each entry of `wechat_configs`, filled from `global`, and each URL that
//!    `robot_url` knows.
//! 2. `plan` decides what becomes of it: apps, robots, receivers and their names.
//! 3. `relay_config` writes the configuration of the relay. `new_urls` and `rewrite` edit the text of `alertmanager.yml`.
//! 4. `diff` shows the edit without secrets.

mod command;
mod diff;
mod findings;
mod new_urls;
mod plan;
mod relay_config;
mod report;
mod rewrite;
mod robot_url;
mod source;
mod templates;

pub(super) use command::{Args, run};
