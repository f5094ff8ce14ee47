//! What the service manager is told over `NOTIFY_SOCKET`: readiness, the end, and that the relay is alive.
//!
//! Without systemd, nothing is said and nothing fails. The watchdog is fed only after the outbox answered and
//! every dispatcher's loop turned since the last time: a process whose parts hang is ended and started again. What
//! the outbox answers does not matter; a restart mends no full disk. `/-/ready` was rejected for that reason.
//! `libsystemd` was rejected for the static binary's sake.

use std::{io, net::SocketAddr, time::Duration};

use sd_notify::NotifyState;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    heartbeat::Heartbeat,
    outbox::{Outbox, SenderName, StoreError},
};

/// A part that must answer before the watchdog is fed.
const OUTBOX: &str = "the outbox";

/// Tells that alerts are taken, then feeds the watchdog until `stop`, and tells of that.
pub async fn run<O: Outbox>(
    outbox: O,
    dispatchers: impl Fn() -> Vec<(SenderName, Heartbeat)>,
    address: SocketAddr,
    stop: CancellationToken,
) {
    ready(&format!("taking alerts on {address}"));
    match sd_notify::watchdog_enabled() {
        // Twice as often as it must be, as sd_watchdog_enabled(3) recommends.
        Some(patience) => {
            let fed = feed(&outbox, &dispatchers, patience / 2, || tell(&[NotifyState::Watchdog]));
            stop.run_until_cancelled(fed).await;
        }
        None => stop.cancelled().await,
    }
    tell(&[NotifyState::Stopping, NotifyState::Status("finishing what is in flight")]);
}

/// Tells that alerts are taken: after the start, and after each [`reloading`].
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Tells that the configuration is being read again. [`ready`] must follow, whatever comes of it.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => untold(&error),
    }
}

/// Calls `food` each `period` in which all parts gave a sign of life, and never before they did.
pub async fn feed<O: Outbox>(
    outbox: &O,
    dispatchers: &impl Fn() -> Vec<(SenderName, Heartbeat)>,
    period: Duration,
    mut food: impl FnMut(),
) {
    loop {
        let next = Instant::now() + period;
        prove(OUTBOX, period, answers(outbox)).await;
        for (sender, heartbeat) in dispatchers() {
            let beat = heartbeat.next();
            outbox.changed().notify_waiters();
            prove(&format!("the dispatcher of {sender}"), period, beat).await;
        }
        food();
        sleep_until(next).await;
    }
}

/// Waits for a sign of life, and says once which one is missing: the end by the watchdog tells no reason.
async fn prove(part: &str, period: Duration, sign: impl Future<Output = ()>) {
    tokio::pin!(sign);
    if timeout(period, &mut sign).await.is_err() {
        tracing::error!(part, "gives no sign of life; if none comes, systemd starts the relay again");
        sign.await;
    }
}

async fn answers<O: Outbox>(outbox: &O) {
    if outbox.holds().await == Err(StoreError::Closed) {
        // Its end is the end of the process.
        std::future::pending::<()>().await;
    }
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        untold(&error);
    }
}

fn untold(error: &io::Error) {
    tracing::warn!(%error, "systemd could not be told; is NOTIFY_SOCKET right?");
}
