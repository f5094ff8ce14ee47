//! `wecom-relay check`: finds mistakes before the relay is started, and shows sample messages.
//!
//! Every receiver is rendered with every sample, because many mistakes in templates appear only with some payloads.

use tokio::runtime::Runtime;

use super::{
    failure::Failure,
    output::{Output, shown},
    runtime::runtime,
};
use crate::{
    app::{PrepareOptions, Prepared},
    clock::{Clock, SystemClock},
    config::Loaded,
    http::{RENDER_LIMIT, RenderPool, Reservation},
    intake::{Parsed, Receiver, RenderedNotification},
    render,
    wecom::limits,
};

/// A wrong configuration has the exit code 1 here, because finding it is the purpose of this command.
pub(super) fn run(loaded: Result<Loaded, Failure>, output: &mut Output) -> Result<(), Failure> {
    match loaded.and_then(|loaded| check(loaded, output)) {
        Err(Failure::Config(error)) => {
            output.error(&error.to_string());
            Err(Failure::Reported)
        }
        checked => checked,
    }
}

fn check(loaded: Loaded, output: &mut Output) -> Result<(), Failure> {
    for warning in &loaded.warnings {
        output.error(&format!("warning: {warning}"));
    }
    let prepared = Prepared::new(loaded.config, PrepareOptions::default())?;
    let runtime = runtime()?;
    let failed = render_samples(&prepared, &runtime, output);
    // A template that does not end must not keep the command from ending.
    runtime.shutdown_background();
    if failed? {
        return Err(Failure::Reported);
    }
    let (apps, receivers) = (prepared.config.apps.len(), prepared.config.receivers.len());
    output.line(&format!("the configuration is valid: {apps} app(s), {receivers} receiver(s)"))?;
    Ok(())
}

/// Renders each sample for each receiver. Returns `true` if a template failed.
fn render_samples(prepared: &Prepared, runtime: &Runtime, output: &mut Output) -> Result<bool, Failure> {
    let pool = RenderPool::new(prepared.intake.clone(), RENDER_LIMIT);
    let mut failed = false;
    for receiver in &prepared.config.receivers {
        let receiver = prepared.intake.receiver(receiver.name.as_str())?;
        output
            .line(&format!("receiver {}: app {}, to {}", receiver.name, receiver.sender, receiver.address))?;
        for (name, payload) in render::samples::ALL {
            let parsed =
                prepared.intake.parse(Some(&receiver.name.0), payload.as_bytes(), SystemClock.now())?;
            let Parsed::Webhook(webhook) = parsed else { continue };
            let rendered = runtime.block_on(pool.render(webhook, &Reservation::default()))?;
            failed |= show(receiver, name, &rendered, output)?;
        }
    }
    Ok(failed)
}

/// Shows the messages of a sample. Returns `true` if a template failed.
fn show(
    receiver: &Receiver,
    sample: &str,
    rendered: &RenderedNotification,
    output: &mut Output,
) -> Result<bool, Failure> {
    let place = format!("receiver {}, sample {sample}", receiver.name);
    for failure in &rendered.failures {
        output.error(&format!("{place}: {failure}"));
    }
    if let Some(error) = &rendered.recipient_error {
        let consequence = match &receiver.fallback {
            Some(fallback) => format!("the message would go to the fallback {}", fallback.name),
            None => "the message would be a dead letter, because there is no fallback".to_owned(),
        };
        output.error(&format!("warning: {place}: {error}; {consequence}"));
    }
    for delivery in &rendered.notification.deliveries {
        let content = &delivery.content;
        let (kind, usage, to) = (content.msgtype(), limits::usage(content), &delivery.recipients);
        output.line(&format!("{sample}: {kind} to {to}, {usage}:"))?;
        for line in shown(content).lines() {
            output.line(&format!("  | {line}"))?;
        }
    }
    Ok(!rendered.failures.is_empty())
}
