//! Runs reloads one at a time. A reload is complete or has no effect, and none begins after the stop.
//!
//! A request that arrives before a reload begins shares that reload. A request that arrives while a reload reads the
//! configuration waits for the next one, because the file may have changed since.

use std::{sync::Arc, time::Duration};

use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::{
    prepare::{PrepareOptions, Prepared},
    receivers,
    running::Running,
};
use crate::{
    clock::Clock as _,
    config::{self, Config, ConfigError, Diagnostic, Loaded, SecretFiles},
    outbox::{Outbox, StoreError},
    systemd,
};

/// Reads the configuration, in the same way at the start and at each reload.
pub type Source = dyn Fn() -> Result<Loaded, ConfigError> + Send + Sync;

/// The pause before the outbox is asked again after it failed.
const STORE_PAUSE: Duration = Duration::from_millis(500);

/// A configuration that was read and can be applied.
struct PreparedReload {
    prepared: Prepared,
    warnings: Vec<Diagnostic>,
}

type PrepareResult = Result<PreparedReload, ConfigError>;

impl<O: Outbox> Running<O> {
    /// Serves reload requests until the daemon stops.
    pub async fn run_reloads(mut self, source: Arc<Source>) {
        let stop = self.tasks.stop();
        // A reading that missed its time limit still runs, because a blocking call cannot be cancelled.
        let mut overdue = None;
        loop {
            let is_adopted = self.is_adopted;
            let first = tokio::select! {
                () = stop.cancelled() => break,
                Some(files) = self.secret_changes.recv() => {
                    self.use_secret_files(files, &mut overdue).await;
                    continue;
                }
                request = self.requests.recv() => request,
                () = sleep(STORE_PAUSE), if !is_adopted => {
                    self.adopt_late(&mut overdue).await;
                    continue;
                }
            };
            let Some(first) = first else { break };
            let mut requests = vec![first];
            while let Ok(another) = self.requests.try_recv() {
                requests.push(another);
            }
            systemd::reloading();
            let Some(read) = stop.run_until_cancelled(self.read(&source, &mut overdue)).await else { break };
            if stop.is_cancelled() {
                break;
            }
            let result = match read {
                Ok(reload) => Ok(self.apply_reload(reload).await),
                Err(problems) => Err(problems),
            };
            log_result(&result);
            self.last_reload_failed = result.is_err();
            let now = self.clock.wall_time(self.clock.now());
            self.metrics.reloaded(result.is_ok(), now);
            self.board.reloaded(result.as_ref().map(drop).map_err(Clone::clone), now);
            for request in requests {
                request.answer(result.clone());
            }
            // Do not report READY after STOPPING.
            if stop.is_cancelled() {
                break;
            }
            systemd::ready(match &result {
                Ok(_) => "accepting alerts",
                Err(_) => "accepting alerts with the old configuration: the last reload failed",
            });
        }
    }

    /// Moves what waits under former names of senders, as soon as the outbox answers.
    async fn adopt_late(&mut self, overdue: &mut Option<JoinHandle<PrepareResult>>) {
        if self.outbox.probe(self.clock.now()).await.is_err() || !self.clock.is_known() {
            return;
        }
        let config = self.current.clone();
        let source: Arc<Source> = Arc::new(move || config::reread_secrets(&config));
        match self.read(&source, overdue).await {
            Ok(reload) => _ = self.apply_reload(reload).await,
            Err(problems) => tracing::debug!(problems, "the senders cannot be renamed yet"),
        }
    }

    /// Uses the secrets in `files`, which differ from those in use. If they are not valid, the old secrets stay in use until
    /// the files change again.
    async fn use_secret_files(
        &mut self,
        files: SecretFiles,
        overdue: &mut Option<JoinHandle<PrepareResult>>,
    ) {
        let paths = self.current.origin.secret_files.changed(&files).join(", ");
        let config = self.current.clone();
        let source: Arc<Source> = Arc::new(move || config::reread_secrets(&config));
        let stop = self.tasks.stop();
        let Some(read) = stop.run_until_cancelled(self.read(&source, overdue)).await else { return };
        let is_valid = read.is_ok();
        match read {
            Ok(PreparedReload { prepared, .. }) => {
                // The key of a robot says which group it sends to.
                let senders = receivers::configured_senders;
                if senders(&prepared.config) != senders(&self.current)
                    && !self.replace_senders(&prepared.config).await
                {
                    return;
                }
                let restart = self.apply(prepared);
                tracing::info!(files = paths, "secret files changed, the new secrets are in use");
                log_restart(&restart);
            }
            Err(problems) => {
                tracing::error!(
                    files = paths,
                    "secret files changed but are not valid, the old secrets stay in use; correct the files"
                );
                log_each(&problems);
                self.secret_files.send_replace(files);
            }
        }
        // New secrets do not correct a configuration that failed to load.
        if !(is_valid && self.last_reload_failed) {
            self.metrics.reloaded(is_valid, self.clock.wall_time(self.clock.now()));
        }
    }

