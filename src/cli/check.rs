//! `wecom-relay check`: finds mistakes before the relay is started.
//!
//! Every receiver is rendered with every sample, because many mistakes in templates appear only with some payloads. The
//! last line is the verdict.

use tokio::runtime::Runtime;

use super::{
    failure::Failure,
    output::{Output, shown},
    runtime::runtime,
};
use crate::{
    alertmanager::PayloadMemory,
    app::{self, PrepareOptions, Prepared},
    clock::{Clock, SystemClock},
    config::{Database, Loaded},
    http::{RENDER_LIMIT, RenderPool, Reservation},
    intake::{Parsed, Receiver, RenderedNotification},
    language::Language,
    outbox::postgres::Transport,
    render,
    text::counted,
    wecom::limits,
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Show the message of each sample for each receiver
    #[arg(long)]
    samples: bool,
    /// Explains how to name the configuration, because other programs take it as an argument.
    #[arg(hide = true, value_name = "FILE", value_parser = name_it_with_config)]
    _file: Option<String>,
    /// Show the message of this sample only.
    #[arg(skip)]
    only_sample: Option<&'static str>,
}

impl Args {
    /// Shows the message of one sample for each receiver.
    pub(super) fn with_sample(name: &'static str) -> Self {
        Self { samples: true, _file: None, only_sample: Some(name) }
    }

    fn shows(&self, sample: &str) -> bool {
        self.samples && self.only_sample.is_none_or(|only| only == sample)
    }
}

fn name_it_with_config(_: &str) -> Result<String, &'static str> {
    Err("name the configuration with --config")
}

/// The receivers that are shown without `--samples`, so that the verdict stays on the screen.
const SHOWN_RECEIVERS: usize = 12;

/// A wrong configuration has the exit code 1 here, because finding it is the purpose of this command.
pub(super) fn run(args: &Args, loaded: Result<Loaded, Failure>, output: &mut Output) -> Result<(), Failure> {
    match loaded.and_then(|loaded| check(args, loaded, output)) {
        Err(Failure::Config(error)) => {
            output.error(&error.to_string());
            output.error(&format!("the configuration is wrong: {}", counted(error.iter().count(), "error")));
            Err(Failure::Reported)
        }
        checked => checked,
    }
}

fn check(args: &Args, loaded: Loaded, output: &mut Output) -> Result<(), Failure> {
    for warning in &loaded.warnings {
        output.error(&format!("warning: {warning}"));
    }
    let memory_warning = app::memory_warning(loaded.config.server.max_memory_bytes);
    if let Some(warning) = &memory_warning {
        output.error(&format!("warning: {warning}"));
    }
    let prepared = Prepared::new(loaded.config, PrepareOptions::default())?;
    let runtime = runtime()?;
    let counts = render_samples(args, &prepared, &runtime, output);
    // A template that does not end must not keep the command from ending.
    runtime.shutdown_background();
    let MistakeCounts { errors, warnings } = counts?;
    if errors > 0 {
        output.error(&format!("the configuration is wrong: {}", counted(errors, "error")));
        return Err(Failure::Reported);
    }
    output.line(&format!("times in messages are in the zone {}", prepared.config.timezone_name()))?;
    if let Database::Postgres(database) = &prepared.config.outbox.database {
        let tls = if database.url.transport() == Transport::Tls { "with TLS" } else { "without TLS" };
        output.line(&format!(
            "the outbox is {} {tls}, and this replica is {}; `wecom-relay doctor` checks the server",
            database.url, database.replica
        ))?;
    }
    let warnings = warnings + loaded.warnings.len() + usize::from(memory_warning.is_some());
    let verdict = format!(
        "the configuration is valid: {}, {}",
        prepared.config.summary(),
        counted(warnings, "warning")
    );
    output.line(&verdict)?;
    Ok(())
}

/// The numbers of mistakes in templates.
#[derive(Default)]
struct MistakeCounts {
    errors: usize,
    warnings: usize,
}

