//! The HTTP server: Alertmanager's webhook, and the endpoints for operators.

mod acceptor;
mod access_control;
mod answer;
mod authorize;
mod body;
mod callback;
mod connection;
mod connection_limit;
mod encoding;
mod log_throttle;
mod memory;
mod memory_cost;
mod ops;
mod payloads;
mod readiness;
mod refusals;
mod reloads;
mod render_pool;
mod render_slots;
mod router;
mod same_origin;
mod security;
mod server;
mod state;
mod tls;
mod webhook;

pub use self::{
    access_control::AccessControl,
    callback::{
        CallbackApp, CallbackApps, CallbackBuffers, CallbackState, callback_router,
        elsewhere as callback_elsewhere,
    },
    log_throttle::LogThrottles,
    memory::{DEFAULT_MAX_MEMORY, MAX_BODY_BYTES, MIN_MAX_MEMORY, MemoryBudget, OTHER_MEMORY, Reservation},
    ops::queue_depths,
    payloads::{KeptBody, Payloads},
    readiness::Readiness,
    refusals::{RefusalCounts, Refusals, RefusedRequest},
    reloads::{ReloadHandle, ReloadRequest},
    render_pool::{RENDER_LIMIT, RenderPool},
    router::router,
    security::{SecurityHandle, ServerSecurity},
    server::{MAX_CALLBACK_CONNECTIONS, MAX_CONNECTIONS, listen, serve},
    state::ServerState,
    tls::{TlsConfig, TlsError},
};
