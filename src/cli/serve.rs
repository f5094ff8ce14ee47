//! `wecom-relay serve`: the daemon.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, anyhow};
use tokio::signal::unix::{SignalKind, signal};

use super::{Failure, runtime};
use crate::{
    app::{self, PrepareOptions, Prepared, Running, Source, Tuning},
    clock::SystemClock,
    http,
    lifecycle::{DRAIN, Lifecycle, Shutdown, Signals},
    outbox::sqlite::Access,
    systemd,
};

/// How long the outbox may take to close.
const CLOSE: Duration = Duration::from_secs(5);

pub(super) fn run(source: Arc<Source>) -> Result<(), Failure> {
    let loaded = source()?;
    for warning in &loaded.warnings {
        tracing::warn!(%warning, "the configuration is probably not as intended");
    }
    let tuning = Tuning { connections: connections(), ..Tuning::default() };
    let prepared = Prepared::new(loaded.config, PrepareOptions { tuning, ..PrepareOptions::default() })?;
    let runtime = runtime()?;
    let served = runtime.block_on(serve(prepared, source)).map_err(Failure::Other);
    runtime.shutdown_background();
    served
}

async fn serve(prepared: Prepared, source: Arc<Source>) -> anyhow::Result<()> {
    // First of all: before it is listened to, a signal ends the process.
    let signals = Signals::listen()?;
    let mut hangups = signal(SignalKind::hangup())?;
    let listen = prepared.config.server.listen;
    let outbox = app::open_outbox(&prepared.config, Access::Owner)?;
    let listener = http::listen(listen)
        .with_context(|| format!("listen on {listen} (server.listen): is another program using the port?"))?;
    let address = listener.local_addr()?;
    let lifecycle = Lifecycle::default();
    let death = outbox.clone();
    let tasks = lifecycle.tasks();
    let stop = tasks.stop();
    tasks.spawn("outbox", async move {
        match stop.run_until_cancelled(death.died()).await {
            Some(()) => Err("the writer thread ended"),
            None => Ok(()),
        }
    });
    let receivers = prepared.config.receivers.len();
    let clock = Arc::new(SystemClock);
    let running = Running::start(prepared, listener, outbox.clone(), clock, tasks.clone()).await?;
    let (heartbeats, reloads) = (running.heartbeats(), running.reloads());
    tasks.spawn_endless(
        "systemd",
        systemd::run(outbox.clone(), move || heartbeats.all(), address, tasks.stop()),
    );
    tasks.spawn_endless("reloads", running.run_reloads(source));
    let stop = tasks.stop();
    tasks.spawn_endless("SIGHUP", async move {
        while let Some(Some(())) = stop.run_until_cancelled(hangups.recv()).await {
            reloads.reload().await;
        }
    });
    tracing::info!(%address, receivers, version = env!("CARGO_PKG_VERSION"), "ready");
    let end = lifecycle.run(signals, DRAIN).await;
    // A disk that hangs must not keep an end from coming that was asked for twice.
    if end != Shutdown::Forced && tokio::time::timeout(CLOSE, outbox.close()).await.is_err() {
        tracing::warn!("the outbox could not be closed in time; nothing that was accepted is lost");
    }
    match end {
        Shutdown::Clean => {
            tracing::info!("stopped");
            Ok(())
        }
        Shutdown::TimedOut(tasks) => {
            tracing::warn!(
                tasks,
                "stopped at the deadline; what was in flight is sent again at the next start"
            );
            Ok(())
        }
        Shutdown::Forced => {
            Err(anyhow!("stopped by a second signal; what was in flight is sent again at the next start"))
        }
        Shutdown::TaskFailed(task) => Err(anyhow!(
            "task exited unexpectedly: {task}; accepted alerts are kept and sent at the next start"
        )),
    }
}

/// How many connections of clients there can be, after the limit of open files was raised as far as it must and may.
fn connections() -> usize {
    /// What is open beside them: the outbox, connections to WeCom, the log.
    const OTHERS: u64 = 256;
    const FEWEST: usize = 64;
    let wanted = http::MAX_CONNECTIONS as u64 + OTHERS;
    let files = match rlimit::Resource::NOFILE.get_soft() {
        Ok(files) if files < wanted => rlimit::increase_nofile_limit(wanted).unwrap_or(files),
        Ok(files) => files,
        Err(_) => wanted,
    };
    if files < wanted {
        tracing::warn!(
            files,
            wanted,
            "few files can be open, so many connections at once wait for each other; raise the limit (LimitNOFILE)"
        );
    }
    let connections = usize::try_from(files.saturating_sub(OTHERS)).unwrap_or(http::MAX_CONNECTIONS);
    connections.clamp(FEWEST, http::MAX_CONNECTIONS)
}
