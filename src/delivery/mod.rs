//! The decisions about delivery.
//!
//! | module | decides |
//! |---|---|
//! | [`schedule`] | the time of the next look at each destination |
//! | [`dispatch_state`] | the next action of a dispatcher |
//! | [`circuit_breaker`] | whether a sender may send |
//! | [`rate_limiter`] | how many messages each recipient may get |
//! | [`plan`] | what to claim, what to fold, what must wait |
//! | [`digest`] | the text of a digest or a notice |
//! | [`duplicate_check`] | whether WeCom may suppress a copy |
//! | [`decide`] | what an outcome means for the delivery and its sender |
//!
//! Everything here is pure and synchronous: the time, randomness and the state of the queue are arguments. So a test
//! drives hours in microseconds.

pub mod circuit_breaker;
pub mod decide;
mod degrade;
pub mod digest;
pub mod dispatch_state;
pub mod duplicate_check;
mod monotonic;
pub mod plan;
pub mod rate_limiter;
pub mod schedule;

pub use self::monotonic::Monotonic;
