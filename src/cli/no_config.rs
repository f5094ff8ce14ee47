//! Commands that use no configuration.

use std::path::PathBuf;

/// Takes the place of the global option `--config`, so that the help does not offer it.
#[derive(Debug, clap::Args)]
pub(super) struct NoConfig {
    #[arg(id = "config", long = "config", short = 'c', hide = true, value_parser = refuse)]
    _config: Option<PathBuf>,
}

fn refuse(_: &str) -> Result<PathBuf, &'static str> {
    Err("this command uses no configuration; leave the option out")
}
