//! The command line: one file a subcommand.

mod check;
mod completion;
mod demo;
mod doctor;
mod health;
mod outbox;
mod output;
mod render;
mod sandbox;
mod send;
mod serve;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use clap::{Parser, Subcommand, ValueEnum};

use self::output::Output;
use crate::{
    app::Prepared,
    config::{self, Loaded, Problems},
    telemetry::{self, LogFormat},
    wecom::client::{SetupError, tls_config},
};

/// Delivers Alertmanager's webhooks to WeCom (企业微信) without losing one.
#[derive(Debug, Parser)]
#[command(name = "wecom-relay", version, about, after_help = EXAMPLES)]
pub struct Cli {
    /// The configuration [default: config.yml here, then /etc/wecom-relay/config.yml]
    #[arg(long, short, global = true, value_name = "FILE", env = "WECOM_RELAY_CONFIG")]
    config: Option<PathBuf>,
    /// How much is logged: error, warn, info, debug, trace, or by module as in wecom_relay=debug,warn
    #[arg(long, global = true, value_name = "LEVEL", env = "WECOM_RELAY_LOG")]
    log_level: Option<String>,
    /// How log lines are written
    #[arg(long, global = true, value_enum, default_value = "text", env = "WECOM_RELAY_LOG_FORMAT")]
    log_format: Format,
    #[command(subcommand)]
    command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  wecom-relay demo                                 see it work, without a configuration
  wecom-relay check --config config.yml            look for mistakes before a start
  wecom-relay doctor --config config.yml           look for what keeps messages from WeCom
  wecom-relay send --receiver wechat 'Hello'       send a test message
  wecom-relay serve --config config.yml            run the relay";

const SERVE_EXAMPLES: &str = "\
SIGHUP, or POST /-/reload, reads the configuration again; SIGTERM stops when what is in flight is settled.

Examples:
  wecom-relay serve --config /etc/wecom-relay/config.yml
  wecom-relay serve --log-format json --log-level wecom_relay=debug,warn";

const CHECK_EXAMPLES: &str = "\
The exit code is 0 when all is well, and 1 otherwise.

Examples:
  wecom-relay check --config /etc/wecom-relay/config.yml
  wecom-relay check | less";

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the relay (the default)
    #[command(after_help = SERVE_EXAMPLES)]
    Serve,
    /// Looks for mistakes in the configuration and the templates, and shows a sample of each receiver's messages
    #[command(after_help = CHECK_EXAMPLES)]
    Check,
    /// Looks at everything between this machine and WeCom, and says what is wrong and where it is mended
    Doctor(doctor::Args),
    /// Shows what a webhook payload becomes
    Render(render::Args),
    /// Sends a real message to a receiver, past the outbox
    Send(send::Args),
    /// Shows what was accepted and what became of it; tries again, gives up
    Outbox(outbox::Args),
    /// Runs a WeCom on this machine, for tests and staging
    Sandbox(sandbox::Args),
    /// Asks a running relay on this machine whether it is well
    Health(health::Args),
    /// Shows the relay at work: a sandbox, a relay and a sample alert; needs nothing
    Demo(demo::Args),
    /// Prints what completes the commands in a shell
    Completion(completion::Args),
}

/// Why a command ended without success.
#[derive(Debug)]
enum Failure {
    /// The configuration is wrong.
    Config(Problems),
    /// Something else, told in full.
    Other(anyhow::Error),
    /// Everything there is to say was said.
    Told,
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let error = anyhow::Error::new(error);
        match error.downcast::<Problems>() {
            Ok(problems) => Self::Config(problems),
            Err(other) => Self::Other(other),
        }
    }
}

/// The exit code for a wrong configuration: `EX_USAGE` of `sysexits.h`.
const BAD_CONFIG: u8 = 64;

impl Cli {
    /// Does what the command line says.
    pub fn run(self) -> ExitCode {
        let mut output = Output::default();
        match self.dispatch(&mut output) {
            Ok(()) => ExitCode::SUCCESS,
            Err(Failure::Config(problems)) => {
                output.error(&problems.to_string());
                ExitCode::from(BAD_CONFIG)
            }
            Err(Failure::Other(error)) if output::is_closed_pipe(&error) => ExitCode::SUCCESS,
            Err(Failure::Other(error)) => {
                output.error(&format!("wecom-relay: {error:#}"));
                ExitCode::FAILURE
            }
            Err(Failure::Told) => ExitCode::FAILURE,
        }
    }

    fn dispatch(self, output: &mut Output) -> Result<(), Failure> {
        let command = self.command.unwrap_or(Command::Serve);
        let quiet = !matches!(command, Command::Serve | Command::Sandbox(_));
        let level = self.log_level.as_deref().unwrap_or(if quiet { "warn" } else { "info" });
        let format = match self.log_format {
            Format::Text => LogFormat::Text,
            Format::Json => LogFormat::Json,
        };
        telemetry::init(format, level)?;
        let load = || load(self.config.as_deref());
        match command {
            Command::Serve => {
                let path = config::find(self.config.as_deref())?;
                serve::run(Arc::new(move || read(&path)))
            }
            Command::Check => check::run(load(), output),
            Command::Doctor(args) => doctor::run(&args, load(), output),
            Command::Render(args) => render::run(&args, load()?.config, output),
            Command::Send(args) => send::run(&args, load()?.config, output),
            Command::Outbox(args) => outbox::run(&args, &load()?.config, output),
            Command::Sandbox(args) => sandbox::run(args, output),
            Command::Health(args) => health::run(args, || Ok(load()?.config.server), output),
            Command::Demo(args) => demo::run(&args, output),
            Command::Completion(args) => completion::run(&args, output),
        }
    }
}

fn load(path: Option<&Path>) -> Result<Loaded, Failure> {
    let path = config::find(path)?;
    Ok(read(&path)?)
}

fn read(path: &Path) -> Result<Loaded, Problems> {
    config::load(path, &|name| std::env::var(name).ok())
}

/// The receiver of this name, and what it needs.
fn receiver<'a>(prepared: &'a Prepared, name: &str) -> Result<&'a crate::intake::Receiver, Failure> {
    Ok(prepared.intake.receiver(name)?)
}

/// A client for what is no WeCom. Like WeCom's own it needs no certificates of the system: an image has none.
#[expect(clippy::disallowed_methods, reason = "this talks to a relay and is no client of WeCom")]
fn http_client() -> Result<reqwest::ClientBuilder, SetupError> {
    Ok(reqwest::Client::builder().tls_backend_preconfigured(tls_config()?).no_proxy())
}

/// A client that takes any certificate.
#[expect(clippy::disallowed_methods, reason = "this talks to a relay and is no client of WeCom")]
fn unverified_client() -> reqwest::ClientBuilder {
    // Somebody else was first, then.
    _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().tls_danger_accept_invalid_certs(true).no_proxy()
}

/// A runtime for commands that talk to a network.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}
