//! Messages to the service manager over `NOTIFY_SOCKET`: ready, reloading, stopping, and watchdog keepalives.
//!
//! Without systemd nothing is sent and nothing fails. A keepalive is sent only after the outbox answered and every
//! dispatcher, and the worker for presses, completed an iteration. systemd therefore restarts a relay in which a part hangs. An error from the
//! outbox counts as an answer, because a restart does not fix a full disk.

use std::{io, net::SocketAddr, time::Duration};

use sd_notify::NotifyState;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    heartbeat::Heartbeat,
    outbox::{Outbox, StoreError},
};

const OUTBOX: &str = "the outbox";

/// Reports that the relay accepts alerts, then sends keepalives until `stop`, then reports that it stops.
pub async fn run<O: Outbox>(
    outbox: O,
    loops: impl Fn() -> Vec<(String, Heartbeat)>,
    address: SocketAddr,
    stop: CancellationToken,
) {
    ready(&format!("accepting alerts on {address}"));
    match sd_notify::watchdog_enabled() {
        // sd_watchdog_enabled(3) recommends half of the interval.
        Some(interval) => {
            let keepalives = keepalive(&outbox, &loops, interval / 2, || notify(&[NotifyState::Watchdog]));
            stop.run_until_cancelled(keepalives).await;
        }
        None => stop.cancelled().await,
    }
    notify(&[NotifyState::Stopping, NotifyState::Status("finishing the sends in flight")]);
}

/// Reports that the relay accepts alerts: after the start, and after each [`reloading`].
pub fn ready(status: &str) {
    notify(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Reports that a reload begins. [`ready`] must follow, also after a failed reload.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(error) => log_failure(&error),
    }
}

/// Calls `send` once per `period`, each time after all parts have answered.
pub async fn keepalive<O: Outbox>(
    outbox: &O,
    loops: &impl Fn() -> Vec<(String, Heartbeat)>,
    period: Duration,
    mut send: impl FnMut(),
) {
    loop {
        let next = Instant::now() + period;
        wait_alive(OUTBOX, period, wait_for_answer(outbox)).await;
        for (name, heartbeat) in loops() {
            wait_alive(&name, period, heartbeat.wait_for_tick()).await;
        }
        send();
        sleep_until(next).await;
    }
}

/// Waits for `answer`. Logs once when it is late, because systemd's watchdog does not say which part hangs.
async fn wait_alive(part: &str, period: Duration, answer: impl Future<Output = ()>) {
    tokio::pin!(answer);
    if timeout(period, &mut answer).await.is_err() {
        tracing::error!(part, "not responding; systemd restarts the relay if this continues");
        answer.await;
    }
}

async fn wait_for_answer<O: Outbox>(outbox: &O) {
    if outbox.holds().await == Err(StoreError::Closed) {
        // A closed outbox ends the process by itself.
        std::future::pending::<()>().await;
    }
}

fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        log_failure(&error);
    }
}

fn log_failure(error: &io::Error) {
    tracing::warn!(%error, "systemd could not be notified; check NOTIFY_SOCKET");
}
