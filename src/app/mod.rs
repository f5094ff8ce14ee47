//! Composition root: builds a running daemon from a configuration. Only this module names concrete types.

mod active_sender;
mod apply;
mod callback;
mod cgroup;
mod clock;
mod console;
mod desk;
pub mod doctor;
mod drafts;
mod heartbeats;
mod listeners;
mod outbox;
mod prepare;
mod press_settings;
mod random;
mod receivers;
mod reload;
mod running;
mod secret_watch;
mod senders;
mod setup;
mod store;
mod tasks;
mod token_metrics;
mod transfer;
mod tuning;

pub use self::{
    cgroup::memory_warning,
    clock::relay_clock,
    heartbeats::Heartbeats,
    listeners::Listeners,
    outbox::{Access, OpenError, open_outbox},
    prepare::{PrepareOptions, Prepared},
    random::random_seed,
    reload::Source,
    running::Running,
    store::{Store, StoreLease},
    transfer::{Moved, TransferError, move_outbox},
    tuning::Tuning,
};
