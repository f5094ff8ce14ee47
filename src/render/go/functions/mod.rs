//! The functions of Go's text/template and of Alertmanager, and the methods of its values. One row each.

mod arguments;
mod collections;
mod compare;
mod escape;
mod function;
mod humanize;
mod letters;
mod methods;
mod pattern;
mod replace;
mod search;
mod table;
mod time_methods;

pub(super) use arguments::Arguments;
pub(super) use function::{Call, Function, Param};
pub(super) use methods::method;
pub(super) use search::PatternCache;
pub(super) use table::{function, names};
