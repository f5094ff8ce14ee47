//! Go's text/template with the functions of Alertmanager 0.34, so that users' templates run unchanged.
//!
//! ```text
//! Source ─ syntax ─▶ Definitions ─┐
//! Payload ─ data ─▶ Data ─────────┴─ exec ─▶ Rendered
//! ```
//!
//! A template writes the same bytes as in Alertmanager, fails where it fails there, and with the same words. Templates
//! and payloads may be hostile: `budget` bounds steps, output and memory, and parser and executor bound their depth.
//!
//! | file | what it does |
//! |---|---|
//! | `engine` | compiles templates and renders them |
//! | `syntax` | splits a text into tokens and builds its tree |
//! | `definitions` | has the trees by name |
//! | `exec` | executes a tree |
//! | `value` | has values with the types of Go; `data` makes them of a payload |
//! | `functions` | has the functions and methods |
//! | `format` | writes values as Go's `fmt`, `strconv` and `encoding/json` do |
//! | `time` | has times, durations, zones and layouts |
//! | `runes` | reads strings, which are bytes in Go |
//! | `budget` | bounds a render |
//! | `advice` | says what would be right |

mod advice;
mod budget;
mod data;
mod definitions;
mod engine;
mod exec;
mod format;
mod functions;
mod runes;
mod syntax;
mod time;
mod value;

pub(super) use engine::{GoEngine, GoPayload};

#[cfg(test)]
mod tests;
