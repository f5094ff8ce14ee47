//! `wecom-relay completion`: scripts that complete commands and options in a shell.

use clap_complete::Shell;

use super::{failure::Failure, no_config::NoConfig, output::Output};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  wecom-relay completion bash >/usr/share/bash-completion/completions/wecom-relay")]
pub(super) struct Args {
    /// Print the script for this shell
    #[arg(value_enum)]
    shell: Shell,
    #[command(flatten)]
    no_config: NoConfig,
}

pub(super) fn run(args: &Args, command: &mut clap::Command, output: &mut Output) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, command, "wecom-relay", &mut script);
    output.line(String::from_utf8_lossy(&script).trim_end())?;
    Ok(())
}
