//! The arguments of `outbox`, and the choice of its subcommand.

use std::sync::Arc;

use super::{change, list, recall::RecallArgs, show, text::held, transfer};
use crate::{
    app::{self, Access, relay_clock},
    cli::{failure::Failure, output::Output, runtime::runtime},
    clock::{Clock, RelayClock, SystemClock},
    config,
    outbox::Outbox,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  wecom-relay outbox list --state dead
  wecom-relay outbox list --receiver wechat --newer-than 1h --json
  wecom-relay outbox show 42
  wecom-relay outbox requeue --all-dead
  wecom-relay outbox recall 42 43
  wecom-relay outbox move --from /var/lib/wecom-relay/outbox.db")]
pub(in crate::cli) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List deliveries, newest first
    List(list::Args),
    /// Show everything about one delivery
    Show(show::Args),
    /// Send dead or discarded deliveries again, and try a ready delivery now
    #[command(alias = "retry")]
    Requeue(change::RequeueArgs),
    /// Discard a delivery that is waiting or dead
    Discard(change::DiscardArgs),
    /// Take back messages that WeCom delivered within the last 24 hours
    Recall(RecallArgs),
    /// Move the outbox from a file of SQLite into the PostgreSQL database of the configuration
    Move(transfer::Args),
}

impl Args {
    /// The arguments of `recall`, which needs the whole configuration.
    pub(in crate::cli) fn recall(&self) -> Option<&RecallArgs> {
        match &self.command {
            Command::Recall(args) => Some(args),
            _ => None,
        }
    }
}

pub(in crate::cli) fn run(args: &Args, outbox: &config::Outbox, output: &mut Output) -> Result<(), Failure> {
    if let Command::Move(args) = &args.command {
        return transfer::run(args, outbox, output);
    }
    let outbox = app::open_outbox(outbox, Access::Guest)?;
    runtime()?.block_on(async {
        let clock = relay_clock(&outbox, Arc::new(SystemClock)).await?;
        let now = clock.now();
        match &args.command {
            Command::List(args) => {
                list::run(args, &outbox, clock.wall_time(now), output).await?;
                show_holds(&outbox, &clock, output).await
            }
            Command::Show(args) => show::run(args, &outbox, &clock, output).await,
            Command::Requeue(args) => {
                change::requeue(args, &outbox, now, output).await?;
                show_holds(&outbox, &clock, output).await
            }
            Command::Discard(args) => change::discard(args, &outbox, now, output).await,
            // They have run already.
            Command::Move(_) | Command::Recall(_) => Ok(()),
        }
    })
}

/// Names the held apps, because they explain why deliveries wait.
async fn show_holds(outbox: &impl Outbox, clock: &RelayClock, output: &mut Output) -> Result<(), Failure> {
    for hold in outbox.holds().await? {
        output.error(&format!("app {} is held {}", hold.sender, held(&hold, clock)));
    }
    Ok(())
}
