//! `wecom-relay outbox`: what was accepted, where it stands, and what a person can do about it.
//!
//! Works beside a running daemon, which notices a change within a second, and without one. Everything goes
//! through the query port, and of the configuration only `outbox.path` matters.

mod change;
mod json;
mod list;
mod show;
mod text;

use jiff::Timestamp;

use super::{Failure, output::Output, runtime};
use crate::{
    app,
    clock::{Clock, SystemClock},
    config::Config,
    outbox::{DeliveryId, Outbox, sqlite::Access},
};

/// Arguments of `outbox`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  wecom-relay outbox list --state dead
  wecom-relay outbox list --receiver wechat --newer-than 1h --json
  wecom-relay outbox show 42
  wecom-relay outbox retry --all-dead")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Lists deliveries, the first accepted first
    List(list::Args),
    /// Shows everything about one delivery
    Show(show::Args),
    /// Tries dead or discarded deliveries again, and one that waits for its next attempt at once
    Retry(change::Retry),
    /// Gives up a delivery that waits or is dead
    Discard(change::Discard),
}

pub(super) fn run(args: &Args, config: &Config, output: &mut Output) -> Result<(), Failure> {
    let outbox = app::open_outbox(config, Access::Guest)?;
    let now = SystemClock.now();
    runtime()?.block_on(async {
        match &args.command {
            Command::List(args) => {
                list::run(args, &outbox, now, output).await?;
                held(&outbox, output).await
            }
            Command::Show(args) => show::run(args, &outbox, output).await,
            Command::Retry(args) => change::retry(args, &outbox, now, output).await,
            Command::Discard(args) => change::discard(args, &outbox, now, output).await,
        }
    })
}

/// Says which apps are held, so that what waits without an attempt explains itself.
async fn held(outbox: &impl Outbox, output: &mut Output) -> Result<(), Failure> {
    for hold in outbox.holds().await? {
        let (since, next) = (moment(hold.since), moment(hold.next_probe_at));
        output.error(&format!(
            "app {} is held since {since}, the next try is at {next}: {}",
            hold.sender, hold.reason
        ));
    }
    Ok(())
}

/// Says that there is no such delivery.
fn unknown(DeliveryId(id): DeliveryId, output: &mut Output) -> Failure {
    output.error(&format!(
        "there is no delivery {id}; `wecom-relay outbox list` shows those that there are (settled ones until \
         outbox.retention is over)"
    ));
    Failure::Told
}

/// RFC 3339 in UTC with whole seconds, wherever it is run.
fn moment(at: Timestamp) -> String {
    format!("{at:.0}")
}
