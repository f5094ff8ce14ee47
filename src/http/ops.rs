//! The endpoints of operation.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{Answer, Relay};
use crate::{metrics::Waiting, outbox::Outbox};

/// How long a scrape waits for the outbox: Prometheus' usual patience is 10 s, and the rest is worth having.
const PATIENCE: Duration = Duration::from_secs(2);

/// `GET /-/healthy`: the process answers. Asks nothing else, so that trouble elsewhere does not get it restarted.
pub(super) async fn healthy() -> Answer {
    Answer::Healthy
}

/// `GET /-/ready`: a notification would be accepted. Trouble at WeCom is no reason to refuse alerts.
pub(super) async fn ready<O: Outbox>(State(relay): State<Arc<Relay<O>>>) -> Answer {
    if relay.stop.is_cancelled() {
        return Answer::Draining;
    }
    match relay.outbox.probe(relay.clock.now()).await {
        Ok(()) => Answer::Ready,
        Err(error) => Answer::Store(error),
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
    let waiting: Option<Vec<_>> = depths.as_ref().map(|depths| depths.iter().map(Waiting::from).collect());
    let format = [(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")];
    match relay.metrics.encode(waiting.as_deref(), relay.clock.now()) {
        Ok(text) => (format, text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
