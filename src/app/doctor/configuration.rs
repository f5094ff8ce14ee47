//! The findings about the configuration.

use crate::{config::Config, doctor::Finding, language::Bilingual};

pub const CONFIGURATION: &str = "configuration";
const FILE: &str = "file";

/// The finding for a configuration without errors.
pub fn valid(config: &Config) -> Finding {
    let (apps, robots, receivers) = (config.apps.len(), config.robots.len(), config.receivers.len());
    let message = Bilingual::new(
        format!("valid: {}", config.summary()),
        format!("有效：{apps} 个应用，{robots} 个机器人，{receivers} 个 receiver"),
    );
    Finding::ok(FILE, message)
}

/// The finding for one error of the configuration.
pub fn not_valid(problem: String) -> Finding {
    Finding::failed(FILE, Bilingual::same(problem), Bilingual::new("", ""))
}