fn render_samples(
    args: &Args,
    prepared: &Prepared,
    runtime: &Runtime,
    output: &mut Output,
) -> Result<MistakeCounts, Failure> {
    let pool = RenderPool::new(prepared.intake.clone(), RENDER_LIMIT);
    let mut counts = MistakeCounts::default();
    for (number, receiver) in prepared.config.receivers.iter().enumerate() {
        let receiver = prepared.intake.receiver(receiver.name.as_str())?;
        if args.samples || number < SHOWN_RECEIVERS {
            let (name, app, to) = (&receiver.name, &receiver.sender, &receiver.address);
            let kind = if prepared.config.is_robot(&app.0) { "robot" } else { "app" };
            output.line(&format!("receiver {name}: {kind} {app}, to {to}"))?;
        }
        let mut mistakes = Mistakes::default();
        for (name, payload) in render::samples::ALL {
            let parsed = prepared.intake.parse(
                Some(&receiver.name.0),
                payload.as_bytes(),
                PayloadMemory::UNLIMITED,
                SystemClock.now(),
            )?;
            let Parsed::Webhook(webhook) = parsed else { continue };
            let rendered =
                runtime.block_on(pool.render(webhook, &Reservation::default(), pool.deadline()))?;
            mistakes.add(name, prepared, receiver, &rendered);
            if args.shows(name) {
                show(name, &rendered, output)?;
            }
        }
        counts.errors += mistakes.errors.len();
        counts.warnings += mistakes.warnings.len();
        mistakes.report(output);
    }
    let hidden = prepared.config.receivers.len().saturating_sub(SHOWN_RECEIVERS);
    if hidden > 0 && !args.samples {
        output.line(&format!("and {}; --samples shows all", counted(hidden, "more receiver")))?;
    }
    Ok(counts)
}

/// The mistakes of one receiver. A mistake that several samples show is reported once.
#[derive(Default)]
struct Mistakes {
    errors: Vec<Mistake>,
    warnings: Vec<Mistake>,
}

struct Mistake {
    text: String,
    samples: Vec<&'static str>,
}

impl Mistakes {
    fn add(
        &mut self,
        sample: &'static str,
        prepared: &Prepared,
        receiver: &Receiver,
        rendered: &RenderedNotification,
    ) {
        let name = &receiver.name;
        for failure in &rendered.failures {
            let located = prepared.located(failure).map(|diagnostic| diagnostic.to_string());
            add_mistake(
                &mut self.errors,
                located.unwrap_or_else(|| format!("receiver {name}: {failure}")),
                sample,
            );
        }
        if let Some(error) = &rendered.recipient_error {
            let consequence = match &receiver.fallback {
                Some(fallback) => format!("the message would go to the fallback {}", fallback.name),
                None => "the message would be a dead letter, because there is no fallback".to_owned(),
            };
            add_mistake(&mut self.warnings, format!("receiver {name}: {error}; {consequence}"), sample);
        }
    }

    fn report(&self, output: &mut Output) {
        for (prefix, mistakes) in [("", &self.errors), ("warning: ", &self.warnings)] {
            for Mistake { text, samples } in mistakes {
                let samples = match samples.len() == render::samples::ALL.len() {
                    true => "all samples".to_owned(),
                    false => format!(
                        "{}: {}",
                        if samples.len() == 1 { "sample" } else { "samples" },
                        samples.join(", ")
                    ),
                };
                output.error(&format!("{prefix}{text} ({samples})"));
            }
        }
    }
}

fn add_mistake(mistakes: &mut Vec<Mistake>, text: String, sample: &'static str) {
    match mistakes.iter_mut().find(|mistake| mistake.text == text) {
        Some(known) => known.samples.push(sample),
        None => mistakes.push(Mistake { text, samples: vec![sample] }),
    }
}

fn show(sample: &str, rendered: &RenderedNotification, output: &mut Output) -> Result<(), Failure> {
    for delivery in &rendered.notification.deliveries {
        let content = &delivery.content;
        let (kind, usage, to) = (
            content.msgtype(),
            limits::usage(content, &delivery.recipients, Language::En),
            &delivery.recipients,
        );
        output.line(&format!("{sample}: {kind} to {to}, {usage}:"))?;
        for line in shown(content).lines() {
            output.line(&format!("  | {line}"))?;
        }
    }
    Ok(())
}
