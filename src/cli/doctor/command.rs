//! The arguments of `doctor`. The findings are printed as they are made.

use std::{io, time::Duration};

use super::report::Report;
use crate::{
    app::{
        PrepareOptions, Prepared, Tuning,
        doctor::{CONFIGURATION, examine, not_valid, valid},
    },
    cli::{failure::Failure, output::Output, runtime::runtime},
    config::{ConfigError, Loaded, parse_duration},
    doctor::{Finding, Findings},
    language::Bilingual,
    wecom::client::CONNECT_TIMEOUT,
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
        let message = Bilingual::same(warning.to_string());
        let finding = Finding::warning("file", message, Bilingual::new("", ""));
        report.add(&finding.about(CONFIGURATION))?;
    }
    let tuning = Tuning {
        connect_timeout: args.timeout.min(CONNECT_TIMEOUT),
        call_timeout: args.timeout,
        ..Tuning::default()
    };
    match Prepared::new(config, PrepareOptions { tuning, ..PrepareOptions::default() }) {
        Ok(prepared) => {
            report.add(&valid(&prepared.config).about(CONFIGURATION))?;
            Ok(Some(prepared))
        }
        Err(error) => {
            report_config_error(&error, report)?;
            Ok(None)
        }
    }
}

fn report_config_error(error: &ConfigError, report: &mut Report<'_>) -> io::Result<()> {
    for diagnostic in error.iter() {
        report.add(&not_valid(diagnostic.to_string()).about(CONFIGURATION))?;
    }
    let because = Bilingual::new("the configuration has errors", "配置有错误").into();
    for subject in ["server", "apps", "receivers"] {
        report.add(&Finding::skipped("all", &because).about(subject))?;
    }
    Ok(())
}

/// Makes the checks and prints each finding at once.
async fn check(prepared: &Prepared, timeout: Duration, report: &mut Report<'_>) -> io::Result<()> {
    let (findings, mut found) = Findings::channel();
    let checks = async move {
        examine(prepared, timeout, &findings).await;
        Ok(())
    };
    let printed = async {
        while let Some(finding) = found.next().await {
            report.add(&finding)?;
        }
        Ok(())
    };
    tokio::try_join!(checks, printed).map(|_| ())
}
