//! The `wecom-relay` command.

use std::process::ExitCode;

use wecom_relay::cli::Cli;

fn main() -> ExitCode {
    Cli::of_process().run()
}
