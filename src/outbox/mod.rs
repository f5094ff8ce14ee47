//! The outbox: accepted notifications and their deliveries, until they are settled and purged.
//!
//! This module is the port. [`sqlite`] and [`postgres`] implement it; [`rules`] has the decisions that every engine shares.
//!
//! ```text
//! enqueue ──▶ queued ──▶ ready ──▶ in flight ──▶ delivered | dead | discarded
//!                          ▲  └──▶ folded ──┘ (settled with its digest)
//!                          └── retry ──┘
//! ```
//!
//! Every engine guarantees, and the conformance suite in `tests/it` checks:
//!
//! 1. When [`Outbox::enqueue`] returns, the notification and all its deliveries are on disk, or none is.
//! 2. Each delivery has its own row. It ends delivered, dead or discarded, and nothing overwrites it.
//! 3. The unsettled deliveries of one [`OrderingKey`] are ordered by acceptance. Only the first can be claimed. A
//!    folded delivery counts as unsettled until its digest is settled.
//! 4. A claimed delivery is marked in flight before the caller gets it. Nobody else gets it until it is settled, or
//!    until the next [`Outbox::acquire`] of its sender makes it unconfirmed.
//! 5. The content of a delivery never changes after its first claim, unless WeCom rejected it
//!    ([`Verdict::Replace`]).
//!
//! Each method is one use case of the daemon or of an operator. A transaction never spans two calls. The current time
//! is an argument. It is relay time ([`crate::clock::RelayClock`]), as are all stored times.

mod card_store;
mod cards;
mod changes;
mod error;
mod json;
mod lease_term;
mod port;
pub mod postgres;
mod press_waker;
mod query;
pub mod rules;
mod sharing;
pub mod sqlite;
mod types;

pub use self::{
    card_store::*, cards::*, changes::*, error::*, json::*, lease_term::*, port::*, press_waker::PressWaker,
    query::*, sharing::*, types::*,
};
