//! The state that all handlers share.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;

use super::{
    log_throttle::LogThrottles, memory::MemoryBudget, payloads::Payloads, readiness::Readiness,
    refusals::Refusals, reloads::ReloadHandle, render_pool::RenderPool, security::SecurityHandle,
};
use crate::{clock::Clock, metrics::Metrics};

pub struct ServerState<O> {
    pub outbox: O,
    /// Replaced by a reload.
    pub render_pool: Arc<ArcSwap<RenderPool>>,
    pub clock: Arc<dyn Clock>,
    /// Cancelled at shutdown: no new notification is accepted.
    pub stop: CancellationToken,
    pub readiness: Readiness,
    /// The memory for all bodies together.
    pub memory: MemoryBudget,
    pub security: SecurityHandle,
    /// Only this machine can reach the listener.
    pub is_on_loopback: bool,
    pub log_throttles: LogThrottles,
    pub refusals: Arc<Refusals>,
    pub payloads: Arc<Payloads>,
    pub metrics: Arc<Metrics>,
    pub reloads: ReloadHandle,
}
