//! The arguments of the program, and the choice of the subcommand.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use clap::{CommandFactory, Parser, Subcommand, ValueEnum};

use super::{
    chat, check, completion, demo, doctor,
    failure::Failure,
    health, import, init, man, outbox,
    output::{self, Output},
    render, render_draft, sandbox, send, serve,
};
use crate::{
    allocator,
    config::{self, ConfigError, Loaded},
    telemetry::{self, LogFormat, LogTime},
};

/// Deliver Alertmanager's webhooks to WeCom (企业微信) without losing one
#[derive(Debug, Parser)]
#[command(name = "wecom-relay", version, after_help = EXAMPLES)]
pub struct Cli {
    /// Use this configuration [default: config.yml here, then /etc/wecom-relay/config.yml]
    #[arg(long, short, global = true, value_name = "FILE", env = "WECOM_RELAY_CONFIG", help_heading = GLOBAL)]
    config: Option<PathBuf>,
    /// Log at this level: error, warn, info, debug, trace, or by module as in wecom_relay=debug,warn
    #[arg(long, global = true, value_name = "LEVEL", env = "WECOM_RELAY_LOG", help_heading = GLOBAL)]
    log_level: Option<String>,
    /// Write log lines in this format
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "text",
        env = "WECOM_RELAY_LOG_FORMAT",
        help_heading = GLOBAL
    )]
    log_format: Format,
    /// Write the times of log lines in UTC, or in the zone of TZ or the system
    #[arg(long, global = true, value_enum, default_value = "utc", env = "WECOM_RELAY_LOG_TIME", help_heading = GLOBAL)]
    log_time: Time,
    #[command(subcommand)]
    command: Option<Command>,
}

const GLOBAL: &str = "Global options";

const EXAMPLES: &str = "\
Examples:
  wecom-relay demo                                 see it work, without a configuration
  wecom-relay init                                 write a configuration to start with
  wecom-relay check --config config.yml            find mistakes before you start the relay
  wecom-relay doctor --config config.yml           find out why messages do not reach WeCom
  wecom-relay send --receiver wechat 'Hello'       send a test message
  wecom-relay serve --config config.yml            run the relay";

const SERVE_EXAMPLES: &str = "\
SIGHUP or POST /-/reload reloads the configuration. SIGTERM stops the relay after the deliveries in flight.

Examples:
  wecom-relay serve --config /etc/wecom-relay/config.yml
  wecom-relay serve --log-format json --log-level wecom_relay=debug,warn";

const CHECK_EXAMPLES: &str = "\
The exit code is 0 if there are no errors, and 1 otherwise.

Examples:
  wecom-relay check --config /etc/wecom-relay/config.yml
  wecom-relay check --samples | less";

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Time {
    Utc,
    Local,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the relay (the default)
    #[command(after_help = SERVE_EXAMPLES)]
    Serve,
    /// Check the configuration, and render each receiver's templates with samples
    #[command(after_help = CHECK_EXAMPLES)]
    Check(check::Args),
    /// Check everything between this machine and WeCom, and show how to fix what is wrong
    Doctor(doctor::Args),
    /// Show the messages for a webhook payload
    Render(render::Args),
    /// Send a real message to a receiver, without the outbox
    Send(send::Args),
    /// Create and show the group chats of an app
    Chat(chat::Args),
    /// Show, requeue and discard deliveries
    Outbox(outbox::Args),
    /// Run a WeCom on this machine, for tests and staging
    Sandbox(sandbox::Args),
    /// Ask a running relay on this machine if it is healthy
    Health(health::Args),
    /// Run a sandbox and a relay, and send a sample alert; needs no configuration
    Demo(demo::Args),
    /// Write a configuration to start with
    Init(init::Args),
    /// Make a configuration out of an alertmanager.yml with wechat_configs
    Import(import::Args),
    /// Print a script that completes the commands in a shell
    Completion(completion::Args),
    /// Render a draft of the console
    // Hidden, because only the relay itself runs it.
    #[command(hide = true)]
    RenderDraft,
    /// Write manual pages
    // Hidden, because packages install the pages.
    #[command(hide = true)]
    Man(man::Args),
}

