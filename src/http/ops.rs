//! The endpoints of operation.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use tokio::{sync::Mutex, time::Instant};

use super::{Answer, Relay};
use crate::{
    metrics::QueueDepth,
    outbox::{Depth, Outbox, StoreError},
};

/// How long a scrape waits for the outbox: Prometheus' usual patience is 10 s, and the rest is worth having.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long a probe that went well answers for the next: each is a write, and everybody may ask.
const FRESH: Duration = Duration::from_secs(1);

/// What the last probe of the outbox came to. Who asks while one is under way waits for it; a failure is not
/// remembered longer, so that the end of the trouble shows at once.
#[derive(Debug, Default)]
pub struct Readiness(Mutex<Option<(Instant, Result<(), StoreError>)>>);

impl Readiness {
    async fn or(&self, probe: impl Future<Output = Result<(), StoreError>>) -> Result<(), StoreError> {
        let asked = Instant::now();
        let mut last = self.0.lock().await;
        if let Some((ended, result)) = last.as_ref()
            && (*ended > asked || (result.is_ok() && ended.elapsed() < FRESH))
        {
            return result.clone();
        }
        let result = probe.await;
        *last = Some((Instant::now(), result.clone()));
        result
    }
}

/// `GET /-/healthy`: the process answers. Asks nothing else, so that trouble elsewhere does not get it restarted.
pub(super) async fn healthy() -> Answer {
    Answer::Healthy
}

/// `GET /-/ready`: a notification would be accepted. Trouble at WeCom is no reason to refuse alerts.
pub(super) async fn ready<O: Outbox>(State(relay): State<Arc<Relay<O>>>) -> Answer {
    if relay.stop.is_cancelled() {
        return Answer::Draining;
    }
    match relay.readiness.or(relay.outbox.probe(relay.clock.now())).await {
        Ok(()) => Answer::Ready,
        Err(error) => Answer::Store(error),
    }
}

/// Queue depths as the metrics take them.
pub fn queue_depths(depths: &[Depth]) -> Vec<QueueDepth<'_>> {
    depths.iter().map(queue_depth).collect()
}

fn queue_depth(depth: &Depth) -> QueueDepth<'_> {
    QueueDepth {
        app: &depth.sender.0,
        receiver: &depth.receiver.0,
        deliveries: depth.deliveries,
        oldest_accepted_at: depth.oldest_accepted_at,
        discarded: depth.discarded,
    }
}

/// `GET /metrics`: OpenMetrics.
pub(super) async fn metrics<O: Outbox>(State(relay): State<Arc<Relay<O>>>) -> Response {
    let depths = match tokio::time::timeout(PATIENCE, relay.outbox.depths()).await {
        Ok(depths) => depths.map_err(|error| error.to_string()),
        Err(_) => Err("it takes too long".to_owned()),
    };
    if let Err(error) = &depths {
        tracing::warn!(error, "the outbox does not answer; the metrics say nothing of it");
    }
    let depths = depths.ok();
    let depths = depths.as_deref().map(queue_depths);
    let format = [(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")];
    match relay.metrics.encode(depths.as_deref(), relay.clock.now()) {
        Ok(text) => (format, text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;
    use tokio::time::{advance, sleep};

    use super::*;

    const MOMENT: Duration = Duration::from_millis(100);

    async fn probe(probes: &std::cell::Cell<u32>, result: Result<(), StoreError>) -> Result<(), StoreError> {
        probes.set(probes.get() + 1);
        sleep(MOMENT).await;
        result
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_at_once_or_within_a_second_shares_a_probe() {
        let (readiness, probes) = (Readiness::default(), std::cell::Cell::new(0));
        let all = join_all((0..20).map(|_| readiness.or(probe(&probes, Ok(()))))).await;
        assert!(all.iter().all(Result::is_ok));
        advance(FRESH - MOMENT).await;
        readiness.or(probe(&probes, Ok(()))).await.unwrap();
        assert_eq!(probes.get(), 1);
        advance(FRESH).await;
        readiness.or(probe(&probes, Ok(()))).await.unwrap();
        assert_eq!(probes.get(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_told_to_all_who_waited_for_it_and_to_nobody_after() {
        let (readiness, probes) = (Readiness::default(), std::cell::Cell::new(0));
        let full = || Err(StoreError::Full("no space".to_owned()));
        let all = join_all((0..20).map(|_| readiness.or(probe(&probes, full())))).await;
        assert!(all.iter().all(Result::is_err));
        assert_eq!(probes.get(), 1);
        readiness.or(probe(&probes, Ok(()))).await.unwrap();
        assert_eq!(probes.get(), 2);
    }
}
