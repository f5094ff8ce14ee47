//! Alertmanager's webhook payload (version "4"; Grafana's version "1" has the same structure).

mod lenient;
mod parse;
mod payload;
#[cfg(test)]
mod tests;

pub use parse::{PayloadError, parse};
pub use payload::{Alert, Extra, Pairs, Payload, unquote};
