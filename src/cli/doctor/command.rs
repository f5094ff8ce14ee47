//! The arguments of `doctor`, and the order of its checks.

use std::time::Duration;

use super::{
    app::{self, RefusedSecrets},
    finding::Finding,
    report::Report,
    robot, server,
};
use crate::{
    app::{PrepareOptions, Prepared, Tuning},
    cli::{failure::Failure, output::Output, runtime::runtime},
    config::{ConfigError, Loaded, Sender, parse_duration},
    wecom::client::{CONNECT_TIMEOUT, SenderClient},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  wecom-relay doctor                       check everything
  wecom-relay doctor --timeout 2s          wait at most 2 s for each step
  wecom-relay doctor --json                print one JSON object per line, for programs

Each line starts with ok, warning, failed or skipped. The line below a problem says how to fix it. The exit code is 0
if nothing failed, and 1 otherwise. No message is sent.")]
pub(in crate::cli) struct Args {
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
    /// Wait at most this long for each step
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse_timeout)]
    timeout: Duration,
}

fn parse_timeout(text: &str) -> Result<Duration, &'static str> {
    parse_duration(text)
        .filter(|timeout| !timeout.is_zero())
        .ok_or("write a duration above 0, such as 500ms, 2s or 1m")
}

pub(in crate::cli) fn run(
    args: &Args,
    loaded: Result<Loaded, Failure>,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut report = Report::new(output, args.json);
    if let Some(prepared) = prepare(args, loaded, &mut report)? {
        let runtime = runtime()?;
        let checked = runtime.block_on(check(&prepared, args.timeout, &mut report));
        // A name lookup that has timed out must not delay the exit.
        runtime.shutdown_background();
        checked?;
    }
    if report.finish()? { Ok(()) } else { Err(Failure::Reported) }
}

const CONFIGURATION: &str = "configuration";

/// Reports the problems of the configuration. Returns `None` if it has errors.
fn prepare(
    args: &Args,
    loaded: Result<Loaded, Failure>,
    report: &mut Report<'_>,
) -> Result<Option<Prepared>, Failure> {
    let Loaded { config, warnings } = match loaded {
        Ok(loaded) => loaded,
        Err(Failure::Config(error)) => {
            report_config_error(&error, report)?;
            return Ok(None);
        }
        Err(failure) => return Err(failure),
    };
    for warning in &warnings {
        report.add(CONFIGURATION, &Finding::warning("file", warning.to_string(), ""))?;
    }
    let tuning = Tuning {
        connect_timeout: args.timeout.min(CONNECT_TIMEOUT),
        call_timeout: args.timeout,
        ..Tuning::default()
    };
    match Prepared::new(config, PrepareOptions { tuning, ..PrepareOptions::default() }) {
        Ok(prepared) => {
            let message = format!("valid: {}", prepared.config.summary());
            report.add(CONFIGURATION, &Finding::ok("file", message))?;
            Ok(Some(prepared))
        }
        Err(error) => {
            report_config_error(&error, report)?;
            Ok(None)
        }
    }
}

fn report_config_error(error: &ConfigError, report: &mut Report<'_>) -> std::io::Result<()> {
    for diagnostic in error.iter() {
        report.add(CONFIGURATION, &Finding::failed("file", diagnostic.to_string(), ""))?;
    }
    for subject in ["server", "apps", "receivers"] {
        report.add(subject, &Finding::skipped("all", "the configuration has errors"))?;
    }
    Ok(())
}

async fn check(prepared: &Prepared, timeout: Duration, report: &mut Report<'_>) -> std::io::Result<()> {
    server::check(prepared, timeout, report).await?;
    let mut refused_secrets = RefusedSecrets::default();
    for (sender, client) in &prepared.clients {
        let Some(configured) = prepared.config.sender(&sender.0) else { continue };
        let receivers: Vec<_> = (prepared.config.receivers.iter())
            .filter_map(|receiver| prepared.intake.receiver(receiver.name.as_str()).ok())
            .filter(|receiver| receiver.sender == *sender)
            .collect();
        match (&configured, client.as_ref()) {
            (Sender::App(app), SenderClient::App(client)) => {
                let token = app::check(app, client, &mut refused_secrets, timeout, report).await?;
                app::check_receivers(&receivers, app, client, token.as_ref(), timeout, report).await?;
            }
            (_, SenderClient::Robot(robot)) => {
                robot::check(&configured, client, robot, &receivers, timeout, report).await?;
            }
            (Sender::Robot(_), SenderClient::App(_)) => {}
        }
    }
    Ok(())
}
