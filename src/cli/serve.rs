//! `wecom-relay serve`: runs the relay.

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use anyhow::anyhow;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::field::display;

use super::{failure::Failure, listen_advice::listen_advice, runtime::runtime};
use crate::{
    app::{self, Access, Listeners, PrepareOptions, Prepared, Running, Source, Store, Tuning},
    clock::SystemClock,
    http,
    lifecycle::{DRAIN, Lifecycle, Shutdown, Signals},
    systemd,
};

const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) fn run(source: Arc<Source>) -> Result<(), Failure> {
    let loaded = source()?;
    for warning in &loaded.warnings {
        tracing::warn!(%warning, "configuration warning");
    }
    if let Some(warning) = app::memory_warning(loaded.config.server.max_memory_bytes) {
        tracing::warn!(warning, "configuration warning");
    }
    let has_callback_listener = loaded.config.server.callback_listen.is_some();
    let tuning = Tuning { connections: connections(has_callback_listener), ..Tuning::default() };
    let prepared = Prepared::new(loaded.config, PrepareOptions { tuning, ..PrepareOptions::default() })?;
    let runtime = runtime()?;
    let signals = {
        let _context = runtime.enter();
        ServeSignals::listen()?
    };
    let access = Access::Daemon { fingerprint: prepared.config.fingerprint() };
    // The outbox is opened outside of the runtime, because it blocks while it waits for the lock file or the network.
    let outbox = app::open_outbox(&prepared.config.outbox, access)?;
    let served = runtime.block_on(serve(prepared, source, outbox, signals)).map_err(Failure::Other);
    runtime.shutdown_background();
    served
}

/// The signals of the relay. They come first, because a signal without a listener kills the process.
struct ServeSignals {
    stop: Signals,
    reload: Signal,
}

impl ServeSignals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self { stop: Signals::listen()?, reload: signal(SignalKind::hangup())? })
    }
}

async fn serve(
    prepared: Prepared,
    source: Arc<Source>,
    outbox: Store,
    signals: ServeSignals,
) -> anyhow::Result<()> {
    let ServeSignals { stop: stop_signals, reload: mut reload_signal } = signals;
    let server = &prepared.config.server;
    let main = listen(server.listen, "server.listen")?;
    let callback = server.callback_listen.map(|address| listen(address, "server.callback_listen"));
    let listeners = Listeners { main, callback: callback.transpose()? };
    let address = listeners.main.local_addr()?;
    let callback = listeners.callback.as_ref().map(TcpListener::local_addr).transpose()?.map(display);
    let lifecycle = Lifecycle::default();
    let tasks = lifecycle.tasks();
    let (stop, watched) = (tasks.stop(), outbox.clone());
    tasks.spawn("outbox", async move {
        match stop.run_until_cancelled(watched.failed()).await {
            Some(()) => Err("the writer thread ended"),
            None => Ok(()),
        }
    });
    let receivers = prepared.config.receivers.len();
    let clock = Arc::new(SystemClock);
    let running = Running::start(prepared, listeners, outbox.clone(), clock, tasks.clone()).await?;
    let (heartbeats, reloads) = (running.heartbeats(), running.reloads());
    tasks.spawn_endless(
        "systemd",
        systemd::run(outbox.clone(), move || heartbeats.all(), address, tasks.stop()),
    );
    tasks.spawn_endless("reloads", running.run_reloads(source));
    let stop = tasks.stop();
    tasks.spawn_endless("SIGHUP", async move {
        while let Some(Some(())) = stop.run_until_cancelled(reload_signal.recv()).await {
            reloads.reload().await;
        }
    });
    tracing::info!(%address, callback, receivers, version = env!("CARGO_PKG_VERSION"), "ready");
    let end = lifecycle.run(stop_signals, DRAIN).await;
    // After a second signal the outbox is not closed, because a hanging disk must not delay the exit.
    if end != Shutdown::Forced && tokio::time::timeout(CLOSE_TIMEOUT, outbox.close()).await.is_err() {
        tracing::warn!(
            "the outbox did not close in time; accepted alerts are stored and will be sent at the next start"
        );
    }
    report_end(end)
}

fn listen(address: SocketAddr, key: &str) -> anyhow::Result<TcpListener> {
    http::listen(address).map_err(|error| {
        anyhow!("cannot listen on {address} ({key}): {error}; {}", listen_advice(error.kind()))
    })
}

/// Logs the end, or returns it as an error if the relay must exit with a failure.
fn report_end(end: Shutdown) -> anyhow::Result<()> {
    match end {
        Shutdown::Clean => {
            tracing::info!("stopped");
            Ok(())
        }
        Shutdown::TimedOut(tasks) => {
            tracing::warn!(
                tasks,
                "stopped at the deadline; deliveries in flight will be sent again at the next start"
            );
            Ok(())
        }
        Shutdown::Forced => Err(anyhow!(
            "stopped by a second signal; deliveries in flight will be sent again at the next start"
        )),
        Shutdown::TaskFailed(task) => Err(anyhow!(
            "task exited unexpectedly: {task}; accepted alerts are stored and will be sent at the next start"
        )),
    }
}

/// Raises the limit of open files if necessary. Returns the number of client connections that it allows.
fn connections(has_callback_listener: bool) -> usize {
    /// Files for the outbox, for connections to WeCom and for the log.
    const OTHER_FILES: u64 = 256;
    const FEWEST_CONNECTIONS: usize = 64;
    let callback_files = if has_callback_listener { http::MAX_CALLBACK_CONNECTIONS as u64 } else { 0 };
    let other_files = OTHER_FILES + callback_files;
    let wanted = http::MAX_CONNECTIONS as u64 + other_files;
    let files = match rlimit::Resource::NOFILE.get_soft() {
        Ok(files) if files < wanted => rlimit::increase_nofile_limit(wanted).unwrap_or(files),
        Ok(files) => files,
        Err(_) => wanted,
    };
    if files < wanted {
        tracing::warn!(
            files,
            wanted,
            "the limit of open files is low, so new connections may have to wait; raise it (LimitNOFILE)"
        );
    }
    let connections = usize::try_from(files.saturating_sub(other_files)).unwrap_or(http::MAX_CONNECTIONS);
    connections.clamp(FEWEST_CONNECTIONS, http::MAX_CONNECTIONS)
}
