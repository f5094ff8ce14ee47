//! The listening side: Alertmanager's webhook, and the endpoints of operation.
//!
//! Status codes are a protocol with Alertmanager, which retries 5xx and transport errors only; they are all
//! decided in [`answer`].

mod access;
mod answer;
mod body;
mod bounded;
mod crowd;
mod entrance;
mod ops;
mod rarely;
mod reload;
mod server;
mod tls;
mod webhook;
mod wire;

use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::{Router, middleware, routing};
use tokio_util::sync::CancellationToken;

use self::rarely::Rarely;
pub use self::{
    access::{Access, Challenge, Refusals},
    answer::Answer,
    body::{BODY_BYTES, Memory, Reserved},
    bounded::{Bounded, RENDER_LIMIT},
    entrance::{Admission, Entrance},
    ops::{Readiness, queue_depths},
    rarely::Complaints,
    reload::{ReloadRequest, Reloads},
    server::{CONNECTIONS, listen, serve},
    tls::{BadTls, Tls},
};
use crate::{clock::Clock, metrics::Metrics, outbox::Outbox};

/// What the handlers share.
pub struct Relay<O> {
    /// Where accepted notifications go.
    pub outbox: O,
    /// How a body becomes a notification.
    pub intake: Arc<ArcSwap<Bounded>>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Is cancelled when nothing new is taken.
    pub stop: CancellationToken,
    /// Whether notifications would be taken.
    pub readiness: Readiness,
    /// The memory that bodies may take.
    pub memory: Memory,
    /// Who gets in.
    pub entrance: Entrance,
    /// When the refusal of a request is logged.
    pub refusals: Refusals,
    /// When it is logged that a request is nothing that can be taken.
    pub complaints: Complaints,
    /// Where requests are counted.
    pub metrics: Arc<Metrics>,
    /// Who reads the configuration again.
    pub reloads: Reloads,
}

/// All routes.
pub fn router<O: Outbox>(relay: Arc<Relay<O>>) -> Router {
    // Grafana sends by PUT when it is told to.
    let webhook = routing::post(webhook::take::<O>).put(webhook::take::<O>);
    Router::new()
        .route("/webhook", webhook.clone())
        .route("/webhook/{receiver}", webhook)
        .route("/-/healthy", routing::get(ops::healthy))
        .route("/-/ready", routing::get(ops::ready::<O>))
        .route("/-/reload", routing::post(reload::reload::<O>).put(reload::reload::<O>))
        .route("/metrics", routing::get(ops::metrics::<O>))
        .method_not_allowed_fallback(webhook::wrong_method::<O>)
        .fallback(webhook::nowhere::<O>)
        .layer(middleware::from_fn_with_state(Arc::clone(&relay), access::guard::<O>))
        .with_state(relay)
}
