//! `wecom-relay serve`: the daemon.

use std::{net::TcpListener, sync::Arc, time::Duration};

use anyhow::{Context, anyhow};
use tokio::signal::unix::{SignalKind, signal};

use super::{Failure, runtime};
use crate::{
    app::{self, Prepared, Source, Tuning},
    clock::SystemClock,
    lifecycle::{DRAIN, End, Lifecycle},
    outbox::sqlite::Access,
    systemd,
};

/// How long the outbox may take to close.
const CLOSE: Duration = Duration::from_secs(5);

pub(super) fn run(source: Arc<Source>) -> Result<(), Failure> {
    let loaded = source()?;
    for warning in &loaded.warnings {
        tracing::warn!(%warning, "the configuration is probably not as meant");
    }
    let prepared = Prepared::new(loaded.config)?;
    let runtime = runtime()?;
    let served = runtime.block_on(serve(prepared, source)).map_err(Failure::Other);
    runtime.shutdown_background();
    served
}

async fn serve(prepared: Prepared, source: Arc<Source>) -> anyhow::Result<()> {
    // First of all: before it is listened to, this signal would end the process.
    let mut hangups = signal(SignalKind::hangup())?;
    let listen = prepared.config.server.listen;
    let outbox = app::open_outbox(&prepared.config, Access::Owner)?;
    let listener = TcpListener::bind(listen)
        .with_context(|| format!("listen on {listen} (server.listen): is another program using the port?"))?;
    let address = listener.local_addr()?;
    let lifecycle = Lifecycle::default();
    let death = outbox.clone();
    let stop = lifecycle.stop();
    lifecycle.spawn("outbox", async move {
        match stop.run_until_cancelled(death.died()).await {
            Some(()) => Err("the writer thread ended"),
            None => Ok(()),
        }
    });
    let receivers = prepared.config.receivers.len();
    let clock = Arc::new(SystemClock);
    let running =
        app::start(prepared, listener, outbox.clone(), clock, Tuning::default(), &lifecycle).await?;
    let (tasks, pulses, reloads) = (lifecycle.tasks(), running.pulses(), running.reloads());
    tasks.spawn_endless("systemd", systemd::run(outbox.clone(), move || pulses.all(), address, tasks.stop()));
    tasks.spawn_endless("reloads", running.run_reloads(source));
    let stop = tasks.stop();
    tasks.spawn_endless("SIGHUP", async move {
        while let Some(Some(())) = stop.run_until_cancelled(hangups.recv()).await {
            reloads.ask().await;
        }
    });
    tracing::info!(%address, receivers, version = env!("CARGO_PKG_VERSION"), "ready");
    let end = lifecycle.run(DRAIN).await?;
    // A disk that hangs must not keep an end from coming that was asked for twice.
    if end != End::Forced && tokio::time::timeout(CLOSE, outbox.close()).await.is_err() {
        tracing::warn!("the outbox could not be closed in time; nothing that was accepted is lost");
    }
    match end {
        End::Clean => {
            tracing::info!("stopped");
            Ok(())
        }
        End::Overdue(tasks) => {
            tracing::warn!(
                tasks,
                "stopped at the deadline; what was in flight is sent again at the next start"
            );
            Ok(())
        }
        End::Forced => {
            Err(anyhow!("stopped by a second signal; what was in flight is sent again at the next start"))
        }
        End::Died(task) => {
            Err(anyhow!("a task died: {task}; accepted alerts are kept and sent at the next start"))
        }
    }
}
