//! Logging: each line is one constant message with fields, on standard error.
//!
//! - Fields have the same names everywhere: `app`, `receiver`, `group`, `notification`, `delivery`.
//! - ERROR: an alert may be lost, or a person must act. WARN: something unexpected happened and nothing is lost.
//!   INFO: an operation has finished. DEBUG: its single steps.
//! - Logging never stops the relay. A line that cannot be written is dropped and counted.

mod colours;
mod json_lines;
mod log_throttle;
mod log_time;
mod log_writer;
mod logfmt;
mod subscriber;

pub use self::{
    colours::has_colours,
    log_throttle::LogThrottle,
    log_time::LogTime,
    log_writer::{LogWriter, dropped_lines},
    subscriber::{BadFilter, LogFormat, clip, init, lines},
};
