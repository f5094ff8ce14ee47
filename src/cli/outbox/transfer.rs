//! `wecom-relay outbox move`: moves the outbox of a file into PostgreSQL.

use std::path::PathBuf;

use crate::{
    app::move_outbox,
    cli::{failure::Failure, output::Output, runtime::runtime},
    config,
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The file of SQLite; no relay may use it, nor the database of the configuration
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
}

pub(super) fn run(args: &Args, outbox: &config::Outbox, output: &mut Output) -> Result<(), Failure> {
    let moving = move_outbox(&args.from, outbox, |moved| {
        output.error(&format!("{}: {} rows", moved.table, moved.rows));
    });
    let moved = runtime()?.block_on(moving)?;
    output.line(&format!("moved; the file is {} now, and the relay can be started", moved.display()))?;
    Ok(())
}
