//! Composition root: builds a running daemon from a configuration. Only this module names concrete types.

mod heartbeats;
mod outbox;
mod prepare;
mod receivers;
mod reload;
mod running;
mod token_metrics;
mod tuning;

pub use self::{
    heartbeats::Heartbeats,
    outbox::open_outbox,
    prepare::{PrepareOptions, Prepared},
    reload::Source,
    running::Running,
    tuning::Tuning,
};
