//! Dispatch: takes deliveries from the outbox, sends them to WeCom, and stores the results.
//!
//! One [`dispatcher`] for each sender holds the sender's lease. [`notices`] notifies fallback receivers of dead letters and
//! held senders. [`janitor`] purges old deliveries.

mod calls;
mod claim;
pub mod dispatcher;
mod ended;
pub mod janitor;
pub mod notices;
mod own_message;
mod pending_write;
mod report;
mod send;
pub mod service;
mod slot_waits;
