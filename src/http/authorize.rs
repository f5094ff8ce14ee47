//! The middleware that checks the credentials of a request before it is handled.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderValue, Method, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tracing::field::{debug, display};

use super::{
    access_control::{AccessControl, offered_scheme},
    answer::Rejection,
    log_throttle::RequestLog,
    refusals::peer,
    state::ServerState,
};

/// These paths need no credentials, because they only show that the relay runs.
const OPEN_PATHS: [&str; 2] = ["/-/healthy", "/-/ready"];

/// Passes a request on, or answers 401 before its body is read and closes the connection.
pub(super) async fn authorize<O: Send + Sync + 'static>(
    State(state): State<Arc<ServerState<O>>>,
    request: Request,
    next: Next,
) -> Response {
    let access = &state.security.current().access;
    if OPEN_PATHS.contains(&request.uri().path()) || access.allows(request.headers()) {
        return next.run(request).await;
    }
    state.metrics.unauthorized();
    if let Some(suppressed) = state.log_throttles.allow(RequestLog::Unauthorized, "") {
        log_unauthorized(&request, suppressed);
    }
    if matches!(*request.method(), Method::POST | Method::PUT) {
        let rejection = Rejection::Unauthorized(access.challenge());
        let at = state.clock.wall_time(state.clock.now());
        state.refusals.record(at, peer(request.extensions()), request.uri().path(), &rejection);
    }
    unauthorized(access)
}

fn log_unauthorized(request: &Request, suppressed: u64) {
    let peer = peer(request.extensions()).map(|peer| display(peer.ip()));
    // Only the scheme, because a wrong password may be nearly right.
    let offered = offered_scheme(request.headers()).map(debug);
    if matches!(*request.method(), Method::POST | Method::PUT) {
        tracing::error!(
            peer,
            offered,
            suppressed,
            "request rejected, the sender will not retry: its credentials are not those of server.auth"
        );
    } else {
        tracing::warn!(
            peer,
            offered,
            suppressed,
            "request rejected: its credentials are not those of server.auth"
        );
    }
}

fn unauthorized(access: &AccessControl) -> Response {
    let mut response = Rejection::Unauthorized(access.challenge()).into_response();
    // A client without credentials does not need to keep a connection slot.
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
