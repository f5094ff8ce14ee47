//! All routes.

use std::sync::Arc;

use axum::{Router, middleware, routing};

use super::{authorize, ops, same_origin, state::ServerState, webhook};
use crate::outbox::Outbox;

pub fn router<O: Outbox>(state: Arc<ServerState<O>>) -> Router {
    // Grafana can be configured to send by PUT.
    let webhook = routing::post(webhook::receive::<O>).put(webhook::receive::<O>);
    Router::new()
        .route("/webhook", webhook.clone())
        .route("/webhook/{receiver}", webhook)
        .route("/-/healthy", routing::get(ops::healthy))
        .route("/-/ready", routing::get(ops::ready::<O>))
        .route("/-/reload", routing::post(ops::reload::<O>).put(ops::reload::<O>))
        .route("/metrics", routing::get(ops::metrics::<O>))
        .method_not_allowed_fallback(webhook::wrong_method::<O>)
        .fallback(webhook::unknown_path::<O>)
        .layer(middleware::from_fn_with_state(Arc::clone(&state), authorize::authorize::<O>))
        .layer(middleware::from_fn_with_state(Arc::clone(&state), same_origin::refuse_foreign::<O>))
        .with_state(state)
}
