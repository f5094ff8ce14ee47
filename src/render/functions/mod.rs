//! Filters and functions that templates can use beside those of Tera.
//!
//! They depend only on their arguments and on the [`RenderContext`](super::render_context::RenderContext). None reads
//! a file, the environment or the clock. `docs/templates.md` documents each with an example, and a test runs the
//! examples.

mod alerts;
mod links;
mod pairs;
mod pattern;
mod registry;
mod time;
mod wording;

pub(super) use links::alerts_url;
pub(super) use registry::{NAMES, register};

#[cfg(test)]
mod tests;
