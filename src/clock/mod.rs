//! Clocks as parameters, so that tests can set them.
//!
//! - The wall clock ([`SystemClock`]) is for people. It may be set forward or back by any distance at any moment.
//! - Relay time ([`RelayClock`]) is for decisions, and for everything that is stored. It never jumps.

mod relay;
mod system;

pub use self::{
    relay::{ReadingRecord, RelayClock},
    system::{Clock, MachineClock, Reading, SystemClock},
};
