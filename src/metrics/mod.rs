//! Prometheus metrics of the relay and its process.
//!
//! - One [`Metrics`] value is passed to everything that counts. There is no global registry, because tests run
//!   several relays in one process.
//! - Names start with `wecom_relay_`, except `process_…`. Times are in seconds.
//! - Every series of a configured app or receiver exists from the start with 0, so that `rate` sees the first
//!   increase. Label values come from fixed lists, so a client cannot create series.
//! - Queue depths and process figures are read at each scrape and registered for that scrape only. A receiver that
//!   is gone leaves no stale series.

mod exposition;
mod labels;
mod process;
mod queue;
mod record;
mod registry;
mod sharing;
mod store;
#[cfg(test)]
mod tests;

pub use self::{
    exposition::Exposition,
    labels::{
        CALLBACK_RESULTS, CALLBACK_RESULTS_WITHOUT_APP, CONSOLE_ACTIONS, DAMAGED, DEAD_REASONS, HELD_REASONS,
        INVALID_KINDS, NO_ERRCODE, OTHER_ERRCODE, PRESS_ACTIONS, PressResult, REFRESH_RESULTS, REPAIR_KINDS,
        RESULTS, RESULTS_WITHOUT_RECEIVER,
    },
    queue::{OutboxFigures, QueueDepth},
    registry::Metrics,
    sharing::{SharingFigures, TAKEOVER_REASONS, Takeover},
    store::{STORE_CALLS, STORE_ERRORS, StoreMetrics},
};
