//! All routes.

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    http::{Uri, uri::PathAndQuery},
    middleware, routing,
};

use super::{authorize, ops, same_origin, state::ServerState, webhook};
use crate::outbox::Outbox;

/// `callback` has the routes of the callback. Neither credentials nor origins are checked there, because WeCom has none.
pub fn router<O: Outbox>(state: Arc<ServerState<O>>, callback: Router) -> Router {
    // Grafana can be configured to send by PUT.
    let webhook = routing::post(webhook::receive::<O>).put(webhook::receive::<O>);
    let routes = Router::new()
        .route("/webhook", webhook.clone())
        // The Prometheus Operator names receivers `namespace/object/receiver`.
        .route("/webhook/{*receiver}", webhook)
        .route("/-/healthy", routing::get(ops::healthy))
        .route("/-/ready", routing::get(ops::ready::<O>))
        .route("/-/reload", routing::post(ops::reload::<O>).put(ops::reload::<O>))
        .route("/metrics", routing::get(ops::metrics::<O>))
        .method_not_allowed_fallback(webhook::wrong_method::<O>)
        .fallback(webhook::unknown_path::<O>)
        .layer(middleware::from_fn_with_state(Arc::clone(&state), authorize::authorize::<O>))
        .layer(middleware::from_fn_with_state(Arc::clone(&state), same_origin::refuse_foreign::<O>))
        .with_state(state);
    // A layer runs after its router has chosen a route, so the paths are changed in a router around the others.
    Router::new().merge(callback).fallback_service(routes).layer(middleware::map_request(tolerate_slashes))
}

/// Removes doubled slashes and slashes at the end from the path of a webhook, because Alertmanager gives up after 404.
async fn tolerate_slashes(mut request: Request) -> Request {
    let segments: Vec<&str> = request.uri().path().split('/').filter(|part| !part.is_empty()).collect();
    let path = format!("/{}", segments.join("/"));
    if segments.first() != Some(&"webhook") || path == request.uri().path() {
        return request;
    }
    let mut parts = request.uri().clone().into_parts();
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    parts.path_and_query = PathAndQuery::try_from(path + &query).ok();
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
    request
}
