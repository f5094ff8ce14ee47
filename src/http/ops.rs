//! The endpoints for operators: health, readiness, metrics and reload.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use tokio::time::timeout;

use super::{
    answer::{Rejection, plain_text},
    log_throttle::RequestLog,
    state::ServerState,
};
use crate::{
    metrics::{Exposition, OutboxFigures, QueueDepth, SharingFigures, TAKEOVER_REASONS, Takeover},
    outbox::{Depth, Outbox, Sharing, StoreError},
};

/// The time that a scrape waits for the outbox. Prometheus usually waits 10 s, and the other metrics are useful without
/// the outbox.
const DEPTHS_TIMEOUT: Duration = Duration::from_secs(2);

/// `GET /-/healthy`: the process answers. It checks nothing else, because a restart does not fix a problem
/// elsewhere.
pub(super) async fn healthy() -> Response {
    plain_text(StatusCode::OK, "alive")
}

/// `GET /-/ready`: the relay would accept a notification. A failure of WeCom is no reason to reject alerts.
pub(super) async fn ready<O: Outbox>(
    State(state): State<Arc<ServerState<O>>>,
) -> Result<Response, Rejection> {
    if state.stop.is_cancelled() {
        return Err(Rejection::Stopping);
    }
    let probe = state.outbox.probe(state.clock.now());
    match state.readiness.check(probe).await {
        Ok(()) => Ok(plain_text(StatusCode::OK, "ready")),
        Err(error) => Err(Rejection::Store { receiver: None, error }),
    }
}

/// `GET /metrics`, in the format that the client accepts.
pub(super) async fn metrics<O: Outbox>(
    State(state): State<Arc<ServerState<O>>>,
    headers: HeaderMap,
) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let format = Exposition::accepted(accept);
    let query = async { Ok::<_, StoreError>((state.outbox.depths().await?, state.outbox.size().await?)) };
    let answer = match timeout(DEPTHS_TIMEOUT, query).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_elapsed) => Err(format!("no answer within {} s", DEPTHS_TIMEOUT.as_secs())),
    };
    if let Err(error) = &answer
        && let Some(suppressed) = state.log_throttles.allow(RequestLog::Depths, "")
    {
        tracing::warn!(
            error,
            suppressed,
            "the outbox did not answer a scrape; the metrics do not include the queues"
        );
    }
    let answer = answer.ok();
    let sharing = state.outbox.sharing();
    let figures = answer.as_ref().map(|(depths, size)| OutboxFigures {
        depths: queue_depths(depths, sharing.as_ref()),
        bytes: size.bytes,
        max_bytes: size.max_bytes,
    });
    let now = state.clock.now();
    let sharing = SharingFigures {
        clock_offset: state.clock.wall_time(now).duration_since(now),
        ..sharing_figures(state.metrics.apps(), sharing)
    };
    match state.metrics.encode(figures.as_ref(), &sharing, now) {
        Ok(text) => {
            let headers = [(header::CONTENT_TYPE, format.content_type()), (header::VARY, "accept")];
            (headers, format.convert(text)).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "the metrics cannot be encoded");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Queue depths in the form of the metrics. A process that shares the outbox reports those of its senders.
pub fn queue_depths<'d>(depths: &'d [Depth], sharing: Option<&Sharing>) -> Vec<QueueDepth<'d>> {
    depths.iter().map(|depth| queue_depth(depth, sharing)).collect()
}

/// The part of this process in the outbox. Without other processes it sends for all `apps`.
fn sharing_figures(apps: Vec<String>, sharing: Option<Sharing>) -> SharingFigures {
    let is_owned =
        |app: &str| sharing.as_ref().is_none_or(|sharing| sharing.leases.iter().any(|one| one.0 == app));
    let owned = apps.into_iter().map(|app| (app.clone(), is_owned(&app))).collect();
    let [expired, released] = TAKEOVER_REASONS;
    let takeovers = sharing.iter().flat_map(|sharing| &sharing.takeovers).map(|taken| Takeover {
        app: taken.sender.0.clone(),
        reason: if taken.is_expired { expired } else { released },
        count: taken.count,
    });
    let takeovers = takeovers.collect();
    let replicas = sharing.as_ref().map_or(1, |sharing| sharing.replicas);
    SharingFigures { owned, takeovers, replicas, ..SharingFigures::default() }
}

fn queue_depth<'d>(depth: &'d Depth, sharing: Option<&Sharing>) -> QueueDepth<'d> {
    QueueDepth {
        is_reported: sharing.is_none_or(|sharing| sharing.reports(&depth.sender)),
        app: &depth.sender.0,
        receiver: &depth.receiver.0,
        deliveries: depth.deliveries,
        oldest_accepted_at: depth.oldest_accepted_at,
        discarded: depth.discarded,
    }
}

/// `POST /-/reload`: reads the configuration again.
pub(super) async fn reload<O: Outbox>(
    State(state): State<Arc<ServerState<O>>>,
) -> Result<Response, Rejection> {
    match state.reloads.reload().await {
        Some(Ok(summary)) => Ok(plain_text(StatusCode::OK, summary)),
        Some(Err(problems)) => Err(Rejection::NotReloaded(problems)),
        None => Err(Rejection::Stopping),
    }
}
