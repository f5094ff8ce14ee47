//! `wecom-relay doctor`: what keeps messages from WeCom, and where it is mended.
//!
//! Every check stands on those before it; what cannot be looked at because one failed is said to be so. Nothing is sent
//! and nothing changed: WeCom is asked with reads, and for a token once for each secret. A dry `message/send`, one that
//! WeCom must refuse for its content, was rejected: that no such request ever delivers is not documented.
//!
//! What an answer means is decided by functions apart from the calls; [`app`] and [`server`] make these.

mod app;
mod credentials;
mod finding;
mod network;
mod recipients;
mod report;
mod server;
mod way;

use std::time::Duration;

use self::{app::Refused, finding::Finding, report::Report};
use super::{Failure, output::Output, runtime};
use crate::{
    app::{PrepareOptions, Prepared, Tuning},
    config::{Loaded, Problems, parse_duration},
    wecom::client::CONNECT_TIMEOUT,
};

/// Arguments of `doctor`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  wecom-relay doctor                       look at everything
  wecom-relay doctor --timeout 2s          with less patience
  wecom-relay doctor --json                one object a line, for a program

Each line begins with ok, warning, failed or skipped; below what is wrong stands where it is mended. The exit code is
0 when nothing failed, else 1. No message is sent.")]
pub(super) struct Args {
    /// Writes one JSON object a line
    #[arg(long)]
    json: bool,
    /// How long one step may take
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = timeout)]
    timeout: Duration,
}

fn timeout(text: &str) -> Result<Duration, &'static str> {
    parse_duration(text).filter(|limit| !limit.is_zero()).ok_or("write it as 500ms, 2s or 1m, above 0")
}

pub(super) fn run(args: &Args, loaded: Result<Loaded, Failure>, output: &mut Output) -> Result<(), Failure> {
    let mut report = Report::new(output, args.json);
    if let Some(prepared) = prepare(args, loaded, &mut report)? {
        let runtime = runtime()?;
        let examined = runtime.block_on(examine(&prepared, args.timeout, &mut report));
        // A name lookup that nobody waits for any more must not hold up the end.
        runtime.shutdown_background();
        examined?;
    }
    if report.end()? { Ok(()) } else { Err(Failure::Told) }
}

const CONFIGURATION: &str = "configuration";

/// Looks at the configuration; `None` when it is wrong.
fn prepare(
    args: &Args,
    loaded: Result<Loaded, Failure>,
    report: &mut Report<'_>,
) -> Result<Option<Prepared>, Failure> {
    let Loaded { config, warnings } = match loaded {
        Ok(loaded) => loaded,
        Err(Failure::Config(problems)) => return wrong(&problems, report),
        Err(failure) => return Err(failure),
    };
    for warning in &warnings {
        report.tell(CONFIGURATION, &Finding::warning("file", warning.to_string(), ""))?;
    }
    let limit = args.timeout;
    let tuning =
        Tuning { connect_timeout: limit.min(CONNECT_TIMEOUT), call_timeout: limit, ..Tuning::default() };
    match Prepared::new(config, PrepareOptions { tuning, ..PrepareOptions::default() }) {
        Ok(prepared) => {
            let (apps, receivers) = (prepared.config.apps.len(), prepared.config.receivers.len());
            let seen = format!("valid: {apps} app(s), {receivers} receiver(s)");
            report.tell(CONFIGURATION, &Finding::ok("file", seen))?;
            Ok(Some(prepared))
        }
        Err(problems) => wrong(&problems, report),
    }
}

fn wrong(problems: &Problems, report: &mut Report<'_>) -> Result<Option<Prepared>, Failure> {
    for problem in problems.iter() {
        report.tell(CONFIGURATION, &Finding::failed("file", problem.to_string(), ""))?;
    }
    for subject in ["server", "apps", "receivers"] {
        report.tell(subject, &Finding::skipped("all", "the configuration is wrong"))?;
    }
    Ok(None)
}

async fn examine(prepared: &Prepared, limit: Duration, report: &mut Report<'_>) -> std::io::Result<()> {
    server::examine(&prepared.config, limit, report).await?;
    let mut refused = Refused::default();
    for (sender, client) in &prepared.clients {
        let Some(app) = prepared.config.app(&sender.0) else { continue };
        let token = app::examine(app, client, &mut refused, limit, report).await?;
        let receivers: Vec<_> = (prepared.config.receivers.iter())
            .filter_map(|receiver| prepared.intake.receiver(receiver.name.as_str()).ok())
            .filter(|receiver| receiver.sender == *sender)
            .collect();
        app::receivers(&receivers, app, client, token.as_ref(), limit, report).await?;
    }
    Ok(())
}
