//! The order of the checks.

use std::time::Duration;

use super::{
    alertmanager,
    app::{self, RefusedSecrets},
    callback::{self, CalledRelay},
    robot,
    server::{self, ThisRelay},
};
use crate::{app::prepare::Prepared, config::Sender, doctor::Findings, wecom::client::SenderClient};

/// Makes all checks in a command of its own. Each step waits at most `timeout`.
pub async fn examine(prepared: &Prepared, timeout: Duration, findings: &Findings) {
    let runs = server::check(prepared, timeout, findings).await;
    let address = prepared.config.server.callback_address();
    let relay = CalledRelay { address, is_own: false, runs };
    callback::check(&prepared.config, relay, timeout, findings).await;
    check_rest(prepared, timeout, findings).await;
}

/// [`examine`] in the process of the relay itself.
pub(super) async fn examine_this_relay(
    prepared: &Prepared,
    relay: &ThisRelay,
    timeout: Duration,
    findings: &Findings,
) {
    server::check_this_relay(prepared, relay, timeout, findings).await;
    let called = CalledRelay { address: relay.callback, is_own: true, runs: true };
    callback::check(&prepared.config, called, timeout, findings).await;
    check_rest(prepared, timeout, findings).await;
}

async fn check_rest(prepared: &Prepared, timeout: Duration, findings: &Findings) {
    alertmanager::check(prepared.alertmanager.as_deref(), findings).await;
    check_senders(prepared, timeout, findings).await;
}

async fn check_senders(prepared: &Prepared, timeout: Duration, findings: &Findings) {
    let mut refused_secrets = RefusedSecrets::default();
    for (sender, client) in &prepared.clients {
        let Some(configured) = prepared.config.sender(&sender.0) else { continue };
        let receivers: Vec<_> = (prepared.config.receivers.iter())
            .filter_map(|receiver| prepared.intake.receiver(receiver.name.as_str()).ok())
            .filter(|receiver| receiver.sender == *sender)
            .collect();
        match (&configured, client.as_ref()) {
            (Sender::App(app), SenderClient::App(client)) => {
                let token = app::check(app, client, &mut refused_secrets, timeout, findings).await;
                app::check_receivers(&receivers, app, client, token.as_ref(), timeout, findings).await;
            }
            (_, SenderClient::Robot(robot)) => {
                robot::check(&configured, client, robot, &receivers, timeout, findings).await;
            }
            (Sender::Robot(_), SenderClient::App(_)) => {}
        }
    }
}
