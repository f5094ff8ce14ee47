//! `wecom-relay check`: mistakes found before a start, and what messages will look like.

use super::{Failure, output::Output};
use crate::{
    alertmanager,
    app::Prepared,
    clock::{Clock, SystemClock},
    config::Loaded,
    intake::Taken,
    render::Moment,
    wecom::message::MAX_CONTENT_BYTES,
};

/// A payload as Alertmanager sends it.
pub(super) const SAMPLE: &str = include_str!("sample-firing.json");

pub(super) fn run(loaded: Loaded, output: &mut Output) -> Result<(), Failure> {
    for warning in &loaded.warnings {
        output.error(&format!("warning: {warning}"));
    }
    let moment = Moment { now: SystemClock.now(), zone: None };
    let prepared = Prepared::new(loaded.config)?;
    let payload = alertmanager::parse(SAMPLE.as_bytes())?;
    let mut failed = false;
    for receiver in &prepared.config.receivers {
        let receiver = super::receiver(&prepared, receiver.name.as_str())?;
        let Taken::Notification { notification, failures } =
            prepared.intake.notification(receiver, &payload, &moment)
        else {
            continue;
        };
        for failure in failures {
            failed = true;
            output.error(&format!("receiver {}: {failure}", receiver.name));
        }
        output.line(&format!(
            "receiver {}: app {}, to {}",
            receiver.name, receiver.channel, receiver.recipients
        ))?;
        for delivery in &notification.deliveries {
            let text = delivery.content.text();
            let kind = delivery.content.msgtype();
            output.line(&format!("{kind}, {} of {MAX_CONTENT_BYTES} bytes:", text.len()))?;
            for line in text.lines() {
                output.line(&format!("  | {line}"))?;
            }
        }
    }
    if failed {
        return Err(Failure::Told);
    }
    let (apps, receivers) = (prepared.config.apps.len(), prepared.config.receivers.len());
    output.line(&format!("the configuration is valid: {apps} app(s), {receivers} receiver(s)"))?;
    Ok(())
}
