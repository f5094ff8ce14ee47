//! The decisions about delivery.
//!
//! | module | decides |
//! |---|---|
//! | [`schedule`] | the time of the next look at each destination |
//! | [`dispatch_state`] | the next action of a dispatcher |
//! | [`circuit_breaker`] | whether a sender may send, and to which destinations |
//! | [`rate_limiter`] | how many messages each recipient may get |
//! | [`plan`] | which deliveries to claim, to fold, and to leave waiting |
//! | [`card_calls`] | the calls of a card update, and their outcome together |
//! | [`digest`] | the text of a digest or a notice |
//! | [`languages`] | the language of each receiver |
//! | [`duplicate_check`] | if WeCom checks a message for duplicates |
//! | [`evidence`] | what an outcome says about the sender and about the message |
//! | [`decide`] | the consequences of an outcome for the delivery |
//! | [`press_results`] | the text of the result of a press in another language |
//! | [`recall`] | if a message can be taken back |
//! | [`stored_reason()`] | the text of a stored reason in another language |
//!
//! Everything here is pure and synchronous: the time, randomness and the state of the queue are arguments. So a test
//! drives hours in microseconds.

pub mod card_calls;
pub mod circuit_breaker;
pub mod decide;
mod degrade;
pub mod digest;
mod digest_header;
pub mod dispatch_state;
pub mod duplicate_check;
pub mod evidence;
pub mod languages;
mod monotonic;
pub mod plan;
pub mod press_results;
pub mod rate_limiter;
pub mod recall;
pub mod schedule;
mod stored_reason;

pub use self::{monotonic::Monotonic, stored_reason::stored_reason};
