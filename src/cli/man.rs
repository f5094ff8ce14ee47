//! `wecom-relay man`: manual pages for packages.

use std::path::PathBuf;

use anyhow::Context;

use super::{failure::Failure, no_config::NoConfig, output::Output};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  wecom-relay man /usr/share/man/man1")]
pub(super) struct Args {
    /// Write the pages into this folder, one for each command
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    #[command(flatten)]
    no_config: NoConfig,
}

pub(super) fn run(args: &Args, command: clap::Command, output: &mut Output) -> Result<(), Failure> {
    let folder = args.folder.display();
    clap_mangen::generate_to(command, &args.folder)
        .with_context(|| {
            format!("cannot write into {folder}; name a folder that exists, where this user can write")
        })
        .map_err(Failure::Other)?;
    output.line(&format!("written: {folder}/wecom-relay.1 and a page for each command"))?;
    Ok(())
}
