//! Reloads: one after the other, each wholly or not at all, and none after the stop.
//!
//! Who asks before one begins shares it. Who asks while it reads waits for the next: the file may have changed since.

use std::sync::Arc;

use tokio::{task::JoinHandle, time::timeout};

use super::{Prepared, Running};
use crate::{
    config::{Loaded, Problem, Problems},
    outbox::Outbox,
    systemd,
};

/// Where a configuration comes from: the same as at the start.
pub type Source = dyn Fn() -> Result<Loaded, Problems> + Send + Sync;

type Read = Result<(Prepared, Vec<Problem>), Problems>;

impl<O: Outbox> Running<O> {
    /// Does the reloads that are asked for, until the daemon stops.
    pub async fn run_reloads(mut self, source: Arc<Source>) {
        let stop = self.tasks.stop();
        // A reading that took too long and has not ended: it cannot be broken off.
        let mut overdue = None;
        while let Some(Some(first)) = stop.run_until_cancelled(self.requests.recv()).await {
            let mut asked = vec![first];
            while let Ok(another) = self.requests.try_recv() {
                asked.push(another);
            }
            systemd::reloading();
            let Some(read) = stop.run_until_cancelled(self.read(&source, &mut overdue)).await else { break };
            if stop.is_cancelled() {
                break;
            }
            let answer = match read {
                Ok((prepared, warnings)) => Ok(self.take(prepared, warnings).await),
                Err(problems) => Err(problems),
            };
            let status = match &answer {
                Ok(said) => {
                    tracing::info!(said, "the configuration was read again");
                    "taking alerts"
                }
                Err(problems) => {
                    tracing::error!(
                        problems,
                        "the configuration was not taken, and the old one stays: mend it and reload again"
                    );
                    "taking alerts with the old configuration: the new one is wrong"
                }
            };
            self.metrics.reloaded(answer.is_ok(), self.clock.now());
            for request in asked {
                request.answer(answer.clone());
            }
            // Of the end systemd is told once.
            if stop.is_cancelled() {
                break;
            }
            systemd::ready(status);
        }
    }

    /// Reads and prepares the configuration, and changes nothing.
    async fn read(
        &self,
        source: &Arc<Source>,
        overdue: &mut Option<JoinHandle<Read>>,
    ) -> Result<(Prepared, Vec<Problem>), String> {
        // Each would take one more thread for as long as its file system hangs.
        if overdue.as_ref().is_some_and(|reading| !reading.is_finished()) {
            return Err(
                "the last reading of the configuration has not ended: is a file system out of reach, or a \
                        pipe empty?"
                    .to_owned(),
            );
        }
        let (source, tuning, caches) = (Arc::clone(source), self.tuning.clone(), Arc::clone(self.caches()));
        let mut reading = tokio::task::spawn_blocking(move || {
            let Loaded { config, warnings } = source()?;
            Ok::<_, Problems>((Prepared::sharing(config, &tuning, caches)?, warnings))
        });
        let limit = self.tuning.reload_limit;
        match timeout(limit, &mut reading).await {
            Ok(Ok(read)) => read.map_err(|problems| problems.to_string()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => {
                *overdue = Some(reading);
                Err(format!(
                    "reading the configuration takes longer than {limit:?}: is a file that it names on a file system \
                     out of reach?"
                ))
            }
        }
    }

    /// Adopts what was prepared; says what came of it.
    async fn take(&mut self, prepared: Prepared, warnings: Vec<Problem>) -> String {
        let (apps, receivers) = (prepared.config.apps.len(), prepared.config.receivers.len());
        let restart = self.adopt(prepared);
        if let Err(error) = self.tell_of_the_gone().await {
            tracing::warn!(%error, "the outbox does not say for which apps messages wait");
        }
        let mut said = format!("reloaded: {apps} app(s), {receivers} receiver(s)");
        if !restart.is_empty() {
            said += &format!("\nneeds a restart to change: {}", restart.join(", "));
        }
        for warning in warnings {
            tracing::warn!(%warning, "the configuration is probably not as meant");
            said += &format!("\nwarning: {warning}");
        }
        said
    }
}