    /// Reads and prepares the configuration. Changes nothing.
    async fn read(
        &self,
        source: &Arc<Source>,
        overdue: &mut Option<JoinHandle<PrepareResult>>,
    ) -> Result<PreparedReload, String> {
        // Each overdue reading holds a thread, so there is at most one.
        if overdue.as_ref().is_some_and(|reading| !reading.is_finished()) {
            return Err(
                "the previous reload still reads the configuration; check for an unreachable file system or \
                        an empty pipe"
                    .to_owned(),
            );
        }
        let (source, tuning) = (Arc::clone(source), self.tuning.clone());
        let options = PrepareOptions { tuning, token_caches: Some(Arc::clone(&self.token_caches)) };
        let mut reading = tokio::task::spawn_blocking(move || {
            let Loaded { config, warnings } = source()?;
            Ok::<_, ConfigError>(PreparedReload { prepared: Prepared::new(config, options)?, warnings })
        });
        let limit = self.tuning.reload_limit;
        match timeout(limit, &mut reading).await {
            Ok(Ok(read)) => read.map_err(|problems| problems.to_string()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => {
                *overdue = Some(reading);
                Err(format!(
                    "reading the configuration takes longer than {limit:?}; check whether a file that it names is \
                     on an unreachable file system"
                ))
            }
        }
    }

    /// Stops the dispatchers of former senders, and moves their deliveries. False if the relay is stopping.
    async fn replace_senders(&mut self, config: &Config) -> bool {
        self.stop_former_senders(config).await;
        // The new dispatchers must not start before they know what was sent under the former names.
        while let Err(error) = self.adopt_senders(config).await {
            tracing::warn!(%error, "the outbox does not answer; trying again");
            // No alert is accepted on a full file system, so the new dispatchers have nothing to send before that.
            if matches!(error, StoreError::Full(_)) {
                break;
            }
            if self.tasks.stop().run_until_cancelled(sleep(STORE_PAUSE)).await.is_none() {
                return false;
            }
        }
        true
    }

    /// Applies the new configuration and returns a summary for the operator.
    async fn apply_reload(&mut self, reload: PreparedReload) -> String {
        let PreparedReload { prepared, warnings } = reload;
        let counts = prepared.config.summary();
        if !self.replace_senders(&prepared.config).await {
            return "not reloaded, because the relay is stopping".to_owned();
        }
        let restart = self.apply(prepared);
        let unconfigured = self.unconfigured_senders().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the outbox did not list the senders of its deliveries");
            Vec::new()
        });
        let mut summary = format!("reloaded: {counts}");
        log_restart(&restart);
        if !restart.is_empty() {
            summary += &format!("\nneeds a restart to change: {}", restart.join(", "));
        }
        for warning in unconfigured {
            summary += &format!("\nwarning: {warning}");
        }
        for warning in warnings {
            tracing::warn!(%warning, "configuration warning");
            summary += &format!("\nwarning: {warning}");
        }
        summary
    }
}

/// Logs changed keys that need a restart.
fn log_restart(keys: &[&'static str]) {
    if !keys.is_empty() {
        let keys = keys.join(", ");
        tracing::warn!(keys, "these keys changed and need a restart; the old values stay in use until then");
    }
}

fn log_result(result: &Result<String, String>) {
    match result {
        Ok(summary) => {
            let summary = summary.lines().next().unwrap_or_default();
            tracing::info!(summary, "configuration reloaded");
        }
        Err(problems) => {
            tracing::error!(
                "reload failed, the old configuration stays in use; fix the errors and reload again"
            );
            log_each(problems);
        }
    }
}

/// Logs each line of `problems` on its own.
fn log_each(problems: &str) {
    for problem in problems.lines() {
        tracing::error!(problem, "configuration error");
    }
}
