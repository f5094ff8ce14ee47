//! The directory of the sandbox: corps, and the departments, tags, members, apps and group robots of
//! each.
//!
//! A directory is always consistent: ids are unique, every reference exists, departments form a tree, and userids are in
//! lower case.

mod file;
mod model;
mod recipients;

pub use file::{BUILTIN_YAML, DirectoryError};
pub use model::Directory;
pub(super) use model::{App, Corp, Robot};
pub(super) use recipients::{Lookup, RecipientNames, Recipients, parse_id};
