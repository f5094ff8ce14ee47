//! Prints the result of an import.

use std::{io, path::Path};

use super::{
    findings::Findings,
    plan::Plan,
    relay_config::{RelayConfig, SECRETS_FOLDER},
};
use crate::cli::output::Output;

pub(super) fn written(folder: &Path, config: &RelayConfig, output: &mut Output) -> io::Result<()> {
    const PRIVATE: &str = " (only its owner can read it)";
    output.heading("Written")?;
    for secret in &config.secret_files {
        let path = folder.join(SECRETS_FOLDER).join(&secret.name);
        output.line(&format!("  {}{PRIVATE}", path.display()))?;
    }
    let note = if config.has_secrets { PRIVATE } else { "" };
    output.line(&format!("  {}{note}", folder.join("config.yml").display()))?;
    output.line(&format!("  {}{PRIVATE}", folder.join("alertmanager.yml").display()))
}

pub(super) fn diff(diff: &str, output: &mut Output) -> io::Result<()> {
    output.heading("Changes of alertmanager.yml, without secrets")?;
    for line in diff.lines() {
        output.line(&format!("  {line}"))?;
    }
    Ok(())
}

pub(super) fn carried(plan: &Plan<'_>, output: &mut Output) -> io::Result<()> {
    output.heading("Carried over")?;
    let alerts = |send_resolved: bool| if send_resolved { "firing and resolved" } else { "firing only" };
    for receiver in &plan.receivers {
        let alerts = alerts(receiver.notifier.send_resolved);
        output.line(&format!("  receiver {}, app {}: {alerts}", receiver.name, receiver.app))?;
    }
    for receiver in &plan.robot_receivers {
        let alerts = alerts(receiver.webhook.send_resolved);
        output.line(&format!("  receiver {}, robot {}: {alerts}", receiver.name, receiver.robot))?;
    }
    Ok(())
}

pub(super) fn findings(findings: &Findings, output: &mut Output) -> io::Result<()> {
    if !findings.errors.is_empty() {
        output.heading("Not carried over")?;
    }
    for error in &findings.errors {
        output.line(&format!("  {error}"))?;
    }
    if !findings.warnings.is_empty() {
        output.heading("Warnings")?;
    }
    for warning in &findings.warnings {
        output.line(&format!("  {warning}"))?;
    }
    Ok(())
}

pub(super) fn next_steps(
    folder: &Path,
    config: &RelayConfig,
    is_valid: bool,
    output: &mut Output,
) -> io::Result<()> {
    let folder = folder.display();
    output.heading("Next steps")?;
    let mut steps = Vec::new();
    if !config.variables.is_empty() {
        steps.push(format!("set for the relay: {}", config.variables.join(", ")));
    }
    if !is_valid {
        steps.push(format!("correct {folder}/config.yml; until then, keep Alertmanager as it is"));
    }
    if config.has_secrets {
        steps.push(format!(
            "run the relay as the owner of {folder}/config.yml, which has secrets; for a relay with a user of its own, import \
             again without --secrets inline"
        ));
    }
    if let Some(secret) = config.secret_files.first() {
        let name = &secret.name;
        steps.push(format!(
            "under systemd, put the files into /etc/wecom-relay, and add a line to the unit for each secret: LoadCredential={name}:/etc/wecom-relay/{SECRETS_FOLDER}/{name}"
        ));
    }
    steps.push(format!("wecom-relay check --config {folder}/config.yml"));
    steps.push(format!("wecom-relay serve --config {folder}/config.yml"));
    steps.push(format!(
        "give Alertmanager {folder}/alertmanager.yml, and reload it; keep the old file as a way back"
    ));
    for (step, number) in steps.iter().zip(1..) {
        output.line(&format!("  {number}. {step}"))?;
    }
    Ok(())
}
