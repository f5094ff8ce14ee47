//! `wecom-relay completion`: scripts that complete commands and options in a shell.

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, Failure, output::Output};

/// Arguments of `completion`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  wecom-relay completion bash >/usr/share/bash-completion/completions/wecom-relay")]
pub(super) struct Args {
    /// Which shell's script
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(args: &Args, output: &mut Output) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "wecom-relay", &mut script);
    output.line(String::from_utf8_lossy(&script).trim_end())?;
    Ok(())
}
