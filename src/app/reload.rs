//! Reloads: one after the other, each wholly or not at all.

use std::sync::Arc;

use super::{Prepared, Running};
use crate::{
    config::{Loaded, Problems},
    outbox::Outbox,
    systemd,
};

/// Where a configuration comes from: the same as at the start.
pub type Source = dyn Fn() -> Result<Loaded, Problems> + Send + Sync;

impl<O: Outbox> Running<O> {
    /// Does the reloads that are asked for, until the daemon stops.
    pub async fn run_reloads(mut self, source: Arc<Source>) {
        let stop = self.tasks.stop();
        while let Some(Some(request)) = stop.run_until_cancelled(self.requests.recv()).await {
            systemd::reloading();
            let answer = self.reload(&source).await;
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
            systemd::ready(status);
            self.metrics.reloaded(answer.is_ok(), self.clock.now());
            request.answer(answer);
        }
    }

    /// Reads, prepares and adopts the configuration; says what came of it.
    async fn reload(&mut self, source: &Arc<Source>) -> Result<String, String> {
        let (source, tuning, caches) = (Arc::clone(source), self.tuning.clone(), Arc::clone(self.caches()));
        let read = tokio::task::spawn_blocking(move || {
            let Loaded { config, warnings } = source()?;
            Ok::<_, Problems>((Prepared::sharing(config, &tuning, caches)?, warnings))
        });
        let (prepared, warnings) =
            read.await.map_err(|error| error.to_string())?.map_err(|problems| problems.to_string())?;
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
        Ok(said)
    }
}
