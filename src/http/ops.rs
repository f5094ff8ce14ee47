//! The endpoints of operation.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{Answer, Relay};
use crate::outbox::Outbox;

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
    let format = [(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")];
    match relay.metrics.encode() {
        Ok(text) => (format, text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
