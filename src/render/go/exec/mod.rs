//! Executes the tree of a template, with the rules of Go's text/template.

mod call;
mod eval;
mod execution;
mod failure;
mod walk;

pub(super) use execution::{Context, Execution};
pub(super) use failure::{Failure, position};
