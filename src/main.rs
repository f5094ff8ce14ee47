//! The `wecom-relay` command.

use std::process::ExitCode;

use clap::Parser;
use wecom_relay::cli::Cli;

fn main() -> ExitCode {
    Cli::parse().run()
}
