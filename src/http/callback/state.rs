//! The state that the handlers of the callback share.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{apps::CallbackApps, body::CallbackBuffers};
use crate::{clock::Clock, http::log_throttle::LogThrottles, metrics::Metrics, outbox::PressWaker};

pub struct CallbackState<O> {
    pub outbox: O,
    pub clock: Arc<dyn Clock>,
    /// Cancelled at shutdown: no new press is accepted.
    pub stop: CancellationToken,
    pub apps: CallbackApps,
    /// Woken when a press was stored.
    pub presses: PressWaker,
    pub buffers: CallbackBuffers,
    pub log_throttles: LogThrottles,
    pub metrics: Arc<Metrics>,
}