/// The exit code for a wrong configuration: `EX_USAGE` of `sysexits.h`.
const BAD_CONFIG: u8 = 64;

impl Cli {
    /// Reads the command line. A wrong one ends the process.
    pub fn of_process() -> Self {
        let mut arguments: Vec<OsString> = std::env::args_os().collect();
        // clap's own command `help` does not know `--help`.
        if arguments.get(1).is_some_and(|command| command == "help") {
            arguments.retain(|argument| argument != "--help" && argument != "-h");
        }
        Self::parse_from(arguments)
    }

    /// Runs the chosen command.
    pub fn run(self) -> ExitCode {
        allocator::configure();
        let command = self.command.unwrap_or(Command::Serve);
        let is_server = matches!(command, Command::Serve | Command::Sandbox(_));
        let default_level = match command {
            Command::Serve | Command::Sandbox(_) => "info",
            // The demo causes the failures that the relay would log.
            Command::Demo(_) => "off",
            _ => "warn",
        };
        let format = match self.log_format {
            Format::Text => LogFormat::Text,
            Format::Json => LogFormat::Json,
        };
        let time = match self.log_time {
            Time::Utc => LogTime::Utc,
            Time::Local => LogTime::Local,
        };
        let log = match telemetry::init(format, time, self.log_level.as_deref().unwrap_or(default_level)) {
            Ok(log) => log,
            Err(error) => return exit(Err(error.into()), &mut Output::default()),
        };
        let mut output = if is_server { Output::of_server(log.clone()) } else { Output::default() };
        let result = command.run(self.config.as_deref(), &mut output);
        // Log lines come before the reason why the command ends.
        log.flush();
        let code = exit(result, &mut output);
        log.flush();
        code
    }
}

/// Reports the result of a command.
fn exit(result: Result<(), Failure>, output: &mut Output) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Config(error)) => {
            output.error(&error.to_string());
            ExitCode::from(BAD_CONFIG)
        }
        Err(Failure::Other(error)) if output::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(Failure::Other(error)) => {
            output.error(&format!("wecom-relay: {error:#}"));
            ExitCode::FAILURE
        }
        Err(Failure::Reported) => ExitCode::FAILURE,
    }
}

impl Command {
    fn run(self, config: Option<&Path>, output: &mut Output) -> Result<(), Failure> {
        let load = || load(config);
        match self {
            Command::Serve => {
                let path = config::find(config)?;
                serve::run(Arc::new(move || read(&path)))
            }
            Command::Check(args) => check::run(&args, load(), output),
            Command::Doctor(args) => doctor::run(&args, load(), output),
            Command::Render(args) => render::run(&args, load()?.config, output),
            Command::RenderDraft => render_draft::run(),
            Command::Send(args) => send::run(&args, load()?.config, output),
            Command::Chat(args) => chat::run(&args, load()?.config, output),
            Command::Outbox(args) => match args.recall() {
                Some(recall) => outbox::recall(recall, load()?.config, output),
                None => outbox::run(&args, &load_outbox(config)?, output),
            },
            Command::Sandbox(args) => sandbox::run(args, output),
            Command::Health(args) => health::run(args, || Ok(load()?.config.server), output),
            Command::Demo(args) => demo::run(&args, output),
            Command::Init(args) => init::run(&args, output),
            Command::Import(args) => import::run(&args, output),
            Command::Completion(args) => completion::run(&args, &mut Cli::command(), output),
            Command::Man(args) => man::run(&args, Cli::command(), output),
        }
    }
}

fn load(path: Option<&Path>) -> Result<Loaded, Failure> {
    let path = config::find(path)?;
    Ok(read(&path)?)
}

/// Operators may use the outbox without the right to read the secrets of the apps.
fn load_outbox(path: Option<&Path>) -> Result<config::Outbox, Failure> {
    Ok(config::load_outbox(&config::find(path)?, &config::environment_variable)?)
}

fn read(path: &Path) -> Result<Loaded, ConfigError> {
    config::load(path, &config::environment_variable)
}
